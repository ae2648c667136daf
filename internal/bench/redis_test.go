//go:build unix

package bench

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// redisServer is as much of a Redis server as the stores need: strings, which do not expire, and transactions.
// Its connections answer in the goroutine that writes to them, so it belongs to one client at a time.
type redisServer map[string][]byte

func newRedisServer() redisServer { return redisServer{} }

func (s redisServer) dial() net.Conn { return &redisConn{server: s} }

// redisConn is a client's connection, in the protocol RESP2.
type redisConn struct {
	server   redisServer
	received []byte       // of a command that is not complete
	answers  bytes.Buffer // that were not read
	queued   [][][]byte   // the commands since MULTI
	multi    bool
}

func (c *redisConn) Write(b []byte) (int, error) {
	c.received = append(c.received, b...)
	for {
		args, n := parseCommand(c.received)
		if n == 0 {
			return len(b), nil
		}
		c.answer(args)
		c.received = c.received[:copy(c.received, c.received[n:])]
	}
}

// parseCommand returns the first command in b, an array of strings, and its length, or 0 if it is not
// complete. The strings are parts of b.
func parseCommand(b []byte) (args [][]byte, length int) {
	rest := b
	number := func(kind string) (int, bool) {
		line, after, ok := bytes.Cut(rest, []byte("\r\n"))
		if !ok {
			return 0, false
		}
		rest = after
		n, err := strconv.Atoi(strings.TrimPrefix(string(line), kind))
		if err != nil {
			panic(fmt.Sprintf("the client sent %q, want %s and a number", line, kind))
		}
		return n, true
	}
	count, ok := number("*")
	if !ok {
		return nil, 0
	}
	for range count {
		size, ok := number("$")
		if !ok || len(rest) < size+len("\r\n") {
			return nil, 0
		}
		args = append(args, rest[:size])
		rest = rest[size+len("\r\n"):]
	}
	return args, len(b) - len(rest)
}

func (c *redisConn) answer(args [][]byte) {
	command := strings.ToUpper(string(args[0]))
	switch {
	case command == "MULTI":
		c.multi = true
		c.answers.WriteString("+OK\r\n")
	case command == "EXEC":
		c.multi = false
		fmt.Fprintf(&c.answers, "*%d\r\n", len(c.queued))
		for _, args := range c.queued {
			c.answer(args)
		}
		c.queued = c.queued[:0]
	case c.multi:
		for i, arg := range args {
			args[i] = bytes.Clone(arg)
		}
		c.queued = append(c.queued, args)
		c.answers.WriteString("+QUEUED\r\n")
	case command == "PING":
		c.answers.WriteString("+PONG\r\n")
	case command == "GET":
		value, ok := c.server[string(args[1])]
		if !ok {
			c.answers.WriteString("$-1\r\n")
			break
		}
		c.answers.WriteString("$" + strconv.Itoa(len(value)) + "\r\n")
		c.answers.Write(value)
		c.answers.WriteString("\r\n")
	case command == "SET":
		c.server[string(args[1])] = bytes.Clone(args[2])
		c.answers.WriteString("+OK\r\n")
	case command == "PEXPIREAT":
		c.answers.WriteString(":1\r\n")
	default: // such as HELLO, which a client does without
		fmt.Fprintf(&c.answers, "-ERR unknown command '%s'\r\n", command)
	}
}

func (c *redisConn) Read(b []byte) (int, error) {
	if c.answers.Len() == 0 {
		return 0, io.ErrUnexpectedEOF // nothing was asked for
	}
	return c.answers.Read(b)
}

func (c *redisConn) Close() error                     { return nil }
func (c *redisConn) LocalAddr() net.Addr              { return &net.UnixAddr{Name: "client", Net: "unix"} }
func (c *redisConn) RemoteAddr() net.Addr             { return &net.UnixAddr{Name: "server", Net: "unix"} }
func (c *redisConn) SetDeadline(time.Time) error      { return nil }
func (c *redisConn) SetReadDeadline(time.Time) error  { return nil }
func (c *redisConn) SetWriteDeadline(time.Time) error { return nil }
