package server

import (
	"context"
	"errors"
	"io"

	"golang.org/x/sync/errgroup"

	throughlinev1 "throughline/proto/throughline/v1"
)

type coverageService struct {
	throughlinev1.UnimplementedCoverageServiceServer
	server *Server
}

// defaultResults is how many results a page has when the request does not say.
const defaultResults = 20

func (c *coverageService) Related(ctx context.Context, in *throughlinev1.RelatedRequest) (*throughlinev1.RelatedResponse, error) {
	engine := c.server.cfg.Coverage
	if engine == nil {
		return nil, unbuilt("Related")
	}
	request, err := toRelatedRequest(in)
	if err != nil {
		return nil, err
	}
	page, err := c.server.pager.pageOf("Related", in)
	if err != nil {
		return nil, err
	}
	cut, err := c.server.frozen.slice(ctx, page, in.GetPageToken(), pageSize(in.GetPageSize(), defaultResults),
		func() (Ranking, error) { return engine.Related(ctx, request) })
	if err != nil {
		return nil, err
	}
	return &throughlinev1.RelatedResponse{Results: fromRelated(cut.results), NextPageToken: cut.next, Partial: cut.partial}, nil
}

func (c *coverageService) Search(ctx context.Context, in *throughlinev1.SearchRequest) (*throughlinev1.SearchResponse, error) {
	engine := c.server.cfg.Coverage
	if engine == nil {
		return nil, unbuilt("Search")
	}
	request, err := toSearchRequest(in)
	if err != nil {
		return nil, err
	}
	page, err := c.server.pager.pageOf("Search", in)
	if err != nil {
		return nil, err
	}
	cut, err := c.server.frozen.slice(ctx, page, in.GetPageToken(), pageSize(in.GetPageSize(), defaultResults),
		func() (Ranking, error) { return engine.Search(ctx, request) })
	if err != nil {
		return nil, err
	}
	return &throughlinev1.SearchResponse{Results: fromSearch(cut.results), NextPageToken: cut.next, Partial: cut.partial}, nil
}

// batchWidth is how many requests of one BatchRelated stream are answered at the same time.
const batchWidth = 8

func (c *coverageService) BatchRelated(stream throughlinev1.CoverageService_BatchRelatedServer) error {
	if c.server.cfg.Coverage == nil {
		return unbuilt("BatchRelated")
	}
	ctx := stream.Context()
	arrived := receive(c.server, ctx, stream.Recv, batchWidth)
	index := int64(0)
	for {
		chunk, err := gather(c.server.draining, arrived, batchWidth, func(*throughlinev1.BatchRelatedRequest) int { return 0 })
		answers := make([]*throughlinev1.BatchRelatedResponse, len(chunk))
		var group errgroup.Group
		for i, item := range chunk {
			group.Go(func() error {
				answers[i] = c.answer(ctx, item)
				return nil
			})
		}
		if failed := group.Wait(); failed != nil {
			return failed
		}
		for _, answer := range answers {
			answer.Index = index
			index++
			if failed := stream.Send(answer); failed != nil {
				return failed
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// answer is one item of a batch, with a deadline of its own: one slow question must not take the time of the next.
func (c *coverageService) answer(ctx context.Context, item *throughlinev1.BatchRelatedRequest) *throughlinev1.BatchRelatedResponse {
	out := &throughlinev1.BatchRelatedResponse{Key: item.GetKey()}
	err := c.server.guard(func() error {
		if item.GetRequest() == nil {
			return invalid(violation{"request", "must be set"})
		}
		// Apart from each other, so that the fields of the request are called what Related calls them.
		if err := c.server.validate(&throughlinev1.BatchRelatedRequest{Key: item.GetKey()}); err != nil {
			return err
		}
		if err := c.server.validate(item.GetRequest()); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, c.server.cfg.Timeout)
		defer cancel()
		response, err := c.Related(ctx, item.GetRequest())
		out.Response = response
		return err
	})
	if err != nil {
		out.Response = nil
		out.Status = c.server.itemStatus(ctx, throughlinev1.CoverageService_BatchRelated_FullMethodName, err).Proto()
	}
	return out
}
