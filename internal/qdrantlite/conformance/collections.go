package conformance

import (
	"context"
	"slices"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
)

// cleanupContext is for what runs after a test's own context has ended.
func cleanupContext() context.Context { return context.Background() }

func (s suite) health(t *testing.T) {
	reply, err := s.connect(t).HealthCheck(t.Context())
	must(t, err)
	if !qdrant.IsCompatible("v1.17.1", reply.GetVersion()) {
		t.Errorf("version %q is not compatible with 1.17", reply.GetVersion())
	}
}

func (s suite) collections(t *testing.T) {
	c := s.connect(t)
	ctx := t.Context()
	name := create(t, c, &qdrant.CreateCollection{
		VectorsConfig: qdrant.NewVectorsConfigMap(map[string]*qdrant.VectorParams{
			"dense": {Size: 3, Distance: qdrant.Distance_Dot},
		}),
		SparseVectorsConfig: qdrant.NewSparseVectorsConfig(map[string]*qdrant.SparseVectorParams{
			"lexical": {Modifier: qdrant.Modifier_Idf.Enum()},
		}),
	})
	t.Run("exists", func(t *testing.T) {
		exists, err := c.CollectionExists(ctx, name)
		must(t, err)
		other, err := c.CollectionExists(ctx, name+"_other")
		must(t, err)
		if !exists || other {
			t.Errorf("exists: %v, of another: %v", exists, other)
		}
	})
	t.Run("list", func(t *testing.T) {
		names, err := c.ListCollections(ctx)
		must(t, err)
		if !slices.Contains(names, name) {
			t.Errorf("%v lacks %q", names, name)
		}
	})
	t.Run("info", func(t *testing.T) {
		index(t, c, name, qdrant.FieldType_FieldTypeKeyword, "source")
		upsert(t, c, name,
			point(1, qdrant.NewVectorsMap(map[string]*qdrant.Vector{"dense": qdrant.NewVector(1, 2, 3)}), map[string]any{"source": "a"}),
			point(2, nil, nil))
		info, err := c.GetCollectionInfo(ctx, name)
		must(t, err)
		if info.GetPointsCount() != 2 {
			t.Errorf("points: %d", info.GetPointsCount())
		}
		if info.GetStatus() == qdrant.CollectionStatus_UnknownCollectionStatus || info.GetStatus() == qdrant.CollectionStatus_Red {
			t.Errorf("status: %v", info.GetStatus())
		}
		if schema := info.GetPayloadSchema()["source"]; schema.GetDataType() != qdrant.PayloadSchemaType_Keyword || schema.GetPoints() != 1 {
			t.Errorf("payload schema: %v", info.GetPayloadSchema())
		}
		dense := info.GetConfig().GetParams().GetVectorsConfig().GetParamsMap().GetMap()["dense"]
		if dense.GetSize() != 3 || dense.GetDistance() != qdrant.Distance_Dot {
			t.Errorf("dense: %v", dense)
		}
		if sparse := info.GetConfig().GetParams().GetSparseVectorsConfig().GetMap()["lexical"]; sparse.GetModifier() != qdrant.Modifier_Idf {
			t.Errorf("sparse: %v", sparse)
		}
	})
	t.Run("create again", func(t *testing.T) {
		err := c.CreateCollection(ctx, &qdrant.CreateCollection{CollectionName: name, VectorsConfig: vectorD()})
		wantCode(t, err, codes.AlreadyExists)
	})
	t.Run("bad requests", func(t *testing.T) {
		for _, test := range []struct {
			why    string
			name   string
			params *qdrant.VectorParams
		}{
			{"a name with a slash", "a/b", &qdrant.VectorParams{Size: 2, Distance: qdrant.Distance_Dot}},
			{"no name", "", &qdrant.VectorParams{Size: 2, Distance: qdrant.Distance_Dot}},
			{"no dimensions", newName(t), &qdrant.VectorParams{Distance: qdrant.Distance_Dot}},
			{"too many dimensions", newName(t), &qdrant.VectorParams{Size: 65537, Distance: qdrant.Distance_Dot}},
			{"no distance", newName(t), &qdrant.VectorParams{Size: 2}},
		} {
			err := c.CreateCollection(ctx, &qdrant.CreateCollection{CollectionName: test.name, VectorsConfig: qdrant.NewVectorsConfigMap(map[string]*qdrant.VectorParams{"d": test.params})})
			if err == nil {
				t.Errorf("%s: accepted", test.why)
				continue
			}
			wantCode(t, err, codes.InvalidArgument)
		}
	})
	t.Run("delete", func(t *testing.T) {
		upsert(t, c, name, point(3, nil, nil))
		must(t, c.DeleteCollection(ctx, name))
		exists, err := c.CollectionExists(ctx, name)
		must(t, err)
		if exists {
			t.Error("it is still there")
		}
		_, err = c.GetCollectionInfo(ctx, name)
		wantCode(t, err, codes.NotFound)
		reply, err := c.GetCollectionsClient().Delete(ctx, &qdrant.DeleteCollection{CollectionName: name})
		must(t, err)
		if reply.GetResult() {
			t.Error("deleting it again reports success")
		}
	})
	t.Run("missing", func(t *testing.T) {
		_, err := c.Upsert(ctx, &qdrant.UpsertPoints{CollectionName: name, Wait: yes, Points: []*qdrant.PointStruct{point(1, nil, nil)}})
		wantCode(t, err, codes.NotFound)
		_, err = try(t, c, name, queryD(1, 2))
		wantCode(t, err, codes.NotFound)
		_, err = c.Count(ctx, &qdrant.CountPoints{CollectionName: name})
		wantCode(t, err, codes.NotFound)
		_, err = c.Scroll(ctx, &qdrant.ScrollPoints{CollectionName: name})
		wantCode(t, err, codes.NotFound)
	})
}

func (s suite) aliases(t *testing.T) {
	c := s.connect(t)
	ctx := t.Context()
	first, second := plain(t, c), plain(t, c)
	alias := newName(t)
	upsert(t, c, first, point(1, d(1, 0), nil))
	upsert(t, c, second, point(2, d(1, 0), nil))
	seen := func(name string) []uint64 {
		t.Helper()
		return numbers(find(t, c, name, queryD(1, 1)))
	}

	must(t, c.CreateAlias(ctx, alias, first))
	wantIDs(t, seen(alias), 1)
	// Creating an alias that exists moves it, in one step.
	must(t, c.CreateAlias(ctx, alias, second))
	wantIDs(t, seen(alias), 2)
	upsert(t, c, alias, point(3, d(2, 0), nil))
	wantIDs(t, seen(second), 3, 2)

	all, err := c.ListAliases(ctx)
	must(t, err)
	if !slices.ContainsFunc(all, func(a *qdrant.AliasDescription) bool {
		return a.GetAliasName() == alias && a.GetCollectionName() == second
	}) {
		t.Errorf("%v lacks the alias", all)
	}

	wantCode(t, c.CreateAlias(ctx, newName(t), newName(t)), codes.NotFound)
	if err := c.CreateAlias(ctx, first, second); err == nil {
		t.Error("an alias took the name of a collection")
	}
	err = c.CreateCollection(ctx, &qdrant.CreateCollection{CollectionName: alias, VectorsConfig: vectorD()})
	wantCode(t, err, codes.InvalidArgument)

	must(t, c.UpdateAliases(ctx, []*qdrant.AliasOperations{qdrant.NewAliasCreate(newName(t), second), qdrant.NewAliasCreate(alias, first)}))
	wantIDs(t, seen(alias), 1)

	// A deleted collection takes its aliases along.
	must(t, c.DeleteCollection(ctx, first))
	_, err = c.Count(ctx, &qdrant.CountPoints{CollectionName: alias})
	wantCode(t, err, codes.NotFound)
}
