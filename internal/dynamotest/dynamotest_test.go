package dynamotest

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func newTable(t *testing.T) *Backend {
	t.Helper()
	b := New(t)
	b.CreateTable(t, "id", "")
	return b
}

func TestTransactionsCanBeRefused(t *testing.T) {
	put := func(c *dynamodb.Client, table string) error {
		_, err := c.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
			{Put: &types.Put{TableName: &table, Item: Item{"id": S("a")}}},
		}})
		return err
	}
	refused := func(b *Backend) {
		t.Helper()
		var api interface{ ErrorCode() string }
		if err := put(b.Client, b.Table); !errors.As(err, &api) || api.ErrorCode() != "UnknownOperationException" {
			t.Errorf("a transaction: %v, want UnknownOperationException", err)
		}
		if items := b.Items(t); len(items) != 0 {
			t.Errorf("the table has %v, want nothing", items)
		}
		if n := b.Counts()["TransactWriteItems"]; n != 1 {
			t.Errorf("%d transactions were sent, want 1", n)
		}
	}
	t.Setenv(noTransactionsVariable, "")
	b := newTable(t)
	b.RefuseTransactions()
	refused(b)
	if err := put(b.Raw(), b.Table); err != nil {
		t.Errorf("the raw client's transaction: %v", err)
	}
	b = newTable(t)
	if err := put(b.Client, b.Table); err != nil {
		t.Errorf("a transaction where they are not refused: %v", err)
	}
	t.Setenv(noTransactionsVariable, "1")
	refused(newTable(t))
}
