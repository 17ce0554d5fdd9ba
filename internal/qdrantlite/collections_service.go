package qdrantlite

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// healthService answers qdrant.Qdrant.
type healthService struct {
	qdrant.UnimplementedQdrantServer
	s *Server
}

func (h *healthService) HealthCheck(context.Context, *qdrant.HealthCheckRequest) (*qdrant.HealthCheckReply, error) {
	if h.s.isClosed() {
		return nil, asStatus(ErrClosed)
	}
	return &qdrant.HealthCheckReply{Title: "throughline - embedded store with Qdrant's API", Version: Version}, nil
}

// collectionsService answers qdrant.Collections.
type collectionsService struct {
	qdrant.UnimplementedCollectionsServer
	s *Server
}

// alone lets the committer make a change of the collections, in a commit of its own.
func (s *collectionsService) alone(ctx context.Context, fn func() (bool, error)) (*qdrant.CollectionOperationResponse, error) {
	out := &qdrant.CollectionOperationResponse{}
	defer timed(&out.Time)()
	return out, s.s.do(&job{ctx: ctx, alone: func() (err error) {
		out.Result, err = fn()
		return err
	}})
}

// timed sets how long a call took, in seconds, when what it returns is called.
func timed(seconds *float64) func() {
	start := time.Now()
	return func() { *seconds = time.Since(start).Seconds() }
}

func (s *collectionsService) Create(ctx context.Context, req *qdrant.CreateCollection) (*qdrant.CollectionOperationResponse, error) {
	schema, err := newSchema(req)
	if err != nil {
		return nil, err
	}
	record, err := proto.Marshal(req)
	if err != nil {
		return nil, invalid("collection %q: %v", req.GetCollectionName(), err)
	}
	return s.alone(ctx, func() (bool, error) { return true, s.s.createCollection(req, schema, record) })
}

func (s *Server) createCollection(create *qdrant.CreateCollection, schema *schema, record []byte) error {
	name := create.GetCollectionName()
	if _, ok := s.collections[name]; ok {
		return status.Errorf(codes.AlreadyExists, "collection %q already exists", name)
	}
	if _, ok := s.aliases[name]; ok {
		return invalid("collection %q: an alias has this name", name)
	}
	c := newCollection(s.lastNumber+1, create, schema)
	if err := s.commit([]mutation{{table{kind: tableCollections}, []byte(name), collectionRecord(c.number, record)}}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastNumber++
	s.collections[name] = c
	return nil
}

func (s *collectionsService) Delete(ctx context.Context, req *qdrant.DeleteCollection) (*qdrant.CollectionOperationResponse, error) {
	if err := only(req, "collection_name"); err != nil {
		return nil, err
	}
	return s.alone(ctx, func() (bool, error) { return s.s.deleteCollection(req.GetCollectionName()) })
}

// deleteCollection hides the collection from readers before its records go, and shows it again
// when the commit fails.
func (s *Server) deleteCollection(name string) (bool, error) {
	c, ok := s.collections[name]
	if !ok {
		return false, nil
	}
	hide := func(hidden bool) {
		s.mu.Lock()
		if hidden {
			delete(s.collections, name)
		} else {
			s.collections[name] = c
		}
		s.mu.Unlock()
		c.mu.Lock()
		c.dropped = hidden
		c.mu.Unlock()
	}
	hide(true)
	mutations := []mutation{{table{kind: tableCollections}, []byte(name), nil}}
	for _, kind := range []tableKind{tablePoints, tableVectors, tablePayloads} {
		mutations = append(mutations, mutation{table: c.table(kind)})
	}
	for _, field := range c.indexNames() {
		mutations = append(mutations, mutation{table{kind: tableIndexes}, indexKey(c.number, field), nil})
	}
	aliases := maps.Clone(s.aliases)
	for alias, target := range s.aliases {
		if target == name {
			delete(aliases, alias)
			mutations = append(mutations, mutation{table{kind: tableAliases}, []byte(alias), nil})
		}
	}
	if err := s.commit(mutations); err != nil {
		hide(false)
		return false, err
	}
	s.mu.Lock()
	s.aliases = aliases
	s.mu.Unlock()
	return true, nil
}

func (s *collectionsService) List(context.Context, *qdrant.ListCollectionsRequest) (*qdrant.ListCollectionsResponse, error) {
	out := &qdrant.ListCollectionsResponse{}
	defer timed(&out.Time)()
	s.s.mu.RLock()
	defer s.s.mu.RUnlock()
	for _, name := range slices.Sorted(maps.Keys(s.s.collections)) {
		out.Collections = append(out.Collections, &qdrant.CollectionDescription{Name: name})
	}
	return out, nil
}

func (s *collectionsService) CollectionExists(_ context.Context, req *qdrant.CollectionExistsRequest) (*qdrant.CollectionExistsResponse, error) {
	out := &qdrant.CollectionExistsResponse{}
	defer timed(&out.Time)()
	_, err := s.s.find(req.GetCollectionName())
	out.Result = &qdrant.CollectionExists{Exists: err == nil}
	return out, nil
}

func (s *collectionsService) UpdateAliases(ctx context.Context, req *qdrant.ChangeAliases) (*qdrant.CollectionOperationResponse, error) {
	if err := only(req, "actions"); err != nil {
		return nil, err
	}
	return s.alone(ctx, func() (bool, error) { return true, s.s.createAliases(req.GetActions()) })
}

// createAliases creates or moves aliases, all in one commit.
func (s *Server) createAliases(actions []*qdrant.AliasOperations) error {
	aliases := maps.Clone(s.aliases)
	var mutations []mutation
	for _, action := range actions {
		if err := only(action, "create_alias"); err != nil {
			return err
		}
		alias, target := action.GetCreateAlias().GetAliasName(), action.GetCreateAlias().GetCollectionName()
		if _, ok := s.collections[target]; !ok {
			return noCollection(target)
		}
		if _, ok := s.collections[alias]; ok {
			return status.Errorf(codes.AlreadyExists, "alias %q: a collection has this name", alias)
		}
		if err := checkCollectionName(alias); err != nil {
			return err
		}
		aliases[alias] = target
		mutations = append(mutations, mutation{table{kind: tableAliases}, []byte(alias), []byte(target)})
	}
	if err := s.commit(mutations); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.aliases = aliases
	return nil
}

func (s *collectionsService) ListAliases(context.Context, *qdrant.ListAliasesRequest) (*qdrant.ListAliasesResponse, error) {
	out := &qdrant.ListAliasesResponse{}
	defer timed(&out.Time)()
	s.s.mu.RLock()
	defer s.s.mu.RUnlock()
	for alias, target := range s.s.aliases {
		out.Aliases = append(out.Aliases, &qdrant.AliasDescription{AliasName: alias, CollectionName: target})
	}
	slices.SortFunc(out.Aliases, func(a, b *qdrant.AliasDescription) int { return strings.Compare(a.AliasName, b.AliasName) })
	return out, nil
}
