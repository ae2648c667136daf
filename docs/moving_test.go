package docs

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// plainID reads the cookies of savaki/dynastore: IDs, not signed.
type plainID struct{}

func (plainID) Encode(string, any) (string, error) {
	return "", errors.New("plainID only reads")
}

func (plainID) Decode(name, value string, dst any) error {
	id, ok := dst.(*string)
	if !ok || len(value) != 52 {
		return errors.New("the cookie is not one of savaki/dynastore")
	}
	*id = value
	return nil
}

// The sessions of hijiki51/dynastore and itto-ki/dynamo-session-store go on, with values, ID and cookie. The other
// sections of moving.md are tested in internal/storetest.
func TestMovingFromForks(t *testing.T) {
	const id = "OC5XL5MZ2HNCWDJZ2PCH6U3PAQ4CBTAC5H4XZBTOCU2BM6RXOKZQ"
	var data bytes.Buffer
	if err := gob.NewEncoder(&data).Encode(map[any]any{"user": "ann"}); err != nil {
		t.Fatal(err)
	}
	signed, err := securecookie.EncodeMulti("session", id, securecookie.CodecsFromPairs(key)...)
	if err != nil {
		t.Fatal(err)
	}
	options := &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"Path": dynamotest.S("/"), "MaxAge": dynamotest.N("0")}}
	for _, test := range []struct {
		name   string
		cfg    dynamostore.Config
		item   dynamotest.Item
		cookie string
		codecs []securecookie.Codec
	}{
		{"hijiki51", dynamostore.Config{DataAttribute: "values", ExpiresAttribute: "ttl"}, dynamotest.Item{"ttl": dynamotest.N(in(time.Hour))}, id,
			[]securecookie.Codec{plainID{}}},
		{"itto-ki", dynamostore.Config{DataAttribute: "values"}, dynamotest.Item{}, signed, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t, test.cfg)
			s.store.Codecs = append(s.store.Codecs, test.codecs...)
			test.item["id"], test.item["options"] = dynamotest.S(id), options
			test.item["values"] = dynamotest.S(base64.StdEncoding.EncodeToString(data.Bytes()))
			s.backend.Put(t, test.item)
			b := s.browser()
			b.cookies["session"] = &http.Cookie{Name: "session", Value: test.cookie}
			if session := b.session(); session.ID != id || session.Values["user"] != "ann" {
				t.Errorf("the session is %+v", session)
			}
			b.set("visits", 1)
			if session := b.session(); session.ID != id || session.Values["user"] != "ann" || session.Values["visits"] != 1 {
				t.Errorf("after a Save, the session is %+v", session)
			}
			if b.cookies["session"].Value == id {
				t.Error("after a Save, the cookie is not signed")
			}
		})
	}
}

// README and moving.md say what gorilla/sessions gives the cookies of another CookieStore in the application.
func TestOtherCookieStores(t *testing.T) {
	got := *sessions.NewCookieStore(key).Options
	if want := (sessions.Options{Path: "/", MaxAge: 30 * 24 * 60 * 60, Secure: true, SameSite: http.SameSiteNoneMode}); got != want {
		t.Errorf("the options of a CookieStore are %+v, want %+v", got, want)
	}
}
