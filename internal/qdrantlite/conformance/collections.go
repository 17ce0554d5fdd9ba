package conformance

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
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
			"dense": {Size: 3, Distance: qdrant.Distance_Euclid, OnDisk: qdrant.PtrOf(true)},
		}),
		SparseVectorsConfig: qdrant.NewSparseVectorsConfig(map[string]*qdrant.SparseVectorParams{
			"lexical": {Modifier: qdrant.Modifier_Idf.Enum()},
		}),
		HnswConfig:         &qdrant.HnswConfigDiff{M: qdrant.PtrOf(uint64(24))},
		OptimizersConfig:   &qdrant.OptimizersConfigDiff{IndexingThreshold: qdrant.PtrOf(uint64(5000))},
		ReplicationFactor:  qdrant.PtrOf(uint32(1)),
		ShardNumber:        qdrant.PtrOf(uint32(1)),
		QuantizationConfig: qdrant.NewQuantizationScalar(&qdrant.ScalarQuantization{Type: qdrant.QuantizationType_Int8}),
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
		if dense.GetSize() != 3 || dense.GetDistance() != qdrant.Distance_Euclid || !dense.GetOnDisk() {
			t.Errorf("dense: %v", dense)
		}
		if sparse := info.GetConfig().GetParams().GetSparseVectorsConfig().GetMap()["lexical"]; sparse.GetModifier() != qdrant.Modifier_Idf {
			t.Errorf("sparse: %v", sparse)
		}
		if m := info.GetConfig().GetHnswConfig().GetM(); m != 24 {
			t.Errorf("hnsw m: %d", m)
		}
		if n := info.GetConfig().GetOptimizerConfig().GetIndexingThreshold(); n != 5000 {
			t.Errorf("indexing threshold: %d", n)
		}
		if q := info.GetConfig().GetQuantizationConfig().GetScalar().GetType(); q != qdrant.QuantizationType_Int8 {
			t.Errorf("quantization: %v", q)
		}
	})
	t.Run("update", func(t *testing.T) {
		must(t, c.UpdateCollection(ctx, &qdrant.UpdateCollection{
			CollectionName:   name,
			OptimizersConfig: &qdrant.OptimizersConfigDiff{IndexingThreshold: qdrant.PtrOf(uint64(7000))},
		}))
		info, err := c.GetCollectionInfo(ctx, name)
		must(t, err)
		if n := info.GetConfig().GetOptimizerConfig().GetIndexingThreshold(); n != 7000 {
			t.Errorf("indexing threshold: %d", n)
		}
		wantCode(t, c.UpdateCollection(ctx, &qdrant.UpdateCollection{CollectionName: name + "_other"}), codes.NotFound)
	})
	t.Run("create again", func(t *testing.T) {
		err := c.CreateCollection(ctx, &qdrant.CreateCollection{CollectionName: name, VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: 2, Distance: qdrant.Distance_Dot})})
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
			err := c.CreateCollection(ctx, &qdrant.CreateCollection{CollectionName: test.name, VectorsConfig: qdrant.NewVectorsConfig(test.params)})
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
		_, err = c.Query(ctx, &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQuery(1, 2, 3)})
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
	first := plain(t, c, 2, qdrant.Distance_Dot)
	second := plain(t, c, 2, qdrant.Distance_Dot)
	alias, renamed := newName(t), newName(t)
	upsert(t, c, first, point(1, qdrant.NewVectors(1, 0), nil))
	upsert(t, c, second, point(2, qdrant.NewVectors(1, 0), nil))
	seen := func(name string) []uint64 {
		t.Helper()
		hits, err := c.Query(ctx, &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQuery(1, 1)})
		must(t, err)
		return numbers(hits)
	}

	must(t, c.CreateAlias(ctx, alias, first))
	wantIDs(t, seen(alias), 1)
	// Creating an alias that exists moves it, in one step.
	must(t, c.CreateAlias(ctx, alias, second))
	wantIDs(t, seen(alias), 2)
	upsert(t, c, alias, point(3, qdrant.NewVectors(2, 0), nil))
	wantIDs(t, seen(second), 3, 2)

	names, err := c.ListCollectionAliases(ctx, second)
	must(t, err)
	if diff := cmp.Diff([]string{alias}, names); diff != "" {
		t.Error(diff)
	}
	all, err := c.ListAliases(ctx)
	must(t, err)
	if !slices.ContainsFunc(all, func(a *qdrant.AliasDescription) bool {
		return a.GetAliasName() == alias && a.GetCollectionName() == second
	}) {
		t.Errorf("%v lacks the alias", all)
	}

	must(t, c.RenameAlias(ctx, alias, renamed))
	wantIDs(t, seen(renamed), 3, 2)
	_, err = c.Count(ctx, &qdrant.CountPoints{CollectionName: alias})
	wantCode(t, err, codes.NotFound)
	wantCode(t, c.RenameAlias(ctx, alias, newName(t)), codes.NotFound)

	wantCode(t, c.CreateAlias(ctx, newName(t), newName(t)), codes.NotFound)
	if err := c.CreateAlias(ctx, first, second); err == nil {
		t.Error("an alias took the name of a collection")
	}
	err = c.CreateCollection(ctx, &qdrant.CreateCollection{CollectionName: renamed, VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: 2, Distance: qdrant.Distance_Dot})})
	wantCode(t, err, codes.InvalidArgument)

	// Several actions are one change.
	must(t, c.UpdateAliases(ctx, []*qdrant.AliasOperations{
		qdrant.NewAliasDelete(renamed), qdrant.NewAliasCreate(alias, first),
	}))
	wantIDs(t, seen(alias), 1)
	must(t, c.DeleteAlias(ctx, newName(t))) // one that is not there

	// A deleted collection takes its aliases along.
	must(t, c.DeleteCollection(ctx, first))
	_, err = c.Count(ctx, &qdrant.CountPoints{CollectionName: alias})
	wantCode(t, err, codes.NotFound)
}
