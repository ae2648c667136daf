package dynamostore_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// unnamed is a codec whose name is as it says.
type unnamed struct {
	rawCodec
	name string
}

func (c unnamed) Name() string { return c.name }

// Each problem of a Config, or of the keys, is told by the field's name and the value it has or takes.
func TestConfigErrors(t *testing.T) {
	key := [][]byte{keyA}
	for _, test := range []struct {
		name string
		cfg  dynamostore.Config
		keys [][]byte
		want []string
	}{
		{"table", dynamostore.Config{Table: "a b"}, key, []string{"Config.Table", `"a b"`, "3 to 255"}},
		{"short table", dynamostore.Config{Table: "ab"}, key, []string{"Config.Table", `"ab"`}},
		{"fixed key", dynamostore.Config{KeyAttribute: "version"}, key, []string{"Config.KeyAttribute", `"version"`}},
		{"fixed sort key", dynamostore.Config{SortKeyAttribute: "codec", SortKeyValue: "x"}, key, []string{"Config.SortKeyAttribute", `"codec"`}},
		{"fixed data", dynamostore.Config{DataAttribute: "moved"}, key, []string{"Config.DataAttribute", `"moved"`}},
		{"fixed expires", dynamostore.Config{ExpiresAttribute: "lock_until"}, key, []string{"Config.ExpiresAttribute", `"lock_until"`}},
		{"one name twice", dynamostore.Config{DataAttribute: "x", ExpiresAttribute: "x"}, key, []string{"Config.ExpiresAttribute", `"x"`, "Config.DataAttribute"}},
		{"a default's name", dynamostore.Config{KeyAttribute: "data"}, key, []string{"Config.DataAttribute", `"data"`, "Config.KeyAttribute"}},
		{"long name", dynamostore.Config{KeyAttribute: strings.Repeat("x", 256)}, key, []string{"Config.KeyAttribute", "255"}},
		{"sort key without value", dynamostore.Config{SortKeyAttribute: "sk"}, key, []string{"Config.SortKeyValue", `"sk"`}},
		{"sort value without key", dynamostore.Config{SortKeyValue: "x"}, key, []string{"Config.SortKeyAttribute", `"x"`}},
		{"long sort value", dynamostore.Config{SortKeyAttribute: "sk", SortKeyValue: strings.Repeat("x", 1025)}, key, []string{"Config.SortKeyValue", "1024"}},
		{"prefix", dynamostore.Config{KeyPrefix: "\xff"}, key, []string{"Config.KeyPrefix", "UTF-8"}},
		{"data type", dynamostore.Config{DataType: 7}, key, []string{"Config.DataType", "7", "Binary or String"}},
		{"unnamed codec", dynamostore.Config{Codec: unnamed{}}, key, []string{"Config.Codec", `""`}},
		{"codec with a plus", dynamostore.Config{Codec: unnamed{name: "a+b"}}, key, []string{"Config.Codec", `"a+b"`}},
		{"nil read codec", dynamostore.Config{ReadCodecs: []dynamostore.Codec{nil}}, key, []string{"Config.ReadCodecs[0]", "nil"}},
		{"unnamed read codec", dynamostore.Config{ReadCodecs: []dynamostore.Codec{dynamostore.GobCodec{}, unnamed{}}}, key, []string{"Config.ReadCodecs[1]"}},
		{"JSON types", dynamostore.Config{Codec: dynamostore.JSONCodec{Types: []any{nil}}}, key, []string{"Config.Codec", "nil"}},
		{"lifetime", dynamostore.Config{Lifetime: -time.Second}, key, []string{"Config.Lifetime", "-1s"}},
		{"max lifetime", dynamostore.Config{MaxLifetime: -time.Second}, key, []string{"Config.MaxLifetime", "-1s"}},
		{"timeout", dynamostore.Config{Timeout: -time.Second}, key, []string{"Config.Timeout", "-1s"}},
		{"lock wait", dynamostore.Config{Lock: dynamostore.LockConfig{Wait: -time.Second}}, key, []string{"Config.Lock.Wait", "-1s"}},
		{"lock pauses", dynamostore.Config{Lock: dynamostore.LockConfig{MinRetry: -time.Second}}, key, []string{"Config.Lock.MinRetry", "-1s"}},
		{"lock pauses the wrong way round", dynamostore.Config{Lock: dynamostore.LockConfig{MinRetry: time.Second, MaxRetry: time.Millisecond}}, key, []string{"Config.Lock.MaxRetry", "1ms", "1s"}},
		{"lease", dynamostore.Config{Lock: dynamostore.LockConfig{Lease: -time.Second}}, key, []string{"Config.Lock.Lease", "-1s"}},
		{"plaintext without keys", dynamostore.Config{ReadPlaintext: true}, key, []string{"Config.ReadPlaintext", "EncryptionKeys"}},
		{"index", dynamostore.Config{UserKey: "user", UserIndex: "a b"}, key, []string{"Config.UserIndex", `"a b"`}},
		{"no key", dynamostore.Config{}, nil, []string{"keyPairs", "authentication key", "32 or 64"}},
		{"empty key", dynamostore.Config{}, [][]byte{{}}, []string{"keyPairs[0]", "authentication key"}},
		{"empty key in a later pair", dynamostore.Config{}, [][]byte{keyA, nil, nil}, []string{"keyPairs[2]", "authentication key"}},
		{"block key", dynamostore.Config{}, [][]byte{keyA, []byte("secretsecret!")}, []string{"keyPairs[1]", "13 bytes", "16, 24 or 32"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			store, err := dynamostore.New(dynamotest.New(t).Client, test.cfg, test.keys...)
			if err == nil || store != nil {
				t.Fatalf("New = %v, %v, want an error", store, err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
			if lines := strings.Count(err.Error(), "\n"); lines != 0 {
				t.Errorf("one mistake is told in %d lines: %v", lines+1, err)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("error %q holds a key", err)
			}
			// Open finds the same before it looks at AWS.
			if _, openErr := dynamostore.Open(t.Context(), test.cfg, test.keys...); openErr == nil || openErr.Error() != err.Error() {
				t.Errorf("Open's error is %v, want New's", openErr)
			}
		})
	}
}

func TestAllConfigErrorsAtOnce(t *testing.T) {
	_, err := dynamostore.New(nil, dynamostore.Config{
		Table: "?", DataAttribute: "codec", DataType: -1, Codec: unnamed{}, Lifetime: -1,
	}, nil, []byte("short"))
	for _, want := range []string{"client", "Config.Table", "Config.DataAttribute", "Config.DataType", "Config.Codec", "Config.Lifetime", "keyPairs[0]", "keyPairs[1]"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not speak of %s", err, want)
		}
	}
	if _, err := dynamostore.New((*dynamodb.Client)(nil), dynamostore.Config{}, keyA); err == nil || !strings.Contains(err.Error(), "client") {
		t.Errorf("New with a nil *dynamodb.Client: %v, want an error", err)
	}
}

func TestGoodConfigs(t *testing.T) {
	for _, test := range []struct {
		name string
		cfg  dynamostore.Config
		keys [][]byte
	}{
		{"zero", dynamostore.Config{}, [][]byte{keyA}},
		{"ARN", dynamostore.Config{Table: "arn:aws:dynamodb:eu-central-1:123456789012:table/sessions"}, [][]byte{keyA}},
		{"short authentication key, as gorilla takes it", dynamostore.Config{}, [][]byte{[]byte("secret")}},
		{"pairs", dynamostore.Config{}, [][]byte{keyA, keyA[:16], keyB, keyB[:24], keyA, nil, keyB}},
		{"a type and a pointer to it", dynamostore.Config{Codec: dynamostore.JSONCodec{Types: []any{cart{}, &cart{}}}}, [][]byte{keyA}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := dynamostore.New(dynamotest.New(t).Client, test.cfg, test.keys...); err != nil {
				t.Errorf("New: %v", err)
			}
		})
	}
}

// isolated takes the machine's AWS configuration away from a test.
func isolated(t *testing.T) {
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_CA_BUNDLE"} {
		t.Setenv(name, "")
		os.Unsetenv(name)
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	none := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
}

func TestOpen(t *testing.T) {
	isolated(t)
	if _, err := dynamostore.Open(t.Context(), dynamostore.Config{}, keyA); err == nil || !strings.Contains(err.Error(), "AWS_REGION") {
		t.Errorf("Open without a region: %v, want an error that names AWS_REGION", err)
	}
	t.Setenv("AWS_REGION", "eu-central-1")
	store, err := dynamostore.Open(t.Context(), dynamostore.Config{}, keyA)
	if err != nil || store == nil {
		t.Errorf("Open = %v, %v", store, err)
	}
	t.Setenv("AWS_CA_BUNDLE", filepath.Join(t.TempDir(), "missing.pem"))
	if _, err := dynamostore.Open(t.Context(), dynamostore.Config{}, keyA); err == nil || !strings.Contains(err.Error(), "AWS configuration") {
		t.Errorf("Open with a broken AWS configuration: %v, want an error", err)
	}
}

func TestMust(t *testing.T) {
	store := dynamostore.Must(dynamostore.New(dynamotest.New(t).Client, dynamostore.Config{}, keyA))
	if store == nil {
		t.Error("Must returned nil")
	}
	defer func() {
		if recover() == nil {
			t.Error("Must did not panic on an error")
		}
	}()
	dynamostore.Must(dynamostore.Open(context.Background(), dynamostore.Config{}))
}
