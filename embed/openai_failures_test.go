package embed

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// Every answer here is one that go-openai takes or garbles.
func TestOpenAIRefusesBadAnswers(t *testing.T) {
	raw := func(body string) func(http.ResponseWriter, request) {
		return func(w http.ResponseWriter, _ request) { _, _ = io.WriteString(w, body) }
	}
	for _, test := range []struct {
		name   string
		handle func(http.ResponseWriter, request)
		reason error
		says   string
	}{
		{"short", func(w http.ResponseWriter, q request) { answer(w, items(q.Input)[1:]) }, ErrBadResponse, "1 vectors for 2 inputs"},
		{"long", func(w http.ResponseWriter, q request) { answer(w, append(items(q.Input), item{2, vectorOf("")})) }, ErrBadResponse, "3 vectors for 2 inputs"},
		{"empty list", func(w http.ResponseWriter, _ request) { answer(w, []item{}) }, ErrBadResponse, "0 vectors"},
		{"empty object", raw(`{}`), ErrBadResponse, "0 vectors"},
		{"null list", func(w http.ResponseWriter, _ request) { answer(w, nil) }, ErrBadResponse, "0 vectors"},
		{"same index twice", func(w http.ResponseWriter, q request) {
			data := items(q.Input)
			data[1].Index = 0
			answer(w, data)
		}, ErrBadResponse, "two vectors with index 0"},
		{"index beyond the end", func(w http.ResponseWriter, q request) {
			data := items(q.Input)
			data[1].Index = 2
			answer(w, data)
		}, ErrBadResponse, "index 2 for 2 inputs"},
		{"negative index", func(w http.ResponseWriter, q request) {
			data := items(q.Input)
			data[0].Index = -1
			answer(w, data)
		}, ErrBadResponse, "index -1"},
		{"null vector", raw(`{"data":[{"index":0,"embedding":null},{"index":1,"embedding":[1,2,3,4]}]}`), ErrBadResponse, "no numbers"},
		{"empty vector", raw(`{"data":[{"index":0,"embedding":[]},{"index":1,"embedding":[1,2,3,4]}]}`), ErrBadResponse, "no numbers"},
		{"null number", raw(`{"data":[{"index":0,"embedding":[1,null,3,4]},{"index":1,"embedding":[1,2,3,4]}]}`), ErrBadResponse, "a null among the numbers"},
		{"zero vector", raw(`{"data":[{"index":0,"embedding":[0,0,0,0]},{"index":1,"embedding":[1,2,3,4]}]}`), ErrBadResponse, "zero or not finite"},
		{"infinite number", raw(`{"data":[{"index":0,"embedding":[1e39,0,0,0]},{"index":1,"embedding":[1,2,3,4]}]}`), ErrBadResponse, "not an embeddings answer"},
		{"other length", raw(`{"data":[{"index":0,"embedding":[1,2,3]},{"index":1,"embedding":[1,2,3]}]}`), ErrDimensions, "3 numbers where 4 were expected"},
		{"lengths differ", raw(`{"data":[{"index":0,"embedding":[1,2,3,4]},{"index":1,"embedding":[1,2,3]}]}`), ErrDimensions, "3 numbers where 4"},
		{"error with status 200", raw(`{"error":{"message":"model is loading","code":503}}`), ErrBadResponse, "model is loading"},
		{"error text with status 200", raw(`{"error":"no such model"}`), ErrBadResponse, "no such model"},
		{"web page", raw(`<!DOCTYPE html><p>Welcome`), ErrBadResponse, "not an embeddings answer"},
		{"nothing", raw(``), ErrBadResponse, "not an embeddings answer"},
		{"text for a vector", raw(`{"data":[{"index":0,"embedding":"AAAA"},{"index":1,"embedding":"AAAA"}]}`), ErrBadResponse, "not an embeddings answer"},
		{"cut off", raw(`{"data":[{"index":0,"embedding":[1,2`), ErrBadResponse, "not an embeddings answer"},
		{"without end", func(w http.ResponseWriter, _ request) {
			filler := bytes.Repeat([]byte(" "), 1<<16)
			for range 20 {
				_, _ = w.Write(filler)
			}
		}, ErrBadResponse, "longer than a valid one"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var calls atomic.Int32
			o := start(t, OpenAIConfig{}, func(w http.ResponseWriter, q request) {
				calls.Add(1)
				test.handle(w, q)
			})
			got, err := o.Embed(t.Context(), Document, []string{"one", "two"})
			wantFailure(t, got, err, test.reason, test.says)
			if n := calls.Load(); n != 1 {
				t.Errorf("asked %d times for what will not get better", n)
			}
		})
	}
}

func wantFailure(t *testing.T, got [][]float32, err error, reason error, says string) {
	t.Helper()
	if got != nil || !errors.Is(err, reason) {
		t.Fatalf("got %v and error %v, want nothing and %v", got, err, reason)
	}
	var endpoint *EndpointError
	if !errors.As(err, &endpoint) {
		t.Fatalf("%T is not an EndpointError", err)
	}
	for _, part := range []string{says, advice[reason], endpoint.Endpoint} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
	if strings.Contains(fmt.Sprintf("%v %+v %#v", err, endpoint, endpoint.Err), secret) {
		t.Errorf("error %q shows the key", err)
	}
}

func TestOpenAIFailures(t *testing.T) {
	const retries = 2
	for _, test := range []struct {
		status int
		body   string
		reason error
		says   string
		calls  int32
	}{
		{400, `{"error":{"message":"unknown field"}}`, ErrRejected, "unknown field", 1},
		{401, `{"error":{"message":"Incorrect API key provided: ` + secret + `"}}`, ErrAuth, "Incorrect API key provided: [key]", 1},
		{403, `forbidden for ` + secret, ErrAuth, "forbidden for [key]", 1},
		{404, `404 page not found`, ErrRejected, "404 page not found", 1},
		{404, `{"error":"model \"x\" not found, try pulling it first"}`, ErrRejected, "try pulling", 1},
		{422, `{"detail":"input must be a string"}`, ErrRejected, "must be a string", 1},
		{429, `{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}`, ErrQuota, "current quota", 1},
		{408, `{}`, ErrBusy, "status 408", retries + 1},
		{425, ``, ErrBusy, "status 425", retries + 1},
		{429, `{"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}`, ErrBusy, "Rate limit", retries + 1},
		{500, `{"error":{"message":"oops"}}`, ErrBusy, "oops", retries + 1},
		{502, `<html>Bad Gateway</html>`, ErrBusy, "Bad Gateway", retries + 1},
		{503, strings.Repeat("very busy ", 1000), ErrBusy, "very busy", retries + 1},
		{413, ``, ErrTooLarge, "status 413", 1},
		{500, `{"error":{"code":500,"message":"input is too large to process. increase the physical batch size","type":"server_error"}}`, ErrTooLarge, "too large to process", 1},
	} {
		t.Run(fmt.Sprintf("%d %.30s", test.status, test.body), func(t *testing.T) {
			var calls atomic.Int32
			var log bytes.Buffer
			o := start(t, OpenAIConfig{MaxRetries: retries, Logger: slog.New(slog.NewTextHandler(&log, nil))}, func(w http.ResponseWriter, _ request) {
				calls.Add(1)
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			})
			got, err := o.Embed(t.Context(), Document, []string{"one"})
			wantFailure(t, got, err, test.reason, test.says)
			if len(err.Error()) > 800 {
				t.Errorf("error of %d bytes", len(err.Error()))
			}
			if n := calls.Load(); n != test.calls {
				t.Errorf("%d requests, want %d", n, test.calls)
			}
			if strings.Contains(log.String(), secret) || strings.Count(log.String(), "retrying") != int(test.calls)-1 {
				t.Errorf("log:\n%s", &log)
			}
		})
	}
}

func TestOpenAIRecovers(t *testing.T) {
	var calls atomic.Int32
	o := start(t, OpenAIConfig{}, func(w http.ResponseWriter, q request) {
		switch calls.Add(1) {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2: // the connection breaks in the middle of the answer
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"data":[`)
		default:
			answer(w, items(q.Input))
		}
	})
	if _, err := o.Embed(t.Context(), Document, []string{"one"}); err != nil {
		t.Error(err)
	}
	if n := calls.Load(); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
}

func TestOpenAISplitsWhatIsTooLarge(t *testing.T) {
	var largest atomic.Int32
	o := start(t, OpenAIConfig{}, func(w http.ResponseWriter, q request) {
		if len(q.Input) > 3 {
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = io.WriteString(w, `{"error":"batch size 20 > maximum allowed batch size 3","error_type":"Validation"}`)
			return
		}
		largest.Store(max(largest.Load(), int32(len(q.Input))))
		answer(w, items(q.Input))
	})
	texts := make([]string, 20)
	for i := range texts {
		texts[i] = fmt.Sprint("text ", i)
	}
	got, err := o.Embed(t.Context(), Document, texts)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		want := vectorOf(text)
		unit(want)
		if !slices.Equal(got[i], want) {
			t.Errorf("vector %d is not that of its text", i)
		}
	}
	if largest.Load() < 2 {
		t.Error("split into single texts")
	}
}

func TestOpenAIUnreachable(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	address := server.URL
	server.Close()
	_, err := NewOpenAI(t.Context(), OpenAIConfig{BaseURL: address + "/v1", Model: "m", APIKey: secret, MaxRetries: -1, HTTPClient: server.Client()})
	wantFailure(t, nil, err, ErrUnreachable, "refused")
}

func TestOpenAIDimensionsAreCheckedAtTheStart(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(w, items(decode(t, r).Input)) }))
	defer server.Close()
	_, err := NewOpenAI(t.Context(), OpenAIConfig{BaseURL: server.URL, Model: "m", Dimensions: 384, HTTPClient: server.Client()})
	wantFailure(t, nil, err, ErrDimensions, "4 numbers where 384 were expected")
}
