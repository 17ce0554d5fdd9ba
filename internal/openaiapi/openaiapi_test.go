package openaiapi

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"

	"throughline/embed"
	"throughline/embed/minilm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// words is an embedder whose vectors say how many words and bytes a text has.
type words struct {
	err   error
	begun chan struct{} // told about every call; may be nil
	wait  chan struct{} // a call ends when this is closed; may be nil
}

func (words) Space() embed.Space {
	return embed.Space{Model: "words", Dimensions: 2, MaxTokens: 5, DocumentPrefix: "ignored here"}
}

func (words) CountTokens(text string) int { return len(strings.Fields(text)) }

func vector(text string) []float32 {
	a, b := float64(len(strings.Fields(text)))+1, float64(len(text))
	return []float32{float32(a / math.Hypot(a, b)), float32(b / math.Hypot(a, b))}
}

func (w words) Embed(ctx context.Context, kind embed.Kind, texts []string) ([][]float32, error) {
	if w.begun != nil {
		w.begun <- struct{}{}
	}
	if w.wait != nil {
		select {
		case <-w.wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if kind != embed.Document {
		return nil, errors.New("not a document")
	}
	if w.err != nil {
		return nil, w.err
	}
	var out [][]float32
	for _, text := range texts {
		out = append(out, vector(text))
	}
	return out, nil
}

var discard = slog.New(slog.DiscardHandler)

func serve(t *testing.T, embedder embed.Embedder, l limits) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(limited(embedder, discard, l))
	t.Cleanup(s.Close)
	return s
}

func call(t *testing.T, s *httptest.Server, method, path, body string) (int, http.Header, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer whatever")
	response, err := s.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(data)
}

func TestEmbeddings(t *testing.T) {
	s := serve(t, words{}, defaultLimits)
	for _, c := range []struct {
		body   string
		texts  []string
		tokens int
	}{
		{`{"model": "words", "input": "one text"}`, []string{"one text"}, 4},
		{`{"model": "words", "input": ["one", "", "né\u00e9 \ud83d\ude42"], "encoding_format": "float", "dimensions": 2, "user": "u"}`, []string{"one", "", "néé 🙂"}, 3 + 2 + 4},
		{`{"model": "words:latest", "input": ["a b c d e f g"], "encoding_format": null, "dimensions": null}`, []string{"a b c d e f g"}, 5},
	} {
		code, header, body := call(t, s, "POST", "/v1/embeddings", c.body)
		if code != 200 || header.Get("Content-Type") != "application/json" {
			t.Fatalf("%s: %d %s", c.body, code, body)
		}
		var got struct {
			Object, Model string
			Data          []struct {
				Object    string
				Index     int
				Embedding []float32
			}
			Usage struct {
				Prompt int `json:"prompt_tokens"`
				Total  int `json:"total_tokens"`
			}
		}
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatal(err)
		}
		if got.Object != "list" || got.Model != "words" || len(got.Data) != len(c.texts) || got.Usage.Prompt != c.tokens || got.Usage.Total != c.tokens {
			t.Errorf("%s: %s", c.body, body)
		}
		for i, d := range got.Data {
			if d.Object != "embedding" || d.Index != i || !slices.Equal(d.Embedding, vector(c.texts[i])) {
				t.Errorf("%s: item %d is %+v", c.body, i, d)
			}
		}
	}
}

func TestBase64(t *testing.T) {
	s := serve(t, words{}, defaultLimits)
	code, _, body := call(t, s, "POST", "/v1/embeddings", `{"model": "words", "input": "one text", "encoding_format": "base64"}`)
	var got struct{ Data []struct{ Embedding string } }
	if err := json.Unmarshal([]byte(body), &got); err != nil || code != 200 {
		t.Fatalf("%d %v: %s", code, err, body)
	}
	data, err := base64.StdEncoding.DecodeString(got.Data[0].Embedding)
	if err != nil || len(data) != 8 {
		t.Fatalf("%v: %d bytes", err, len(data))
	}
	for i, want := range vector("one text") {
		if x := math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:])); x != want {
			t.Errorf("number %d is %g, want %g", i, x, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	l := defaultLimits
	l.inputs, l.body = 2, 300
	s := serve(t, words{}, l)
	for _, c := range []struct {
		method, path, body string
		code               int
		param, error, says string
	}{
		{"POST", "/v1/embeddings", ``, 400, "", "", "no body"},
		{"POST", "/v1/embeddings", `{"model": "words"`, 400, "", "", "not a JSON object"},
		{"POST", "/v1/embeddings", `[1]`, 400, "", "", "not a JSON object"},
		{"POST", "/v1/embeddings", `{"model": "words", "input": "a"} {}`, 400, "", "", "after the JSON object"},
		{"POST", "/v1/embeddings", `{"model": "words", "input": "a", "truncate": true}`, 400, "truncate", "unknown_parameter", "truncate"},
		{"POST", "/v1/embeddings", `{"model": 3, "input": "a"}`, 400, "model", "invalid_type", "number"},
		{"POST", "/v1/embeddings", `{"input": "a"}`, 400, "model", "missing_required_parameter", `"words"`},
		{"POST", "/v1/embeddings", `{"model": "other", "input": "a"}`, 404, "model", "model_not_found", `"words"`},
		{"POST", "/v1/embeddings", `{"model": "words"}`, 400, "input", "missing_required_parameter", "missing"},
		{"POST", "/v1/embeddings", `{"model": "words", "input": null}`, 400, "input", "missing_required_parameter", "missing"},
		{"POST", "/v1/embeddings", `{"model": "words", "input": {"a": 1}}`, 400, "input", "invalid_type", "string or an array"},
		{"POST", "/v1/embeddings", `{"model": "words", "input": []}`, 400, "input", "empty_array", "empty"},
		{"POST", "/v1/embeddings", `{"model": "words", "input": [1, 2]}`, 400, "input", "unsupported_value", "input[0] is made of tokens"},
		{"POST", "/v1/embeddings", `{"model": "words", "input": ["a", [1, 2]]}`, 400, "input", "unsupported_value", "input[1] is made of tokens"},
		{"POST", "/v1/embeddings", `{"model": "words", "input": ["a", null]}`, 400, "input", "invalid_type", "input[1]"},
		{"POST", "/v1/embeddings", `{"model": "words", "input": ["a", "b", "c"]}`, 400, "input", "array_above_max_length", "at most 2"},
		{"POST", "/v1/embeddings", `{"model": "words", "input": "a", "dimensions": 1}`, 400, "dimensions", "invalid_value", "only be 2"},
		{"POST", "/v1/embeddings", `{"model": "words", "input": "a", "encoding_format": "int8"}`, 400, "encoding_format", "invalid_value", `"int8"`},
		{"POST", "/v1/embeddings", `{"model": "words", "input": "` + strings.Repeat("a", 300) + `"}`, 413, "", "request_too_large", "300 bytes"},
		{"GET", "/v1/embeddings", "", 405, "", "method_not_supported", "POST"},
		{"DELETE", "/v1/models/words", "", 405, "", "method_not_supported", "GET"},
		{"GET", "/v1/models/other", "", 404, "model", "model_not_found", `"words"`},
		{"POST", "/v1/chat/completions", "{}", 404, "", "unknown_url", "/v1/chat/completions"},
	} {
		code, header, body := call(t, s, c.method, c.path, c.body)
		var got struct {
			Error struct {
				Message, Type string
				Param, Code   *string
			}
		}
		if err := json.Unmarshal([]byte(body), &got); err != nil || header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: not an error in JSON: %s", c.path, c.body, body)
			continue
		}
		e := got.Error
		text := func(s *string) string {
			if s == nil {
				return ""
			}
			return *s
		}
		if code != c.code || e.Type != "invalid_request_error" || text(e.Param) != c.param || text(e.Code) != c.error || !strings.Contains(e.Message, c.says) {
			t.Errorf("%s %s %s: %d %s; want %d, param %q, code %q, %q", c.method, c.path, c.body, code, body, c.code, c.param, c.error, c.says)
		}
	}
}

func TestModels(t *testing.T) {
	s := serve(t, words{}, defaultLimits)
	if code, _, body := call(t, s, "GET", "/v1/models", ""); code != 200 || !strings.Contains(body, `"object":"list"`) || !strings.Contains(body, `"id":"words"`) {
		t.Errorf("%d %s", code, body)
	}
	for _, name := range []string{"words", "sentence-transformers/words", "words:latest"} {
		if code, _, body := call(t, s, "GET", "/v1/models/"+name, ""); code != 200 || !strings.Contains(body, `"id":"words"`) {
			t.Errorf("%s: %d %s", name, code, body)
		}
	}
}

func TestFailuresOfTheEmbedder(t *testing.T) {
	for _, c := range []struct {
		err   error
		code  int
		retry string
	}{
		{&embed.EndpointError{Reason: embed.ErrBusy, Endpoint: "http://secret.example"}, 503, "5"},
		{&embed.EndpointError{Reason: embed.ErrAuth, Endpoint: "http://secret.example"}, 500, ""},
		{errors.New("secret.example burns"), 500, ""},
	} {
		s := serve(t, words{err: c.err}, defaultLimits)
		code, header, body := call(t, s, "POST", "/v1/embeddings", `{"model": "words", "input": "a"}`)
		if code != c.code || header.Get("Retry-After") != c.retry || !strings.Contains(body, `"type":"server_error"`) || strings.Contains(body, "secret") {
			t.Errorf("%v: %d, Retry-After %q, %s", c.err, code, header.Get("Retry-After"), body)
		}
	}
}

// Who comes when as many are served as may be is told to come again, and who goes away frees the
// place.
func TestTooManyAtOnce(t *testing.T) {
	w := words{begun: make(chan struct{}), wait: make(chan struct{})}
	l := defaultLimits
	l.requests = 1
	s := serve(t, w, l)
	const body = `{"model": "words", "input": "a"}`
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		request, err := http.NewRequestWithContext(ctx, "POST", s.URL+"/v1/embeddings", strings.NewReader(body))
		if err == nil {
			_, err = s.Client().Do(request)
		}
		gone <- err
	}()
	<-w.begun
	if code, header, answer := call(t, s, "POST", "/v1/embeddings", body); code != 429 || header.Get("Retry-After") != "1" || !strings.Contains(answer, "rate_limit_exceeded") {
		t.Errorf("%d %s", code, answer)
	}
	leave()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	close(w.wait)
	go func() { <-w.begun }()
	for { // the place is free as soon as the server has noticed
		code, _, answer := call(t, s, "POST", "/v1/embeddings", body)
		if code == 200 {
			break
		}
		if code != 429 {
			t.Fatalf("%d %s", code, answer)
		}
		time.Sleep(time.Millisecond)
	}
}

// A client that never sends the rest of its request does not stay.
func TestSlowBody(t *testing.T) {
	l := defaultLimits
	l.read = 20 * time.Millisecond
	s := serve(t, words{}, l)
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn) // ends when the server closes the connection
	if err != nil || !strings.Contains(string(answer), " 400 ") || !strings.Contains(string(answer), "incomplete") {
		t.Errorf("%v: %s", err, answer)
	}
}

// Our own client gets the same vectors from the endpoint as from the model behind it, in the same
// space.
func TestOurOwnClient(t *testing.T) {
	model, err := minilm.New(minilm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, model, defaultLimits)
	client, err := embed.NewOpenAI(t.Context(), embed.OpenAIConfig{
		BaseURL: s.URL + "/v1", Model: "sentence-transformers/all-MiniLM-L6-v2", Count: minilm.CountTokens, MaxBatch: 3, HTTPClient: s.Client(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if client.Space() != model.Space() {
		t.Errorf("space %+v, want %+v", client.Space(), model.Space())
	}
	texts := []string{"Ferries to the islands stop", "東京 🙂", "a", strings.Repeat("long text ", 300), "!", "The end."}
	got, err := client.Embed(t.Context(), embed.Document, texts)
	if err != nil {
		t.Fatal(err)
	}
	want, err := model.Embed(t.Context(), embed.Document, texts)
	if err != nil {
		t.Fatal(err)
	}
	for i := range texts {
		for j := range want[i] {
			if difference := math.Abs(float64(got[i][j] - want[i][j])); difference > 1e-7 {
				t.Fatalf("%.20q: number %d is %g, want %g", texts[i], j, got[i][j], want[i][j])
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	h := New(words{}, discard)
	for _, seed := range []string{`{"model": "words", "input": ["a", "b"]}`, `{"input": [1]}`, `{"model":"words","input":"\ud800","encoding_format":"base64"}`, `{"input":[[]]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		q, p := parse(body)
		if p == nil {
			p = h.check(q)
		}
		if p == nil && (len(q.texts) == 0 || slices.ContainsFunc(q.texts, func(s string) bool { return !utf8.ValidString(s) })) {
			t.Fatalf("accepted as %q", q.texts)
		}
		if p != nil && p.Message == "" {
			t.Fatal("a refusal without a reason")
		}
	})
}
