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

// alone runs a change of the collections in the committer, in a commit of its own.
func (s *collectionsService) alone(ctx context.Context, fn func() (bool, error)) (*qdrant.CollectionOperationResponse, error) {
	start := time.Now()
	result := false
	err := s.s.do(&job{ctx: ctx, alone: func() (err error) {
		result, err = fn()
		return err
	}})
	if err != nil {
		return nil, err
	}
	return &qdrant.CollectionOperationResponse{Result: result, Time: time.Since(start).Seconds()}, nil
}

func (s *collectionsService) Create(ctx context.Context, req *qdrant.CreateCollection) (*qdrant.CollectionOperationResponse, error) {
	schema, err := newSchema(req)
	if err != nil {
		return nil, err
	}
	create := proto.Clone(req).(*qdrant.CreateCollection)
	create.Timeout = nil
	record, err := proto.Marshal(create)
	if err != nil {
		return nil, invalid("collection %q: %v", req.GetCollectionName(), err)
	}
	return s.alone(ctx, func() (bool, error) { return true, s.s.createCollection(create, schema, record) })
}

func (s *Server) createCollection(create *qdrant.CreateCollection, schema *schema, record []byte) error {
	name := create.GetCollectionName()
	if _, ok := s.collections[name]; ok {
		return status.Errorf(codes.AlreadyExists, "Collection `%s` already exists!", name)
	}
	if _, ok := s.aliases[name]; ok {
		return invalid("Can't create collection with name %s. Alias with the same name already exists", name)
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
	return s.alone(ctx, func() (bool, error) { return s.s.deleteCollection(req.GetCollectionName()) })
}

// deleteCollection hides the collection from readers before its records go, and shows it again should the commit fail.
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
	start := time.Now()
	s.s.mu.RLock()
	defer s.s.mu.RUnlock()
	out := &qdrant.ListCollectionsResponse{}
	for _, name := range slices.Sorted(maps.Keys(s.s.collections)) {
		out.Collections = append(out.Collections, &qdrant.CollectionDescription{Name: name})
	}
	out.Time = time.Since(start).Seconds()
	return out, nil
}

func (s *collectionsService) CollectionExists(_ context.Context, req *qdrant.CollectionExistsRequest) (*qdrant.CollectionExistsResponse, error) {
	start := time.Now()
	_, err := s.s.find(req.GetCollectionName())
	return &qdrant.CollectionExistsResponse{
		Result: &qdrant.CollectionExists{Exists: err == nil},
		Time:   time.Since(start).Seconds(),
	}, nil
}

func (s *collectionsService) UpdateAliases(ctx context.Context, req *qdrant.ChangeAliases) (*qdrant.CollectionOperationResponse, error) {
	return s.alone(ctx, func() (bool, error) { return true, s.s.updateAliases(req.GetActions()) })
}

// updateAliases applies all the actions in one commit, or none.
func (s *Server) updateAliases(actions []*qdrant.AliasOperations) error {
	aliases := maps.Clone(s.aliases)
	free := func(alias string) error {
		if _, ok := s.collections[alias]; ok {
			return status.Errorf(codes.AlreadyExists, "Collection `%s` already exists!", alias)
		}
		return checkCollectionName(alias)
	}
	for _, action := range actions {
		switch a := action.GetAction().(type) {
		case *qdrant.AliasOperations_CreateAlias:
			if _, ok := s.collections[a.CreateAlias.GetCollectionName()]; !ok {
				return noCollection(a.CreateAlias.GetCollectionName())
			}
			if err := free(a.CreateAlias.GetAliasName()); err != nil {
				return err
			}
			aliases[a.CreateAlias.GetAliasName()] = a.CreateAlias.GetCollectionName()
		case *qdrant.AliasOperations_DeleteAlias:
			delete(aliases, a.DeleteAlias.GetAliasName())
		case *qdrant.AliasOperations_RenameAlias:
			target, ok := aliases[a.RenameAlias.GetOldAliasName()]
			if !ok {
				return notFound("Alias %s does not exists!", a.RenameAlias.GetOldAliasName())
			}
			if err := free(a.RenameAlias.GetNewAliasName()); err != nil {
				return err
			}
			delete(aliases, a.RenameAlias.GetOldAliasName())
			aliases[a.RenameAlias.GetNewAliasName()] = target
		default:
			return invalid("Malformed AliasOperation type")
		}
	}
	var mutations []mutation
	for alias := range s.aliases {
		if _, ok := aliases[alias]; !ok {
			mutations = append(mutations, mutation{table{kind: tableAliases}, []byte(alias), nil})
		}
	}
	for alias, target := range aliases {
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
	return s.s.listAliases(func(string) bool { return true }), nil
}

func (s *collectionsService) ListCollectionAliases(_ context.Context, req *qdrant.ListCollectionAliasesRequest) (*qdrant.ListAliasesResponse, error) {
	return s.s.listAliases(func(target string) bool { return target == req.GetCollectionName() }), nil
}

func (s *Server) listAliases(keep func(target string) bool) *qdrant.ListAliasesResponse {
	start := time.Now()
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := &qdrant.ListAliasesResponse{}
	for alias, target := range s.aliases {
		if keep(target) {
			out.Aliases = append(out.Aliases, &qdrant.AliasDescription{AliasName: alias, CollectionName: target})
		}
	}
	slices.SortFunc(out.Aliases, func(a, b *qdrant.AliasDescription) int { return strings.Compare(a.AliasName, b.AliasName) })
	out.Time = time.Since(start).Seconds()
	return out
}
