package server

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"throughline/internal/ingest"
	"throughline/internal/news"
	"throughline/internal/store"
	throughlinev1 "throughline/proto/throughline/v1"
)

type articleService struct {
	throughlinev1.UnimplementedArticleServiceServer
	server *Server
}

func (a *articleService) PutArticle(ctx context.Context, in *throughlinev1.PutArticleRequest) (*throughlinev1.PutArticleResponse, error) {
	report := a.ingest(ctx, []*throughlinev1.Article{in.GetArticle()}, patience(ctx, in.GetWaitForStory()))[0]
	if report.Outcome == ingest.Rejected {
		return nil, report.Err
	}
	stored, err := a.get(ctx, report.ID)
	if err != nil {
		return nil, err
	}
	return &throughlinev1.PutArticleResponse{Article: ArticleMessage(stored.Article), Outcome: outcomes[report.Outcome]}, nil
}

const (
	// storyWait is how long a response waits for the story of its article if it need not.
	storyWait = 50 * time.Millisecond
	// answerTime is what is left of the deadline of a call that waits for a story, to answer it.
	answerTime = 100 * time.Millisecond
)

// patience returns how long a call waits until its articles are filed.
func patience(ctx context.Context, waitForStory bool) time.Duration {
	wait := storyWait
	if waitForStory {
		wait = ingest.UntilFiled
	}
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline)-answerTime)
	}
	return wait
}

// ingest takes articles in, waits for at most so long until they are filed, and reports what became
// of each, in order. Field paths start at "article".
func (a *articleService) ingest(ctx context.Context, in []*throughlinev1.Article, wait time.Duration) []ingest.Report {
	reports := make([]ingest.Report, len(in))
	var ready []news.Valid
	var places []int // of ready, in reports
	writer, err := a.server.writer()
	for i, message := range in {
		reports[i] = ingest.Report{ID: message.GetId(), Outcome: ingest.Rejected, Err: err}
		if err != nil {
			continue
		}
		converted, refused := toArticle(message)
		if refused != nil {
			reports[i].Err = refused
			continue
		}
		ready, places = append(ready, converted), append(places, i)
	}
	if len(ready) == 0 {
		return reports
	}
	items := func(yield func(news.Valid, error) bool) {
		for _, a := range ready {
			if !yield(a, nil) {
				return
			}
		}
	}
	_, err = writer.Run(ctx, items, ingest.Options{File: true, Wait: wait, Each: func(r ingest.Report) {
		if r.Item >= 0 && r.Item < len(places) {
			r.Err = placed(r.Err, in[places[r.Item]])
			reports[places[r.Item]] = r
		}
	}})
	for _, place := range places {
		if r := &reports[place]; r.Outcome == ingest.Rejected && r.Err == nil { // the run ended before it
			r.Err = cmp.Or(err, errors.New("the pipeline ended without deciding on every article"))
		}
	}
	return reports
}

// placed names the field of an article's error as the request names it: "sections" where the text
// came as sections.
func placed(err error, sent *throughlinev1.Article) error {
	item, ok := errors.AsType[*news.ItemError](err)
	if ok && item.Field == "text" && len(sent.GetSections()) > 0 {
		moved := *item
		moved.Field = "sections"
		err = &moved
	}
	return under("article", err)
}

func (a *articleService) get(ctx context.Context, id string) (*store.Stored, error) {
	found, err := a.server.cfg.Reader.Get(ctx, []string{id}, store.WithNothing)
	if err != nil {
		return nil, err
	}
	if len(found) != 1 || found[0] == nil {
		return nil, notFound("article", id)
	}
	return found[0], nil
}

func (a *articleService) GetArticle(ctx context.Context, in *throughlinev1.GetArticleRequest) (*throughlinev1.Article, error) {
	stored, err := a.get(ctx, in.GetArticleId())
	if err != nil {
		return nil, err
	}
	out := []*throughlinev1.Article{ArticleMessage(stored.Article)}
	if in.GetView() != throughlinev1.ArticleView_ARTICLE_VIEW_SUMMARY {
		if err := a.addSections(ctx, out); err != nil {
			return nil, err
		}
	}
	return out[0], nil
}

// addSections fills in the sections of articles.
func (a *articleService) addSections(ctx context.Context, articles []*throughlinev1.Article) error {
	if len(articles) == 0 {
		return nil
	}
	ids := make([]string, len(articles))
	for i, article := range articles {
		ids[i] = article.GetId()
	}
	sections, err := a.server.cfg.Reader.Sections(ctx, ids, false)
	if err != nil {
		return err
	}
	for _, article := range articles {
		article.Sections = each(sections[article.GetId()], fromSection)
	}
	return nil
}

func (a *articleService) ListArticles(ctx context.Context, in *throughlinev1.ListArticlesRequest) (*throughlinev1.ListArticlesResponse, error) {
	page, cursor, err := a.server.pager.open("ListArticles", in)
	if err != nil {
		return nil, err
	}
	var d decoder
	filter := d.filter(in.GetFilter())
	if err := d.err(); err != nil {
		return nil, err
	}
	found, next, err := a.server.cfg.Reader.List(ctx, filter, cmp.Or(int(in.GetPageSize()), 50), cursor)
	if err != nil {
		return nil, err
	}
	out := &throughlinev1.ListArticlesResponse{Articles: each(found, ArticleMessage), NextPageToken: page.token(next)}
	if in.GetView() == throughlinev1.ArticleView_ARTICLE_VIEW_FULL {
		if err := a.addSections(ctx, out.Articles); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (a *articleService) DeleteArticle(ctx context.Context, in *throughlinev1.DeleteArticleRequest) (*emptypb.Empty, error) {
	writer, err := a.server.writer()
	if err != nil {
		return nil, err
	}
	if err := writer.Delete(ctx, in.GetArticleId()); err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, nil
}

func (a *articleService) DeleteArticles(ctx context.Context, in *throughlinev1.DeleteArticlesRequest) (*throughlinev1.DeleteArticlesResponse, error) {
	writer, err := a.server.writer()
	if err != nil {
		return nil, err
	}
	var d decoder
	filter := d.filter(in.GetFilter())
	if proto.Size(in.GetFilter()) == 0 {
		d.refuse("filter", "must have a field that is set: an empty one selects every article")
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	n, err := writer.DeleteMatching(ctx, filter, in.GetDryRun())
	if err != nil {
		return nil, err
	}
	return &throughlinev1.DeleteArticlesResponse{Articles: int64(n)}, nil
}

// ingestChunk is how many articles of a stream are taken in together at most.
const ingestChunk = 64

func (a *articleService) IngestArticles(stream throughlinev1.ArticleService_IngestArticlesServer) error {
	if _, err := a.server.writer(); err != nil {
		return err
	}
	ctx := stream.Context()
	index := int64(0)
	size := func(r *throughlinev1.IngestArticlesRequest) int { return proto.Size(r) }
	return inChunks(a.server, ctx, stream.Recv, ingestChunk, size, func(chunk []*throughlinev1.IngestArticlesRequest) error {
		return a.ingestChunk(ctx, stream, chunk, &index)
	})
}

func (a *articleService) ingestChunk(ctx context.Context, stream throughlinev1.ArticleService_IngestArticlesServer,
	chunk []*throughlinev1.IngestArticlesRequest, index *int64) error {
	var accepted []*throughlinev1.Article
	reports := make([]ingest.Report, len(chunk))
	var places []int
	waitForStory := false
	for i, request := range chunk {
		reports[i] = ingest.Report{ID: request.GetArticle().GetId(), Outcome: ingest.Rejected}
		if request.GetArticle() == nil {
			reports[i].Err = invalid(violation{"article", "must be set"})
		} else if err := a.server.validate(request); err != nil {
			reports[i].Err = err
		} else {
			accepted, places = append(accepted, request.GetArticle()), append(places, i)
			waitForStory = waitForStory || request.GetWaitForStory()
		}
	}
	wait := patience(ctx, waitForStory)
	if len(chunk) == ingestChunk && !waitForStory {
		wait = 0 // more may have arrived
	}
	var stored []string
	for i, r := range a.ingest(ctx, accepted, wait) {
		reports[places[i]] = r
		if r.Outcome != ingest.Rejected {
			stored = append(stored, r.ID)
		}
	}
	current, err := a.stored(ctx, stored)
	if err != nil {
		return err
	}
	for _, r := range reports {
		out := &throughlinev1.IngestArticlesResponse{Index: *index, ArticleId: validUTF8(r.ID), Outcome: outcomes[r.Outcome]}
		*index++
		if r.Outcome == ingest.Rejected {
			out.Status = a.server.itemStatus(ctx, throughlinev1.ArticleService_IngestArticles_FullMethodName, r.Err).Proto()
		} else if now := current[r.ID]; now != nil {
			out.Revision, out.StoryId = now.Article.Revision, now.Article.StoryID
			out.FilingPending = now.Article.FiledRevision != now.Article.Revision
		}
		if err := stream.Send(out); err != nil {
			return err
		}
	}
	return nil
}

// stored reads articles back after a commit, for their revision and story. One that was deleted in
// the meantime is missing.
func (a *articleService) stored(ctx context.Context, ids []string) (map[string]*store.Stored, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	found, err := a.server.cfg.Reader.Get(ctx, ids, store.WithNothing)
	if err != nil {
		return nil, err
	}
	out := make(map[string]*store.Stored, len(found))
	for _, f := range found {
		if f != nil {
			out[f.Article.ID] = f
		}
	}
	return out, nil
}

func validUTF8(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
