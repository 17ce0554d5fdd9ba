package evaluate

import (
	"context"
	"fmt"
	"hash/fnv"
	"iter"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"throughline/cluster/vector"
	"throughline/embed"
	"throughline/embed/minilm"
	"throughline/internal/news"
	"throughline/internal/producttest"
	"throughline/internal/store"
)

// wordVectors embeds a text as the sum of directions of its words. The vectors of a faulty one
// depend on how many texts came before, as those of a model do whose padding leaks from one text of
// a batch into the others.
type wordVectors struct {
	faulty bool
	before atomic.Int64
}

const wordDimensions = 64

func (*wordVectors) Space() embed.Space {
	return embed.Space{Model: "words", Dimensions: wordDimensions, MaxTokens: 256}
}

func (w *wordVectors) Embed(_ context.Context, _ embed.Kind, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i, text := range texts {
		v := make([]float32, wordDimensions)
		v[0] = 1
		for _, word := range strings.Fields(strings.ToLower(text)) {
			h := fnv.New64a()
			h.Write([]byte(word))
			random := rand.New(rand.NewPCG(h.Sum64(), 1))
			for d := range v {
				v[d] += float32(random.NormFloat64())
			}
		}
		if n := w.before.Add(1); w.faulty {
			v[n%wordDimensions] += 20
		}
		vector.Normalize(v)
		out[i] = v
	}
	return out, nil
}

// everything lists all answers of the product about the articles it holds, in an order and with
// names that do not depend on when they came: figures, stories with their names, keywords and
// members, topics, copies, probabilities to the last bit, and the first results of every list of
// related articles.
func everything(t *testing.T, e Engines, items []Labelled) []string {
	t.Helper()
	ctx := context.Background()
	result, err := Run(ctx, e, "corpus", each(items), Options{Now: clock(), Bootstrap: 50, Ask: 12})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	note := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, f := range figures {
		around := result.Intervals[f.name]
		note("figure %s %x %x %x", f.name, float64(f.at(result)), float64(around[0]), float64(around[1]))
	}
	members := map[string][]string{}
	if err := e.Store.Scan(ctx, news.Filter{}, store.WithNothing, func(s *store.Stored) error {
		a := s.Article
		members[a.StoryID] = append(members[a.StoryID], a.ID)
		for _, topic := range a.TopicIDs() {
			members[topic] = append(members[topic], a.ID)
		}
		note("article %s probability %x copy of %q", a.ID, a.Probability, a.CopyOf)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	of := func(id string) string { return strings.Join(slices.Sorted(slices.Values(members[id])), ",") }
	if err := e.Store.ScanStories(ctx, news.StoryFilter{}, store.WithNothing, func(s *store.Story) error {
		note("story of %s: %q %q, represented by %s, topic of %s", of(s.ID), s.Title, s.Keywords, s.Representative, of(s.TopicID))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := e.Store.ScanTopics(ctx, news.TopicFilter{}, store.WithNothing, func(topic *store.Topic) error {
		note("%s of %s: %q %q", topic.Level, of(topic.ID), topic.Title, topic.Keywords)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, item := range items {
		list, err := e.Related(ctx, item.ID)
		if err != nil {
			t.Fatal(err)
		}
		hits, err := list(ctx, 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		note("related to %s: %v", item.ID, hits)
	}
	slices.Sort(out)
	return out
}

func each(items []Labelled) iter.Seq2[Labelled, error] {
	return func(yield func(Labelled, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}

// sample is some of the seeds: the articles of every third story and one-off, so that there is
// something to mix up.
func sample(t *testing.T, most int) []Labelled {
	t.Helper()
	var out []Labelled
	place := map[string]int{}
	for item, err := range seeds(t) {
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := place[item.Story]; !ok {
			place[item.Story] = len(place)
		}
		if place[item.Story]%3 == 0 && len(out) < most {
			out = append(out, item)
		}
	}
	return out
}

func shuffled(items []Labelled, seed uint64) []Labelled {
	items = slices.Clone(items)
	rand.New(rand.NewPCG(seed, 1)).Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
	return items
}

// The order of input, the number of cores and the batch size change nothing in the result: not a
// story, not a name, not the last bit of a probability.
func TestOrderCoresAndBatchesChangeNothing(t *testing.T) {
	model, err := minilm.New(minilm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	several, err := minilm.New(minilm.Options{Workers: 8})
	if err != nil {
		t.Fatal(err)
	}
	words := sample(t, 45)
	texts := sample(t, 24) // the model takes its time
	for _, c := range []struct {
		name     string
		items    []Labelled
		order    uint64 // 0: as in the files
		cores    int
		embedder embed.Embedder
		batch    int
	}{
		{"one core", words, 0, 1, nil, 0},
		{"two cores", words, 0, 2, nil, 0},
		{"eight cores", words, 0, 8, nil, 0},
		{"another order", words, 1, 0, nil, 0},
		{"one text at a time", words, 0, 0, nil, 1},
		{"seven texts at a time", words, 0, 0, nil, 7},
		{"all of it", words, 3, 8, nil, 1 << 20},
		{"model, one text at a time", texts, 0, 1, model, 1},
		{"model, all of it", texts, 4, 8, several, 1 << 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() && c.embedder != nil {
				t.Skip("embeds articles with the model: leave out -short")
			}
			reference := producttest.Options{Embedder: &wordVectors{}}
			if c.embedder != nil {
				reference.Embedder = model
			}
			want := remembered(t, reference, c.items)
			if c.cores > 0 {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(c.cores))
			}
			changed := producttest.Options{Embedder: c.embedder, Workers: c.cores, Batch: c.batch}
			if changed.Embedder == nil {
				changed.Embedder = &wordVectors{}
			}
			items := c.items
			if c.order > 0 {
				items = shuffled(items, c.order)
			}
			if diff := cmp.Diff(want, everything(t, enginesOf(t, changed), items)); diff != "" {
				t.Errorf("something changed (-usual +now):\n%s", diff)
			}
		})
	}
}

// references keeps what is compared with, by the embedder's name.
var references = map[string][]string{}

func remembered(t *testing.T, o producttest.Options, items []Labelled) []string {
	name := o.Embedder.Space().Model
	if references[name] == nil {
		references[name] = everything(t, enginesOf(t, o), items)
	}
	return references[name]
}

// With an embedder whose vectors depend on what else is embedded, the answers do change.
func TestOrderAndBatchesChangeWhatAFaultyEmbedderSays(t *testing.T) {
	items := sample(t, 30)
	faulty := func() Engines { return enginesOf(t, producttest.Options{Embedder: &wordVectors{faulty: true}}) }
	usual := everything(t, faulty(), items)
	if cmp.Equal(usual, everything(t, faulty(), shuffled(items, 1))) {
		t.Error("another order changed nothing")
	}
	if !cmp.Equal(usual, everything(t, faulty(), items)) {
		t.Error("the same again is not the same")
	}
}
