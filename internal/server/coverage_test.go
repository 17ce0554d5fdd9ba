package server

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"throughline/embed"
	"throughline/internal/related"
	"throughline/internal/storetest"
	throughlinev1 "throughline/proto/throughline/v1"
)

func TestRelatedPagesComeFromOneRanking(t *testing.T) {
	p := seeded(t)
	s := start(t, config(t, p))
	ctx := t.Context()
	request := &throughlinev1.RelatedRequest{ArticleId: "a0", PageSize: 2, Explain: true}
	first, err := s.coverage.Related(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	r := first.GetResults()[0]
	if r.GetArticle().GetId() != "a1" || r.GetRelation() != throughlinev1.Relation_RELATION_SAME_STORY || r.GetStoryId() != fire ||
		r.GetSignals()["dense"] == 0 || len(r.GetContributions()) == 0 || r.GetEvidence()[0].SeedSection == nil {
		t.Fatalf("first result: %v", r)
	}
	// What arrives or goes meanwhile does not change the ranking.
	p.Put(t, article("near", "Fire in the concert hall", "Herald", day(1), "The fire in the concert hall began late at night."))
	if err := p.Ingest.Delete(ctx, "a5"); err != nil {
		t.Fatal(err)
	}
	var got []string
	for page := first; ; {
		for _, r := range page.GetResults() {
			got = append(got, r.GetArticle().GetId())
		}
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
			break
		}
		if page, err = s.coverage.Related(ctx, request); err != nil {
			t.Fatal(err)
		}
	}
	if want := "a1 a4 a6 a2 a3 a5 b0"; strings.Join(got, " ") != want {
		t.Fatalf("got %v, want %v", got, want)
	}
	// A page can be asked for again.
	request.PageToken = first.GetNextPageToken()
	again, err := s.coverage.Related(ctx, request)
	if err != nil || again.GetResults()[0].GetArticle().GetId() != "a6" {
		t.Fatalf("%v, %v", again, err)
	}
	for name, other := range map[string]*throughlinev1.RelatedRequest{
		"another seed":   {ArticleId: "a1", Explain: true},
		"another filter": {ArticleId: "a0", Explain: true, Filter: &throughlinev1.ArticleFilter{Sources: []string{"Herald"}}},
	} {
		other.PageToken = first.GetNextPageToken()
		_, err := s.coverage.Related(ctx, other)
		if e := wantError(t, err, codes.InvalidArgument, "INVALID_PAGE_TOKEN", "page_token"); !strings.Contains(e.fields["page_token"], "another request") {
			t.Errorf("%s: %q", name, e.fields["page_token"])
		}
	}
	_, err = s.coverage.Search(ctx, &throughlinev1.SearchRequest{Query: "fire", PageToken: first.GetNextPageToken()})
	wantError(t, err, codes.InvalidArgument, "INVALID_PAGE_TOKEN", "page_token")
}

func TestRelatedPageExpires(t *testing.T) {
	now := time.Now()
	cfg := config(t, shared(t))
	cfg.Now = func() time.Time { return now }
	s := start(t, cfg)
	request := &throughlinev1.RelatedRequest{ArticleId: "a0", PageSize: 1}
	page, err := s.coverage.Related(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	request.PageToken = page.GetNextPageToken()
	now = now.Add(16 * time.Minute)
	_, err = s.coverage.Related(t.Context(), request)
	wantError(t, err, codes.InvalidArgument, "PAGE_TOKEN_EXPIRED", "page_token")
}

func TestRelatedRefusals(t *testing.T) {
	s := start(t, config(t, shared(t)))
	section := int32(0)
	negative, many := int32(-1), int32(99)
	for name, c := range map[string]struct {
		in     *throughlinev1.RelatedRequest
		fields []string
	}{
		"no seed":          {&throughlinev1.RelatedRequest{}, []string{"article_id"}},
		"two seeds":        {&throughlinev1.RelatedRequest{ArticleId: "a0", StoryId: fire}, []string{"article_id"}},
		"title, no text":   {&throughlinev1.RelatedRequest{ArticleId: "a0", Title: "x"}, []string{"title"}},
		"time, no text":    {&throughlinev1.RelatedRequest{ArticleId: "a0", PublishedTime: timestamppb.New(day(1))}, []string{"published_time"}},
		"section, no id":   {&throughlinev1.RelatedRequest{Text: "x", Section: &section}, []string{"section"}},
		"negative section": {&throughlinev1.RelatedRequest{ArticleId: "a0", Section: &negative}, []string{"section"}},
		"only disliked":    {&throughlinev1.RelatedRequest{ArticleId: "a0", DislikedArticleIds: []string{"a1"}}, []string{"disliked_article_ids"}},
		"empty liked":      {&throughlinev1.RelatedRequest{LikedArticleIds: []string{""}}, []string{"liked_article_ids[0]"}},
		"diversity":        {&throughlinev1.RelatedRequest{ArticleId: "a0", Diversity: 1.5}, []string{"diversity"}},
		"half life":        {&throughlinev1.RelatedRequest{ArticleId: "a0", HalfLife: durationpb.New(0)}, []string{"half_life"}},
		"long half life":   {&throughlinev1.RelatedRequest{ArticleId: "a0", HalfLife: &durationpb.Duration{Seconds: 1 << 55}}, []string{"half_life"}},
		"probability":      {&throughlinev1.RelatedRequest{ArticleId: "a0", MinProbability: -1}, []string{"min_probability"}},
		"relation":         {&throughlinev1.RelatedRequest{ArticleId: "a0", Relations: []throughlinev1.Relation{0}}, []string{"relations[0]"}},
		"page size":        {&throughlinev1.RelatedRequest{ArticleId: "a0", PageSize: 201}, []string{"page_size"}},
		"order of times": {&throughlinev1.RelatedRequest{ArticleId: "a0", Filter: &throughlinev1.ArticleFilter{
			PublishedAfter: timestamppb.New(day(2)), PublishedBefore: timestamppb.New(day(2))}}, []string{"filter.published_after"}},
		"engine refuses": {&throughlinev1.RelatedRequest{ArticleId: "a0", Section: &many}, []string{"section"}},
		"far future":     {&throughlinev1.RelatedRequest{Text: "x", PublishedTime: &timestamppb.Timestamp{Seconds: 250_000_000_000}}, []string{"published_time"}},
		"several":        {&throughlinev1.RelatedRequest{ArticleId: "a0", Title: "x", PageSize: -1}, []string{"title", "page_size"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.coverage.Related(t.Context(), c.in)
			wantError(t, err, codes.InvalidArgument, "INVALID_FIELD", c.fields...)
		})
	}
	_, err := s.coverage.Related(t.Context(), &throughlinev1.RelatedRequest{ArticleId: "nope"})
	wantError(t, err, codes.NotFound, "ARTICLE_NOT_FOUND")
	_, err = s.coverage.Search(t.Context(), &throughlinev1.SearchRequest{})
	wantError(t, err, codes.InvalidArgument, "INVALID_FIELD", "query")
	_, err = s.coverage.Search(t.Context(), &throughlinev1.SearchRequest{Query: " "})
	wantError(t, err, codes.InvalidArgument, "NOTHING_TO_COMPARE")
	for _, text := range []string{" ", "...", "\n\n"} {
		_, err = s.coverage.Related(t.Context(), &throughlinev1.RelatedRequest{Text: text})
		wantError(t, err, codes.InvalidArgument, "NOTHING_TO_COMPARE")
	}
}

func TestSearchEvidenceHasNoSeedSection(t *testing.T) {
	s := start(t, config(t, shared(t)))
	got, err := s.coverage.Search(t.Context(), &throughlinev1.SearchRequest{Query: "election"})
	if err != nil || got.GetResults()[0].GetArticle().GetId() != "b0" {
		t.Fatalf("%v, %v", got, err)
	}
	for _, r := range got.GetResults() {
		if e := r.GetEvidence()[0]; e.SeedSection != nil {
			t.Errorf("%s: evidence of a search names section %d of a seed", r.GetArticle().GetId(), e.GetSeedSection())
		}
	}
}

// Answers name the State that they come from, over HTTP too, and a later page that of the first.
func TestAnswersNameTheirState(t *testing.T) {
	p := seeded(t)
	s := start(t, config(t, p))
	ctx := t.Context()
	current := func() string { return strconv.FormatInt(p.States.Current().Version, 10) }
	named := func(what string, call func(header grpc.CallOption) error, want string) {
		t.Helper()
		var header metadata.MD
		if err := call(grpc.Header(&header)); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if got := header.Get(stateHeader); !slices.Equal(got, []string{want}) {
			t.Errorf("%s names the State %v, want %s", what, got, want)
		}
	}
	token := ""
	page := func(header grpc.CallOption) error {
		got, err := s.coverage.Related(ctx, &throughlinev1.RelatedRequest{ArticleId: "a0", PageSize: 1, PageToken: token}, header)
		token = got.GetNextPageToken()
		return err
	}
	before := current()
	named("page 1", page, before)
	p.Put(t, late())
	after := current()
	if after == before {
		t.Fatal("the State is the same with another article")
	}
	named("page 2", page, before)
	token = ""
	named("another page 1", page, after)
	named("Search", func(header grpc.CallOption) error {
		_, err := s.coverage.Search(ctx, &throughlinev1.SearchRequest{Query: "fire"}, header)
		return err
	}, after)
	named("FindStory", func(header grpc.CallOption) error {
		_, err := s.clusters.FindStory(ctx, &throughlinev1.FindStoryRequest{Text: "A fire."}, header)
		return err
	}, after)
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/v1/articles/a0/related", ""},
		{"GET", "/v1/search?query=fire", ""},
		{"POST", "/v1/stories:find", `{"text": "A fire."}`},
		{"POST", "/throughline.v1.CoverageService/Search", `{"query": "fire"}`}, // Connect
	} {
		code, header, body := exchange(t, c.method, s.http+c.path, c.body)
		if got := header.Values(stateHeader); code != 200 || !slices.Equal(got, []string{after}) {
			t.Errorf("%s: %d, names the State %v, want %s: %s", c.path, code, got, after, body)
		}
	}
}

// A stream has no header for each answer: its trailer names the State of the last one.
func TestBatchNamesItsLastState(t *testing.T) {
	p := seeded(t)
	cfg := config(t, p)
	var log captured
	cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := start(t, cfg)
	stream, err := s.coverage.BatchRelated(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(id string) {
		t.Helper()
		if err := stream.Send(&throughlinev1.BatchRelatedRequest{Request: &throughlinev1.RelatedRequest{ArticleId: id, PageSize: 1}}); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	ask("a0")
	p.Put(t, late())
	ask("a0")
	want := []string{strconv.FormatInt(p.States.Current().Version, 10)}
	ask("nope") // an answer that comes from no State
	stream.CloseSend()
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if got := stream.Trailer().Get(stateHeader); !slices.Equal(got, want) {
		t.Errorf("the trailer names the State %v, want %v", got, want)
	}
	header, err := stream.Header()
	if err != nil || len(header.Get(stateHeader)) > 0 {
		t.Errorf("the header is %v, %v", header, err)
	}

	response, err := http.Post(s.http+"/v1/related:batch", "application/x-ndjson", strings.NewReader(`{"request": {"articleId": "a0"}}`))
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
	if got := response.Trailer.Values(stateHeader); !slices.Equal(got, want) || len(response.Header.Values(stateHeader)) > 0 {
		t.Errorf("over HTTP the trailer is %v and the header %v, want the State %v in the trailer", response.Trailer, response.Header, want)
	}
	if text := log.String(); strings.Contains(text, "header") {
		t.Errorf("the log says %s", text)
	}
}

func TestFailuresOfTheEndpointAndTheStore(t *testing.T) {
	p := seeded(t)
	s := start(t, config(t, p))
	ctx := t.Context()
	p.embedder.Fail(&embed.EndpointError{Reason: embed.ErrQuota, Detail: "a secret"})
	_, err := s.coverage.Search(ctx, &throughlinev1.SearchRequest{Query: "election"})
	if e := wantError(t, err, codes.ResourceExhausted, "EMBEDDER_QUOTA"); !e.retry || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
	_, err = s.coverage.Related(ctx, &throughlinev1.RelatedRequest{Text: "A text."})
	wantError(t, err, codes.ResourceExhausted, "EMBEDDER_QUOTA")
	_, err = s.clusters.FindStory(ctx, &throughlinev1.FindStoryRequest{Text: "A text."})
	wantError(t, err, codes.ResourceExhausted, "EMBEDDER_QUOTA")
	if _, err := s.coverage.Related(ctx, &throughlinev1.RelatedRequest{ArticleId: "a0"}); err != nil {
		t.Errorf("an article that is stored needs no endpoint: %v", err)
	}
	p.store.FailFrom(1, storetest.Method("QueryBatch"), false, errOverloaded)
	_, err = s.coverage.Related(ctx, &throughlinev1.RelatedRequest{ArticleId: "a0"})
	if e := wantError(t, err, codes.ResourceExhausted, "STORE_OVERLOADED"); !e.retry || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

// Where sections cannot be searched, what the articles themselves show is the answer, and says that
// it is not all.
func TestPartialAnswers(t *testing.T) {
	p := seeded(t)
	s := start(t, config(t, p))
	p.store.FailFrom(1, func(method string, req any) bool {
		batch, ok := req.(*qdrant.QueryBatchPoints)
		return ok && strings.Contains(batch.GetCollectionName(), "section")
	}, false, errOverloaded)
	got, err := s.coverage.Related(t.Context(), &throughlinev1.RelatedRequest{ArticleId: "a0", PageSize: 1})
	if err != nil || !got.GetPartial() {
		t.Fatalf("%v, %v", got, err)
	}
	p.store.Stop()
	again, err := s.coverage.Related(t.Context(), &throughlinev1.RelatedRequest{ArticleId: "a0", PageSize: 1, PageToken: got.GetNextPageToken()})
	if err != nil || !again.GetPartial() {
		t.Fatalf("its second page: %v, %v", again, err)
	}
}

func TestBatchRelatedAnswersEachInOrder(t *testing.T) {
	s := start(t, config(t, shared(t)))
	stream, err := s.coverage.BatchRelated(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	requests := []*throughlinev1.BatchRelatedRequest{
		{Key: "k0", Request: &throughlinev1.RelatedRequest{ArticleId: "a0", PageSize: 1}},
		{Key: "k1", Request: &throughlinev1.RelatedRequest{ArticleId: "nope"}},
		{Key: "k2"},
		{Key: "k3", Request: &throughlinev1.RelatedRequest{ArticleId: "a0", Diversity: 7}},
		{Key: strings.Repeat("k", 2000), Request: &throughlinev1.RelatedRequest{ArticleId: "a0"}},
		{Key: "k5", Request: &throughlinev1.RelatedRequest{ArticleId: "b0"}},
	}
	const rounds = 4 // more than one batch
	go func() {
		for range rounds {
			for _, r := range requests {
				if stream.Send(r) != nil {
					return
				}
			}
		}
		stream.CloseSend()
	}()
	for i := range rounds * len(requests) {
		got, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		asked := requests[i%len(requests)]
		if got.GetIndex() != int64(i) || got.GetKey() != asked.GetKey() || (got.GetStatus() == nil) == (got.GetResponse() == nil) {
			t.Fatalf("answer %d: %v", i, got)
		}
		failure := status.FromProto(got.GetStatus()).Err()
		switch i % len(requests) {
		case 0:
			if len(got.GetResponse().GetResults()) != 1 {
				t.Fatalf("answer %d: %v", i, got)
			}
		case 1:
			wantError(t, failure, codes.NotFound, "ARTICLE_NOT_FOUND")
		case 2:
			wantError(t, failure, codes.InvalidArgument, "INVALID_FIELD", "request")
		case 3:
			wantError(t, failure, codes.InvalidArgument, "INVALID_FIELD", "diversity")
		case 4:
			wantError(t, failure, codes.InvalidArgument, "INVALID_FIELD", "key")
		case 5:
			if failure != nil {
				t.Fatal(failure)
			}
		}
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
}

func TestMissingEnginesAreUnimplemented(t *testing.T) {
	cfg := config(t, shared(t))
	cfg.Related, cfg.Stories = nil, nil
	s := start(t, cfg)
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"Related": func() error {
			_, err := s.coverage.Related(ctx, &throughlinev1.RelatedRequest{ArticleId: "a0"})
			return err
		},
		"Search": func() error { _, err := s.coverage.Search(ctx, &throughlinev1.SearchRequest{Query: "x"}); return err },
		"BatchRelated": func() error {
			stream, err := s.coverage.BatchRelated(ctx)
			if err != nil {
				return err
			}
			_, err = stream.Recv()
			return err
		},
		"FindStory": func() error {
			_, err := s.clusters.FindStory(ctx, &throughlinev1.FindStoryRequest{Text: "x"})
			return err
		},
		"Recluster": func() error { _, err := s.clusters.Recluster(ctx, &throughlinev1.ReclusterRequest{}); return err },
		"no such method": func() error {
			return s.conn.Invoke(ctx, "/throughline.v1.ArticleService/Nope", &throughlinev1.GetArticleRequest{}, &throughlinev1.Article{})
		},
		"no such service": func() error {
			return s.conn.Invoke(ctx, "/nope.v1.Nope/Nope", &throughlinev1.GetArticleRequest{}, &throughlinev1.Article{})
		},
	} {
		t.Run(name, func(t *testing.T) { wantError(t, call(), codes.Unimplemented, "METHOD_UNIMPLEMENTED") })
	}
}

func TestResultCacheIsBounded(t *testing.T) {
	p := shared(t)
	now := time.Unix(0, 0)
	f := newResultCache(func() time.Time { return now }, time.Minute, 10)
	list := func(n int) *related.List {
		t.Helper()
		l, err := p.Related.Search(t.Context(), related.SearchRequest{Query: "fire", ListOptions: related.ListOptions{Limit: n}})
		if err != nil || l.Len() != n {
			t.Fatalf("%v results, %v; want %d", l.Len(), err, n)
		}
		return l
	}
	var cursors []string
	for range 5 { // 15 results: the first two lists go
		cursors = append(cursors, position{id: f.put(list(3))}.cursor())
	}
	for i, c := range cursors {
		_, _, err := f.get(c)
		if gone := err != nil; gone != (i < 2) {
			t.Errorf("list %d: %v", i, err)
		}
	}
	if f.held != 9 || len(f.byID) != 3 || f.recent.Len() != 3 {
		t.Errorf("holds %d results in %d lists", f.held, len(f.byID))
	}
	// What is used stays: of lists 2, 3, 4 the last used one is 2.
	if _, _, err := f.get(cursors[2]); err != nil {
		t.Fatal(err)
	}
	f.put(list(6))
	if _, _, err := f.get(cursors[2]); err != nil {
		t.Errorf("the list used last is gone: %v", err)
	}
	if _, _, err := f.get(cursors[3]); err == nil {
		t.Error("the list used longest ago is still there")
	}
	now = now.Add(time.Minute)
	f.put(list(1))
	if f.held != 1 {
		t.Errorf("expired lists still hold %d results", f.held-1)
	}
	for _, bad := range []string{"", "x", strings.Repeat("x", 12), strings.Repeat("x", 13)} {
		if _, _, err := f.get(bad); err == nil {
			t.Errorf("cursor %q was taken", bad)
		}
	}
}
