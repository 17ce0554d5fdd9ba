package qdrantlite

import (
	"context"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
)

// The methods of this file are older forms of Query, which older clients still call.

// queryOf writes a search as a query.
func queryOf(s *qdrant.SearchPoints) *qdrant.QueryPoints {
	return &qdrant.QueryPoints{
		Query: nearestOf(s.GetVector(), s.GetSparseIndices()), Using: s.VectorName, Filter: s.GetFilter(), Params: s.GetParams(),
		ScoreThreshold: s.ScoreThreshold, Limit: proto.Uint64(s.GetLimit()), Offset: s.Offset, WithVectors: s.GetWithVectors(),
		WithPayload: s.GetWithPayload(), ShardKeySelector: s.GetShardKeySelector(),
	}
}

func nearestOf(values []float32, indices *qdrant.SparseIndices) *qdrant.Query {
	input := &qdrant.VectorInput{Variant: &qdrant.VectorInput_Dense{Dense: &qdrant.DenseVector{Data: values}}}
	if indices != nil {
		input.Variant = &qdrant.VectorInput_Sparse{Sparse: &qdrant.SparseVector{Indices: indices.GetData(), Values: values}}
	}
	return &qdrant.Query{Variant: &qdrant.Query_Nearest{Nearest: input}}
}

func (s *pointsService) Search(ctx context.Context, req *qdrant.SearchPoints) (*qdrant.SearchResponse, error) {
	query := queryOf(req)
	query.CollectionName = req.GetCollectionName()
	found, err := s.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	return &qdrant.SearchResponse{Result: found.GetResult(), Time: found.GetTime()}, nil
}

func (s *pointsService) SearchBatch(ctx context.Context, req *qdrant.SearchBatchPoints) (*qdrant.SearchBatchResponse, error) {
	start := time.Now()
	batch := &qdrant.QueryBatchPoints{CollectionName: req.GetCollectionName()}
	for _, one := range req.GetSearchPoints() {
		batch.QueryPoints = append(batch.QueryPoints, queryOf(one))
	}
	found, err := s.QueryBatch(ctx, batch)
	if err != nil {
		return nil, err
	}
	return &qdrant.SearchBatchResponse{Result: found.GetResult(), Time: time.Since(start).Seconds()}, nil
}

func (s *pointsService) SearchGroups(ctx context.Context, req *qdrant.SearchPointGroups) (*qdrant.SearchGroupsResponse, error) {
	found, err := s.QueryGroups(ctx, &qdrant.QueryPointGroups{
		CollectionName: req.GetCollectionName(), Query: nearestOf(req.GetVector(), req.GetSparseIndices()), Using: req.VectorName,
		Filter: req.GetFilter(), Params: req.GetParams(), ScoreThreshold: req.ScoreThreshold, WithPayload: req.GetWithPayload(),
		WithVectors: req.GetWithVectors(), Limit: proto.Uint64(uint64(req.GetLimit())), GroupSize: proto.Uint64(uint64(req.GetGroupSize())),
		GroupBy: req.GetGroupBy(), WithLookup: req.GetWithLookup(), ShardKeySelector: req.GetShardKeySelector(),
	})
	if err != nil {
		return nil, err
	}
	return &qdrant.SearchGroupsResponse{Result: found.GetResult(), Time: found.GetTime()}, nil
}
