package qdrantlite

import (
	"github.com/qdrant/go-client/qdrant"

	"throughline/cluster/vector"
)

// lookups resolves the points that queries name instead of giving a vector. Points of other collections are read before the
// queried collection is locked, so that no reader ever holds two.
type lookups struct {
	found map[lookupKey]foundVector
}

type lookupKey struct {
	collection, vector string
	id                 pointID
}

type foundVector struct {
	dense  []float32
	sparse *vector.Sparse
}

// walkNearest calls fn for every nearest query in q and its prefetches.
func walkNearest(q queryParts, depth int, fn func(queryParts, *qdrant.VectorInput) error) error {
	if depth > maxPrefetchDepth {
		return nil // refused when it is planned
	}
	if input := q.query.GetNearest(); input != nil {
		if err := fn(q, input); err != nil {
			return err
		}
	}
	for _, p := range q.prefetch {
		parts, err := prefetchParts(p)
		if err != nil {
			return err
		}
		if err := walkNearest(parts, depth+1, fn); err != nil {
			return err
		}
	}
	return nil
}

// elsewhere reads the vectors that queries look up in other collections than the one they search.
func (s *Server) elsewhere(home string, queries []queryParts) (*lookups, error) {
	l := &lookups{found: make(map[lookupKey]foundVector)}
	for _, q := range queries {
		err := walkNearest(q, 0, func(q queryParts, input *qdrant.VectorInput) error {
			other := q.lookup.GetCollectionName()
			if err := checkShards(q.lookup.GetShardKeySelector()); err != nil {
				return err
			}
			if input.GetId() == nil || other == "" || other == home {
				return nil
			}
			id, err := parseID(input.GetId())
			if err != nil {
				return err
			}
			return s.view(other, func(c *collection, r reader) error {
				v, err := c.storedVector(r, id, q.lookupName())
				l.found[lookupKey{other, q.lookupName(), id}] = v
				return err
			})
		})
		if err != nil {
			return nil, err
		}
	}
	return l, nil
}

// lookupName is the name of the vector that a point in this query stands for.
func (q queryParts) lookupName() string {
	if q.lookup != nil && q.lookup.VectorName != nil {
		return q.lookup.GetVectorName()
	}
	return q.using
}

// storedVector reads one named vector of a point.
func (c *collection) storedVector(r reader, id pointID, name string) (v foundVector, err error) {
	at, sparse, ok := c.schema.field(name)
	if !ok {
		return v, noVector(name)
	}
	row, ok := c.order.find(c.ids, id)
	if !ok {
		return v, noPoint(id)
	}
	all, err := c.vectorsOf(r, c.records[row].vectors)
	if err != nil {
		return v, err
	}
	if sparse {
		v.sparse = all.sparse[at]
	} else {
		v.dense = all.dense[at]
	}
	if v.dense == nil && v.sparse == nil {
		return v, notFound("Vector with name %q for point", name)
	}
	return v, nil
}

// vector returns the vector that an input of a nearest query gives or names.
func (l *lookups) vector(c *collection, r reader, q queryParts, input *qdrant.VectorInput) ([]float32, *vector.Sparse, error) {
	switch v := input.GetVariant().(type) {
	case *qdrant.VectorInput_Dense:
		return v.Dense.GetData(), nil, nil
	case *qdrant.VectorInput_Sparse:
		s, err := newSparse(q.using, v.Sparse.GetIndices(), v.Sparse.GetValues())
		return nil, s, err
	case *qdrant.VectorInput_Id:
		id, err := parseID(v.Id)
		if err != nil {
			return nil, nil, err
		}
		found, ok := l.found[lookupKey{q.lookup.GetCollectionName(), q.lookupName(), id}]
		if !ok {
			if found, err = c.storedVector(r, id, q.lookupName()); err != nil {
				return nil, nil, err
			}
		}
		return found.dense, found.sparse, nil
	case *qdrant.VectorInput_MultiDense:
		return nil, nil, unsupported("multivectors (query by vector %q)", q.using)
	case *qdrant.VectorInput_Document, *qdrant.VectorInput_Image, *qdrant.VectorInput_Object:
		return nil, nil, unsupported("inference on the server (query by vector %q)", q.using)
	}
	return nil, nil, invalid("VectorInput variant is missing")
}

// referenced lists the points of the searched collection that a query names; they are left out of its results.
func referenced(home string, q queryParts) (map[pointID]bool, error) {
	var ids map[pointID]bool
	err := walkNearest(q, 0, func(q queryParts, input *qdrant.VectorInput) error {
		other := q.lookup.GetCollectionName()
		if input.GetId() == nil || other != "" && other != home {
			return nil
		}
		id, err := parseID(input.GetId())
		if ids == nil {
			ids = make(map[pointID]bool)
		}
		ids[id] = true
		return err
	})
	return ids, err
}
