package site

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/dynamostore"
	"example.com/dynamostore/dynamostoretest"
)

func TestRun(t *testing.T) {
	server := httptest.NewServer(dynamostoretest.NewHandler())
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL_DYNAMODB", server.URL)
	t.Setenv("AWS_PROFILE", "") // a developer may have one
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	for name, aws := range map[string]bool{"in memory": false, "with -aws": true} {
		t.Run(name, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			stdout, w := io.Pipe()
			ended := make(chan error, 1)
			go func() {
				err := run(ctx, w, "127.0.0.1:0", aws, "dynamostore-demo", func(store *dynamostore.Store) http.Handler {
					return http.HandlerFunc((&App{store}).Home)
				})
				w.CloseWithError(err)
				ended <- err
			}()
			line, err := bufio.NewReader(stdout).ReadString('\n')
			if err != nil {
				t.Fatalf("run: %v", err)
			}
			url := strings.TrimSpace(strings.TrimPrefix(line, "listening on "))

			resp, err := http.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK || len(resp.Cookies()) != 1 || resp.Cookies()[0].Secure {
				t.Errorf("GET: status %d, cookies %v, want 200 and one that plain HTTP brings back", resp.StatusCode, resp.Cookies())
			}

			r, err := http.NewRequest(http.MethodPost, url, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			if resp, err = http.DefaultClient.Do(r); err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusForbidden {
				t.Errorf("a form of another site: status %d, want 403", resp.StatusCode)
			}

			stop()
			if err := <-ended; err != nil {
				t.Errorf("run: %v", err)
			}
		})
	}
}
