package server

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"throughline/internal/related"
	throughlinev1 "throughline/proto/throughline/v1"
)

func TestRelatedPagesComeFromOneRanking(t *testing.T) {
	m := seeded()
	s := start(t, config(t, m))
	ctx := t.Context()
	request := &throughlinev1.RelatedRequest{ArticleId: "a0", PageSize: 2, Explain: true}
	first, err := s.coverage.Related(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	r := first.GetResults()[0]
	if r.GetArticle().GetId() != "a1" || r.GetRelation() != throughlinev1.Relation_RELATION_SAME_STORY || r.GetStoryId() != "s1" ||
		r.GetSignals()["shared"] == 0 || r.GetEvidence()[0].SeedSection == nil {
		t.Fatalf("first result: %v", r)
	}
	// What arrives or goes meanwhile does not change the ranking.
	m.mu.Lock()
	m.add("a00", "Fire in the concert hall", "Herald", "s1", day(1))
	m.mu.Unlock()
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
	if want := "a1 a2 a3 a4 a5 a6"; strings.Join(got, " ") != want {
		t.Fatalf("got %v, want %v", got, want)
	}
	// A page can be asked for again.
	request.PageToken = first.GetNextPageToken()
	again, err := s.coverage.Related(ctx, request)
	if err != nil || again.GetResults()[0].GetArticle().GetId() != "a3" {
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
	cfg := config(t, seeded())
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
	s := start(t, config(t, seeded()))
	section := int32(0)
	negative := int32(-1)
	for name, c := range map[string]struct {
		in     *throughlinev1.RelatedRequest
		fields []string
	}{
		"no seed":          {&throughlinev1.RelatedRequest{}, []string{"article_id"}},
		"two seeds":        {&throughlinev1.RelatedRequest{ArticleId: "a0", StoryId: "s1"}, []string{"article_id"}},
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
		"engine refuses": {&throughlinev1.RelatedRequest{LikedArticleIds: []string{"a0"}}, []string{"liked_article_ids"}},
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
}

func TestSearchEvidenceHasNoSeedSection(t *testing.T) {
	s := start(t, config(t, seeded()))
	got, err := s.coverage.Search(t.Context(), &throughlinev1.SearchRequest{Query: "election"})
	if err != nil || len(got.GetResults()) != 1 {
		t.Fatalf("%v, %v", got, err)
	}
	if e := got.GetResults()[0].GetEvidence()[0]; e.SeedSection != nil {
		t.Errorf("evidence of a search names section %d of a seed", e.GetSeedSection())
	}
}

func TestBatchRelatedAnswersEachInOrder(t *testing.T) {
	s := start(t, config(t, seeded()))
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
	go func() {
		for range 20 {
			for _, r := range requests {
				if stream.Send(r) != nil {
					return
				}
			}
		}
		stream.CloseSend()
	}()
	for i := range 20 * len(requests) {
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
	cfg := config(t, seeded())
	cfg.Coverage, cfg.Stories = nil, nil
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

func TestFrozenIsBounded(t *testing.T) {
	now := time.Unix(0, 0)
	f := newFrozen(func() time.Time { return now }, time.Minute, 10)
	list := func(n int) Ranking { return ranking{results: make([]related.Result, n)} }
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
