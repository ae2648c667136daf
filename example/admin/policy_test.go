package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

func TestPolicy(t *testing.T) {
	a := newAdmin(t)
	a.prints([]string{"-table", "sessions", "-region", "eu-central-1", "policy", "-account", "123456789012"}, `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:UpdateItem"
      ],
      "Resource": "arn:aws:dynamodb:eu-central-1:123456789012:table/sessions"
    }
  ]
}
`, "", 0)
	a.prints([]string{"-table", "arn:aws-cn:dynamodb:cn-north-1:123456789012:table/s-1", "-user-index", "by-user", "policy", "-features", "users, purge"}, `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "dynamodb:GetItem",
        "dynamodb:UpdateItem",
        "dynamodb:Scan",
        "dynamodb:DeleteItem"
      ],
      "Resource": "arn:aws-cn:dynamodb:cn-north-1:123456789012:table/s-1"
    },
    {
      "Effect": "Allow",
      "Action": [
        "dynamodb:Query"
      ],
      "Resource": "arn:aws-cn:dynamodb:cn-north-1:123456789012:table/s-1/index/by-user"
    }
  ]
}
`, "", 0)
	for region, want := range map[string]string{"cn-north-1": "arn:aws-cn:", "us-gov-west-1": "arn:aws-us-gov:", "eu-west-1": "arn:aws:dynamodb:eu-west-1:123456789012:table/"} {
		if out, _, _ := a.run("-region", region, "policy", "-account", "123456789012"); !strings.Contains(out, `"`+want) {
			t.Errorf("the policy for %s has no ARN that begins with %q:\n%s", region, want, out)
		}
	}
	a.createTable()
	table, err := a.backend.Raw().DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &a.backend.Table})
	if err != nil {
		t.Fatal(err)
	}
	if out, _, status := a.run("policy"); status != 0 || !strings.Contains(out, `"`+*table.Table.TableArn+`"`) {
		t.Errorf("policy: status %d, it printed\n%s\nwant the ARN %s, which DynamoDB tells", status, out, *table.Table.TableArn)
	}
	a.backend.Inject("DescribeTable", dynamotest.Edited(func(answer map[string]any) { answer["Table"] = map[string]any{} }))
	a.backend.Inject("DescribeTimeToLive", dynamotest.Edited(func(answer map[string]any) {
		answer["TimeToLiveDescription"] = map[string]any{"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
	}))
	a.prints([]string{"policy"}, "", `admin: policy: DynamoDB did not tell the ARN of table "NAME"; give -account and -region instead: the response does not hold it`+"\n", 1)
}

// Each feature sends what its policy allows, all of that, and nothing else.
func TestPolicyIsWhatEachFeatureNeeds(t *testing.T) {
	// visit sends a request with a cookie, or none if it is empty, and returns the one that comes
	// back.
	visit := func(t *testing.T, store *dynamostore.Store, cookie string, do func(*http.Request, http.ResponseWriter, *sessions.Session) error) string {
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.Header.Set("Cookie", cookie)
		session, err := store.Get(r, "session")
		if err != nil {
			t.Fatal(err)
		}
		if err := do(r, w, session); err != nil {
			t.Fatal(err)
		}
		set, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
		return set
	}
	save := func(value any) func(*http.Request, http.ResponseWriter, *sessions.Session) error {
		return func(r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
			session.Values["k"], session.Values["user"] = value, "ann"
			return session.Save(r, w)
		}
	}
	uses := map[string]func(*testing.T, *admin, *dynamostore.Store){
		"save": func(t *testing.T, a *admin, store *dynamostore.Store) {
			cookie := visit(t, store, "", save(1))
			visit(t, store, cookie, save(2))
			visit(t, store, cookie, func(r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
				session.Options.MaxAge = -1
				return session.Save(r, w)
			})
		},
		"regenerate": func(t *testing.T, a *admin, store *dynamostore.Store) {
			other := a.store(a.backend.Client)
			cookie := visit(t, other, "", save(1))
			a.backend.Counts()
			visit(t, store, cookie, func(r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
				return store.Regenerate(r, w, session)
			})
		},
		"update": func(t *testing.T, a *admin, store *dynamostore.Store) {
			visit(t, a.store(a.backend.Client), "", save(1))
			a.backend.Counts()
			change := func(values map[any]any) error { values["k"] = 2; return nil }
			if n, err := store.UpdateUser(t.Context(), "ann", change); n != 1 || err != nil {
				t.Fatalf("UpdateUser = %d, %v", n, err)
			}
		},
		"users": func(t *testing.T, a *admin, store *dynamostore.Store) {
			visit(t, a.store(a.backend.Client), "", save(1))
			a.backend.Counts()
			if n, err := store.DestroyUser(t.Context(), "ann"); n != 1 || err != nil {
				t.Fatalf("DestroyUser = %d, %v", n, err)
			}
			if err := store.Destroy(t.Context(), "missing"); err != nil { // reads why it was refused
				t.Fatalf("Destroy = %v", err)
			}
		},
		"list": func(t *testing.T, a *admin, store *dynamostore.Store) {
			for _, err := range store.Sessions(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
			}
		},
		"check": func(t *testing.T, a *admin, store *dynamostore.Store) { store.CheckTable(t.Context()) },
		"create": func(t *testing.T, a *admin, store *dynamostore.Store) {
			a.backend.CreateTable(t, "id", "")
			for range 2 {
				if err := store.EnsureTable(t.Context()); err != nil {
					t.Fatal(err)
				}
				if _, err := a.backend.Raw().DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &a.backend.Table}); err != nil {
					t.Fatal(err)
				}
			}
		},
		"purge": func(t *testing.T, a *admin, store *dynamostore.Store) {
			a.put("expired", -time.Hour, 0, nil)
			if _, err := store.PurgeExpired(t.Context(), dynamostore.PurgeOptions{}); err != nil {
				t.Fatal(err)
			}
		},
	}
	for _, f := range features {
		t.Run(f.name, func(t *testing.T) {
			a := newAdmin(t)
			if f.name != "create" {
				a.createTable()
			}
			uses[f.name](t, a, a.store(a.backend.Client))
			var table, index []string
			for op := range a.backend.Counts() {
				switch op {
				case "Query": // UserSessions asks nothing but the index
					index = append(index, op)
				case "TransactWriteItems":
					table = append(table, "PutItem", "UpdateItem")
				default:
					table = append(table, op)
				}
			}
			slices.Sort(table)
			if want := slices.Sorted(slices.Values(f.table)); !slices.Equal(table, want) {
				t.Errorf("it sent %q to the table, and its policy allows %q", table, want)
			}
			if !slices.Equal(index, f.index) {
				t.Errorf("it sent %q to the index, and its policy allows %q", index, f.index)
			}
		})
	}
}

// docs/operating.md has the same features.
func TestOperatingListsTheFeatures(t *testing.T) {
	text, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Permissions\n")
	_, table, _ := strings.Cut(section, "\n| --- | --- | --- | --- |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	code := func(names []string) string {
		if names == nil {
			return ""
		}
		return "`" + strings.Join(names, "`, `") + "`"
	}
	var want []string
	for _, f := range features {
		want = append(want, strings.TrimSpace(fmt.Sprintf("| `%s` | %s | %s | %s", f.name, f.what, code(f.table), code(f.index)))+" |")
	}
	if want := strings.Join(want, "\n"); table != want {
		t.Errorf("docs/operating.md has\n%s\nthe admin program\n%s", table, want)
	}
}
