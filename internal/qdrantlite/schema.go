package qdrantlite

import (
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/qdrant/go-client/qdrant"

	"throughline/cluster/vector"
)

// maxDimensions is Qdrant's limit on the size of a dense vector.
const maxDimensions = 65536

// schema holds a collection's vector fields, dense and sparse, each sorted by name. Records name a
// field by its position, so this order is part of the stored format.
type schema struct {
	dense  []denseParams
	sparse []sparseParams
}

// denseParams describes a dense vector field. Vectors are compared by their dot product.
type denseParams struct {
	name string
	size int
}

type sparseParams struct {
	name string
	idf  bool // query weights are multiplied by the term's IDF, see sparseRows.idf
}

// vectorSet holds the vectors of one point by field position; a missing vector is nil.
type vectorSet struct {
	dense  [][]float32
	sparse []*vector.Sparse
}

func (s *schema) newVectors() *vectorSet {
	return &vectorSet{dense: make([][]float32, len(s.dense)), sparse: make([]*vector.Sparse, len(s.sparse))}
}

// fieldSet is a choice of vector fields, by position.
type fieldSet struct{ dense, sparse []bool }

// field finds a vector field by name: its position and kind.
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
	return invalid("vector %q: the collection has no vector of this name", name)
}

// wrongKind is a dense vector for a sparse field, or a sparse one for a dense field.
func wrongKind(name string) error {
	return invalid("vector %q: one of the vector and its field is dense, the other sparse", name)
}

// newSchema checks a request to create a collection and returns its vector fields.
func newSchema(req *qdrant.CreateCollection) (*schema, error) {
	if err := only(req, "collection_name", "vectors_config", "sparse_vectors_config"); err != nil {
		return nil, err
	}
	if err := only(req.GetVectorsConfig(), "params_map"); err != nil {
		return nil, err
	}
	if err := checkCollectionName(req.GetCollectionName()); err != nil {
		return nil, err
	}
	s := &schema{}
	for name, params := range req.GetVectorsConfig().GetParamsMap().GetMap() {
		d, err := newDenseParams(name, params)
		if err != nil {
			return nil, err
		}
		s.dense = append(s.dense, d)
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
			return nil, invalid("vector %q: a dense and a sparse vector have this name", p.name)
		}
	}
	return s, nil
}

func newDenseParams(name string, params *qdrant.VectorParams) (denseParams, error) {
	d := denseParams{name: name, size: int(params.GetSize())}
	if err := only(params, "size", "distance"); err != nil {
		return d, err
	}
	if params.GetSize() < 1 || params.GetSize() > maxDimensions {
		return d, invalid("vector %q: size out of range (got %d, want 1 to %d)", name, params.GetSize(), maxDimensions)
	}
	switch params.GetDistance() {
	case qdrant.Distance_Dot:
		return d, nil
	case qdrant.Distance_UnknownDistance:
		return d, invalid("vector %q: distance is missing", name)
	}
	return d, unsupported("the distance %s (vector %q)", params.GetDistance(), name)
}

func newSparseParams(name string, params *qdrant.SparseVectorParams) (sparseParams, error) {
	p := sparseParams{name: name, idf: params.GetModifier() == qdrant.Modifier_Idf}
	if err := only(params, "modifier"); err != nil {
		return p, err
	}
	if name == "" {
		return p, invalid("sparse vector: the name is empty")
	}
	if !p.idf && params.GetModifier() != qdrant.Modifier_None {
		return p, unsupported("the modifier %s (sparse vector %q)", params.GetModifier(), name)
	}
	return p, nil
}

func checkCollectionName(name string) error {
	if len(name) < 1 || len(name) > 255 {
		return invalid("collection name: length out of range (got %d bytes, want 1 to 255)", len(name))
	}
	if !utf8.ValidString(name) || strings.ContainsAny(name, "<>:\"/\\|?*\x00\x1f") {
		return invalid("collection name %q: a character is not allowed", name)
	}
	return nil
}

// check refuses a vector of another length or with a value that is not finite.
func (d *denseParams) check(v []float32) error {
	if len(v) != d.size {
		return invalid("vector %q: wrong number of dimensions (got %d, want %d)", d.name, len(v), d.size)
	}
	for i, x := range v {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return invalid("vector %q: element %d is not a finite number", d.name, i)
		}
	}
	return nil
}

// newSparse checks a sparse vector and sorts it by term.
func newSparse(name string, indices []uint32, values []float32) (*vector.Sparse, error) {
	if len(indices) != len(values) {
		return nil, invalid("sparse vector %q: numbers of indices and values differ (got %d and %d)", name, len(indices), len(values))
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

// vectorsFrom checks the vectors of a point. Fields that are not given stay missing.
func (s *schema) vectorsFrom(given *qdrant.Vectors) (*vectorSet, error) {
	if given.GetVectorsOptions() == nil {
		return nil, invalid("vectors: missing")
	}
	if err := only(given, "vectors"); err != nil {
		return nil, err
	}
	v := s.newVectors()
	for name, one := range given.GetVectors().GetVectors() {
		if err := s.setVector(v, name, one); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// setVector checks one vector of a request and puts it into v under its field.
func (s *schema) setVector(v *vectorSet, name string, given *qdrant.Vector) (err error) {
	at, sparse, ok := s.field(name)
	if !ok {
		return noVector(name)
	}
	if err := only(given, "dense", "sparse"); err != nil {
		return err
	}
	switch g := given.GetVector().(type) {
	case *qdrant.Vector_Dense:
		if sparse {
			return wrongKind(name)
		}
		v.dense[at] = g.Dense.GetData()
		return s.dense[at].check(v.dense[at])
	case *qdrant.Vector_Sparse:
		if !sparse {
			return wrongKind(name)
		}
		v.sparse[at], err = newSparse(name, g.Sparse.GetIndices(), g.Sparse.GetValues())
		return err
	}
	return invalid("vector %q is neither dense nor sparse", name)
}
