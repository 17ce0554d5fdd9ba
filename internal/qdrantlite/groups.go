package qdrantlite

import (
	"context"
	"time"

	"github.com/qdrant/go-client/qdrant"
)

// defaultGroupSize is how many points of a group are returned when the request does not say.
const defaultGroupSize = 3

// groupKey is a value to group by.
type groupKey struct {
	text    string
	whole   int64
	isWhole bool
}

func (k groupKey) proto() *qdrant.GroupId {
	switch {
	case !k.isWhole:
		return &qdrant.GroupId{Kind: &qdrant.GroupId_StringValue{StringValue: k.text}}
	case k.whole >= 0:
		return &qdrant.GroupId{Kind: &qdrant.GroupId_UnsignedValue{UnsignedValue: uint64(k.whole)}}
	}
	return &qdrant.GroupId{Kind: &qdrant.GroupId_IntegerValue{IntegerValue: k.whole}}
}

// QueryGroups groups the points that a query finds by a payload field. A real Qdrant looks only a few rounds deep and may return
// fewer groups than there are; this one looks until the groups are full or the points at an end.
func (s *pointsService) QueryGroups(ctx context.Context, req *qdrant.QueryPointGroups) (*qdrant.QueryGroupsResponse, error) {
	start := time.Now()
	path, err := parsePath(req.GetGroupBy())
	if err != nil {
		return nil, err
	}
	if req.GetWithLookup() != nil {
		return nil, unsupported("with_lookup of query groups")
	}
	if req.GroupSize != nil && req.GetGroupSize() == 0 {
		return nil, invalid("group_size: 0 is less than 1")
	}
	query, err := parseQuery(&qdrant.QueryPoints{
		Prefetch: req.GetPrefetch(), Query: req.GetQuery(), Using: req.Using, Filter: req.GetFilter(), Params: req.GetParams(),
		ScoreThreshold: req.ScoreThreshold, Limit: req.Limit, WithVectors: req.GetWithVectors(), WithPayload: req.GetWithPayload(),
		ShardKeySelector: req.GetShardKeySelector(), LookupFrom: req.GetLookupFrom(),
	})
	if err != nil {
		return nil, err
	}
	g := grouping{path: path, groups: query.parts.limit, size: defaultGroupSize}
	if req.GroupSize != nil {
		g.size = int(min(req.GetGroupSize(), 1<<31))
	}
	groups, err := s.s.queryGroups(ctx, req.GetCollectionName(), query, g)
	if err != nil {
		return nil, err
	}
	return &qdrant.QueryGroupsResponse{Result: &qdrant.GroupsResult{Groups: groups}, Time: time.Since(start).Seconds()}, nil
}

type grouping struct {
	path         jsonPath
	groups, size int
}

func (s *Server) queryGroups(ctx context.Context, name string, q queryRequest, g grouping) (out []*qdrant.PointGroup, err error) {
	found, err := s.elsewhere(name, []queryParts{q.parts})
	if err != nil {
		return nil, asStatus(err)
	}
	err = s.view(name, func(c *collection, r reader) error {
		limit := min(g.groups*g.size*2, max(c.live, 1))
		for {
			parts := q.parts
			parts.limit = limit
			step, err := queryOnce(ctx, c, r, found, name, parts)
			if err != nil {
				return err
			}
			var full bool
			if out, full, err = g.group(c, r, step, q); err != nil {
				return err
			}
			if full || len(step.hits) < limit || limit >= c.live {
				return nil
			}
			limit = min(limit*4, c.live)
		}
	})
	return out, err
}

// queryOnce plans and runs one query.
func queryOnce(ctx context.Context, c *collection, r reader, found *lookups, name string, parts queryParts) (*step, error) {
	p := &planner{ctx: ctx, c: c, r: r, lookup: found}
	s, err := p.planRoot(name, parts)
	if err != nil {
		return nil, err
	}
	return s, p.run([]*step{s})
}

// group sorts hits into groups, each in the order of its best hit, and says whether all the groups asked for are full.
func (g grouping) group(c *collection, r reader, s *step, q queryRequest) (out []*qdrant.PointGroup, full bool, err error) {
	at := make(map[groupKey]int)
	points, err := c.scoredPoints(r, s, queryRequest{payload: payloadSelector{}, vectors: q.vectors})
	if err != nil {
		return nil, false, err
	}
	for _, point := range points {
		for _, key := range g.keys(point.GetPayload()) {
			i, ok := at[key]
			if !ok {
				if len(out) == g.groups {
					continue
				}
				i = len(out)
				at[key] = i
				out = append(out, &qdrant.PointGroup{Id: key.proto()})
			}
			if len(out[i].Hits) < g.size {
				out[i].Hits = append(out[i].Hits, point)
			}
		}
		point.Payload = q.payload.apply(point.GetPayload())
	}
	full = len(out) == g.groups
	for _, one := range out {
		full = full && len(one.Hits) == g.size
	}
	return out, full, nil
}

// keys lists the values of a payload to group by, each once: text and whole numbers.
func (g grouping) keys(p payload) (keys []groupKey) {
	seen := make(map[groupKey]bool)
	eachScalar(g.path.get(p, nil), func(v *qdrant.Value) bool {
		var key groupKey
		switch kind := v.GetKind().(type) {
		case *qdrant.Value_StringValue:
			key.text = kind.StringValue
		case *qdrant.Value_IntegerValue:
			key.whole, key.isWhole = kind.IntegerValue, true
		default:
			return false
		}
		if !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
		return false
	})
	return keys
}
