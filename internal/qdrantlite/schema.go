package qdrantlite

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/qdrant/go-client/qdrant"

	"throughline/cluster/vector"
)

// maxDimensions is Qdrant's limit on the size of a dense vector.
const maxDimensions = 65536

// schema is what a collection's configuration means: its vector fields in a fixed order. Records name fields by their position,
// so the order is part of the stored format: by kind, dense before sparse, then by name.
type schema struct {
	dense  []denseParams
	sparse []sparseParams
}

type denseParams struct {
	name     string // empty: the collection's unnamed vector
	size     int
	distance qdrant.Distance
}

type sparseParams struct {
	name string
	idf  bool
}

// vectorSet holds the vectors of one point by field position; a missing vector is nil.
type vectorSet struct {
	dense  [][]float32
	sparse []*vector.Sparse
}

func (s *schema) newVectors() *vectorSet {
	return &vectorSet{dense: make([][]float32, len(s.dense)), sparse: make([]*vector.Sparse, len(s.sparse))}
}

func (v *vectorSet) clone() *vectorSet {
	return &vectorSet{dense: slices.Clone(v.dense), sparse: slices.Clone(v.sparse)}
}

// field finds a vector by name: its kind and position.
func (s *schema) field(name string) (position int, sparse, ok bool) {
	for i := range s.dense {
		if s.dense[i].name == name {
			return i, false, true
		}
	}
	for i := range s.sparse {
		if s.sparse[i].name == name {
			return i, true, true
		}
	}
	return 0, false, false
}

func noVector(name string) error {
	return invalid("Not existing vector name error: %s", name)
}

// newSchema checks a request to create a collection and works out its fields. What a real Qdrant uses for tuning is accepted
// and kept; what would change results is refused by name.
func newSchema(req *qdrant.CreateCollection) (*schema, error) {
	if err := checkCollectionName(req.GetCollectionName()); err != nil {
		return nil, err
	}
	if err := checkTuning(req); err != nil {
		return nil, err
	}
	s := &schema{}
	add := func(name string, params *qdrant.VectorParams) error {
		d, err := newDenseParams(name, params)
		s.dense = append(s.dense, d)
		return err
	}
	switch config := req.GetVectorsConfig().GetConfig().(type) {
	case *qdrant.VectorsConfig_Params:
		if err := add("", config.Params); err != nil {
			return nil, err
		}
	case *qdrant.VectorsConfig_ParamsMap:
		for name, params := range config.ParamsMap.GetMap() {
			if err := add(name, params); err != nil {
				return nil, err
			}
		}
	}
	for name, params := range req.GetSparseVectorsConfig().GetMap() {
		p, err := newSparseParams(name, params)
		if err != nil {
			return nil, err
		}
		s.sparse = append(s.sparse, p)
	}
	slices.SortFunc(s.dense, func(a, b denseParams) int { return strings.Compare(a.name, b.name) })
	slices.SortFunc(s.sparse, func(a, b sparseParams) int { return strings.Compare(a.name, b.name) })
	for _, p := range s.sparse {
		if slices.ContainsFunc(s.dense, func(d denseParams) bool { return d.name == p.name }) {
			return nil, invalid("vector name %q is used for a dense and a sparse vector", p.name)
		}
	}
	return s, nil
}

func newDenseParams(name string, params *qdrant.VectorParams) (denseParams, error) {
	d := denseParams{name: name, size: int(params.GetSize()), distance: params.GetDistance()}
	if params.GetSize() < 1 || params.GetSize() > maxDimensions {
		return d, invalid("vector %q: size %d is not between 1 and %d", name, params.GetSize(), maxDimensions)
	}
	switch d.distance {
	case qdrant.Distance_Cosine, qdrant.Distance_Dot, qdrant.Distance_Euclid:
	case qdrant.Distance_Manhattan:
		return d, unsupported("the distance Manhattan (vector %q)", name)
	default:
		return d, invalid("vector %q: unknown distance %d", name, d.distance)
	}
	if params.GetMultivectorConfig() != nil {
		return d, unsupported("multivectors (vector %q)", name)
	}
	if t := params.GetDatatype(); t != qdrant.Datatype_Default && t != qdrant.Datatype_Float32 {
		return d, unsupported("the datatype %s (vector %q)", t, name)
	}
	if err := checkQuantization(params.GetQuantizationConfig()); err != nil {
		return d, err
	}
	return d, checkHNSW(params.GetHnswConfig())
}

func newSparseParams(name string, params *qdrant.SparseVectorParams) (sparseParams, error) {
	p := sparseParams{name: name}
	if name == "" {
		return p, invalid("a sparse vector needs a name")
	}
	if t := params.GetIndex().GetDatatype(); t != qdrant.Datatype_Default && t != qdrant.Datatype_Float32 {
		return p, unsupported("the datatype %s (sparse vector %q)", t, name)
	}
	switch params.GetModifier() {
	case qdrant.Modifier_None:
	case qdrant.Modifier_Idf:
		p.idf = true
	default:
		return p, invalid("sparse vector %q: unknown modifier %d", name, params.GetModifier())
	}
	return p, nil
}

func checkCollectionName(name string) error {
	if len(name) < 1 || len(name) > 255 {
		return invalid("collection name: length %d is not between 1 and 255", len(name))
	}
	if !utf8.ValidString(name) || strings.ContainsAny(name, "<>:\"/\\|?*\x00\x1f") {
		return invalid("collection name %q has a character that is not allowed", name)
	}
	return nil
}

// checkTuning applies Qdrant's limits to settings that are only echoed here.
func checkTuning(req *qdrant.CreateCollection) error {
	if req.GetShardingMethod() == qdrant.ShardingMethod_Custom {
		return unsupported("custom sharding")
	}
	if req.GetStrictModeConfig().GetEnabled() {
		return unsupported("strict mode")
	}
	for _, at := range []struct {
		name  string
		value *uint32
	}{
		{"shard_number", req.ShardNumber},
		{"replication_factor", req.ReplicationFactor},
		{"write_consistency_factor", req.WriteConsistencyFactor},
	} {
		if at.value != nil && *at.value == 0 {
			return invalid("%s: 0 is less than 1", at.name)
		}
	}
	if w := req.GetWalConfig(); w != nil && w.WalCapacityMb != nil && w.GetWalCapacityMb() == 0 {
		return invalid("wal_config.wal_capacity_mb: 0 is less than 1")
	}
	if err := checkOptimizers(req.GetOptimizersConfig()); err != nil {
		return err
	}
	if err := checkHNSW(req.GetHnswConfig()); err != nil {
		return err
	}
	if err := checkPayload(req.GetMetadata()); err != nil {
		return err
	}
	return checkQuantization(req.GetQuantizationConfig())
}

func checkOptimizers(c *qdrant.OptimizersConfigDiff) error {
	if c != nil && c.DeletedThreshold != nil && !(c.GetDeletedThreshold() >= 0 && c.GetDeletedThreshold() <= 1) {
		return invalid("optimizers_config.deleted_threshold: %v is not between 0 and 1", c.GetDeletedThreshold())
	}
	if c != nil && c.VacuumMinVectorNumber != nil && c.GetVacuumMinVectorNumber() < 100 {
		return invalid("optimizers_config.vacuum_min_vector_number: %d is less than 100", c.GetVacuumMinVectorNumber())
	}
	return nil
}

func checkHNSW(c *qdrant.HnswConfigDiff) error {
	if c != nil && c.EfConstruct != nil && c.GetEfConstruct() < 4 {
		return invalid("hnsw_config.ef_construct: %d is less than 4", c.GetEfConstruct())
	}
	return nil
}

func checkQuantization(c *qdrant.QuantizationConfig) error {
	if s := c.GetScalar(); s != nil {
		if s.GetType() != qdrant.QuantizationType_Int8 {
			return invalid("quantization_config.scalar: unknown type %d", s.GetType())
		}
		if s.Quantile != nil && !(s.GetQuantile() >= 0.5 && s.GetQuantile() <= 1) {
			return invalid("quantization_config.scalar.quantile: %v is not between 0.5 and 1", s.GetQuantile())
		}
	}
	return nil
}

// leastSquare is the squared length below which Qdrant takes a vector for zero and stores it as it is: float32's epsilon.
const leastSquare = 1.0 / (1 << 23)

// prepare refuses a vector of another length or with a value that is not finite, and returns it as it is stored: a copy, of
// unit length under the cosine distance.
func (d *denseParams) prepare(v []float32) ([]float32, error) {
	if len(v) != d.size {
		return nil, invalid("Vector dimension error: expected dim: %d, got %d", d.size, len(v))
	}
	for i, x := range v {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return nil, invalid("vector %q: element %d is not a finite number", d.name, i)
		}
	}
	v = slices.Clone(v)
	if d.distance == qdrant.Distance_Cosine && vector.Dot(v, v) >= leastSquare {
		vector.Normalize(v)
	}
	return v, nil
}

// newSparse checks a sparse vector and sorts it by term.
func newSparse(name string, indices []uint32, values []float32) (*vector.Sparse, error) {
	if len(indices) != len(values) {
		return nil, invalid("sparse vector %q: %d indices for %d values", name, len(indices), len(values))
	}
	order := make([]int, len(indices))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return int(int64(indices[a]) - int64(indices[b])) })
	s := &vector.Sparse{Terms: make([]uint32, len(indices)), Weights: make([]float32, len(indices))}
	for to, from := range order {
		s.Terms[to], s.Weights[to] = indices[from], values[from]
		if to > 0 && s.Terms[to] == s.Terms[to-1] {
			return nil, invalid("sparse vector %q: index %d appears twice", name, s.Terms[to])
		}
		if w := float64(values[from]); math.IsNaN(w) || math.IsInf(w, 0) {
			return nil, invalid("sparse vector %q: the value of index %d is not a finite number", name, s.Terms[to])
		}
	}
	return s, nil
}

// setVector checks one vector of a request and puts it into v under its field.
func (s *schema) setVector(v *vectorSet, name string, given *qdrant.Vector) error {
	at, isSparse, ok := s.field(name)
	if !ok {
		return noVector(name)
	}
	data, indices, values, sparse, err := rawVector(name, given)
	if err != nil {
		return err
	}
	if sparse != isSparse {
		return invalid("vector %q: Conversion between sparse and regular vectors failed", name)
	}
	if sparse {
		v.sparse[at], err = newSparse(name, indices, values)
	} else {
		v.dense[at], err = s.dense[at].prepare(data)
	}
	return err
}

// rawVector reads both the current and the deprecated way to write a vector in a message.
func rawVector(name string, given *qdrant.Vector) (data []float32, indices []uint32, values []float32, sparse bool, err error) {
	switch v := given.GetVector().(type) {
	case *qdrant.Vector_Dense:
		return v.Dense.GetData(), nil, nil, false, nil
	case *qdrant.Vector_Sparse:
		return nil, v.Sparse.GetIndices(), v.Sparse.GetValues(), true, nil
	case *qdrant.Vector_MultiDense:
		return nil, nil, nil, false, unsupported("multivectors (vector %q)", name)
	case *qdrant.Vector_Document, *qdrant.Vector_Image, *qdrant.Vector_Object:
		return nil, nil, nil, false, unsupported("inference on the server (vector %q)", name)
	}
	//lint:ignore SA1019 clients older than 1.13 send vectors in these fields only
	flat, terms, count := given.GetData(), given.GetIndices(), given.VectorsCount
	switch {
	case count != nil:
		return nil, nil, nil, false, unsupported("multivectors (vector %q)", name)
	case terms != nil:
		return nil, terms.GetData(), flat, true, nil
	}
	return flat, nil, nil, false, nil
}

// vectorsFrom checks the vectors of a point. Names that are not given stay missing.
func (s *schema) vectorsFrom(given *qdrant.Vectors) (*vectorSet, error) {
	v := s.newVectors()
	switch g := given.GetVectorsOptions().(type) {
	case nil:
		return nil, invalid("Expected some vectors")
	case *qdrant.Vectors_Vector:
		if err := s.setVector(v, "", g.Vector); err != nil {
			return nil, err
		}
	case *qdrant.Vectors_Vectors:
		for name, one := range g.Vectors.GetVectors() {
			if err := s.setVector(v, name, one); err != nil {
				return nil, err
			}
		}
	default:
		return nil, fmt.Errorf("unknown kind of vectors %T", g)
	}
	return v, nil
}
