package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"throughline/internal/ingest"
	"throughline/internal/store"
	throughlinev1 "throughline/proto/throughline/v1"
)

const (
	outcomeNew       = throughlinev1.IngestOutcome_INGEST_OUTCOME_NEW
	outcomeUpdated   = throughlinev1.IngestOutcome_INGEST_OUTCOME_UPDATED
	outcomeUnchanged = throughlinev1.IngestOutcome_INGEST_OUTCOME_UNCHANGED
	outcomeRejected  = throughlinev1.IngestOutcome_INGEST_OUTCOME_REJECTED
)

func TestPutThenGetThenDelete(t *testing.T) {
	s := start(t, config(t, newMemory()))
	ctx := t.Context()
	in := &throughlinev1.Article{
		Id: "x", Title: "Fire downtown", Source: "Herald", PublishedTime: timestamppb.New(day(5)),
		Sections: []*throughlinev1.Section{{Text: "It began at night."}, {Heading: "What is known", Text: "Nobody was hurt."}},
	}
	for i, want := range []throughlinev1.IngestOutcome{outcomeNew, outcomeUnchanged, outcomeUpdated} {
		if i == 2 {
			in.Title = "Fire downtown put out"
		}
		got, err := s.articles.PutArticle(ctx, &throughlinev1.PutArticleRequest{Article: in})
		if err != nil {
			t.Fatal(err)
		}
		if got.GetOutcome() != want || got.GetArticle().GetTitle() != in.GetTitle() {
			t.Fatalf("put %d: %v %q, want %v %q", i, got.GetOutcome(), got.GetArticle().GetTitle(), want, in.GetTitle())
		}
	}
	full, err := s.articles.GetArticle(ctx, &throughlinev1.GetArticleRequest{ArticleId: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if len(full.GetSections()) != 2 || full.GetSections()[1].GetHeading() != "What is known" || full.GetRevision() != 2 {
		t.Fatalf("got %v", full)
	}
	summary, err := s.articles.GetArticle(ctx, &throughlinev1.GetArticleRequest{ArticleId: "x", View: throughlinev1.ArticleView_ARTICLE_VIEW_SUMMARY})
	if err != nil {
		t.Fatal(err)
	}
	if len(summary.GetSections()) != 0 || summary.GetSectionCount() != 2 {
		t.Fatalf("a summary has %d sections and counts %d", len(summary.GetSections()), summary.GetSectionCount())
	}
	// What was read can be sent back: output-only fields are no content.
	again, err := s.articles.PutArticle(ctx, &throughlinev1.PutArticleRequest{Article: full})
	if err != nil || again.GetOutcome() != outcomeUnchanged {
		t.Fatalf("sent back: %v, %v", again.GetOutcome(), err)
	}
	if _, err := s.articles.DeleteArticle(ctx, &throughlinev1.DeleteArticleRequest{ArticleId: "x"}); err != nil {
		t.Fatal(err)
	}
	_, err = s.articles.GetArticle(ctx, &throughlinev1.GetArticleRequest{ArticleId: "x"})
	if got := wantError(t, err, codes.NotFound, "ARTICLE_NOT_FOUND"); got.what != "throughline.v1.Article x" {
		t.Fatalf("ResourceInfo says %q", got.what)
	}
	_, err = s.articles.DeleteArticle(ctx, &throughlinev1.DeleteArticleRequest{ArticleId: "x"})
	wantError(t, err, codes.NotFound, "ARTICLE_NOT_FOUND")
}

func TestPutTextBecomesSections(t *testing.T) {
	m := newMemory()
	s := start(t, config(t, m))
	got, err := s.articles.PutArticle(t.Context(), &throughlinev1.PutArticleRequest{Article: &throughlinev1.Article{
		Title: "Fire", Text: "The fire began at night and was put out.\n\nIt was the second one this year in this street.",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got.GetArticle().GetId() == "" || got.GetArticle().GetSectionCount() == 0 {
		t.Fatalf("got %v", got)
	}
}

func TestPutRefusesBadFields(t *testing.T) {
	s := start(t, config(t, newMemory()))
	text := "Something happened somewhere."
	for name, c := range map[string]struct {
		article *throughlinev1.Article
		fields  []string
	}{
		"none":              {nil, []string{"article"}},
		"empty":             {&throughlinev1.Article{}, []string{"article.text"}},
		"long id":           {&throughlinev1.Article{Id: strings.Repeat("x", 513), Text: text}, []string{"article.id"}},
		"two bodies":        {&throughlinev1.Article{Text: text, Sections: []*throughlinev1.Section{{Text: text}}}, []string{"article.text"}},
		"impossible time":   {&throughlinev1.Article{Text: text, PublishedTime: &timestamppb.Timestamp{Seconds: 1 << 60}}, []string{"article.published_time"}},
		"date without time": {&throughlinev1.Article{Text: text, PublishedDateOnly: true}, []string{"article.published_date_only"}},
		"url":               {&throughlinev1.Article{Text: text, Url: "http://[::1"}, []string{"article.url"}},
		"far future":        {&throughlinev1.Article{Text: text, PublishedTime: &timestamppb.Timestamp{Seconds: 250_000_000_000}}, []string{"article.published_time"}},
		"two at once":       {&throughlinev1.Article{Id: strings.Repeat("x", 513), Source: strings.Repeat("y", 513), Text: text}, []string{"article.id", "article.source"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.articles.PutArticle(t.Context(), &throughlinev1.PutArticleRequest{Article: c.article})
			if got := wantError(t, err, codes.InvalidArgument, "INVALID_FIELD", c.fields...); got.request == "" {
				t.Error("no request id in the details")
			}
		})
	}
}

func TestIngestAnswersEachInOrder(t *testing.T) {
	m := newMemory()
	s := start(t, config(t, m))
	stream, err := s.articles.IngestArticles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const n = 300
	go func() {
		for i := range n {
			a := &throughlinev1.Article{Id: fmt.Sprintf("id%03d", i), Title: "A title"}
			switch i % 10 {
			case 3:
				a = nil
			case 5:
				a.Title = ""
			case 7:
				a.Id = strings.Repeat("x", 600)
			}
			if stream.Send(&throughlinev1.IngestArticlesRequest{Article: a}) != nil {
				return
			}
		}
		stream.CloseSend()
	}()
	for i := range n {
		got, err := stream.Recv()
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		if got.GetIndex() != int64(i) {
			t.Fatalf("answer %d has index %d", i, got.GetIndex())
		}
		field := map[int]string{3: "article", 5: "article.text", 7: "article.id"}[i%10]
		if field == "" {
			if got.GetOutcome() != outcomeNew || got.GetStatus() != nil || got.GetRevision() != 1 || got.GetArticleId() != fmt.Sprintf("id%03d", i) {
				t.Fatalf("answer %d: %v", i, got)
			}
			continue
		}
		if got.GetOutcome() != outcomeRejected {
			t.Fatalf("answer %d: %v", i, got)
		}
		wantError(t, status.FromProto(got.GetStatus()).Err(), codes.InvalidArgument, "INVALID_FIELD", field)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Fatalf("the end is %v", err)
	}
	if m.ran >= n {
		t.Errorf("%d runs for %d articles: nothing was taken together", m.ran, n)
	}
}

// A client that waits for each answer must not wait for a batch to fill.
func TestIngestOneByOne(t *testing.T) {
	s := start(t, config(t, newMemory()))
	stream, err := s.articles.IngestArticles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []throughlinev1.IngestOutcome{outcomeNew, outcomeUnchanged} {
		if err := stream.Send(&throughlinev1.IngestArticlesRequest{Article: &throughlinev1.Article{Id: "x", Title: "A title"}}); err != nil {
			t.Fatal(err)
		}
		got, err := stream.Recv()
		if err != nil || got.GetOutcome() != want {
			t.Fatalf("answer %d: %v, %v; want %v", i, got, err, want)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
}

func TestIngestTellsOfStoreFailurePerItem(t *testing.T) {
	m := newMemory()
	puts := 0
	m.fail = func(op string) error {
		if op != "put" {
			return nil
		}
		if puts++; puts == 2 {
			return fmt.Errorf("upsert: secret address: %w", store.ErrUnavailable)
		}
		return nil
	}
	s := start(t, config(t, m))
	stream, err := s.articles.IngestArticles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []throughlinev1.IngestOutcome{outcomeNew, outcomeRejected, outcomeNew} {
		if err := stream.Send(&throughlinev1.IngestArticlesRequest{Article: &throughlinev1.Article{Id: fmt.Sprint(i), Title: "A title"}}); err != nil {
			t.Fatal(err)
		}
		got, err := stream.Recv()
		if err != nil || got.GetOutcome() != want {
			t.Fatalf("answer %d: %v, %v; want %v", i, got, err, want)
		}
		if want == outcomeRejected {
			if told := wantError(t, status.FromProto(got.GetStatus()).Err(), codes.Unavailable, "STORE_UNAVAILABLE"); !told.retry {
				t.Error("no RetryInfo")
			}
			if strings.Contains(got.String(), "secret") {
				t.Errorf("the store's text reached the client: %v", got)
			}
		}
	}
	stream.CloseSend()
	stream.Recv()
}

// An article that is stored but could not be filed is acknowledged.
func TestPutAcknowledgesUnfiled(t *testing.T) {
	m := newMemory()
	m.fail = func(op string) error {
		if op == "file" {
			return ingest.ErrNotFiled
		}
		return nil
	}
	s := start(t, config(t, m))
	got, err := s.articles.PutArticle(t.Context(), &throughlinev1.PutArticleRequest{Article: &throughlinev1.Article{Title: "A title"}})
	if err != nil || got.GetOutcome() != outcomeNew {
		t.Fatalf("%v, %v", got, err)
	}
}

func TestListArticlesPages(t *testing.T) {
	s := start(t, config(t, seeded()))
	ctx := t.Context()
	request := &throughlinev1.ListArticlesRequest{Filter: &throughlinev1.ArticleFilter{Sources: []string{"Herald"}}, PageSize: 2}
	var got []string
	for pages := 0; ; pages++ {
		page, err := s.articles.ListArticles(ctx, request)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page.GetArticles() {
			got = append(got, a.GetId())
			if len(a.GetSections()) > 0 {
				t.Errorf("%s came with sections", a.GetId())
			}
		}
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
			break
		}
		request.PageSize = 3 // may change between pages
		if pages > 10 {
			t.Fatal("the list does not end")
		}
	}
	if want := []string{"a0", "a2", "a4", "a6", "b0", "c0"}; !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	full, err := s.articles.ListArticles(ctx, &throughlinev1.ListArticlesRequest{View: throughlinev1.ArticleView_ARTICLE_VIEW_FULL, PageSize: 1})
	if err != nil || len(full.GetArticles()) != 1 || len(full.GetArticles()[0].GetSections()) != 1 {
		t.Fatalf("%v, %v", full, err)
	}
	_, err = s.articles.ListArticles(ctx, &throughlinev1.ListArticlesRequest{PageSize: 1, PageToken: full.GetNextPageToken()})
	wantError(t, err, codes.InvalidArgument, "INVALID_PAGE_TOKEN", "page_token") // of another view
	for _, bad := range []string{"x", "%%%", strings.Repeat("A", 50)} {
		_, err = s.articles.ListArticles(ctx, &throughlinev1.ListArticlesRequest{PageToken: bad})
		wantError(t, err, codes.InvalidArgument, "INVALID_PAGE_TOKEN", "page_token")
	}
	_, err = s.articles.ListArticles(ctx, &throughlinev1.ListArticlesRequest{PageSize: 1001})
	wantError(t, err, codes.InvalidArgument, "INVALID_FIELD", "page_size")
	_, err = s.articles.ListArticles(ctx, &throughlinev1.ListArticlesRequest{Filter: &throughlinev1.ArticleFilter{
		PublishedAfter: timestamppb.New(day(2)), PublishedBefore: timestamppb.New(day(1)),
	}})
	wantError(t, err, codes.InvalidArgument, "INVALID_FIELD", "filter.published_after")
	_, err = s.articles.ListArticles(ctx, &throughlinev1.ListArticlesRequest{Filter: &throughlinev1.ArticleFilter{
		PublishedAfter: &timestamppb.Timestamp{Seconds: 1 << 60},
	}})
	wantError(t, err, codes.InvalidArgument, "INVALID_FIELD", "filter.published_after")
}

func TestReadOnlyRefusesWrites(t *testing.T) {
	cfg := config(t, seeded())
	cfg.Writer = nil
	s := start(t, cfg)
	ctx := t.Context()
	_, err := s.articles.PutArticle(ctx, &throughlinev1.PutArticleRequest{Article: &throughlinev1.Article{Title: "A title"}})
	wantError(t, err, codes.FailedPrecondition, "READ_ONLY")
	_, err = s.articles.DeleteArticle(ctx, &throughlinev1.DeleteArticleRequest{ArticleId: "a0"})
	wantError(t, err, codes.FailedPrecondition, "READ_ONLY")
	_, err = s.clusters.Recluster(ctx, &throughlinev1.ReclusterRequest{})
	wantError(t, err, codes.FailedPrecondition, "READ_ONLY")
	stream, err := s.articles.IngestArticles(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	wantError(t, err, codes.FailedPrecondition, "READ_ONLY")
	if _, err := s.articles.GetArticle(ctx, &throughlinev1.GetArticleRequest{ArticleId: "a0"}); err != nil {
		t.Fatalf("reading: %v", err)
	}
}

func TestIngestEndsWithItsClient(t *testing.T) {
	s := start(t, config(t, newMemory()))
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := s.articles.IngestArticles(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&throughlinev1.IngestArticlesRequest{Article: &throughlinev1.Article{Title: "A title"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := s.stop(); err != nil { // and goleak sees whether anything is left
		t.Fatal(err)
	}
}
