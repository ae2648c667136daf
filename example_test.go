package dynamostore_test

import (
	"encoding/json"
	"errors"
	"fmt"

	"example.com/dynamostore"
)

// plainJSON keeps strings only, as one JSON object that every language reads.
type plainJSON struct{}

func (plainJSON) Name() string { return "plain-json" }

func (plainJSON) Encode(values map[any]any) ([]byte, error) {
	object := make(map[string]string, len(values))
	for k, v := range values {
		key, ok := k.(string)
		value, ok2 := v.(string)
		if !ok || !ok2 {
			return nil, errors.New("plainJSON takes strings only")
		}
		object[key] = value
	}
	return json.Marshal(object)
}

func (plainJSON) Decode(data []byte) (map[any]any, error) {
	var object map[string]string
	if err := json.Unmarshal(data, &object); err != nil {
		return nil, err
	}
	values := make(map[any]any, len(object))
	for k, v := range object {
		values[k] = v
	}
	return values, nil
}

// A codec of one's own is three methods. The sessions that another codec wrote are still read.
func ExampleCodec() {
	cfg := dynamostore.Config{
		Codec:      plainJSON{},
		ReadCodecs: []dynamostore.Codec{dynamostore.GobCodec{}},
	}
	data, err := cfg.Codec.Encode(map[any]any{"user": "ann"})
	fmt.Printf("%s %v\n", data, err)
	// Output: {"user":"ann"} <nil>
}
