package qdrantlite

import (
	"context"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
)

// Update changes settings that are only echoed here, and the metadata. It is checked as the creation of the collection was.
func (s *collectionsService) Update(ctx context.Context, req *qdrant.UpdateCollection) (*qdrant.CollectionOperationResponse, error) {
	if err := checkUpdate(req); err != nil {
		return nil, err
	}
	return s.alone(ctx, func() (bool, error) {
		c, err := s.s.find(req.GetCollectionName())
		if err != nil {
			return false, err
		}
		create := proto.Clone(c.create).(*qdrant.CreateCollection)
		if err := updateSettings(create, req); err != nil {
			return false, err
		}
		if _, err := newSchema(create); err != nil {
			return false, err
		}
		record, err := proto.Marshal(create)
		if err != nil {
			return false, invalid("collection %q: %v", c.name, err)
		}
		if err := s.s.commit([]mutation{{table{kind: tableCollections}, []byte(c.name), collectionRecord(c.number, record)}}); err != nil {
			return false, err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.create = create
		return true, nil
	})
}

// checkUpdate names what cannot be changed here.
func checkUpdate(req *qdrant.UpdateCollection) error {
	if len(req.GetSparseVectorsConfig().GetMap()) > 0 {
		return unsupported("changing sparse vectors of a collection")
	}
	if req.GetStrictModeConfig().GetEnabled() {
		return unsupported("strict mode")
	}
	return checkPayload(req.GetMetadata())
}

// updateSettings merges an update into the request that created the collection.
func updateSettings(create *qdrant.CreateCollection, req *qdrant.UpdateCollection) error {
	if diff := req.GetHnswConfig(); diff != nil {
		if create.HnswConfig == nil {
			create.HnswConfig = &qdrant.HnswConfigDiff{}
		}
		proto.Merge(create.HnswConfig, diff)
	}
	if diff := req.GetOptimizersConfig(); diff != nil {
		if create.OptimizersConfig == nil {
			create.OptimizersConfig = &qdrant.OptimizersConfigDiff{}
		}
		proto.Merge(create.OptimizersConfig, diff)
	}
	if diff := req.GetParams(); diff != nil {
		if diff.ReadFanOutFactor != nil || diff.ReadFanOutDelayMs != nil {
			return unsupported("read fan-out")
		}
		setIf(&create.ReplicationFactor, diff.ReplicationFactor)
		setIf(&create.WriteConsistencyFactor, diff.WriteConsistencyFactor)
		setIf(&create.OnDiskPayload, diff.OnDiskPayload)
	}
	create.QuantizationConfig = changeQuantization(create.QuantizationConfig, req.GetQuantizationConfig())
	for key, value := range req.GetMetadata() {
		if create.Metadata == nil {
			create.Metadata = make(map[string]*qdrant.Value)
		}
		create.Metadata[key] = value
	}
	switch diff := req.GetVectorsConfig().GetConfig().(type) {
	case *qdrant.VectorsConfigDiff_Params:
		return updateVector(create, "", diff.Params)
	case *qdrant.VectorsConfigDiff_ParamsMap:
		for name, one := range diff.ParamsMap.GetMap() {
			if err := updateVector(create, name, one); err != nil {
				return err
			}
		}
	}
	return nil
}

func setIf[T any](to **T, from *T) {
	if from != nil {
		*to = from
	}
}

func updateVector(create *qdrant.CreateCollection, name string, diff *qdrant.VectorParamsDiff) error {
	params := create.GetVectorsConfig().GetParamsMap().GetMap()[name]
	if params == nil && name == "" {
		params = create.GetVectorsConfig().GetParams()
	}
	if params == nil {
		return noVector(name)
	}
	if diff.GetHnswConfig() != nil {
		if params.HnswConfig == nil {
			params.HnswConfig = &qdrant.HnswConfigDiff{}
		}
		proto.Merge(params.HnswConfig, diff.GetHnswConfig())
	}
	setIf(&params.OnDisk, diff.OnDisk)
	params.QuantizationConfig = changeQuantization(params.QuantizationConfig, diff.GetQuantizationConfig())
	return nil
}

func changeQuantization(was *qdrant.QuantizationConfig, diff *qdrant.QuantizationConfigDiff) *qdrant.QuantizationConfig {
	switch q := diff.GetQuantization().(type) {
	case *qdrant.QuantizationConfigDiff_Scalar:
		return &qdrant.QuantizationConfig{Quantization: &qdrant.QuantizationConfig_Scalar{Scalar: q.Scalar}}
	case *qdrant.QuantizationConfigDiff_Product:
		return &qdrant.QuantizationConfig{Quantization: &qdrant.QuantizationConfig_Product{Product: q.Product}}
	case *qdrant.QuantizationConfigDiff_Binary:
		return &qdrant.QuantizationConfig{Quantization: &qdrant.QuantizationConfig_Binary{Binary: q.Binary}}
	case *qdrant.QuantizationConfigDiff_Disabled:
		return nil
	}
	return was
}
