package titles

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const goodTitle = `{"title": "Dam gives way and floods Lindholm", "articles": [1, 2]}`

// completion is the body of an answer that says something.
func completion(content string) string {
	data, err := json.Marshal(map[string]any{"choices": []any{map[string]any{"index": 0, "message": map[string]any{"role": "assistant", "content": content}}}})
	if err != nil {
		panic(err)
	}
	return string(data)
}

// serve starts a chat server and a client of it that does not wait between tries.
func serve(t *testing.T, config Config, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(func() { http.DefaultClient.CloseIdleConnections(); server.Close() })
	config.BaseURL = server.URL + "/v1/"
	if config.Model == "" {
		config.Model = "small"
	}
	c, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	c.backOff = func() backoff.BackOff { return &backoff.ZeroBackOff{} }
	return c
}

func TestTitle(t *testing.T) {
	c := serve(t, Config{APIKey: "key-123"}, func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			Model    string
			Messages []struct{ Role, Content string }
			Format   struct{ Type string } `json:"response_format"`
		}
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			t.Error(err)
		}
		if r.URL.Path != "/v1/chat/completions" || r.Header.Get("Authorization") != "Bearer key-123" || request.Model != "small" ||
			request.Format.Type != "json_object" || len(request.Messages) != 2 || request.Messages[0].Role != "system" || request.Messages[1].Role != "user" ||
			!strings.Contains(request.Messages[1].Content, "broke its banks") {
			t.Errorf("request to %s: %+v", r.URL.Path, request)
		}
		fmt.Fprint(w, completion(goodTitle))
	})
	got, err := c.Title(t.Context(), flood)
	if err != nil || got.Text != "Dam gives way and floods Lindholm" || fmt.Sprint(got.Articles) != "[a b]" || c.Model() != "small" {
		t.Errorf("%+v, %v", got, err)
	}
}

// What a server may do wrong, and how often it is asked then.
func TestFailures(t *testing.T) {
	status := func(code int, body string) func(http.ResponseWriter, int) {
		return func(w http.ResponseWriter, _ int) { w.WriteHeader(code); fmt.Fprint(w, body) }
	}
	says := func(body string) func(http.ResponseWriter, int) { return status(http.StatusOK, body) }
	for _, c := range []struct {
		name   string
		answer func(w http.ResponseWriter, try int)
		tries  int
		reply  bool   // a *ReplyError; otherwise an *EndpointError
		text   string // in the error; empty: no error
	}{
		{"fails once", func(w http.ResponseWriter, try int) {
			if try == 1 {
				w.Header().Set("Retry-After", "0")
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			fmt.Fprint(w, completion(goodTitle))
		}, 2, false, ""},
		{"does not know JSON mode", func(w http.ResponseWriter, try int) {
			if try == 1 {
				status(http.StatusBadRequest, `{"error": {"message": "response_format is not supported"}}`)(w, try)
				return
			}
			fmt.Fprint(w, completion(goodTitle))
		}, 2, false, ""},
		{"is overloaded", status(http.StatusTooManyRequests, `{"error": {"message": "slow down"}}`), 3, false, "slow down"},
		{"is down", status(http.StatusBadGateway, "<html>bad gateway</html>"), 3, false, "502"},
		{"has no money", status(http.StatusTooManyRequests, `{"error": {"message": "insufficient_quota: pay", "code": "insufficient_quota"}}`), 1, false, "insufficient_quota"},
		{"refuses the key", status(http.StatusUnauthorized, `{"error": {"message": "wrong key key-123"}}`), 1, false, "wrong key [key]"},
		{"does not have the model", status(http.StatusNotFound, `{"error": {"message": "no such model"}}`), 1, false, "no such model"},
		{"rejects the question", status(http.StatusBadRequest, `{"error": {"message": "too long"}}`), 1, false, "too long"},
		{"is something else", says("<html>hello</html>"), 1, false, "invalid character"},
		{"answers nothing", says(`{"choices": []}`), 1, true, "empty"},
		{"answers an error", says(`{"error": {"message": "oops"}}`), 1, true, "empty"},
		{"answers prose", says(completion("Sure! Here is a title.")), 1, true, "JSON"},
		{"answers too much", says(completion(strings.Repeat("x", maxAnswer))), 1, false, "longer"},
		{"hangs up", func(http.ResponseWriter, int) { panic(http.ErrAbortHandler) }, 3, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var tries atomic.Int64
			client := serve(t, Config{APIKey: "key-123"}, func(w http.ResponseWriter, _ *http.Request) { c.answer(w, int(tries.Add(1))) })
			got, err := client.Title(t.Context(), flood)
			var reply *ReplyError
			var endpoint *EndpointError
			switch {
			case c.text == "" && c.name != "hangs up":
				if err != nil || got.Text == "" {
					t.Errorf("%+v, %v", got, err)
				}
			case errors.As(err, &reply) != c.reply || errors.As(err, &endpoint) == c.reply:
				t.Errorf("error %v", err)
			case !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "key-123"):
				t.Errorf("error %v", err)
			}
			if n := int(tries.Load()); n != c.tries {
				t.Errorf("asked %d times, want %d", n, c.tries)
			}
		})
	}
}

func TestTimeout(t *testing.T) {
	release := make(chan struct{})
	c := serve(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	c.timeout, c.tries = 20*time.Millisecond, 1
	_, err := c.Title(t.Context(), flood)
	var endpoint *EndpointError
	if !errors.As(err, &endpoint) || !strings.Contains(err.Error(), "20ms") {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Title(ctx, flood); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// No more requests are in flight than were allowed.
func TestConcurrency(t *testing.T) {
	var now, most atomic.Int64
	c := serve(t, Config{}, func(w http.ResponseWriter, _ *http.Request) {
		most.Store(max(most.Load(), now.Add(1)))
		time.Sleep(2 * time.Millisecond)
		now.Add(-1)
		fmt.Fprint(w, completion(goodTitle))
	})
	c.inFlight = make(chan struct{}, 3)
	var wait sync.WaitGroup
	for range 30 {
		wait.Go(func() {
			if _, err := c.Title(t.Context(), flood); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if n := most.Load(); n > 3 {
		t.Errorf("%d requests at a time", n)
	}
}

func TestConfig(t *testing.T) {
	for field, config := range map[string]Config{
		"BaseURL": {Model: "m"}, "Model": {BaseURL: "http://h/v1"}, "APIKey": {BaseURL: "http://h/v1", Model: "m", APIKey: "a\nb"},
	} {
		var wrong *ConfigError
		if _, err := New(config); !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	for _, base := range []string{"h/v1", "ftp://h", "http://user:secret@h/v1", "http://h/v1?key=secret"} {
		if _, err := New(Config{BaseURL: base, Model: "m"}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", base, err)
		}
	}
}
