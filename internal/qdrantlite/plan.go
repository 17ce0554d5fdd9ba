package qdrantlite

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
)

// defaultLimit is how many points a query or a prefetch returns when it does not say.
const defaultLimit = 10

// maxPrefetchDepth is Qdrant's limit on prefetches inside prefetches.
const maxPrefetchDepth = 64

// queryParts is what a query and a prefetch have in common.
type queryParts struct {
	prefetch  []*qdrant.PrefetchQuery
	query     *qdrant.Query
	using     string
	filter    *qdrant.Filter
	params    *qdrant.SearchParams
	threshold *float32
	limit     int
	lookup    *qdrant.LookupLocation
}

func limitOf(given *uint64) (int, error) {
	switch {
	case given == nil:
		return defaultLimit, nil
	case *given == 0:
		return 0, invalid("limit: 0 is less than 1")
	}
	return int(min(*given, 1<<31)), nil
}

func prefetchParts(p *qdrant.PrefetchQuery) (queryParts, error) {
	limit, err := limitOf(p.Limit)
	return queryParts{
		prefetch: p.GetPrefetch(), query: p.GetQuery(), using: p.GetUsing(), filter: p.GetFilter(), params: p.GetParams(),
		threshold: p.ScoreThreshold, limit: limit, lookup: p.GetLookupFrom(),
	}, err
}

// step is a planned query: a leaf that searches the collection, or one that merges or rescores what its sources found.
type step struct {
	sources []*step
	limit   int
	// At most one of these, by the kind of query; with none, points come in order of their ids.
	dense   *denseSearch
	sparse  *sparseSearch
	orderBy *ordering
	fusion  *fusion
	// threshold of a fusion; searches have their own.
	threshold *float32
	rows      selection // of a leaf
	euclid    bool      // scores are negative distances
	hits      []hit     // the result
	values    []orderValue
}

type fusion struct {
	dbsf    bool
	k       uint32
	weights []float32
}

// planner plans queries of one collection. All dense leaves are collected first, so that those of one field share a pass.
type planner struct {
	ctx    context.Context
	c      *collection
	r      reader
	lookup *lookups
	leaves []*denseSearch
	// matched keeps what filters left: the queries of a batch, and the prefetches of a query, mostly have the same few.
	matched map[string]selection
}

// scope is the conditions that hold at a place in a query: those of the queries around it and its own.
type scope struct {
	conditions []*condition
	key        string // equal keys, equal conditions
}

func (s scope) with(key string, cond *condition) scope {
	return scope{append(s.conditions[:len(s.conditions):len(s.conditions)], cond), fmt.Sprintf("%s%d:%s", s.key, len(key), key)}
}

// within evaluates a scope.
func (p *planner) within(s scope) (selection, error) {
	if rows, ok := p.matched[s.key]; ok {
		return rows, nil
	}
	var all *condition
	if len(s.conditions) > 0 {
		all = allOf(slices.Clone(s.conditions))
	}
	rows, err := p.c.match(p.ctx, p.r, all)
	if err != nil {
		return rows, err
	}
	if p.matched == nil {
		p.matched = make(map[string]selection)
	}
	p.matched[s.key] = rows
	return rows, nil
}

// planRoot plans a whole query of the collection that the client calls name. Points that the query names are left out of its results.
func (p *planner) planRoot(name string, q queryParts) (*step, error) {
	ids, err := referenced(name, q)
	if err != nil {
		return nil, err
	}
	var outer scope
	if len(ids) > 0 {
		named := idCondition(p.c, ids)
		outer = outer.with(fmt.Sprint(ids), &condition{eval: func(s *subject) bool { return !named.eval(s) }})
	}
	return p.plan(q, outer, 0)
}

// plan plans a query or a prefetch inside a scope.
func (p *planner) plan(q queryParts, outer scope, depth int) (*step, error) {
	if depth > maxPrefetchDepth {
		return nil, invalid("prefetches depth exceeds max depth %d", maxPrefetchDepth)
	}
	if err := checkShape(q); err != nil {
		return nil, err
	}
	cond, err := compileFilter(p.c, q.filter)
	if err != nil {
		return nil, err
	}
	if cond != nil {
		key, err := proto.MarshalOptions{Deterministic: true}.Marshal(q.filter)
		if err != nil {
			return nil, invalid("filter: %v", err)
		}
		outer = outer.with(string(key), cond)
	}
	s := &step{limit: q.limit}
	for _, one := range q.prefetch {
		parts, err := prefetchParts(one)
		if err != nil {
			return nil, err
		}
		source, err := p.plan(parts, outer, depth+1)
		if err != nil {
			return nil, err
		}
		s.sources = append(s.sources, source)
	}
	if len(s.sources) == 0 {
		if s.rows, err = p.within(outer); err != nil {
			return nil, err
		}
	}
	return s, p.addQuery(s, q)
}

// checkShape refuses combinations that Qdrant refuses.
func checkShape(q queryParts) error {
	isFusion := q.query.GetRrf() != nil
	if _, ok := q.query.GetVariant().(*qdrant.Query_Fusion); ok {
		isFusion = true
	}
	_, isOrder := q.query.GetVariant().(*qdrant.Query_OrderBy)
	switch {
	case len(q.prefetch) > 0 && q.query == nil:
		return invalid("A query is needed to merge the prefetches. Can't have prefetches without defining a query.")
	case q.threshold != nil && isOrder:
		return invalid("Can't use score_threshold with an order_by query.")
	case q.threshold != nil && q.query == nil:
		return invalid("A query is needed to use the score_threshold. Can't have score_threshold without defining a query.")
	case isFusion && q.using != "":
		return invalid("Fusion queries cannot be combined with the 'using' field.")
	case isFusion && len(q.prefetch) == 0:
		return invalid("cannot apply Fusion without prefetches")
	}
	return checkParams(q.params)
}

func checkParams(params *qdrant.SearchParams) error {
	if o := params.GetQuantization(); o != nil && o.Oversampling != nil && !(o.GetOversampling() >= 1) {
		return invalid("params.quantization.oversampling: %v is less than 1", o.GetOversampling())
	}
	return nil
}

// addQuery gives a step its kind.
func (p *planner) addQuery(s *step, q queryParts) error {
	switch v := q.query.GetVariant().(type) {
	case nil:
		if q.query != nil {
			return invalid("Query variant is missing")
		}
		return nil
	case *qdrant.Query_Nearest:
		return p.addNearest(s, q, v.Nearest)
	case *qdrant.Query_Fusion:
		switch v.Fusion {
		case qdrant.Fusion_RRF:
			s.fusion = &fusion{k: defaultRRF}
		case qdrant.Fusion_DBSF:
			s.fusion = &fusion{dbsf: true}
		default:
			return invalid("unknown fusion %d", v.Fusion)
		}
		s.threshold = q.threshold
		return nil
	case *qdrant.Query_Rrf:
		s.fusion = &fusion{k: defaultRRF, weights: v.Rrf.GetWeights()}
		if v.Rrf.K != nil {
			s.fusion.k = v.Rrf.GetK()
		}
		if s.fusion.k == 0 {
			return invalid("rrf.k: 0 is less than 1")
		}
		if len(s.fusion.weights) > 0 && len(s.fusion.weights) != len(s.sources) {
			return invalid("Number of weights in RRF should match number of pre-fetches: got %d, expected %d", len(s.fusion.weights), len(s.sources))
		}
		s.threshold = q.threshold
		return nil
	case *qdrant.Query_OrderBy:
		var err error
		s.orderBy, err = newOrdering(p.c, v.OrderBy)
		return err
	case *qdrant.Query_Recommend:
		return unsupported("recommend queries")
	case *qdrant.Query_Discover:
		return unsupported("discover queries")
	case *qdrant.Query_Context:
		return unsupported("context queries")
	case *qdrant.Query_Sample:
		return unsupported("sample queries")
	case *qdrant.Query_Formula:
		return unsupported("formula queries")
	case *qdrant.Query_NearestWithMmr:
		return unsupported("nearest queries with MMR")
	case *qdrant.Query_RelevanceFeedback:
		return unsupported("relevance feedback queries")
	}
	return unsupported("the query %T", q.query.GetVariant())
}

func (p *planner) addNearest(s *step, q queryParts, input *qdrant.VectorInput) error {
	at, sparse, ok := p.c.schema.field(q.using)
	if !ok {
		return noVector(q.using)
	}
	dense, terms, err := p.lookup.vector(p.c, p.r, q, input)
	switch {
	case err != nil:
		return err
	case sparse != (terms != nil):
		return invalid("vector %q: Conversion between sparse and regular vectors failed", q.using)
	case sparse:
		s.sparse = &sparseSearch{field: at, query: terms, rows: s.rows, limit: q.limit, threshold: q.threshold}
		return nil
	}
	prepared, err := p.c.schema.dense[at].prepare(dense)
	if err != nil {
		return err
	}
	s.euclid = p.c.schema.dense[at].distance == qdrant.Distance_Euclid
	over := oversampling
	if o := q.params.GetQuantization(); o != nil && o.Oversampling != nil {
		over = min(o.GetOversampling(), 1e6)
	}
	s.dense = &denseSearch{
		field: at, query: prepared, rows: s.rows, limit: q.limit, threshold: q.threshold,
		exact:      q.params.GetExact() || q.params.GetQuantization().GetIgnore(),
		candidates: int(min(float64(q.limit)*over, 1<<31)),
	}
	if len(s.sources) == 0 {
		p.leaves = append(p.leaves, s.dense)
	}
	return nil
}

// run executes planned queries: first all dense leaves, each field's in one pass, then the steps from the leaves up.
func (p *planner) run(steps []*step) error {
	byField := make(map[int][]*denseSearch)
	for _, leaf := range p.leaves {
		byField[leaf.field] = append(byField[leaf.field], leaf)
	}
	for _, searches := range byField {
		if err := p.c.searchDense(p.ctx, p.r, searches); err != nil {
			return err
		}
	}
	for _, s := range steps {
		if err := p.finish(s); err != nil {
			return err
		}
	}
	return nil
}

func (p *planner) finish(s *step) (err error) {
	for _, source := range s.sources {
		if err := p.finish(source); err != nil {
			return err
		}
	}
	if len(s.sources) > 0 && s.fusion == nil {
		s.rows = union(s.sources)
	}
	switch {
	case s.dense != nil:
		if len(s.sources) > 0 {
			s.dense.rows, s.dense.exact = s.rows, true
			if err := p.c.searchDense(p.ctx, p.r, []*denseSearch{s.dense}); err != nil {
				return err
			}
		}
		s.hits = s.dense.hits
	case s.sparse != nil:
		s.sparse.rows = s.rows
		s.hits, err = p.c.searchSparse(p.ctx, s.sparse)
	case s.orderBy != nil:
		s.hits, s.values = s.orderBy.first(p.c, s.rows, s.limit)
	case s.fusion != nil:
		s.hits = s.fusion.merge(p.c.ids, s.sources)
		if s.threshold != nil {
			s.hits = slices.DeleteFunc(s.hits, func(h hit) bool { return h.score < *s.threshold })
		}
		s.hits = s.hits[:min(s.limit, len(s.hits))]
	default:
		p.c.order.from(p.c.ids, pointID{}, func(row uint32) bool {
			if s.rows.rows.has(row) {
				s.hits = append(s.hits, hit{row, unscored})
			}
			return len(s.hits) < s.limit
		})
	}
	return err
}

// unscored is the score of points that a query does not score but orders by id or by a field, as Qdrant reports it.
const unscored = 1

// union is the set of points that any source found.
func union(sources []*step) selection {
	var s selection
	for _, source := range sources {
		for _, h := range source.hits {
			if !s.rows.has(h.row) {
				s.rows.set(h.row)
				s.count++
			}
		}
	}
	return s
}

// sortHits orders hits best first, equal scores by id.
func sortHits(ids []pointID, hits []hit) {
	slices.SortFunc(hits, func(a, b hit) int {
		if c := cmp.Compare(b.score, a.score); c != 0 {
			return c
		}
		return ids[a.row].compare(ids[b.row])
	})
}
