package main

import (
	"context"
	"errors"
	"io"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	"throughline/internal/article"
	"throughline/internal/ingest"
	throughlinev1 "throughline/proto/throughline/v1"
)

// inFlight is how many articles may wait for their acknowledgement by a running server.
const inFlight = 256

// ingestRemote streams the paths to a running server. Items that cannot be read are rejected here, with file and line.
func (p *program) ingestRemote(ctx context.Context, addr string, paths []string, each func(ingest.Report)) (ingest.Summary, error) {
	started := time.Now()
	var summary ingest.Summary
	a, err := p.dialServer(ctx, addr)
	if err != nil {
		return summary, err
	}
	defer a.close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := a.articles.IngestArticles(ctx)
	if err != nil {
		return summary, err
	}
	bar := p.progress("sending")
	defer bar.done()
	waiting := make(chan ingest.Report, inFlight) // what was sent, in order
	refused := make(chan ingest.Report)           // what was not
	var g errgroup.Group
	g.Go(func() error {
		defer close(waiting)
		defer close(refused)
		position := 0
		for item, err := range article.Read(ctx, paths, readOptions(p)) {
			if ctx.Err() != nil {
				return ctx.Err() // and err may say so too, which is no fault of an item
			}
			r := ingest.Report{Item: position, ID: item.ID, Origin: item.Origin, Sections: len(item.Sections)}
			position++
			if err != nil {
				r.Outcome, r.Err = ingest.Rejected, err
				var bad *article.ItemError
				if errors.As(err, &bad) {
					r.Origin = bad.Origin
				}
				select {
				case refused <- r:
				case <-ctx.Done():
					return ctx.Err()
				}
				continue
			}
			select {
			case waiting <- r:
			case <-ctx.Done():
				return ctx.Err()
			}
			if err := stream.Send(&throughlinev1.IngestArticlesRequest{Article: wireArticle(item)}); err != nil {
				if errors.Is(err, io.EOF) {
					return nil // the receiver knows why
				}
				return err
			}
		}
		return stream.CloseSend()
	})
	acks := make(chan ingest.Report)
	g.Go(func() error {
		defer close(acks)
		defer cancel()
		for {
			response, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			r := <-waiting
			r.ID, r.Outcome = response.GetArticleId(), wireOutcome[response.GetOutcome()]
			if s := response.GetStatus(); s.GetCode() != int32(codes.OK) {
				r.Err = &article.ItemError{Origin: r.Origin, Err: errors.New(s.GetMessage())}
			}
			acks <- r
		}
	})
	for acks != nil || refused != nil {
		var r ingest.Report
		var ok bool
		select {
		case r, ok = <-acks:
			if !ok {
				acks = nil
				continue
			}
		case r, ok = <-refused:
			if !ok {
				refused = nil
				continue
			}
		}
		bar.step()
		count(&summary, r)
		if each != nil {
			each(r)
		}
	}
	err = g.Wait()
	summary.Took = time.Since(started)
	return summary, err
}

func count(s *ingest.Summary, r ingest.Report) {
	switch r.Outcome {
	case ingest.New:
		s.New++
		s.Sections += r.Sections
	case ingest.Updated:
		s.Updated++
		s.Sections += r.Sections
	case ingest.Unchanged:
		s.Unchanged++
	default:
		s.Rejected = append(s.Rejected, r)
	}
}

var wireOutcome = map[throughlinev1.IngestOutcome]ingest.Outcome{
	throughlinev1.IngestOutcome_INGEST_OUTCOME_NEW:       ingest.New,
	throughlinev1.IngestOutcome_INGEST_OUTCOME_UPDATED:   ingest.Updated,
	throughlinev1.IngestOutcome_INGEST_OUTCOME_UNCHANGED: ingest.Unchanged,
	throughlinev1.IngestOutcome_INGEST_OUTCOME_REJECTED:  ingest.Rejected,
}

// wireArticle is an article as the API takes it. A derived title is left out, so that the server derives it and says so.
func wireArticle(a article.Article) *throughlinev1.Article {
	out := &throughlinev1.Article{
		Id: a.ID, Title: a.Title, Url: a.URL, Source: a.Source, Language: a.Language, Authors: a.Authors, PublishedDateOnly: a.DateOnly,
	}
	if a.TitleDerived {
		out.Title = ""
	}
	if !a.Published.IsZero() {
		out.PublishedTime = timestamppb.New(a.Published)
	}
	for _, s := range a.Sections {
		out.Sections = append(out.Sections, &throughlinev1.Section{Heading: s.Heading, Text: s.Text})
	}
	return out
}
