package main

import (
	"crypto/rand"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
)

// plainStore does what many session stores do: New reads the item, and Save puts it back, whatever
// happened to it in between. The demo compares dynamostore with it. Do not use it.
type plainStore struct {
	client dynamostore.Client
	table  string
	codec  dynamostore.Codec
}

func (p *plainStore) Get(*http.Request, string) (*sessions.Session, error) {
	return nil, errors.ErrUnsupported
}

func (p *plainStore) New(r *http.Request, name string) (*sessions.Session, error) {
	session := sessions.NewSession(p, name)
	session.ID, session.IsNew, session.Options = "plain-"+rand.Text(), true, new(sessions.Options)
	cookie, err := r.Cookie(name)
	if err != nil {
		return session, nil
	}
	session.ID = cookie.Value
	out, err := p.client.GetItem(r.Context(), &dynamodb.GetItemInput{
		TableName:      &p.table,
		Key:            itemKey(session.ID),
		ConsistentRead: aws.Bool(true),
	})
	if err != nil || out.Item == nil {
		return session, err
	}
	session.IsNew = false
	session.Values, err = p.codec.Decode(out.Item["data"].(*types.AttributeValueMemberB).Value)
	return session, err
}

func (p *plainStore) Save(r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	http.SetCookie(w, sessions.NewCookie(session.Name(), session.ID, session.Options))
	item := itemKey(session.ID)
	if session.Options.MaxAge < 0 {
		_, err := p.client.DeleteItem(r.Context(), &dynamodb.DeleteItemInput{TableName: &p.table, Key: item})
		return err
	}
	data, err := p.codec.Encode(session.Values)
	if err != nil {
		return err
	}
	item["data"] = &types.AttributeValueMemberB{Value: data}
	item["expires"] = &types.AttributeValueMemberN{Value: strconv.FormatInt(time.Now().Unix()+copyAge, 10)}
	_, err = p.client.PutItem(r.Context(), &dynamodb.PutItemInput{TableName: &p.table, Item: item})
	return err
}

// itemKey returns the primary key of an item.
func itemKey(key string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: key}}
}
