package qdrantlite

import (
	"context"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
)

func (s *collectionsService) Get(_ context.Context, req *qdrant.GetCollectionInfoRequest) (*qdrant.GetCollectionInfoResponse, error) {
	out := &qdrant.GetCollectionInfoResponse{}
	defer timed(&out.Time)()
	return out, s.s.view(req.GetCollectionName(), func(c *collection, _ reader) error {
		out.Result = c.info()
		return nil
	})
}

// info describes a collection as Qdrant does. The settings that tune Qdrant (HNSW, optimizers,
// write-ahead log) have no meaning here; they are its defaults, because clients expect them.
func (c *collection) info() *qdrant.CollectionInfo {
	vectors := 0
	for _, d := range c.dense {
		vectors += d.count
	}
	for _, s := range c.sparse {
		vectors += s.count
	}
	schema := make(map[string]*qdrant.PayloadSchemaInfo, len(c.indexes))
	for key, f := range c.indexes {
		kind := qdrant.PayloadSchemaType_Keyword
		if f.whole != nil {
			kind = qdrant.PayloadSchemaType_Integer
		}
		schema[key] = &qdrant.PayloadSchemaInfo{DataType: kind, Points: proto.Uint64(uint64(f.points))}
	}
	return &qdrant.CollectionInfo{
		Status:              qdrant.CollectionStatus_Green,
		OptimizerStatus:     &qdrant.OptimizerStatus{Ok: true},
		SegmentsCount:       1,
		PayloadSchema:       schema,
		PointsCount:         proto.Uint64(uint64(c.live)),
		IndexedVectorsCount: proto.Uint64(uint64(vectors)),
		Config: &qdrant.CollectionConfig{
			Params: &qdrant.CollectionParams{
				ShardNumber:            1,
				ReplicationFactor:      proto.Uint32(1),
				WriteConsistencyFactor: proto.Uint32(1),
				OnDiskPayload:          true,
				VectorsConfig:          c.create.GetVectorsConfig(),
				SparseVectorsConfig:    c.create.GetSparseVectorsConfig(),
			},
			HnswConfig: &qdrant.HnswConfigDiff{
				M: proto.Uint64(16), EfConstruct: proto.Uint64(100), FullScanThreshold: proto.Uint64(10_000),
			},
			OptimizerConfig: &qdrant.OptimizersConfigDiff{
				DeletedThreshold: proto.Float64(0.2), VacuumMinVectorNumber: proto.Uint64(1000),
				DefaultSegmentNumber: proto.Uint64(0), FlushIntervalSec: proto.Uint64(5),
			},
			WalConfig: &qdrant.WalConfigDiff{WalCapacityMb: proto.Uint64(32), WalSegmentsAhead: proto.Uint64(0)},
		},
	}
}
