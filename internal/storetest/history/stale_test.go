package history

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"
)

// maxStale is how old an eventually consistent read may be.
const maxStale = time.Second

// keptAnswer is an answer to GetItem that was true from a time on.
type keptAnswer struct {
	from time.Time
	body []byte
}

// keep notes what GetItem answers after a write, for stale reads.
func (n *network) keep(m *message) {
	if !n.world.plan.setup.eventual || m.reads() {
		return
	}
	for _, key := range m.keys() {
		body, err := n.getItem(m, key)
		if err != nil {
			continue // a real engine that is shutting down; a stale read is then not possible
		}
		n.mu.Lock()
		if n.kept[key] == nil {
			n.kept[key] = []keptAnswer{{body: []byte("{}")}} // before the first write there was nothing
		}
		n.kept[key] = append(n.kept[key], keptAnswer{time.Now(), body})
		n.mu.Unlock()
	}
}

// getItem returns what GetItem answers for a key.
func (n *network) getItem(m *message, key string) ([]byte, error) {
	body, err := json.Marshal(map[string]any{
		"TableName": n.world.table, "ConsistentRead": true, "Key": map[string]any{keyAttribute: map[string]any{"S": key}},
	})
	if err != nil {
		return nil, err
	}
	get := (&message{body: body, target: m.target}).request()
	get.Header.Set("X-Amz-Target", "DynamoDB_20120810.GetItem")
	response, err := n.next.RoundTrip(get)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	return body, err
}

// staleAnswer returns what an eventually consistent read may answer: one of the answers that were
// true within maxStale.
func (n *network) staleAnswer(m *message) ([]byte, bool) {
	keys := m.keys()
	if len(keys) != 1 {
		return nil, false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	kept := n.kept[keys[0]]
	since := time.Now().Add(-n.world.scaled(maxStale))
	first := len(kept) - 1
	for first > 0 && kept[first].from.After(since) {
		first--
	}
	if first < 0 || first == len(kept)-1 {
		return nil, false // nothing older is recent enough
	}
	return kept[first].body, true
}
