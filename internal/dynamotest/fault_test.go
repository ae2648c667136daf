package dynamotest

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// once has a call send its request once.
func once(o *dynamodb.Options) { o.RetryMaxAttempts = 1 }

// add counts up the item's n and returns it.
func add(ctx context.Context, b *Backend) (string, error) {
	out, err := b.Client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &b.Table, Key: Item{"id": S("a")}, ReturnValues: types.ReturnValueAllNew,
		UpdateExpression: aws.String("ADD n :one"), ExpressionAttributeValues: Item{":one": N("1")},
	}, once)
	if err != nil {
		return "", err
	}
	return number(out.Attributes), nil
}

// number is the item's n.
func number(item Item) string {
	n, _ := item["n"].(*types.AttributeValueMemberN)
	if n == nil {
		return ""
	}
	return n.Value
}

func stored(t *testing.T, b *Backend) string {
	t.Helper()
	items := b.Items(t)
	if len(items) == 0 {
		return ""
	}
	return number(items[0])
}

func TestHeldBackIsAppliedWhenItIsDelivered(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault func(*HeldBack, http.RoundTripper, *http.Request) (*http.Response, error)
		want  error // what the caller is told
	}{
		{"Reset", (*HeldBack).Reset, syscall.ECONNRESET},
		{"Silent", (*HeldBack).Silent, context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newTable(t)
			var held HeldBack
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			b.Inject("UpdateItem", func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
				if c.want == context.Canceled {
					cancel() // the caller gives up
				}
				return c.fault(&held, next, r)
			})
			if _, err := add(ctx, b); !errors.Is(err, c.want) {
				t.Errorf("the caller gets %v, want %v", err, c.want)
			}
			if n := stored(t, b); n != "" {
				t.Errorf("before the delivery, n = %q, want no item", n)
			}
			if n, err := add(t.Context(), b); err != nil {
				t.Errorf("the next request: n = %q, %v", n, err)
			}
			before := stored(t, b)
			if got := held.Deliver(t); !slices.Equal(got, []int{200}) {
				t.Errorf("the delivery is answered %v, want 200 once", got)
			}
			if after := stored(t, b); len(before) != 1 || after != string(before[0]+1) {
				t.Errorf("n is %q before the delivery and %q after, want one more", before, after)
			}
			if got := held.Deliver(t); got != nil {
				t.Errorf("a second delivery is answered %v, want nothing to deliver", got)
			}
		})
	}
}

func TestHeldBackIsDeliveredInOrder(t *testing.T) {
	b := newTable(t)
	var held HeldBack
	b.Inject("PutItem", held.Reset, held.Reset)
	for _, n := range []string{"1", "2"} {
		_, err := b.Client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &b.Table, Item: Item{"id": S("a"), "n": N(n)}}, once)
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("put: %v", err)
		}
	}
	_, err := b.Client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &b.Table, Item: Item{"id": S("a"), "n": N("3")}})
	if err != nil {
		t.Fatal(err)
	}
	held.Deliver(t)
	if n := stored(t, b); n != "2" {
		t.Errorf("n = %q, want 2, which was held back last", n)
	}
}
