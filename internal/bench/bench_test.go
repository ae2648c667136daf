//go:build unix

package bench

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"

	"example.com/dynamostore"
)

func BenchmarkGet(b *testing.B)              { benchmark(b, get) }
func BenchmarkGetSaveUnchanged(b *testing.B) { benchmark(b, getSaveUnchanged) }
func BenchmarkGetSaveChanged(b *testing.B)   { benchmark(b, getSaveChanged) }
func BenchmarkFirstVisit(b *testing.B)       { benchmark(b, firstVisit) }

func benchmark(b *testing.B, v visit) {
	for _, codec := range []dynamostore.Codec{dynamostore.GobCodec{}, dynamostore.JSONCodec{}} {
		for _, size := range []int{1 << 10, 4 << 10, 32 << 10} {
			b.Run(fmt.Sprintf("codec=%s/size=%dKiB", codec.Name(), size>>10), func(b *testing.B) {
				s := newSubject(b, dynamostore.Config{Codec: codec, NoCompression: true}, sessionValues(size))
				compare(b, func() error { return s.visit(v) }, "sdk", func() error { return s.sdk(v) })
			})
		}
	}
}

// BenchmarkPageView measures a page view as an application has it: a page and its requests by JavaScript,
// 10 requests with the session's cookie, all of which read a value and save the session, and one of which
// changes it. A handler answers them in this process, into a recorder: the factor would be nearer to 1 if
// the sockets and the parsing of HTTP, which are the same for both, were part of it. The Config is the
// default one.
//
// The handler that it is compared with has no sessions. It sends the requests that the Store sends, 10
// GetItem and 1 UpdateItem, by the SDK, and ignores the answers. So the factor is that of the Store's own
// work: cookies, codecs, comparing values, expiry and conditions.
func BenchmarkPageView(b *testing.B) {
	for _, codec := range []dynamostore.Codec{dynamostore.GobCodec{}, dynamostore.JSONCodec{}} {
		for _, size := range []int{1 << 10, 4 << 10} {
			b.Run(fmt.Sprintf("codec=%s/size=%dKiB", codec.Name(), size>>10), func(b *testing.B) {
				s := newSubject(b, dynamostore.Config{Codec: codec}, sessionValues(size))
				withStore, withSDK := http.NewServeMux(), http.NewServeMux()
				for path, v := range map[string]visit{"GET /{$}": getSaveUnchanged, "POST /seen": getSaveChanged} {
					withStore.HandleFunc(path, s.storePage(v))
					withSDK.HandleFunc(path, s.sdkPage(v))
				}
				compare(b, func() error { return s.view(withStore) }, "sdk", func() error { return s.view(withSDK) })
			})
		}
	}
}

const page = "<!doctype html><title>Account</title><p>Logged in as %v"

// storePage returns a handler that reads a value of the session, changes another if v says so, and saves it.
func (s *subject) storePage(v visit) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		session, err := s.store.Get(r, cookieName)
		if err == nil {
			if v == getSaveChanged {
				s.n++
				session.Values["seen"] = s.n
			}
			err = session.Save(r, w)
		}
		if email := session.Values["email"]; err == nil && email != nil {
			fmt.Fprintf(w, page, email)
			return
		}
		http.Error(w, fmt.Sprint("no session: ", err), http.StatusInternalServerError)
	}
}

// sdkPage returns a handler that writes the same page, and makes the requests to DynamoDB by the SDK alone.
func (s *subject) sdkPage(v visit) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if err := s.sdk(v); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, page, s.content["email"])
	}
}

// view makes the requests of a page view.
func (s *subject) view(h http.Handler) error {
	for i := range 10 {
		r := *s.request // with a registry of its own
		if i == 9 {
			r.Method, r.URL = http.MethodPost, &url.URL{Path: "/seen"}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, &r)
		if w.Code != http.StatusOK {
			return fmt.Errorf("status %d: %s", w.Code, w.Body)
		}
	}
	return nil
}

// BenchmarkSealed measures what compression and encryption add, which the SDK alone does not do.
func BenchmarkSealed(b *testing.B) {
	keys := [][]byte{bytes.Repeat([]byte{7}, 32)}
	for _, test := range []struct {
		name string
		cfg  dynamostore.Config
	}{
		{"zstd", dynamostore.Config{}},
		{"aes", dynamostore.Config{NoCompression: true, EncryptionKeys: keys}},
		{"zstd+aes", dynamostore.Config{EncryptionKeys: keys}},
	} {
		b.Run("form="+test.name+"/size=4KiB", func(b *testing.B) {
			s := newSubject(b, test.cfg, sessionValues(4<<10))
			compare(b, func() error { return s.visit(getSaveChanged) }, "sdk", func() error { return s.sdk(getSaveChanged) })
		})
	}
}

// BenchmarkMerge measures a Save that merges a list with what another request added to it. Here the ratio
// is to the same Save without a conflict.
func BenchmarkMerge(b *testing.B) {
	for _, elements := range []int{1000, 4000} {
		b.Run(fmt.Sprintf("elements=%d", elements), func(b *testing.B) {
			list := make([]string, elements)
			for i := range list {
				list[i] = fmt.Sprint("element ", i)
			}
			s := newSubject(b, dynamostore.Config{NoCompression: true}, map[any]any{"list": list})
			s.stub.theirs(b, s.encoded(b, map[any]any{"list": append(slices.Clone(list), "theirs")}))
			compare(b,
				func() error { s.stub.refuse = true; return s.append("list", "ours") },
				"unopposed", func() error { s.stub.refuse = false; return s.append("list", "ours") })
		})
	}
}
