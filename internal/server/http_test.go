package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	spb "google.golang.org/genproto/googleapis/rpc/status"

	throughlinev1 "throughline/proto/throughline/v1"
)

// exchange makes one request and returns the status and the body.
func exchange(t *testing.T, method, address, body string, header ...string) (int, http.Header, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(read)
}

// wantJSONError checks a body that is an error.
func wantJSONError(t *testing.T, body string, code codes.Code, reason string, fields ...string) {
	t.Helper()
	var st spb.Status
	if err := protojson.Unmarshal([]byte(body), &st); err != nil {
		t.Fatalf("the body is no status: %v: %s", err, body)
	}
	wantError(t, status.FromProto(&st).Err(), code, reason, fields...)
}

func TestJSONCalls(t *testing.T) {
	p := seeded(t)
	p.Put(t, article("http://example.org/x?y=1", "An id that is a URL", "Herald", day(1), "A page."))
	p.Put(t, article("with:colon", "An id with a colon", "Herald", day(1), "Another page."))
	s := start(t, config(t, p))
	for _, c := range []struct {
		method, path, body string
		code               int
		want               string // in the body, without white space
	}{
		{"GET", "/v1/articles/a0", "", 200, `"id":"a0"`},
		{"GET", "/v1/articles/" + strings.ReplaceAll(url.PathEscape("http://example.org/x?y=1"), ":", "%3A"), "", 200, `"title":"AnidthatisaURL"`},
		{"GET", "/v1/articles/with%3Acolon", "", 200, `"id":"with:colon"`},
		{"GET", "/v1/articles?page_size=1&filter.sources=Blog", "", 200, `"id":"c`},
		{"GET", "/v1/articles?pageSize=1", "", 200, `"nextPageToken":"`},
		{"POST", "/v1/articles", `{"id": "new", "title": "Sent as JSON", "text": "It came over HTTP."}`, 200, `"outcome":"INGEST_OUTCOME_NEW"`},
		{"PUT", "/v1/articles/new", `{"title": "Sent as JSON", "text": "It came over HTTP."}`, 200, `"outcome":"INGEST_OUTCOME_UNCHANGED"`},
		{"DELETE", "/v1/articles/new", "", 200, `{}`},
		{"POST", "/v1/related", `{"article_id": "a0", "page_size": 1}`, 200, `"relation":"RELATION_SAME_STORY"`},
		{"GET", "/v1/articles/a0/related?page_size=2", "", 200, `"id":"a4"`},
		{"GET", "/v1/search?query=election", "", 200, `"id":"b0"`},
		{"POST", "/v1/search", `{"query": "election"}`, 200, `"id":"b0"`},
		{"GET", "/v1/stories?order=STORY_ORDER_LARGEST&pageSize=1", "", 200, `"id":"story-1"`},
		{"GET", "/v1/stories/story-1", "", 200, `"id":"story-1"`},
		{"GET", "/v1/topics?level=TOPIC_LEVEL_THEME", "", 200, `"id":"theme-7"`},
		{"GET", "/v1/topics/theme-7", "", 200, `"topics":[`},
		{"POST", "/v1/stories:find", `{"title": "Fire in the concert hall", "text": "The fire in the concert hall was put out."}`, 200, `"storyId":"story-1"`},
		{"POST", "/throughline.v1.ClusterService/GetStory", `{"storyId": "story-1"}`, 200, `"id":"story-1"`}, // Connect
	} {
		code, _, body := exchange(t, c.method, s.http+c.path, c.body)
		if code != c.code || !strings.Contains(strings.Join(strings.Fields(body), ""), c.want) {
			t.Errorf("%s %s: %d %s, want %d with %s", c.method, c.path, code, body, c.code, c.want)
		}
	}
}

func TestJSONErrors(t *testing.T) {
	s := start(t, config(t, shared(t)))
	for _, c := range []struct {
		method, path, body string
		http               int
		code               codes.Code
		reason             string
		fields             []string
	}{
		{"GET", "/v1/articles/nope", "", 404, codes.NotFound, "ARTICLE_NOT_FOUND", nil},
		{"POST", "/v1/related", `{"article_id": "a0", "diversity": 2}`, 400, codes.InvalidArgument, "INVALID_FIELD", []string{"diversity"}},
		{"POST", "/v1/related", `{"article_id": "a0", "nope": 1}`, 400, codes.InvalidArgument, "MALFORMED_REQUEST", nil},
		{"POST", "/v1/related", `{"article_id": `, 400, codes.InvalidArgument, "MALFORMED_REQUEST", nil},
		{"GET", "/v1/articles?nope=1", "", 400, codes.InvalidArgument, "MALFORMED_REQUEST", nil},
		{"GET", "/v1/articles?page_size=many", "", 400, codes.InvalidArgument, "MALFORMED_REQUEST", nil},
		{"GET", "/v1/nope", "", 404, codes.NotFound, "NO_SUCH_PATH", nil},
		{"PATCH", "/v1/articles/a0", "", 405, codes.Unimplemented, "MALFORMED_REQUEST", nil},
		{"GET", "/v1/operations/nope", "", 404, codes.NotFound, "OPERATION_NOT_FOUND", nil},
		{"POST", "/v1/articles:ingest", `{"article": {"nope": 1}}`, 400, codes.InvalidArgument, "MALFORMED_REQUEST", nil},
		{"GET", "/v1/stories:watch?nope=1", "", 400, codes.InvalidArgument, "MALFORMED_REQUEST", nil},
		{"GET", "/v1/stories:watch?after_sequence=-1", "", 400, codes.InvalidArgument, "INVALID_FIELD", []string{"after_sequence"}},
	} {
		code, header, body := exchange(t, c.method, s.http+c.path, c.body)
		if code != c.http || !strings.HasPrefix(header.Get("Content-Type"), "application/json") {
			t.Errorf("%s %s: %d %s %s", c.method, c.path, code, header.Get("Content-Type"), body)
			continue
		}
		wantJSONError(t, body, c.code, c.reason, c.fields...)
	}
}

func TestRequestIDIsReturned(t *testing.T) {
	s := start(t, config(t, shared(t)))
	for sent, kept := range map[string]bool{"mine-1": true, "not fit": false, strings.Repeat("x", 200): false} {
		_, header, _ := exchange(t, "GET", s.http+"/v1/articles/a0", "", requestIDHeader, sent)
		if got := header.Get(requestIDHeader); got == "" || (got == sent) != kept {
			t.Errorf("sent %q, got %q", sent, got)
		}
	}
}

// curl sends JSON as a form by default. A page of another site may not write at all.
func TestFormsAndForeignPages(t *testing.T) {
	s := start(t, config(t, seeded(t)))
	body := `{"id": "x", "title": "A title"}`
	if code, _, text := exchange(t, "POST", s.http+"/v1/articles", body, "Content-Type", "application/x-www-form-urlencoded"); code != 200 {
		t.Errorf("curl's content type: %d %s", code, text)
	}
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"},
		{"Origin", "http://evil.example"},
	} {
		if code, _, _ := exchange(t, "POST", s.http+"/v1/articles", body, header...); code != http.StatusForbidden {
			t.Errorf("with %v: %d", header, code)
		}
	}
}

func TestOperatorPaths(t *testing.T) {
	s := start(t, config(t, shared(t)))
	if _, err := s.articles.GetArticle(t.Context(), &throughlinev1.GetArticleRequest{ArticleId: "nope"}); err == nil {
		t.Fatal("found")
	}
	waitFor(t, func() bool { code, _, _ := exchange(t, "GET", s.http+"/readyz", ""); return code == 200 })
	for path, want := range map[string]string{
		"/healthz": "ok", "/": "/v1/stories",
		"/metrics": `throughline_calls_total{code="NotFound",method="GetArticle",service="throughline.v1.ArticleService"} 1`,
	} {
		code, header, body := exchange(t, "GET", s.http+path, "")
		if code != 200 || !strings.Contains(body, want) || path == "/" && !strings.HasPrefix(header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
}

// Names that callers make up must not become labels.
func TestMetricsStayBounded(t *testing.T) {
	s := start(t, config(t, shared(t)))
	for i := range 20 {
		if err := s.conn.Invoke(t.Context(), fmt.Sprintf("/made.up/Method%d", i), &throughlinev1.GetArticleRequest{}, &throughlinev1.Article{}); err == nil {
			t.Fatal("no error")
		}
	}
	_, _, body := exchange(t, "GET", s.http+"/metrics", "")
	if strings.Contains(body, "made.up") || !strings.Contains(body, `throughline_calls_total{code="Unimplemented",method="unknown",service="unknown"} 20`) {
		t.Error(body)
	}
}

func TestStreamsOverHTTP(t *testing.T) {
	s := start(t, config(t, seeded(t)))

	code, header, body := exchange(t, "POST", s.http+"/v1/articles:ingest",
		`{"article": {"id": "n1", "title": "One"}}`+"\n\n"+`{"article": {"id": "n2"}}`+"\n"+`{"article": {"id": "n1", "title": "One"}}`)
	lines := jsonLines(t, body)
	if code != 200 || header.Get("Content-Type") != "application/x-ndjson" || len(lines) != 3 {
		t.Fatalf("%d %v %s", code, header, body)
	}
	for i, want := range []string{"INGEST_OUTCOME_NEW", "INGEST_OUTCOME_REJECTED", "INGEST_OUTCOME_UNCHANGED"} {
		if lines[i]["outcome"] != want {
			t.Errorf("line %d: %v, want %s", i, lines[i], want)
		}
	}
	code, _, body = exchange(t, "POST", s.http+"/v1/related:batch", `{"key": "a", "request": {"articleId": "a0", "pageSize": 1}}`+"\n"+`{"key": "b"}`)
	if lines = jsonLines(t, body); code != 200 || len(lines) != 2 || lines[0]["response"] == nil || lines[1]["status"] == nil {
		t.Errorf("%d %s", code, body)
	}
	code, _, body = exchange(t, "GET", s.http+"/v1/stories:watch?stop_at_end=true&afterSequence=2", "")
	if lines = jsonLines(t, body); code != 200 || len(lines) != 1 {
		t.Errorf("%d %s", code, body)
	}
	// An error after the first answer is the last line.
	code, _, body = exchange(t, "POST", s.http+"/v1/related:batch", `{"key": "a", "request": {"articleId": "a0", "pageSize": 1}}`+"\nnot JSON")
	lines = jsonLines(t, body)
	if code != 200 || len(lines) != 2 {
		t.Fatalf("%d %s", code, body)
	}
	last, err := json.Marshal(lines[1]["error"])
	if err != nil {
		t.Fatal(err)
	}
	wantJSONError(t, string(last), codes.InvalidArgument, "MALFORMED_REQUEST")
	// A stream without a request is one without answers.
	if code, _, body = exchange(t, "POST", s.http+"/v1/related:batch", ""); code != 200 || body != "" {
		t.Errorf("%d %s", code, body)
	}
}

func jsonLines(t *testing.T, body string) (out []map[string]any) {
	t.Helper()
	lines := bufio.NewScanner(strings.NewReader(body))
	for lines.Scan() {
		var line map[string]any
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		out = append(out, line)
	}
	return out
}

// Over HTTP/1 too, a client reads an answer before it sends the next request.
func TestIngestOverHTTPOneByOne(t *testing.T) {
	s := start(t, config(t, empty(t)))
	reader, writer := io.Pipe()
	request, err := http.NewRequestWithContext(t.Context(), "POST", s.http+"/v1/articles:ingest", reader)
	if err != nil {
		t.Fatal(err)
	}
	go fmt.Fprintln(writer, `{"article": {"id": "x", "title": "One"}}`)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answers := bufio.NewScanner(response.Body)
	for i := range 3 {
		if !answers.Scan() || !strings.Contains(answers.Text(), `"articleId"`) {
			t.Fatalf("answer %d: %q, %v", i, answers.Text(), answers.Err())
		}
		if i < 2 {
			fmt.Fprintf(writer, "{\"article\": {\"id\": \"x%d\", \"title\": \"One\"}}\n", i)
		}
	}
	writer.Close()
	if answers.Scan() {
		t.Errorf("one answer too many: %s", answers.Text())
	}
}

func TestLongLineIsRefused(t *testing.T) {
	cfg := config(t, shared(t))
	cfg.MaxMessage = 1 << 16
	s := start(t, cfg)
	line := `{"article": {"title": "` + strings.Repeat("x", 1<<17) + `"}}`
	code, _, body := exchange(t, "POST", s.http+"/v1/articles:ingest", line)
	if code != http.StatusTooManyRequests {
		t.Fatalf("%d %s", code, body)
	}
	wantJSONError(t, body, codes.ResourceExhausted, "MESSAGE_TOO_LARGE")
}

// gRPC works on the HTTP port as well.
func TestGRPCOnTheHTTPPort(t *testing.T) {
	s := start(t, config(t, shared(t)))
	conn, err := grpc.NewClient(strings.TrimPrefix(s.http, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	got, err := throughlinev1.NewArticleServiceClient(conn).GetArticle(t.Context(), &throughlinev1.GetArticleRequest{ArticleId: "a0"})
	if err != nil || got.GetId() != "a0" {
		t.Fatalf("%v, %v", got, err)
	}
	_, err = throughlinev1.NewArticleServiceClient(conn).GetArticle(t.Context(), &throughlinev1.GetArticleRequest{ArticleId: "nope"})
	wantError(t, err, codes.NotFound, "ARTICLE_NOT_FOUND")
}

// No body may break the streams: what cannot be read is an error that says so.
func FuzzJSONStream(f *testing.F) {
	f.Add([]byte(`{"key": "a", "request": {"articleId": "a0"}}`))
	f.Add([]byte("{}\n{}\n"))
	f.Add([]byte("\xff\n"))
	f.Add([]byte(`{"request": {"article_id": "a0", "half_life": "-1s"}}`))
	cfg := config(f, shared(f))
	cfg.Logger = discard()
	s, err := New(cfg)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "/v1/related:batch", bytes.NewReader(body))
		s.http.ServeHTTP(w, r)
		s.receivers.Wait()
		if w.Code >= 500 {
			t.Fatalf("%q: %d %s", body, w.Code, w.Body)
		}
		if !json.Valid(bytes.ReplaceAll(append([]byte("["), append(bytes.TrimSpace(w.Body.Bytes()), ']')...), []byte("}\n{"), []byte("},{"))) {
			t.Fatalf("%q: the answer is not JSON: %s", body, w.Body)
		}
	})
}
