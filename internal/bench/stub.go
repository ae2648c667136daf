package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// stub is a transport that answers from prepared bytes. It is http.Client's, under the SDK.
type stub struct {
	item  *answer // of GetItem
	empty *answer // of the others
}

// answer is an answer of DynamoDB.
type answer struct {
	body   []byte
	header http.Header
}

func newAnswer(body []byte) *answer {
	return &answer{body, http.Header{
		"Content-Type":     {"application/x-amz-json-1.0"},
		"Content-Length":   {strconv.Itoa(len(body))},
		"X-Amz-Crc32":      {strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10)},
		"X-Amzn-Requestid": {"3O8M4UQ7N0ETFJ3PKG2NGT3GV7VV4KQNSO5AEMVJF66Q9ASUAAJG"},
		"Date":             {"Tue, 24 Nov 2026 09:30:00 GMT"},
		"Server":           {"Server"},
	}}
}

func newStub() *stub {
	empty := newAnswer([]byte("{}"))
	return &stub{item: empty, empty: empty}
}

// set makes item what GetItem finds.
func (s *stub) set(item map[string]types.AttributeValue) error {
	attrs := make(map[string]any, len(item))
	for name, v := range item {
		switch v := v.(type) {
		case *types.AttributeValueMemberS:
			attrs[name] = map[string]string{"S": v.Value}
		case *types.AttributeValueMemberN:
			attrs[name] = map[string]string{"N": v.Value}
		case *types.AttributeValueMemberB:
			attrs[name] = map[string]string{"B": base64.StdEncoding.EncodeToString(v.Value)}
		}
	}
	body, err := json.Marshal(map[string]any{"Item": attrs})
	s.item = newAnswer(body)
	return err
}

func (s *stub) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return nil, err
		}
		r.Body.Close()
	}
	a := s.empty
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".GetItem") {
		a = s.item
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        a.header,
		ContentLength: int64(len(a.body)),
		Body:          io.NopCloser(bytes.NewReader(a.body)),
		Request:       r,
	}, nil
}
