package server

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"throughline/internal/article"
	"throughline/internal/ingest"
	"throughline/internal/store"
	throughlinev1 "throughline/proto/throughline/v1"
)

type articleService struct {
	throughlinev1.UnimplementedArticleServiceServer
	server *Server
}

func (a *articleService) PutArticle(ctx context.Context, in *throughlinev1.PutArticleRequest) (*throughlinev1.PutArticleResponse, error) {
	report := a.ingest(ctx, []*throughlinev1.Article{in.GetArticle()})[0]
	if report.Outcome == ingest.Rejected {
		return nil, report.Err
	}
	stored, err := a.get(ctx, report.ID)
	if err != nil {
		return nil, err
	}
	return &throughlinev1.PutArticleResponse{Article: fromArticle(stored.Article), Outcome: fromOutcome(report.Outcome)}, nil
}

// ingest takes articles in and reports the fate of each, in order. Field paths start at "article".
func (a *articleService) ingest(ctx context.Context, in []*throughlinev1.Article) []ingest.Report {
	reports := make([]ingest.Report, len(in))
	var ready []article.Article
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
	decided := 0
	_, err = writer.Run(ctx, each(ready), ingest.Options{File: true, Each: func(r ingest.Report) {
		if r.Item >= 0 && r.Item < len(places) {
			r.Err = placed(r.Err, in[places[r.Item]])
			reports[places[r.Item]] = r
			decided++
		}
	}})
	switch {
	case errors.Is(err, ingest.ErrNotFiled):
		// Acknowledged: the next batch run decides the story.
		a.server.log.WarnContext(ctx, "stored, but not filed", "articles", len(ready), "error", err)
	case err == nil && decided < len(ready):
		err = errors.New("the pipeline ended without deciding on every article")
		fallthrough
	case err != nil:
		for _, place := range places {
			if reports[place].Outcome == ingest.Rejected && reports[place].Err == nil {
				reports[place].Err = err
			}
		}
	}
	return reports
}

func each(articles []article.Article) iter.Seq2[article.Article, error] {
	return func(yield func(article.Article, error) bool) {
		for _, a := range articles {
			if !yield(a, nil) {
				return
			}
		}
	}
}

// placed puts the fields of an article's error where they are in the request. A text that came as sections is found there.
func placed(err error, sent *throughlinev1.Article) error {
	var item *article.ItemError
	if errors.As(err, &item) && item.Field == "text" && len(sent.GetSections()) > 0 {
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
	out := []*throughlinev1.Article{fromArticle(stored.Article)}
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
		article.Sections = fromSections(sections[article.GetId()])
	}
	return nil
}

func (a *articleService) ListArticles(ctx context.Context, in *throughlinev1.ListArticlesRequest) (*throughlinev1.ListArticlesResponse, error) {
	page, err := a.server.pager.pageOf("ListArticles", in)
	if err != nil {
		return nil, err
	}
	cursor, err := page.cursor(in.GetPageToken())
	if err != nil {
		return nil, err
	}
	var f fields
	filter := f.filter(in.GetFilter())
	if err := f.err(); err != nil {
		return nil, err
	}
	found, next, err := a.server.cfg.Reader.List(ctx, filter, pageSize(in.GetPageSize(), 50), cursor)
	if err != nil {
		return nil, err
	}
	out := &throughlinev1.ListArticlesResponse{NextPageToken: page.token(next)}
	for _, article := range found {
		out.Articles = append(out.Articles, fromArticle(article))
	}
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

// ingestChunk is how many articles of one stream are taken in together at most.
const ingestChunk = 64

func (a *articleService) IngestArticles(stream throughlinev1.ArticleService_IngestArticlesServer) error {
	if _, err := a.server.writer(); err != nil {
		return err
	}
	ctx := stream.Context()
	arrived := receive(a.server, ctx, stream.Recv, ingestChunk)
	index := int64(0)
	for {
		chunk, err := gather(a.server.draining, arrived, ingestChunk, func(r *throughlinev1.IngestArticlesRequest) int {
			return proto.Size(r)
		})
		if failed := a.ingestChunk(ctx, stream, chunk, &index); failed != nil {
			return failed
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (a *articleService) ingestChunk(ctx context.Context, stream throughlinev1.ArticleService_IngestArticlesServer,
	chunk []*throughlinev1.IngestArticlesRequest, index *int64) error {
	var accepted []*throughlinev1.Article
	reports := make([]ingest.Report, len(chunk))
	var places []int
	for i, request := range chunk {
		reports[i] = ingest.Report{ID: request.GetArticle().GetId(), Outcome: ingest.Rejected}
		if request.GetArticle() == nil {
			reports[i].Err = invalid(violation{"article", "must be set"})
		} else if err := a.server.validate(request); err != nil {
			reports[i].Err = err
		} else {
			accepted, places = append(accepted, request.GetArticle()), append(places, i)
		}
	}
	var stored []string
	for i, r := range a.ingest(ctx, accepted) {
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
		out := &throughlinev1.IngestArticlesResponse{Index: *index, ArticleId: validUTF8(r.ID), Outcome: fromOutcome(r.Outcome)}
		*index++
		if r.Outcome == ingest.Rejected {
			out.Status = a.server.itemStatus(ctx, throughlinev1.ArticleService_IngestArticles_FullMethodName, r.Err).Proto()
		} else if now := current[r.ID]; now != nil {
			out.Revision, out.StoryId = now.Article.Revision, now.Article.StoryID
		}
		if err := stream.Send(out); err != nil {
			return err
		}
	}
	return nil
}

// stored reads articles back after a commit: their revision and story. An article that someone deleted meanwhile is absent.
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
