package server

import (
	"cmp"
	"context"
	"strconv"
	"sync"

	"google.golang.org/grpc/metadata"

	"throughline/internal/related"
	throughlinev1 "throughline/proto/throughline/v1"
)

type coverageService struct {
	throughlinev1.UnimplementedCoverageServiceServer
	server *Server
}

// stateHeader names the State that an answer comes from by its version: in the header of an answer,
// and in the trailer of a stream for its last answer.
const stateHeader = "throughline-state"

func (s *Server) nameState(ctx context.Context, version int64) {
	s.setHeader(ctx, stateHeader, strconv.FormatInt(version, 10))
}

// defaultResults is how many results a page has when the request does not say.
const defaultResults = 20

// rankedPage is one page of a ranked list.
type rankedPage struct {
	of      *related.List
	results []related.Result
	next    string // page token; empty on the last page
}

// page returns the page of a ranked list that a request asks for. It caches the list if there are
// more.
func (c *coverageService) page(ctx context.Context, method string, in paged, rank func(Related) (*related.List, error)) (*rankedPage, error) {
	engine, cache := c.server.cfg.Related, c.server.results
	if engine == nil {
		return nil, unbuilt(method)
	}
	page, cursor, err := c.server.pager.open(method, in)
	if err != nil {
		return nil, err
	}
	var at position
	out := &rankedPage{}
	if cursor == "" {
		out.of, err = rank(engine)
	} else {
		out.of, at, err = cache.get(cursor)
	}
	if err != nil {
		return nil, err
	}
	if out.results, err = out.of.Page(ctx, at.offset, cmp.Or(int(in.GetPageSize()), defaultResults)); err != nil {
		return nil, err
	}
	if at.offset += len(out.results); at.offset < out.of.Len() {
		if cursor == "" {
			at.id = cache.put(out.of)
		}
		out.next = page.token(at.cursor())
	}
	return out, nil
}

func (c *coverageService) Related(ctx context.Context, in *throughlinev1.RelatedRequest) (*throughlinev1.RelatedResponse, error) {
	out, state, err := c.related(ctx, in)
	if err != nil {
		return nil, err
	}
	c.server.nameState(ctx, state)
	return out, nil
}

// related also returns the version of the State that the answer comes from.
func (c *coverageService) related(ctx context.Context, in *throughlinev1.RelatedRequest) (*throughlinev1.RelatedResponse, int64, error) {
	request, err := toRelatedRequest(in)
	if err != nil {
		return nil, 0, err
	}
	found, err := c.page(ctx, "Related", in, func(engine Related) (*related.List, error) { return engine.Related(ctx, request) })
	if err != nil {
		return nil, 0, err
	}
	out := &throughlinev1.RelatedResponse{Results: each(found.results, fromRelated), NextPageToken: found.next, Partial: found.of.Partial()}
	return out, found.of.State(), nil
}

func (c *coverageService) Search(ctx context.Context, in *throughlinev1.SearchRequest) (*throughlinev1.SearchResponse, error) {
	request, err := toSearchRequest(in)
	if err != nil {
		return nil, err
	}
	found, err := c.page(ctx, "Search", in, func(engine Related) (*related.List, error) { return engine.Search(ctx, request) })
	if err != nil {
		return nil, err
	}
	c.server.nameState(ctx, found.of.State())
	return &throughlinev1.SearchResponse{Results: each(found.results, fromSearch), NextPageToken: found.next, Partial: found.of.Partial()}, nil
}

// batchWidth is how many requests of one BatchRelated stream are answered at the same time.
const batchWidth = 8

func (c *coverageService) BatchRelated(stream throughlinev1.CoverageService_BatchRelatedServer) error {
	if c.server.cfg.Related == nil {
		return unbuilt("BatchRelated")
	}
	ctx := stream.Context()
	state := int64(0) // of the last answer that has one
	defer func() {
		if state != 0 {
			stream.SetTrailer(metadata.Pairs(stateHeader, strconv.FormatInt(state, 10)))
		}
	}()
	index := int64(0)
	size := func(*throughlinev1.BatchRelatedRequest) int { return 0 }
	return inChunks(c.server, ctx, stream.Recv, batchWidth, size, func(chunk []*throughlinev1.BatchRelatedRequest) error {
		answers, states := make([]*throughlinev1.BatchRelatedResponse, len(chunk)), make([]int64, len(chunk))
		var answering sync.WaitGroup
		for i, item := range chunk {
			answering.Go(func() { answers[i], states[i] = c.answer(ctx, item) })
		}
		answering.Wait()
		for i, answer := range answers {
			answer.Index = index
			index++
			if err := stream.Send(answer); err != nil {
				return err
			}
			state = cmp.Or(states[i], state)
		}
		return nil
	})
}

// answer answers one item of a batch and returns the version of the State that the answer comes
// from, 0 for none. Each item has a deadline of its own, so that a slow one takes no time from the
// next.
func (c *coverageService) answer(ctx context.Context, item *throughlinev1.BatchRelatedRequest) (out *throughlinev1.BatchRelatedResponse, state int64) {
	out = &throughlinev1.BatchRelatedResponse{Key: item.GetKey()}
	err := c.server.guard(func() (err error) {
		if item.GetRequest() == nil {
			return invalid(violation{"request", "must be set"})
		}
		// One by one, so that violations name the fields of the request as Related does.
		if err := c.server.validate(&throughlinev1.BatchRelatedRequest{Key: item.GetKey()}); err != nil {
			return err
		}
		if err := c.server.validate(item.GetRequest()); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, c.server.cfg.Timeout)
		defer cancel()
		out.Response, state, err = c.related(ctx, item.GetRequest())
		return err
	})
	if err != nil {
		out.Status = c.server.itemStatus(ctx, throughlinev1.CoverageService_BatchRelated_FullMethodName, err).Proto()
	}
	return out, state
}
