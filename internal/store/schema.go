package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/qdrant/go-client/qdrant"

	"throughline/embed"
)

// collection describes one of the store's collections.
type collection struct {
	name   string // after the prefix
	dense  bool
	sparse []string
	index  map[string]qdrant.FieldType // every field that a filter uses, and those that are read of every candidate
}

const (
	keyword = qdrant.FieldType_FieldTypeKeyword
	integer = qdrant.FieldType_FieldTypeInteger
)

// schema lists the collections behind aliases.
var schema = []collection{
	{name: "articles", dense: true, sparse: []string{lexicalName, leadName, namesName}, index: map[string]qdrant.FieldType{
		fieldArticle: keyword, fieldSource: keyword, fieldLanguage: keyword, fieldStory: keyword, fieldTopic: keyword, fieldTheme: keyword,
		fieldCopyOf: keyword, fieldPublished: integer, fieldRevision: integer, fieldFiled: integer}},
	{name: "sections", dense: true, sparse: []string{lexicalName}, index: map[string]qdrant.FieldType{
		fieldArticle: keyword, fieldSource: keyword, fieldLanguage: keyword, fieldStory: keyword, fieldTopic: keyword, fieldTheme: keyword,
		fieldIndex: integer, fieldPublished: integer, fieldRevision: integer}},
	{name: "stories", dense: true, sparse: []string{lexicalName, leadName, namesName}, index: map[string]qdrant.FieldType{
		fieldStory: keyword, fieldTopic: keyword, fieldTheme: keyword, fieldState: keyword, fieldFirst: integer, fieldLast: integer,
		fieldArticles: integer}},
	{name: "topics", dense: true, index: map[string]qdrant.FieldType{fieldLevel: keyword, fieldParent: keyword, fieldState: keyword}},
	{name: "ledger", index: map[string]qdrant.FieldType{fieldStory: keyword}},
}

// metaSchema is the collection of the lease and of the description of the embedding space.
var metaSchema = collection{index: map[string]qdrant.FieldType{fieldToken: keyword, fieldEpoch: integer}}

// collectionNames are the aliases of one store.
type collectionNames struct{ articles, sections, stories, topics, ledger, meta string }

func namesFor(prefix string) collectionNames {
	return collectionNames{articles: prefix + "_articles", sections: prefix + "_sections", stories: prefix + "_stories",
		topics: prefix + "_topics", ledger: prefix + "_ledger", meta: prefix + "_meta"}
}

// physical is the name of a collection behind its alias.
func physical(alias, fingerprint, chunker string) string {
	return alias + "_" + fingerprint + "_c" + chunker
}

var (
	prefixForm  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	chunkerForm = regexp.MustCompile(`^[A-Za-z0-9]{1,16}$`)
)

// createRequest is the request that creates the collection.
func (c collection) createRequest(name string, dim int) *qdrant.CreateCollection {
	req := &qdrant.CreateCollection{CollectionName: name}
	params := map[string]*qdrant.VectorParams{}
	if c.dense {
		params[denseName] = &qdrant.VectorParams{Size: uint64(dim), Distance: qdrant.Distance_Dot}
	}
	req.VectorsConfig = qdrant.NewVectorsConfigMap(params)
	if len(c.sparse) > 0 {
		sparse := map[string]*qdrant.SparseVectorParams{}
		for _, name := range c.sparse {
			sparse[name] = &qdrant.SparseVectorParams{}
			if name == lexicalName {
				sparse[name].Modifier = qdrant.PtrOf(qdrant.Modifier_Idf)
			}
		}
		req.SparseVectorsConfig = qdrant.NewSparseVectorsConfig(sparse)
	}
	return req
}

// check fails for a collection whose vectors are not those of the schema.
func (c collection) check(name string, dim int, info *qdrant.CollectionInfo) error {
	params := info.GetConfig().GetParams()
	if c.dense {
		if got := int(params.GetVectorsConfig().GetParamsMap().GetMap()[denseName].GetSize()); got != dim {
			return &DimensionError{Collection: name, Vector: denseName, Stored: got, Asked: dim}
		}
	}
	for _, sparse := range c.sparse {
		if params.GetSparseVectorsConfig().GetMap()[sparse] == nil {
			return &InvalidError{Field: "collection " + name,
				Reason: fmt.Sprintf("not made by this program (got no sparse vector %q); use another prefix", sparse)}
		}
	}
	return nil
}

// ensure creates a collection that does not exist, checks one that does, and creates missing
// indexes, so that a start that was cut short can be repeated.
func (c *Conn) ensure(ctx context.Context, col collection, name string, dim int) error {
	exists, err := c.client.CollectionExists(ctx, name)
	if err != nil {
		return translate("look for collection", name, err)
	}
	if !exists {
		// A retry fails when the first attempt created the collection after all.
		if err := c.client.CreateCollection(ctx, col.createRequest(name, dim)); err != nil {
			if exists, again := c.client.CollectionExists(ctx, name); again != nil || !exists {
				return translate("create collection", name, err)
			}
		}
	}
	info, err := c.client.GetCollectionInfo(ctx, name)
	if err != nil {
		return translate("describe collection", name, err)
	}
	if err := col.check(name, dim, info); err != nil {
		return err
	}
	for _, field := range slices.Sorted(maps.Keys(col.index)) {
		if info.GetPayloadSchema()[field] != nil {
			continue
		}
		result, err := c.client.CreateFieldIndex(ctx, &qdrant.CreateFieldIndexCollection{CollectionName: name,
			Wait: qdrant.PtrOf(true), FieldName: field, FieldType: qdrant.PtrOf(col.index[field])})
		if err != nil {
			return translate("index "+field+" of", name, err)
		}
		if err := completed("index "+field+" of", name, result); err != nil {
			return err
		}
	}
	return nil
}

// aliases returns where every alias points.
func (c *Conn) aliases(ctx context.Context) (map[string]string, error) {
	list, err := c.client.ListAliases(ctx)
	if err != nil {
		return nil, translate("list aliases", "", err)
	}
	out := make(map[string]string, len(list))
	for _, a := range list {
		out[a.GetAliasName()] = a.GetCollectionName()
	}
	return out, nil
}

// point makes an alias point at a collection. One overwriting CreateAlias is atomic; deleting first
// would leave a moment without the alias.
func (c *Conn) point(ctx context.Context, alias, name string) error {
	return translate("point alias at", name, c.client.CreateAlias(ctx, alias, name))
}

// setUp creates missing collections and aliases. The caller holds the lease and has checked the
// description of the space.
func (s *Store) setUp(ctx context.Context) error {
	aliases, err := s.conn.aliases(ctx)
	if err != nil {
		return err
	}
	for _, col := range schema {
		alias := s.cfg.Prefix + "_" + col.name
		name := physical(alias, s.fingerprint, s.cfg.Chunker)
		if at, ok := aliases[alias]; ok && at != name {
			if err := s.checkAbandoned(ctx, alias, at); err != nil {
				return err
			}
		}
		if err := s.conn.ensure(ctx, col, name, s.cfg.Space.Dimensions); err != nil {
			return err
		}
		if aliases[alias] != name {
			if err := s.conn.point(ctx, alias, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkAbandoned lets an alias be repointed only when the collection behind it is empty: a start
// with another space was cut short. Otherwise only the collection's name says which space it is of.
func (s *Store) checkAbandoned(ctx context.Context, alias, at string) error {
	n, err := s.conn.count(ctx, at, nil)
	if errors.Is(err, errNoCollection) || err == nil && n == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	return s.foreign(alias, at)
}

func (s *Store) foreign(alias, at string) error {
	e := &SpaceMismatchError{Prefix: s.cfg.Prefix, Asked: s.cfg.Space, AskedChunker: s.cfg.Chunker,
		AskedFingerprint: s.fingerprint, StoredFingerprint: "of collection " + at, StoredChunker: "unknown"}
	rest := strings.TrimPrefix(at, alias+"_")
	if fingerprint, chunker, ok := strings.Cut(rest, "_c"); ok && rest != at {
		e.StoredFingerprint, e.StoredChunker = fingerprint, chunker
	}
	return e
}

// inspect checks the collections for a reader, without changing anything.
func (s *Store) inspect(ctx context.Context) error {
	aliases, err := s.conn.aliases(ctx)
	if err != nil {
		return err
	}
	for _, col := range schema {
		alias := s.cfg.Prefix + "_" + col.name
		at, ok := aliases[alias]
		if !ok {
			return &NotFoundError{Kind: "store", ID: s.cfg.Prefix}
		}
		if at != physical(alias, s.fingerprint, s.cfg.Chunker) {
			return s.foreign(alias, at)
		}
		info, err := s.conn.client.GetCollectionInfo(ctx, at)
		if err != nil {
			return translate("describe collection", at, err)
		}
		if err := col.check(at, s.cfg.Space.Dimensions, info); err != nil {
			return err
		}
	}
	return nil
}

// Points of the meta collection.
const (
	spacePoint = 1
	leasePoint = 2
)

// The description of the embedding space, as stored.
const (
	fieldModel          = "model"
	fieldDimensions     = "dimensions"
	fieldDocumentPrefix = "document_prefix"
	fieldQueryPrefix    = "query_prefix"
	fieldMaxTokens      = "max_tokens"
	fieldChunker        = "chunker"
	fieldFingerprint    = "fingerprint"
	fieldLayout         = "layout"
)

// layout is the version of how memberships are stored. In version 1 an article had its topic and
// theme in one list; the program that wrote it stored no version.
const layout int64 = 2

// checkSpace compares the stored embedding space with that of the configuration. It returns the
// stored layout; 0: nothing is stored.
func (s *Store) checkSpace(ctx context.Context) (int64, error) {
	p, err := s.conn.record(ctx, s.names.meta, spacePoint)
	if p == nil {
		return 0, err
	}
	if p.text(fieldFingerprint) == s.fingerprint && p.text(fieldChunker) == s.cfg.Chunker {
		return max(1, p.number(fieldLayout)), nil
	}
	return 0, &SpaceMismatchError{Prefix: s.cfg.Prefix, Asked: s.cfg.Space, AskedChunker: s.cfg.Chunker, AskedFingerprint: s.fingerprint,
		Stored: embed.Space{Model: p.text(fieldModel), Dimensions: int(p.number(fieldDimensions)),
			DocumentPrefix: p.text(fieldDocumentPrefix), QueryPrefix: p.text(fieldQueryPrefix), MaxTokens: int(p.number(fieldMaxTokens))},
		StoredChunker: p.text(fieldChunker), StoredFingerprint: p.text(fieldFingerprint)}
}

// describeSpace writes the description of the embedding space, with the layout of what is stored.
func (s *Store) describeSpace(ctx context.Context, layout int64) error {
	space := s.cfg.Space
	point, err := newPoint(qdrant.NewIDNum(spacePoint), nil, map[string]any{
		fieldModel: space.Model, fieldDimensions: space.Dimensions, fieldDocumentPrefix: space.DocumentPrefix,
		fieldQueryPrefix: space.QueryPrefix, fieldMaxTokens: space.MaxTokens, fieldChunker: s.cfg.Chunker,
		fieldFingerprint: s.fingerprint, fieldLayout: layout,
	}, nil)
	if err != nil {
		return &InvalidError{Field: "space", Reason: err.Error()}
	}
	if err := s.conn.upsert(ctx, s.names.meta, []*qdrant.PointStruct{point}, upsertOptions{}); err != nil {
		return err
	}
	s.storedLayout.Store(layout)
	return nil
}
