package daxtest

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// The methods of DAX's protocol, by the numbers that aws-dax-go-v2 has for them.
const (
	authorize             = 1489122155
	endpoints             = 455855874
	defineKeySchema       = -742646399
	defineAttributeListID = -1230579644
	defineAttributeList   = 670678385
	getItem               = 263244906
	putItem               = -2106490455
	updateItem            = 1425579023
	transactWriteItems    = -1160037738
)

// arguments is how many data items follow a method.
var arguments = map[int64]int{
	authorize: 5, endpoints: 0, defineKeySchema: 1, defineAttributeListID: 1, defineAttributeList: 1,
	getItem: 3, putItem: 4, updateItem: 3, transactWriteItems: 9,
}

// node is a cluster of one node that speaks as much of DAX's protocol (CBOR, RFC 8949) as a Store's
// requests take, and answers them with what it was told to.
type node struct {
	net.Listener

	mu       sync.Mutex
	item     map[string]any   // what GetItem finds; nil: nothing
	answers  map[int64][]byte // what is answered in the place of the usual; empty: nothing ever
	once     map[int64]func() []byte
	requests map[int64]int
}

func newNode(t *testing.T) *node {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &node{Listener: listener, answers: make(map[int64][]byte), once: make(map[int64]func() []byte), requests: make(map[int64]int)}
	var wg sync.WaitGroup
	var conns []net.Conn
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			n.mu.Lock()
			conns = append(conns, conn)
			n.mu.Unlock()
			wg.Go(func() {
				defer conn.Close()
				if err := n.serve(conn); err != nil {
					t.Errorf("node: %v", err)
				}
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		n.mu.Lock()
		for _, conn := range conns {
			conn.Close()
		}
		n.mu.Unlock()
		wg.Wait()
	})
	return n
}

// answer has the method answered so, which may be not at all.
func (n *node) answer(method int64, with []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answers[method] = with
}

// asked returns how many requests of the method have come.
func (n *node) asked(method int64) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.requests[method]
}

func (n *node) serve(conn net.Conn) error {
	r := bufio.NewReader(conn)
	for range 5 { // the greeting: a magic word, layering, session, header, mode
		if _, err := read(r); err != nil {
			return nil // a client that went away, or a health check
		}
	}
	for {
		if _, err := read(r); err != nil { // the service
			return nil
		}
		method, err := read(r)
		if err != nil {
			return nil
		}
		id, _ := method.(int64)
		count, known := arguments[id]
		if !known {
			return fmt.Errorf("method %v is unknown", method)
		}
		for range count {
			if _, err := read(r); err != nil {
				return nil
			}
		}
		n.mu.Lock()
		n.requests[id]++
		answer, told := n.answers[id]
		if once := n.once[id]; once != nil {
			delete(n.once, id)
			answer, told = once(), true
		}
		if !told {
			answer = n.usual(id)
		}
		n.mu.Unlock()
		if _, err := conn.Write(answer); err != nil {
			return nil
		}
	}
}

var done = join(array(), null) // no error, and nothing else

// refusedCondition is DAX's answer to a write whose condition did not hold: it does not say on what.
var refusedCondition = join(array(4, 37, 38, 39, 43), text("The conditional request failed"), null)

func (n *node) usual(method int64) []byte {
	switch method {
	case authorize:
		return nil
	case endpoints:
		addr := n.Addr().(*net.TCPAddr)
		return join(array(), head(4, 1), head(5, 7), // one node, of seven properties
			number(0), number(1), number(1), text("localhost"), number(2), data(addr.IP.To4()), number(3), number(addr.Port),
			number(4), number(1), number(5), text("az"), number(6), number(1))
	case defineKeySchema:
		return join(array(), head(5, 1), text("id"), text("S"))
	case defineAttributeListID:
		return join(array(), number(7))
	case defineAttributeList:
		answer := join(array(), head(4, len(n.item)))
		for _, name := range slices.Sorted(maps.Keys(n.item)) {
			answer = join(answer, text(name))
		}
		return answer
	case getItem:
		if n.item == nil {
			return done
		}
		values := number(8) // the list of attributes
		for _, name := range slices.Sorted(maps.Keys(n.item)) {
			switch v := n.item[name].(type) {
			case string:
				values = join(values, text(v))
			case []byte:
				values = join(values, data(v))
			case time.Time:
				values = join(values, number(int(v.Unix())))
			}
		}
		return join(array(), head(5, 1), number(0), data(values))
	case transactWriteItems:
		return join(array(), head(4, 3), array(), array(), head(5, 0))
	}
	return done
}

// CBOR, as far as it is needed.

var null = []byte{0xf6}

func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

func head(major byte, n int) []byte {
	return binary.BigEndian.AppendUint64([]byte{major<<5 | 27}, uint64(n))
}

func number(n int) []byte  { return head(0, n) }
func data(b []byte) []byte { return append(head(2, len(b)), b...) }
func text(s string) []byte { return append(head(3, len(s)), s...) }
func array(n ...int) []byte {
	a := head(4, len(n))
	for _, n := range n {
		a = append(a, number(n)...)
	}
	return a
}

// read reads one data item, and returns it if it is an integer.
func read(r *bufio.Reader) (any, error) {
	first, err := r.ReadByte()
	if err != nil {
		return nil, err
	}
	major, n := first>>5, uint64(first&31)
	endless := n == 31
	if 24 <= n && n <= 27 {
		size := 1 << (n - 24)
		buf := make([]byte, 8)
		if _, err := io.ReadFull(r, buf[8-size:]); err != nil {
			return nil, err
		}
		n = binary.BigEndian.Uint64(buf)
	}
	switch {
	case major == 0:
		return int64(n), nil
	case major == 1:
		return -1 - int64(n), nil
	case major == 7:
		return nil, nil
	case endless:
		for {
			next, err := r.Peek(1)
			if err != nil {
				return nil, err
			}
			if next[0] == 0xff {
				_, err := r.ReadByte()
				return nil, err
			}
			if _, err := read(r); err != nil {
				return nil, err
			}
		}
	case major == 2 || major == 3:
		_, err := r.Discard(int(n))
		return nil, err
	}
	if major == 5 {
		n *= 2
	}
	if major == 6 {
		n = 1
	}
	for range n {
		if _, err := read(r); err != nil {
			return nil, err
		}
	}
	return nil, nil
}
