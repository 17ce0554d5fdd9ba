package embed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "sk-do-not-show-this"

// request is what the client sends.
type request struct {
	Input          []string
	Model          string
	EncodingFormat string `json:"encoding_format"`
	Dimensions     int
}

func decode(t testing.TB, r *http.Request) request {
	t.Helper()
	var q request
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		t.Errorf("request: %v", err)
	}
	return q
}

// vectorOf is the vector that the good server gives: different for every text, not of unit length.
func vectorOf(text string) []float32 {
	v := make([]float32, 4)
	for i, c := range []byte(text) {
		v[i%4] += float32(c) + float32(i)
	}
	v[3]++
	return v
}

type item struct {
	Index     int       `json:"index"`
	Embedding []float32 `json:"embedding"`
}

func items(inputs []string) []item {
	var data []item
	for i, text := range inputs {
		data = append(data, item{i, vectorOf(text)})
	}
	return data
}

func answer(w http.ResponseWriter, data any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"object": "list", "data": data})
}

// start connects a client to a server that answers as handle does, once the probe has gone well.
func start(t *testing.T, config OpenAIConfig, handle func(http.ResponseWriter, request)) *OpenAI {
	t.Helper()
	var probed atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := decode(t, r)
		if probed.CompareAndSwap(false, true) {
			answer(w, items(q.Input))
			return
		}
		handle(w, q)
	}))
	t.Cleanup(server.Close)
	config.BaseURL, config.HTTPClient = server.URL+"/v1", server.Client()
	if config.Model == "" {
		config.Model = "test"
	}
	config.APIKey = secret
	o, err := newOpenAI(t.Context(), config, func() backoff.BackOff { return backoff.NewConstantBackOff(time.Millisecond) })
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestOpenAIEmbeds(t *testing.T) {
	var mu sync.Mutex
	var requests []request
	o := start(t, OpenAIConfig{Model: "all-minilm", DocumentPrefix: "d: ", QueryPrefix: "q: ", MaxBatch: 2, Concurrency: 1}, func(w http.ResponseWriter, q request) {
		mu.Lock()
		requests = append(requests, q)
		mu.Unlock()
		data := items(q.Input)
		slices.Reverse(data) // any order is fine as long as the indices say which is which
		answer(w, data)
	})
	want := Space{Model: MiniLM, Dimensions: 4, DocumentPrefix: "d: ", QueryPrefix: "q: ", MaxTokens: 256}
	if got := o.Space(); got != want {
		t.Errorf("space %+v, want %+v", got, want)
	}
	got, err := o.Embed(t.Context(), Query, []string{"one", "two", "three", "", " \n", "bad \xff byte"})
	if err != nil {
		t.Fatal(err)
	}
	for i, sent := range []string{"q: one", "q: two", "q: three", "q: .", "q: .", "q: bad \uFFFD byte"} {
		v := vectorOf(sent)
		unit(v)
		if !slices.Equal(got[i], v) {
			t.Errorf("vector %d is %v, want %v of %q", i, got[i], v, sent)
		}
	}
	if len(requests) != 3 {
		t.Errorf("%d requests of at most 2 inputs", len(requests))
	}
	if requests[0].Model != "all-minilm" || requests[0].EncodingFormat != "float" || requests[0].Dimensions != 0 {
		t.Errorf("request %+v", requests[0])
	}
	if got, err := o.Embed(t.Context(), Document, nil); err != nil || len(got) != 0 {
		t.Errorf("no texts gave %v, %v", got, err)
	}
}

func TestOpenAIRequestsDimensions(t *testing.T) {
	o := start(t, OpenAIConfig{Dimensions: 4, RequestDimensions: true}, func(w http.ResponseWriter, q request) {
		if q.Dimensions != 4 {
			t.Errorf("asked for %d dimensions", q.Dimensions)
		}
		answer(w, items(q.Input))
	})
	if _, err := o.Embed(t.Context(), Document, []string{"a"}); err != nil {
		t.Error(err)
	}
}

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
		}, ErrBadResponse, "longer than any right one"},
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
			if strings.Contains(log.String(), secret) || strings.Count(log.String(), "trying again") != int(test.calls)-1 {
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

func TestOpenAIConfig(t *testing.T) {
	for _, test := range []struct {
		field  string
		config OpenAIConfig
	}{
		{"BaseURL", OpenAIConfig{Model: "m"}},
		{"BaseURL", OpenAIConfig{Model: "m", BaseURL: "localhost:8080/v1"}},
		{"BaseURL", OpenAIConfig{Model: "m", BaseURL: "ftp://host"}},
		{"BaseURL", OpenAIConfig{Model: "m", BaseURL: "http://user:" + secret + "@host/v1"}},
		{"BaseURL", OpenAIConfig{Model: "m", BaseURL: "http://host/v1?key=" + secret}},
		{"BaseURL", OpenAIConfig{Model: "m", BaseURL: "http://ho st\x00/" + secret}},
		{"Model", OpenAIConfig{BaseURL: "http://host"}},
		{"APIKey", OpenAIConfig{BaseURL: "http://host", Model: "m", APIKey: secret + "\n"}},
		{"Dimensions", OpenAIConfig{BaseURL: "http://host", Model: "m", Dimensions: -1}},
		{"Dimensions", OpenAIConfig{BaseURL: "http://host", Model: "m", Dimensions: 1 << 20}},
		{"RequestDimensions", OpenAIConfig{BaseURL: "http://host", Model: "m", RequestDimensions: true}},
		{"Timeout", OpenAIConfig{BaseURL: "http://host", Model: "m", Timeout: -1}},
		{"MaxTokens", OpenAIConfig{BaseURL: "http://host", Model: "m", MaxTokens: 10, QueryPrefix: "a prefix that is longer than the input may be"}},
	} {
		_, err := NewOpenAI(t.Context(), test.config)
		var config *ConfigError
		if !errors.As(err, &config) || config.Field != test.field {
			t.Errorf("%+v: error %v, want one of %s", test.config, err, test.field)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("error %q shows the key", err)
		}
	}
}

// transport answers without a network, so that time can be simulated.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func good(r *http.Request) (*http.Response, error) {
	var q request
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	answer(w, items(q.Input))
	return w.Result(), nil
}

func TestOpenAIHonoursRetryAfter(t *testing.T) {
	for _, test := range []struct {
		header, value string
		wait          time.Duration
		fails         bool
	}{
		{"Retry-After", "7", 7 * time.Second, false},
		{"Retry-After-Ms", "1500", 1500 * time.Millisecond, false},
		{"Retry-After", "date", 30 * time.Second, false},
		{"Retry-After", "86400", 0, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			calls := 0
			began := time.Now()
			client := &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
				if calls++; calls > 1 {
					return good(r)
				}
				w := httptest.NewRecorder()
				value := test.value
				if value == "date" {
					value = began.Add(test.wait).UTC().Format(http.TimeFormat)
				}
				w.Header().Set(test.header, value)
				w.WriteHeader(http.StatusTooManyRequests)
				return w.Result(), nil
			})}
			_, err := NewOpenAI(t.Context(), OpenAIConfig{BaseURL: "http://host", Model: "m", HTTPClient: client})
			waited := time.Since(began)
			switch {
			case test.fails && !errors.Is(err, ErrBusy):
				t.Errorf("%s %s: error %v", test.header, test.value, err)
			case !test.fails && err != nil:
				t.Errorf("%s %s: %v", test.header, test.value, err)
			case waited < test.wait || waited > test.wait+time.Second:
				t.Errorf("%s %s: waited %v", test.header, test.value, waited)
			}
		})
	}
}

func TestOpenAITimesOutAndBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		client := &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			calls++
			<-r.Context().Done()
			return nil, r.Context().Err()
		})}
		began := time.Now()
		_, err := NewOpenAI(t.Context(), OpenAIConfig{BaseURL: "http://host", Model: "m", Timeout: 10 * time.Second, MaxRetries: 2, HTTPClient: client})
		wantFailure(t, nil, err, ErrUnreachable, "no answer within 10s")
		// Three attempts and two waits of 0.5 and 0.75 seconds, each times a random number between 0.5 and 1.5.
		if took := time.Since(began) - 30*time.Second; calls != 3 || took < 625*time.Millisecond || took > 1875*time.Millisecond {
			t.Errorf("%d attempts with %v of waiting", calls, took)
		}
	})
}

func TestOpenAIObeysTheContext(t *testing.T) {
	cause := errors.New("enough")
	synctest.Test(t, func(t *testing.T) {
		probed := false
		client := &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			if !probed {
				probed = true
				return good(r)
			}
			<-r.Context().Done()
			return nil, r.Context().Err()
		})}
		o, err := NewOpenAI(t.Context(), OpenAIConfig{BaseURL: "http://host", Model: "m", MaxBatch: 1, Concurrency: 2, HTTPClient: client})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, cause)
		defer cancel()
		if got, err := o.Embed(ctx, Document, []string{"a", "b", "c", "d"}); got != nil || !errors.Is(err, cause) {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

func TestQueriesDoNotWaitForDocuments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		client := &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			body, _ := io.ReadAll(r.Body)
			if bytes.Contains(body, []byte("slow")) {
				<-release
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			return good(r)
		})}
		o, err := NewOpenAI(t.Context(), OpenAIConfig{BaseURL: "http://host", Model: "m", MaxBatch: 1, Concurrency: 1, HTTPClient: client})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() {
			_, err := o.Embed(t.Context(), Document, []string{"slow", "slow"})
			done <- err
		}()
		synctest.Wait()
		if _, err := o.Embed(t.Context(), Query, []string{"quick"}); err != nil {
			t.Error(err)
		}
		close(release)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestBatchesKeepTheTokenBudget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		config, err := OpenAIConfig{
			BaseURL: "http://host", Model: "m", MaxTokens: 12, MaxBatch: rapid.IntRange(1, 5).Draw(t, "batch"),
			MaxBatchTokens: rapid.IntRange(1, 40).Draw(t, "tokens"), DocumentPrefix: "p ",
		}.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		o := &OpenAI{config: config, space: Space{DocumentPrefix: "p "}, textLimit: [2]int{10, 10}}
		texts := rapid.SliceOf(rapid.StringMatching(`([a-z]{1,9} ){0,12}`)).Draw(t, "texts")
		inputs, batches := o.plan(Document, texts)
		at := 0
		for _, b := range batches {
			if b.first != at || b.last <= b.first {
				t.Fatalf("batches %v of %d texts", batches, len(texts))
			}
			at = b.last
			tokens := 0
			for _, input := range inputs[b.first:b.last] {
				if EstimateTokens(input) > 10 || !strings.HasPrefix(input, "p ") {
					t.Fatalf("input %q", input)
				}
				tokens += EstimateTokens(input) + specialTokens
			}
			if n := b.last - b.first; n > config.MaxBatch || n > 1 && tokens > config.MaxBatchTokens {
				t.Fatalf("%d inputs with %d tokens", n, tokens)
			}
		}
		if at != len(texts) {
			t.Fatalf("batches end at %d of %d", at, len(texts))
		}
	})
}

func TestCut(t *testing.T) {
	words := func(s string) int { return len(strings.Fields(s)) }
	for _, test := range []struct {
		text  string
		limit int
		want  string
	}{
		{"", 1, ""},
		{"one two three", 3, "one two three"},
		{"one two three", 2, "one two"},
		{strings.Repeat("word ", 100), 3, "word word word"},
		{strings.Repeat(" ", 1000) + "end", 2, strings.Repeat(" ", 1000) + "end"},
	} {
		if got, n := cut(test.text, test.limit, words); got != test.want && strings.TrimSpace(got) != test.want || n != words(got) {
			t.Errorf("cut(%.40q, %d) = %.40q, %d; want %.40q", test.text, test.limit, got, n, test.want)
		}
	}
}

// What is cut is a valid beginning within the limit, and one more word would not have been.
func TestCutIsTheLongest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`([a-zé東🙂]{1,12}[ \n]{1,3}){0,30}`).Draw(t, "text")
		limit := rapid.IntRange(3, 40).Draw(t, "limit")
		got, n := cut(text, limit, EstimateTokens)
		if !strings.HasPrefix(text, got) || n != EstimateTokens(got) || n > limit {
			t.Fatalf("cut to %q with %d tokens", got, n)
		}
		if rest := text[len(got):]; rest != "" {
			if strings.ToValidUTF8(got, "") != got {
				t.Fatalf("cut inside a character: %q", got)
			}
			word := strings.IndexAny(strings.TrimLeft(rest, " \n")+" ", " \n") + len(rest) - len(strings.TrimLeft(rest, " \n"))
			if more := EstimateTokens(text[:len(got)+word]); strings.TrimSpace(rest) != "" && more <= limit {
				t.Fatalf("%q could have been longer: %d tokens with the next word, limit %d", got, more, limit)
			}
		}
	})
}

func TestUnit(t *testing.T) {
	for _, bad := range [][]float32{{0, 0}, {float32(math.NaN()), 1}, {float32(math.Inf(1)), 1}} {
		if unit(bad) {
			t.Errorf("%v passed", bad)
		}
	}
	v := []float32{3, 4}
	if !unit(v) || v[0] != 0.6 || v[1] != 0.8 {
		t.Errorf("unit vector %v", v)
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("5", "")
	f.Add("Wed, 21 Oct 2026 07:28:00 GMT", "1e400")
	f.Add("-1", "NaN")
	f.Fuzz(func(t *testing.T, seconds, ms string) {
		header := http.Header{"Retry-After": {seconds}, "Retry-After-Ms": {ms}}
		if wait := retryAfter(header, time.Unix(1e9, 0)); wait < 0 {
			t.Errorf("waiting %v", wait)
		}
	})
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte(`{"data":[{"index":0,"embedding":[1,2]}]}`))
	f.Add([]byte(`{"data":[{"index":0,"embedding":[1e-45,null]}]}`))
	f.Add([]byte(`{"error":{"message":["a"]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		o := &OpenAI{config: OpenAIConfig{Timeout: time.Minute}, backOff: func() backoff.BackOff { return &backoff.StopBackOff{} }}
		o.config.HTTPClient = &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body))}, nil
		})}
		o.client = newClient(OpenAIConfig{BaseURL: "http://host", HTTPClient: o.config.HTTPClient})
		vectors, err := o.request(t.Context(), []string{"a"})
		if err != nil {
			return
		}
		var squares float64
		for _, x := range vectors[0] {
			squares += float64(x) * float64(x)
		}
		if len(vectors) != 1 || math.Abs(squares-1) > 1e-3 {
			t.Errorf("accepted %v", vectors)
		}
	})
}
