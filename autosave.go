package dynamostore

import (
	"bufio"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"sync"

	"github.com/gorilla/sessions"
)

// AutoSave returns a handler that calls next and saves all gorilla sessions of the request,
// including those of other stores, so that next need not call Save:
//
//	http.ListenAndServe(addr, dynamostore.AutoSave(mux, nil))
//
// These rules apply:
//
//   - AutoSave saves once, before the header is sent: at the first Write, WriteHeader (above 199),
//     Flush, ReadFrom or Hijack, or when next returns. What next changes later is not saved.
//   - A session that next saves itself costs nothing extra unless it is changed after that. If such
//     a Save failed, next has the error, and AutoSave does not try again.
//   - A session that could not be read, or that another request gave a new ID, is left alone if
//     next stored nothing in it.
//   - If next panics before anything was sent, nothing is saved. Middleware that recovers panics
//     belongs outside of AutoSave; inside, it hides them.
//   - The response passes through unchanged. [http.ResponseController] works, as do the interfaces
//     [http.Flusher], [http.Hijacker], [io.ReaderFrom] and http.CloseNotifier. A hijacked
//     connection does not get the cookies. Writes after next has returned are refused.
//
// If a Save fails, AutoSave calls failed with an error in which [errors.Is] finds this package's
// errors. What failed writes replaces the response of next; if it writes nothing, the response of
// next is sent. If failed is nil, the response is 503 Service Unavailable.
//
// New and empty sessions are stored as well, one for every visitor; see [Config.SkipEmpty].
func AutoSave(next http.Handler, failed func(http.ResponseWriter, *http.Request, error)) http.Handler {
	if failed == nil {
		failed = func(w http.ResponseWriter, _ *http.Request, _ error) {
			http.Error(w, "The session could not be saved. Please try again.", http.StatusServiceUnavailable)
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := &autoSaveWriter{
			ResponseWriter: w,
			registry:       sessions.GetRegistry(r), // before next derives further requests from r
			header:         w.Header().Clone(),
			failed:         func(w http.ResponseWriter, err error) { failed(w, r, err) },
		}
		defer s.finish() // also if next panics: what it writes later saves nothing
		next.ServeHTTP(s, r)
		s.beforeSending()
	})
}

// savingWriter is the ResponseWriter that AutoSave passes to Save, which recognizes it.
type savingWriter struct {
	http.ResponseWriter
	errs []error // from this package's Stores, since gorilla's error does not wrap them
}

// skips reports whether AutoSave leaves a session alone.
func (*savingWriter) skips(session *sessions.Session, st *state) bool {
	lost := st.status == statusUnreadable || st.status == statusRotated
	return st.failed || lost && len(session.Values) == 0
}

// autoSaveWriter is the handler's ResponseWriter. It saves the request's sessions before the header
// is sent.
type autoSaveWriter struct {
	http.ResponseWriter
	registry *sessions.Registry
	header   http.Header // as it was before the handler
	failed   func(http.ResponseWriter, error)

	mu       sync.Mutex // guards the fields below; not held during a Save
	saved    bool
	sent     bool // the header or a part of the body was sent
	replaced bool // failed wrote the response: what the handler writes is discarded
	finished bool
}

var (
	errFinished = errors.New("dynamostore: the handler has returned; write the response before that")
	errReplaced = errors.New("dynamostore: the session could not be saved, and the response reports that")
)

// beforeSending saves the sessions once. It returns an error if what the handler writes must not be
// sent.
func (s *autoSaveWriter) beforeSending() error {
	s.mu.Lock()
	first := !s.saved && !s.finished
	s.saved = true
	s.mu.Unlock()
	if first {
		s.save()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.finished:
		return errFinished
	case s.replaced:
		return errReplaced
	}
	s.sent = true
	return nil
}

func (s *autoSaveWriter) save() {
	auto := &savingWriter{ResponseWriter: s.ResponseWriter}
	err := s.registry.Save(auto)
	if err == nil {
		return
	}
	if auto.errs != nil {
		err = errors.Join(auto.errs...)
	}
	// Headers that describe the handler's body, such as Content-Encoding, do not fit another body.
	header := s.Header()
	handlers := header.Clone()
	cookies := header["Set-Cookie"]
	clear(header)
	maps.Copy(header, s.header)
	if cookies != nil {
		header["Set-Cookie"] = cookies
	}
	s.failed(s, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.replaced = s.sent; !s.replaced {
		clear(header)
		maps.Copy(header, handlers)
	}
}

func (s *autoSaveWriter) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finished = true
}

func (s *autoSaveWriter) WriteHeader(status int) {
	if status >= 200 {
		if s.beforeSending() == nil {
			s.ResponseWriter.WriteHeader(status)
		}
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.finished && !s.replaced {
		s.ResponseWriter.WriteHeader(status)
	}
}

func (s *autoSaveWriter) Write(b []byte) (int, error) {
	switch err := s.beforeSending(); err {
	case nil:
		return s.ResponseWriter.Write(b)
	case errReplaced:
		return len(b), nil
	default:
		return 0, err
	}
}

// ReadFrom lets the server send a file without copying it.
func (s *autoSaveWriter) ReadFrom(r io.Reader) (int64, error) {
	switch err := s.beforeSending(); err {
	case nil:
		return io.Copy(s.ResponseWriter, r)
	case errReplaced:
		return io.Copy(io.Discard, r)
	default:
		return 0, err
	}
}

func (s *autoSaveWriter) Flush() { s.FlushError() }

func (s *autoSaveWriter) FlushError() error {
	switch err := s.beforeSending(); err {
	case nil:
		return http.NewResponseController(s.ResponseWriter).Flush()
	case errReplaced:
		return nil
	default:
		return err
	}
}

func (s *autoSaveWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if err := s.beforeSending(); err != nil {
		return nil, nil, err
	}
	return http.NewResponseController(s.ResponseWriter).Hijack()
}

// CloseNotify implements the deprecated http.CloseNotifier, which gin's Context.Stream requires.
func (s *autoSaveWriter) CloseNotify() <-chan bool {
	if notifier, ok := s.ResponseWriter.(interface{ CloseNotify() <-chan bool }); ok {
		return notifier.CloseNotify()
	}
	return make(chan bool)
}

// Unwrap implements the interface that http.ResponseController uses.
func (s *autoSaveWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }
