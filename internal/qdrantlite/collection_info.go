package qdrantlite

import (
	"context"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
)

func (s *collectionsService) Get(_ context.Context, req *qdrant.GetCollectionInfoRequest) (*qdrant.GetCollectionInfoResponse, error) {
	start := time.Now()
	var info *qdrant.CollectionInfo
	err := s.s.view(req.GetCollectionName(), func(c *collection, _ reader) error {
		info = c.info()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &qdrant.GetCollectionInfoResponse{Result: info, Time: time.Since(start).Seconds()}, nil
}

// info describes a collection as Qdrant does: what the client set, over Qdrant's defaults.
func (c *collection) info() *qdrant.CollectionInfo {
	vectors := 0
	for _, d := range c.dense {
		vectors += d.count
	}
	for _, s := range c.sparse {
		vectors += s.count
	}
	schema := make(map[string]*qdrant.PayloadSchemaInfo, len(c.indexes))
	for name, f := range c.indexes {
		schema[name] = &qdrant.PayloadSchemaInfo{
			DataType: schemaTypes[f.kind],
			Params:   f.params.GetFieldIndexParams(),
			Points:   proto.Uint64(uint64(f.points)),
		}
	}
	return &qdrant.CollectionInfo{
		Status:              qdrant.CollectionStatus_Green,
		OptimizerStatus:     &qdrant.OptimizerStatus{Ok: true},
		SegmentsCount:       1,
		Config:              configOf(c.create),
		PayloadSchema:       schema,
		PointsCount:         proto.Uint64(uint64(c.live)),
		IndexedVectorsCount: proto.Uint64(uint64(vectors)),
		UpdateQueue:         &qdrant.UpdateQueueInfo{},
	}
}

var schemaTypes = map[qdrant.FieldType]qdrant.PayloadSchemaType{
	qdrant.FieldType_FieldTypeKeyword:  qdrant.PayloadSchemaType_Keyword,
	qdrant.FieldType_FieldTypeInteger:  qdrant.PayloadSchemaType_Integer,
	qdrant.FieldType_FieldTypeFloat:    qdrant.PayloadSchemaType_Float,
	qdrant.FieldType_FieldTypeBool:     qdrant.PayloadSchemaType_Bool,
	qdrant.FieldType_FieldTypeDatetime: qdrant.PayloadSchemaType_Datetime,
	qdrant.FieldType_FieldTypeUuid:     qdrant.PayloadSchemaType_Uuid,
}

// configOf echoes the settings of a collection over the defaults of a Qdrant that was configured with none.
func configOf(create *qdrant.CreateCollection) *qdrant.CollectionConfig {
	hnsw := &qdrant.HnswConfigDiff{
		M: proto.Uint64(16), EfConstruct: proto.Uint64(100), FullScanThreshold: proto.Uint64(10_000),
		MaxIndexingThreads: proto.Uint64(0), OnDisk: proto.Bool(false),
	}
	optimizers := &qdrant.OptimizersConfigDiff{
		DeletedThreshold: proto.Float64(0.2), VacuumMinVectorNumber: proto.Uint64(1000), DefaultSegmentNumber: proto.Uint64(0),
		IndexingThreshold: proto.Uint64(10_000), FlushIntervalSec: proto.Uint64(5),
	}
	wal := &qdrant.WalConfigDiff{WalCapacityMb: proto.Uint64(32), WalSegmentsAhead: proto.Uint64(0), WalRetainClosed: proto.Uint64(1)}
	proto.Merge(hnsw, create.GetHnswConfig())
	proto.Merge(optimizers, create.GetOptimizersConfig())
	proto.Merge(wal, create.GetWalConfig())
	one := func(given *uint32) *uint32 {
		if given == nil {
			return proto.Uint32(1)
		}
		return given
	}
	vectors := create.GetVectorsConfig()
	if vectors == nil {
		vectors = &qdrant.VectorsConfig{Config: &qdrant.VectorsConfig_ParamsMap{ParamsMap: &qdrant.VectorParamsMap{}}}
	}
	onDisk := true
	if create.OnDiskPayload != nil {
		onDisk = create.GetOnDiskPayload()
	}
	return &qdrant.CollectionConfig{
		Params: &qdrant.CollectionParams{
			ShardNumber:            *one(create.ShardNumber),
			OnDiskPayload:          onDisk,
			VectorsConfig:          vectors,
			ReplicationFactor:      one(create.ReplicationFactor),
			WriteConsistencyFactor: one(create.WriteConsistencyFactor),
			ShardingMethod:         create.ShardingMethod,
			SparseVectorsConfig:    create.GetSparseVectorsConfig(),
		},
		HnswConfig:         hnsw,
		OptimizerConfig:    optimizers,
		WalConfig:          wal,
		QuantizationConfig: create.GetQuantizationConfig(),
		StrictModeConfig:   create.GetStrictModeConfig(),
		Metadata:           create.GetMetadata(),
	}
}
