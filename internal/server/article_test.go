package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"throughline/embed"
	"throughline/internal/ingest"
	"throughline/internal/news"
	"throughline/internal/producttest"
	"throughline/internal/storetest"
	throughlinev1 "throughline/proto/throughline/v1"
)

const (
	outcomeNew       = throughlinev1.IngestOutcome_INGEST_OUTCOME_NEW
	outcomeUpdated   = throughlinev1.IngestOutcome_INGEST_OUTCOME_UPDATED
	outcomeUnchanged = throughlinev1.IngestOutcome_INGEST_OUTCOME_UNCHANGED
	outcomeRejected  = throughlinev1.IngestOutcome_INGEST_OUTCOME_REJECTED
)

func TestPutThenGetThenDelete(t *testing.T) {
	s := start(t, config(t, empty(t)))
	ctx := t.Context()
	in := &throughlinev1.Article{
		Id: "x", Title: "Fire downtown", Source: "Herald", PublishedTime: timestamppb.New(day(5)),
		Sections: []*throughlinev1.Section{
			{Text: strings.Repeat("It began at night. ", 7)},
			{Heading: "What is known", Text: strings.Repeat("Nobody was hurt. ", 7)},
		},
	}
	var revisions []int64
	for i, want := range []throughlinev1.IngestOutcome{outcomeNew, outcomeUnchanged, outcomeUpdated} {
		if i == 2 {
			in.Title = "Fire downtown put out"
		}
		got, err := s.articles.PutArticle(ctx, &throughlinev1.PutArticleRequest{Article: in, WaitForStory: true})
		if err != nil {
			t.Fatal(err)
		}
		if got.GetOutcome() != want || got.GetArticle().GetTitle() != in.GetTitle() {
			t.Fatalf("put %d: %v %q, want %v %q", i, got.GetOutcome(), got.GetArticle().GetTitle(), want, in.GetTitle())
		}
		if got.GetArticle().GetFilingPending() {
			t.Errorf("put %d is not filed", i)
		}
		revisions = append(revisions, got.GetArticle().GetRevision())
	}
	if revisions[0] <= 0 || revisions[1] != revisions[0] || revisions[2] <= revisions[1] {
		t.Errorf("revisions %v of a new, an unchanged and an updated article", revisions)
	}
	full, err := s.articles.GetArticle(ctx, &throughlinev1.GetArticleRequest{ArticleId: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if len(full.GetSections()) != 2 || full.GetSections()[1].GetHeading() != "What is known" || full.GetRevision() != revisions[2] {
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

func TestDeleteArticles(t *testing.T) {
	s := start(t, config(t, seeded(t)))
	ctx := t.Context()
	herald := &throughlinev1.ArticleFilter{Sources: []string{"Herald"}}
	count := func(filter *throughlinev1.ArticleFilter) int {
		page, err := s.articles.ListArticles(ctx, &throughlinev1.ListArticlesRequest{Filter: filter, PageSize: 1000})
		if err != nil {
			t.Fatal(err)
		}
		return len(page.GetArticles())
	}
	all, of := count(nil), count(herald)
	if of == 0 || of == all {
		t.Fatalf("%d of %d articles are of the source", of, all)
	}
	for _, c := range []struct {
		dry           bool
		deleted, left int
	}{{true, of, of}, {false, of, 0}, {false, 0, 0}} {
		got, err := s.articles.DeleteArticles(ctx, &throughlinev1.DeleteArticlesRequest{Filter: herald, DryRun: c.dry})
		if err != nil || int(got.GetArticles()) != c.deleted {
			t.Fatalf("dry run %v: %v, %v, want %d", c.dry, got, err, c.deleted)
		}
		if left := count(herald); left != c.left || count(nil) != all-of+left {
			t.Fatalf("dry run %v: %d of %d are left, and %d others", c.dry, left, of, count(nil)-left)
		}
	}
	found, err := s.clusters.ListStories(ctx, &throughlinev1.ListStoriesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, story := range found.GetStories() {
		if slices.Contains(story.GetSources(), "Herald") || story.GetArticleCount() < 2 {
			t.Errorf("story %v", story)
		}
	}
	for _, none := range []*throughlinev1.ArticleFilter{nil, {}} {
		_, err := s.articles.DeleteArticles(ctx, &throughlinev1.DeleteArticlesRequest{Filter: none})
		wantError(t, err, codes.InvalidArgument, "INVALID_FIELD", "filter")
	}
}

func TestPutTextBecomesSections(t *testing.T) {
	s := start(t, config(t, empty(t)))
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
	s := start(t, config(t, shared(t)))
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

// counting counts how often articles are taken in together.
type counting struct {
	Writer
	runs int // of one stream at a time
}

func (c *counting) Run(ctx context.Context, items iter.Seq2[news.Valid, error], opts ingest.Options) (ingest.Summary, error) {
	c.runs++
	return c.Writer.Run(ctx, items, opts)
}

func TestIngestAnswersEachInOrder(t *testing.T) {
	p := assemble(t, producttest.Options{Unfiled: true})
	cfg := config(t, p)
	writer := &counting{Writer: p.Ingest}
	cfg.Writer = writer
	s := start(t, cfg)
	stream, err := s.articles.IngestArticles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const n = 200
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
	last := int64(1)
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
			if got.GetOutcome() != outcomeNew || got.GetStatus() != nil || got.GetRevision() < last || got.GetArticleId() != fmt.Sprintf("id%03d", i) {
				t.Fatalf("answer %d: %v", i, got)
			}
			last = got.GetRevision()
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
	if writer.runs >= n {
		t.Errorf("%d runs for %d articles: nothing was taken together", writer.runs, n)
	}
}

// A client that waits for each answer must not wait for a batch to fill.
func TestIngestOneByOne(t *testing.T) {
	s := start(t, config(t, empty(t)))
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

// A failure of the store or of the embedding endpoint is the answer to the article that met it, and
// no more.
func TestIngestReportsFailuresPerItem(t *testing.T) {
	p := empty(t)
	s := start(t, config(t, p))
	stream, err := s.articles.IngestArticles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	put := func(id string) *throughlinev1.IngestArticlesResponse {
		t.Helper()
		if err := stream.Send(&throughlinev1.IngestArticlesRequest{Article: &throughlinev1.Article{Id: id, Title: "A title"}}); err != nil {
			t.Fatal(err)
		}
		got, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	refused := func(got *throughlinev1.IngestArticlesResponse, code codes.Code, reason string, retry bool) {
		t.Helper()
		if got.GetOutcome() != outcomeRejected || strings.Contains(got.String(), "secret") {
			t.Errorf("got %v", got)
		}
		if e := wantError(t, status.FromProto(got.GetStatus()).Err(), code, reason); e.retry != retry {
			t.Errorf("RetryInfo: %v, want %v", e.retry, retry)
		}
	}
	if got := put("0"); got.GetOutcome() != outcomeNew {
		t.Fatalf("got %v", got)
	}
	p.embedder.Fail(&embed.EndpointError{Reason: embed.ErrUnreachable, Endpoint: "secret address"})
	refused(put("1"), codes.Unavailable, "EMBEDDER_UNAVAILABLE", true)
	p.embedder.Fail(nil)
	p.store.FailFrom(1, storetest.Writes, false, errOverloaded)
	refused(put("2"), codes.ResourceExhausted, "STORE_OVERLOADED", true)
	p.store.FailFrom(1, storetest.Writes, false, status.Error(codes.Internal, "secret address"))
	refused(put("2"), codes.Internal, "INTERNAL", false)
	p.store.Stop()
	for _, id := range []string{"1", "2"} {
		if got := put(id); got.GetOutcome() != outcomeNew {
			t.Errorf("the store and the endpoint are back: %v", got)
		}
	}
	stream.CloseSend()
	stream.Recv()
}

// put puts an article through the API and waits for its story.
func put(ctx context.Context, s *running, a news.Article) (*throughlinev1.PutArticleResponse, error) {
	m := ArticleMessage(a)
	m.Text = a.Text()
	return s.articles.PutArticle(ctx, &throughlinev1.PutArticleRequest{Article: m, WaitForStory: true})
}

// late is one more report of the fire.
func late() news.Article {
	return article("late", "Fire in the concert hall", "Courier", day(4), "The fire in the concert hall was put out, police said.")
}

// An article that is stored but could not be filed is acknowledged, says so, and is filed once that
// is possible.
func TestPutAcknowledgesUnfiled(t *testing.T) {
	p := seeded(t)
	s := start(t, config(t, p))
	// Of taking an article in, only filing asks what is near.
	p.store.FailFrom(1, storetest.Method("QueryBatch"), false, status.Error(codes.Internal, "a secret of the store"))
	for _, want := range []throughlinev1.IngestOutcome{outcomeNew, outcomeUnchanged} {
		got, err := put(t.Context(), s, late())
		if err != nil || got.GetOutcome() != want || !got.GetArticle().GetFilingPending() || got.GetArticle().GetStoryId() != "" {
			t.Fatalf("%v, %v", got, err)
		}
	}
	if failed := p.store.Stop(); failed != 2 {
		t.Errorf("filing was tried %d times for two puts", failed)
	}
	// Put again, it is filed although it is stored already.
	got, err := put(t.Context(), s, late())
	if err != nil || got.GetOutcome() != outcomeUnchanged || got.GetArticle().GetFilingPending() || got.GetArticle().GetStoryId() != fire {
		t.Fatalf("%v, %v", got, err)
	}
}

// Nobody waits for slow filing for long who has not asked for it, and nobody beyond the deadline of
// the call. An article is acknowledged in any case.
func TestSlowFiling(t *testing.T) {
	p := seeded(t)
	s := start(t, config(t, p))
	filing, release := p.store.Hold(storetest.Method("QueryBatch"))
	m := ArticleMessage(late())
	m.Text = late().Text()
	outcome := outcomeNew
	for _, c := range []struct {
		wait    bool
		timeout time.Duration
	}{{false, time.Minute}, {true, time.Second}} {
		ctx, cancel := context.WithTimeout(t.Context(), c.timeout)
		got, err := s.articles.PutArticle(ctx, &throughlinev1.PutArticleRequest{Article: m, WaitForStory: c.wait})
		cancel()
		if err != nil || got.GetOutcome() != outcome || !got.GetArticle().GetFilingPending() {
			t.Fatalf("%+v: %v, %v", c, got, err)
		}
		outcome = outcomeUnchanged
		ctx, cancel = context.WithTimeout(t.Context(), c.timeout)
		stream, err := s.articles.IngestArticles(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(&throughlinev1.IngestArticlesRequest{Article: m, WaitForStory: c.wait}); err != nil {
			t.Fatal(err)
		}
		if got, err := stream.Recv(); err != nil || got.GetOutcome() != outcome || !got.GetFilingPending() || got.GetRevision() == 0 {
			t.Fatalf("%+v: %v, %v", c, got, err)
		}
		cancel()
	}
	<-filing
	answered := make(chan *throughlinev1.PutArticleResponse)
	go func() {
		got, err := put(t.Context(), s, late())
		if err != nil {
			t.Error(err)
		}
		answered <- got
	}()
	select {
	case got := <-answered:
		t.Fatalf("answered before it is filed: %v", got)
	case <-time.After(4 * storyWait):
	}
	p.store.Stop()
	release()
	if got := <-answered; got.GetArticle().GetFilingPending() || got.GetArticle().GetStoryId() != fire {
		t.Errorf("filed as %v", got)
	}
}

// An article of a stream that asks for its story has it in the response.
func TestIngestWaitsForStory(t *testing.T) {
	s := start(t, config(t, seeded(t)))
	stream, err := s.articles.IngestArticles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := ArticleMessage(late())
	m.Text = late().Text()
	if err := stream.Send(&throughlinev1.IngestArticlesRequest{Article: m, WaitForStory: true}); err != nil {
		t.Fatal(err)
	}
	if got, err := stream.Recv(); err != nil || got.GetStoryId() != fire || got.GetFilingPending() {
		t.Errorf("%v, %v", got, err)
	}
	stream.CloseSend()
	stream.Recv()
}

func TestPatience(t *testing.T) {
	soon, cancel := context.WithTimeout(t.Context(), answerTime/2)
	defer cancel()
	later, cancelLater := context.WithTimeout(t.Context(), time.Minute)
	defer cancelLater()
	for _, c := range []struct {
		ctx          context.Context
		waitForStory bool
		least, most  time.Duration
	}{
		{t.Context(), false, storyWait, storyWait},
		{t.Context(), true, ingest.UntilFiled, ingest.UntilFiled},
		{later, false, storyWait, storyWait},
		{later, true, time.Minute / 2, time.Minute - answerTime},
		{soon, true, -time.Minute, 0},
		{soon, false, -time.Minute, 0},
	} {
		if got := patience(c.ctx, c.waitForStory); got < c.least || got > c.most {
			t.Errorf("wait for story %v: %v, want %v to %v", c.waitForStory, got, c.least, c.most)
		}
	}
}

// What a client put twice and gave up on both times is filed all the same.
func TestPutByAClientThatGivesUp(t *testing.T) {
	p := seeded(t)
	s := start(t, config(t, p))
	filing, release := p.store.Hold(storetest.Method("QueryBatch"))
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		answered := make(chan error, 1)
		go func() {
			_, err := put(ctx, s, late())
			answered <- err
		}()
		<-filing
		cancel()
		if err := <-answered; status.Code(err) != codes.Canceled {
			t.Fatal(err)
		}
	}
	p.store.Stop()
	release()
	waitFor(t, func() bool {
		got, err := s.articles.GetArticle(t.Context(), &throughlinev1.GetArticleRequest{ArticleId: "late"})
		if err != nil {
			t.Fatal(err)
		}
		return !got.GetFilingPending() && got.GetStoryId() == fire
	})
}

func TestListArticlesPages(t *testing.T) {
	s := start(t, config(t, shared(t)))
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
	slices.Sort(got)
	if want := []string{"a0", "a2", "a4", "a6", "b0", "b1", "d0"}; !slices.Equal(got, want) {
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
	cfg := config(t, shared(t))
	cfg.Writer = nil
	s := start(t, cfg)
	ctx := t.Context()
	_, err := s.articles.PutArticle(ctx, &throughlinev1.PutArticleRequest{Article: &throughlinev1.Article{Title: "A title"}})
	wantError(t, err, codes.FailedPrecondition, "READ_ONLY")
	_, err = s.articles.DeleteArticle(ctx, &throughlinev1.DeleteArticleRequest{ArticleId: "a0"})
	wantError(t, err, codes.FailedPrecondition, "READ_ONLY")
	_, err = s.articles.DeleteArticles(ctx, &throughlinev1.DeleteArticlesRequest{Filter: &throughlinev1.ArticleFilter{Sources: []string{"Herald"}}})
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
	s := start(t, config(t, empty(t)))
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
