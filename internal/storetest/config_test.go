package storetest

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/gorilla/securecookie"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
	"example.com/dynamostore/internal/record"
)

// namedCodec is a codec of any name.
type namedCodec struct {
	rawCodec
	name string
}

func (c namedCodec) Name() string { return c.name }

// Each mistake in a Config, or in the keys, is one line that names the field, and the value that it
// has or wants.
func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	type config = dynamostore.Config
	key := [][]byte{keyA}
	lock := func(cfg dynamostore.LockConfig) config { return config{Concurrency: dynamostore.Lock, Lock: cfg} }
	for _, test := range []struct {
		name string
		cfg  config
		keys [][]byte
		want []string
	}{
		{"table", config{Table: "a b"}, key, []string{"Config.Table", `"a b"`}},
		{"short table", config{Table: "ab"}, key, []string{"Config.Table", `"ab"`}},
		{"ARN of an index", config{Table: "arn:aws:dynamodb:eu-central-1:123456789012:table/sessions/index/user-index"}, key, []string{"Config.Table"}},
		{"one name twice", config{DataAttribute: "x", ExpiresAttribute: "x"}, key, []string{"Config.ExpiresAttribute", `"x"`, "Config.DataAttribute"}},
		{"a default's name", config{KeyAttribute: "data"}, key, []string{"Config.DataAttribute", `"data"`, "Config.KeyAttribute"}},
		{"long name", config{KeyAttribute: strings.Repeat("x", 256)}, key, []string{"Config.KeyAttribute", "255"}},
		{"name that is not UTF-8", config{DataAttribute: "\xff"}, key, []string{"Config.DataAttribute", "UTF-8"}},
		{"sort key without value", config{SortKeyAttribute: "sk"}, key, []string{"Config.SortKeyValue", `"sk"`}},
		{"sort value without key", config{SortKeyValue: "x"}, key, []string{"Config.SortKeyAttribute", `"x"`}},
		{"long sort value", config{SortKeyAttribute: "sk", SortKeyValue: strings.Repeat("x", 1025)}, key, []string{"Config.SortKeyValue", "1024"}},
		{"sort value that is not UTF-8", config{SortKeyAttribute: "sk", SortKeyValue: "\xff"}, key, []string{"Config.SortKeyValue", "UTF-8"}},
		{"prefix that is not UTF-8", config{KeyPrefix: "\xff"}, key, []string{"Config.KeyPrefix", "UTF-8"}},
		{"long prefix", config{KeyPrefix: strings.Repeat("#", 1025)}, key, []string{"Config.KeyPrefix", "1024"}},
		{"prefix that ends in a letter", config{KeyPrefix: "app"}, key, []string{"Config.KeyPrefix", `"app"`, `"app#"`}},
		{"prefix that ends in a digit", config{KeyPrefix: "app#2"}, key, []string{"Config.KeyPrefix", `"app#2"`, `"app#2#"`}},
		{"prefix that ends in a letter of another alphabet", config{KeyPrefix: "приложение"}, key, []string{"Config.KeyPrefix"}},
		{"data type", config{DataType: 7}, key, []string{"Config.DataType", "7", "Binary or String"}},
		{"concurrency", config{Concurrency: 7}, key, []string{"Config.Concurrency", "7", "Merge, Refuse, Overwrite or Lock"}},
		{"negative concurrency", config{Concurrency: -1}, key, []string{"Config.Concurrency", "-1"}},
		{"unnamed codec", config{Codec: namedCodec{}}, key, []string{"Config.Codec", `""`}},
		{"codec with a plus", config{Codec: namedCodec{name: "a+b"}}, key, []string{"Config.Codec", `"a+b"`}},
		{"codec whose name is not UTF-8", config{Codec: namedCodec{name: "\xff"}}, key, []string{"Config.Codec"}},
		{"nil read codec", config{ReadCodecs: []dynamostore.Codec{nil}}, key, []string{"Config.ReadCodecs[0]", "nil"}},
		{"unnamed read codec", config{ReadCodecs: []dynamostore.Codec{dynamostore.GobCodec{}, namedCodec{}}}, key, []string{"Config.ReadCodecs[1]"}},
		{"JSON types", config{Codec: dynamostore.JSONCodec{Types: []any{nil}}}, key, []string{"Config.Codec", "nil"}},
		{"lifetime", config{Lifetime: -time.Second}, key, []string{"Config.Lifetime", "-1s"}},
		{"max lifetime", config{MaxLifetime: -time.Second}, key, []string{"Config.MaxLifetime", "-1s"}},
		{"timeout", config{Timeout: -time.Second}, key, []string{"Config.Timeout", "-1s"}},
		{"lock wait", lock(dynamostore.LockConfig{Wait: -time.Second}), key, []string{"Config.Lock.Wait", "-1s"}},
		{"lock pauses", lock(dynamostore.LockConfig{MinRetry: -time.Second}), key, []string{"Config.Lock.MinRetry", "-1s"}},
		{"lock pauses in the wrong order", lock(dynamostore.LockConfig{MinRetry: time.Second, MaxRetry: time.Millisecond}), key, []string{"Config.Lock.MaxRetry", "1ms", "1s"}},
		{"lease", lock(dynamostore.LockConfig{Lease: -time.Second}), key, []string{"Config.Lock.Lease", "-1s"}},
		{"Lock without Concurrency: Lock", config{Lock: dynamostore.LockConfig{Wait: time.Second}}, key, []string{"Config.Lock", "Concurrency: Lock"}},
		{"Lock with Concurrency: Refuse", config{Concurrency: dynamostore.Refuse, Lock: dynamostore.LockConfig{Lease: time.Minute}}, key, []string{"Config.Lock", "Concurrency: Lock"}},
		{"short encryption key", config{EncryptionKeys: [][]byte{itemKeyA, []byte("secretsecret!")}}, key, []string{"Config.EncryptionKeys[1]", "13 bytes", "32"}},
		{"plaintext without keys", config{ReadPlaintext: true}, key, []string{"Config.ReadPlaintext", "EncryptionKeys"}},
		{"index", config{UserKey: "user", UserIndex: "a b"}, key, []string{"Config.UserIndex", `"a b"`}},
		{"no key", config{}, nil, []string{"keyPairs", "authentication key", "32 or 64"}},
		{"empty key", config{}, [][]byte{{}}, []string{"keyPairs[0]", "authentication key"}},
		{"short authentication key", config{}, [][]byte{[]byte("secretsecret!!!")}, []string{"keyPairs[0]", "authentication key", "15 bytes", "16"}},
		{"short authentication key in a later pair", config{}, [][]byte{keyA, nil, []byte("secret")}, []string{"keyPairs[2]", "authentication key", "6 bytes"}},
		{"empty key in a later pair", config{}, [][]byte{keyA, nil, nil}, []string{"keyPairs[2]", "authentication key"}},
		{"encryption key of a cookie", config{}, [][]byte{keyA, []byte("secretsecret!")}, []string{"keyPairs[1]", "13 bytes", "16, 24 or 32"}},
	} {
		t.Run(test.name, func(t *testing.T) { wantMistake(t, test.cfg, test.keys, test.want) })
	}
	for _, name := range record.ReservedAttributes() {
		t.Run("reserved attribute "+name, func(t *testing.T) {
			wantMistake(t, config{KeyAttribute: name}, key, []string{"Config.KeyAttribute", `"` + name + `"`})
			wantMistake(t, config{SortKeyAttribute: name, SortKeyValue: "x"}, key, []string{"Config.SortKeyAttribute", `"` + name + `"`})
			wantMistake(t, config{DataAttribute: name}, key, []string{"Config.DataAttribute", `"` + name + `"`})
			wantMistake(t, config{ExpiresAttribute: name}, key, []string{"Config.ExpiresAttribute", `"` + name + `"`})
		})
	}
}

// wantMistake asserts that New refuses a Config and keys, in one line that says all of want, and no
// key. Open refuses them as well, before it looks at the AWS configuration.
func wantMistake(t *testing.T, cfg dynamostore.Config, keys [][]byte, want []string) {
	t.Helper()
	store, err := dynamostore.New(&dynamotest.Fixed{}, cfg, keys...)
	if err == nil || store != nil {
		t.Fatalf("New(%+v) = %v, %v, want an error", cfg, store, err)
	}
	for _, want := range append(want, "dynamostore: ") {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
	if lines := strings.Count(err.Error(), "\n"); lines != 0 {
		t.Errorf("one mistake takes %d lines: %v", lines+1, err)
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("error %q holds a key", err)
	}
	if _, openErr := dynamostore.Open(t.Context(), cfg, keys...); openErr == nil || openErr.Error() != err.Error() {
		t.Errorf("Open's error is %v, want New's, %v", openErr, err)
	}
}

// All mistakes are reported at once, in a line each.
func TestAllConfigMistakesAtOnce(t *testing.T) {
	t.Parallel()
	_, err := dynamostore.New(nil, dynamostore.Config{
		Table: "?", KeyAttribute: "gone", SortKeyAttribute: "sk", DataAttribute: "codec", ExpiresAttribute: "recent", KeyPrefix: "app", DataType: -1,
		Codec: namedCodec{}, ReadCodecs: []dynamostore.Codec{nil}, EncryptionKeys: [][]byte{nil}, Concurrency: 9,
		Lock: dynamostore.LockConfig{Wait: -1, MinRetry: -1, MaxRetry: -2, Lease: -1}, Lifetime: -1, MaxLifetime: -1, Timeout: -1, UserIndex: "?",
	}, []byte("short"), []byte("short"))
	want := []string{
		"client", "Config.Table", "Config.KeyAttribute", "Config.SortKeyValue", "Config.DataAttribute", "Config.ExpiresAttribute", "Config.KeyPrefix",
		"Config.DataType", "Config.Codec", "Config.ReadCodecs[0]", "Config.EncryptionKeys[0]", "Config.Concurrency", "Config.Lock:",
		"Config.Lock.Wait", "Config.Lock.MinRetry", "Config.Lock.MaxRetry", "Config.Lock.Lease", "Config.Lifetime", "Config.MaxLifetime", "Config.Timeout",
		"Config.UserIndex", "keyPairs[0]", "keyPairs[1]",
	}
	if err == nil {
		t.Fatal("New returned no error")
	}
	lines := strings.Split(err.Error(), "\n")
	for _, field := range want {
		found := 0
		for _, line := range lines {
			if strings.HasPrefix(line, "dynamostore: "+strings.TrimSuffix(field, ":")+":") {
				found++
			}
		}
		if found == 0 {
			t.Errorf("no line of the error is about %s:\n%v", field, err)
		}
	}
}

func TestNilClients(t *testing.T) {
	t.Parallel()
	for name, client := range map[string]dynamostore.Client{"nil": nil, "a nil *dynamodb.Client": (*dynamodb.Client)(nil)} {
		store, err := dynamostore.New(client, dynamostore.Config{}, keyA)
		if store != nil || err == nil || !strings.Contains(err.Error(), "client") || !strings.Contains(err.Error(), "NewClient") {
			t.Errorf("New with %s = %v, %v, want an error that names NewClient", name, store, err)
		}
	}
}

// recordingClient keeps the last item that was put.
type recordingClient struct {
	dynamotest.Fixed
	put *dynamodb.PutItemInput
}

func (c *recordingClient) PutItem(_ context.Context, in *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	c.put = in
	return &dynamodb.PutItemOutput{}, nil
}

// These are no mistakes: a session is stored in the table, under the attributes and with a cookie
// that they ask for.
func TestGoodConfigs(t *testing.T) {
	t.Parallel()
	type config = dynamostore.Config
	pairs := [][]byte{keyA, keyA[:16], keyB, keyB[:24], keyA, nil, keyB}
	for _, test := range []struct {
		name string
		cfg  config
		keys [][]byte
		want []string // attributes
	}{
		{"zero", config{}, [][]byte{keyA}, []string{"id", "data", "expires"}},
		{"ARN", config{Table: "arn:aws:dynamodb:eu-central-1:123456789012:table/sessions"}, [][]byte{keyA}, nil},
		{"ARN in China", config{Table: "arn:aws-cn:dynamodb:cn-north-1:123456789012:table/a.b-c_d"}, [][]byte{keyA}, nil},
		{"authentication key of 16 bytes", config{}, [][]byte{keyA[:16]}, nil},
		{"authentication key of 64 bytes", config{}, [][]byte{slices.Concat(keyA, keyB)}, nil},
		{"pairs", config{}, pairs, nil},
		{"a type and a pointer to it", config{Codec: dynamostore.JSONCodec{Types: []any{purchase{}, &purchase{}}}}, [][]byte{keyA}, nil},
		{"the same codec twice", config{ReadCodecs: []dynamostore.Codec{dynamostore.GobCodec{}}}, [][]byte{keyA}, nil},
		{"prefixes that end in a separator", config{KeyPrefix: "app1#"}, [][]byte{keyA}, nil},
		{"prefix of one character", config{KeyPrefix: "/"}, [][]byte{keyA}, nil},
		{"names", config{KeyAttribute: "pk", SortKeyAttribute: "sk", SortKeyValue: "SESSION", DataAttribute: "d", ExpiresAttribute: "ttl"}, [][]byte{keyA}, []string{"pk", "sk", "d", "ttl"}},
		{"Lock", config{Concurrency: dynamostore.Lock, Lock: dynamostore.LockConfig{Wait: time.Second}}, [][]byte{keyA}, nil},
		{"Lock with a longest pause below the default's shortest", config{Concurrency: dynamostore.Lock, Lock: dynamostore.LockConfig{MaxRetry: time.Millisecond}}, [][]byte{keyA}, nil},
		{"negative TouchInterval", config{TouchInterval: -1}, [][]byte{keyA}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			client := &recordingClient{}
			store, err := dynamostore.New(client, test.cfg, test.keys...)
			if err != nil {
				t.Fatalf("New: %v", err)
			}
			r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
			session, err := store.Get(r, cookieName)
			if err != nil {
				t.Fatalf("Get: %v", err)
			}
			session.Values["k"] = "v"
			if err := session.Save(r, w); err != nil {
				t.Fatalf("Save: %v", err)
			}
			table := "sessions"
			if test.cfg.Table != "" {
				table = test.cfg.Table
			}
			if got := aws.ToString(client.put.TableName); got != table {
				t.Errorf("the item was put into the table %q, want %q", got, table)
			}
			for _, name := range test.want {
				if client.put.Item[name] == nil {
					t.Errorf("the item %s\nhas no attribute %q", itemsText(client.put.Item), name)
				}
			}
			keyAttribute := "id"
			if test.cfg.KeyAttribute != "" {
				keyAttribute = test.cfg.KeyAttribute
			}
			if got, want := attrText(client.put.Item[keyAttribute]), "S:"+test.cfg.KeyPrefix+session.ID; got != want {
				t.Errorf("the item's key is %s, want %s", got, want)
			}
			cookies := w.Result().Cookies()
			if len(cookies) != 1 {
				t.Fatalf("Save set the cookies %v, want one", cookies)
			}
			var id string
			if err := securecookie.DecodeMulti(cookieName, cookies[0].Value, &id, securecookie.CodecsFromPairs(test.keys[:min(2, len(test.keys))]...)...); err != nil || id != session.ID {
				t.Errorf("by the first pair of keys, the cookie holds %q, %v, want the session's ID", id, err)
			}
		})
	}
}

// isolate takes the machine's AWS configuration away from a test.
func isolate(t *testing.T) {
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_CA_BUNDLE"} {
		t.Setenv(name, "") // which restores it in the end
		os.Unsetenv(name)
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	none := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
}

func TestOpenSaysWhatTheAWSConfigurationLacks(t *testing.T) {
	isolate(t)
	if _, err := dynamostore.Open(t.Context(), dynamostore.Config{}, keyA); err == nil || !strings.Contains(err.Error(), "AWS_REGION") {
		t.Errorf("Open without a region: %v, want an error that names AWS_REGION", err)
	}
	t.Setenv("AWS_REGION", "eu-central-1")
	if store, err := dynamostore.Open(t.Context(), dynamostore.Config{}, keyA); err != nil || store == nil {
		t.Errorf("Open = %v, %v, want a Store", store, err)
	}
	t.Setenv("AWS_CA_BUNDLE", filepath.Join(t.TempDir(), "missing.pem"))
	if _, err := dynamostore.Open(t.Context(), dynamostore.Config{}, keyA); err == nil || !strings.Contains(err.Error(), "AWS configuration") {
		t.Errorf("Open with a broken AWS configuration: %v, want an error that says so", err)
	}
}

func TestMust(t *testing.T) {
	t.Parallel()
	made, err := dynamostore.New(&dynamotest.Fixed{}, dynamostore.Config{}, keyA)
	if err != nil {
		t.Fatal(err)
	}
	if store := dynamostore.Must(made, nil); store != made {
		t.Errorf("Must returned %p, want %p", store, made)
	}
	_, err = dynamostore.New(&dynamotest.Fixed{}, dynamostore.Config{})
	defer func() {
		if p := recover(); p != err || err == nil {
			t.Errorf("Must panicked with %v, want %v", p, err)
		}
	}()
	dynamostore.Must(nil, err)
}
