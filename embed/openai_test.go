package embed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
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
		// Three attempts and two waits of 0.5 and 0.75 seconds, each times a random number between
		// 0.5 and 1.5.
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
		o := &OpenAI{config: OpenAIConfig{Timeout: time.Minute}, limiters: [2]*adaptiveLimiter{newLimiter(1, 1), newLimiter(1, 1)}, backOff: func() backoff.BackOff { return &backoff.StopBackOff{} }}
		o.config.HTTPClient = &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body))}, nil
		})}
		o.client = newClient(OpenAIConfig{BaseURL: "http://host", HTTPClient: o.config.HTTPClient})
		vectors, err := o.request(t.Context(), Document, []string{"a"})
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
