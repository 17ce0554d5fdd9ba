package calibrate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"throughline/cluster/vector"
	"throughline/embed"
	"throughline/internal/chunk"
	"throughline/internal/evaluate"
	"throughline/internal/news"
	"throughline/internal/score"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bag embeds a text as the sum of a random vector for each of its words.
type bag struct {
	space embed.Space
	fail  error
}

func newBag() bag { return bag{space: embed.Space{Model: "bag", Dimensions: 48, MaxTokens: 256}} }

func (b bag) Space() embed.Space { return b.space }

func (b bag) Embed(_ context.Context, _ embed.Kind, texts []string) ([][]float32, error) {
	if b.fail != nil {
		return nil, b.fail
	}
	out := make([][]float32, len(texts))
	for i, text := range texts {
		v := make([]float32, b.space.Dimensions)
		v[0] = 1e-3
		for _, word := range strings.Fields(text) {
			h := fnv.New64a()
			h.Write([]byte(word))
			r := rand.New(rand.NewPCG(h.Sum64(), 1))
			for d := range v {
				v[d] += float32(r.NormFloat64())
			}
		}
		vector.Normalize(v)
		out[i] = v
	}
	return out, nil
}

// invented returns labelled articles: stories with words and days of their own, as far as clear
// says, among words that all use.
func invented(name string, stories int, clear float64) []evaluate.Labelled {
	r := rand.New(rand.NewPCG(uint64(len(name)), uint64(name[0])))
	word := func(pool string, n int) string {
		return fmt.Sprintf("%s%s%d", pool, "abcdefgh"[r.IntN(8):][:1], r.IntN(n))
	}
	var out []evaluate.Labelled
	for s := range stories {
		day := time.Date(2031, 1, 1+r.IntN(60), 0, 0, 0, 0, time.UTC)
		for k := range []int{5, 4, 3, 1}[s%4] {
			text := func(n int) string {
				var words []string
				for range n {
					if r.Float64() < clear {
						words = append(words, word(fmt.Sprintf("%s%d", name, s), 4))
					} else {
						words = append(words, word("common", 60))
					}
				}
				return strings.Join(words, " ")
			}
			valid, err := news.Validate(news.Article{ID: fmt.Sprintf("%s-%02d-%d", name, s, k), Title: text(7), Published: day.AddDate(0, 0, r.IntN(3)),
				Sections: []news.Section{{Text: text(70) + "."}}})
			if err != nil {
				panic(err) // invented words are valid
			}
			out = append(out, evaluate.Labelled{ID: valid.Article().ID, Valid: valid, Story: fmt.Sprintf("%s %d", name, s)})
		}
	}
	return out
}

func sequence(items []evaluate.Labelled) iter.Seq2[evaluate.Labelled, error] {
	return func(yield func(evaluate.Labelled, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}

func newSet(t *testing.T, name string, items []evaluate.Labelled) *Set {
	t.Helper()
	s, err := NewSet(name, sequence(items))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var inventedSets = []struct {
	name    string
	stories int
	clear   float64
}{{"alpha", 16, .3}, {"beta", 20, .2}, {"gamma", 14, .25}, {"delta", 16, .15}}

// options calibrates with few corpora, against news with the words that the invented sets share.
func options(workers int) Options {
	o := Options{Short: newBag(), Workers: workers, Corpora: 24}
	for _, item := range invented("news", 4*score.LeastBackground/13+4, .1) {
		a := item.Valid.Article()
		vectors, err := o.Short.Embed(context.Background(), embed.Document, []string{chunk.LeadText(a)})
		if err != nil {
			panic(err) // the bag does not fail
		}
		o.News = append(o.News, score.FeaturesOf(&a, vectors[0]))
	}
	return o
}

// report calibrates on the invented sets. A seed says in what order they come.
func report(t *testing.T, seed uint64, workers int) []byte {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, seed))
	var sets []*Set
	for _, i := range r.Perm(len(inventedSets)) {
		s := inventedSets[i]
		items := invented(s.name, s.stories, s.clear)
		r.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
		sets = append(sets, newSet(t, s.name, items))
	}
	opts := options(workers)
	opts.Kinds = []Kind{{Name: "greek", Sets: []string{"beta", "delta"}}}
	c, err := New(context.Background(), sets, opts)
	if err != nil {
		t.Fatal(err)
	}
	made, err := c.Report(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(made); err != nil {
		t.Fatal(err)
	}
	if err := WriteTables(&out, made); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestCalibrate(t *testing.T) {
	one := report(t, 1, 1)
	for seed, workers := range map[uint64]int{2: 3} {
		if again := report(t, seed, workers); !bytes.Equal(one, again) {
			t.Errorf("in another order with %d workers something else came out:\n%s\n---\n%s", workers, one, again)
		}
	}
	var r Report
	decoder := json.NewDecoder(bytes.NewReader(one))
	if err := decoder.Decode(&r); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(r.Model)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := score.ParseModel(data); err != nil {
		t.Error(err)
	}
	p := r.Model.Provenance
	if len(p.Sets) != 4 || p.Sets[0].Name != "alpha" || p.Sets[0].Articles != 52 || p.Sets[0].Stories != 16 || len(p.Sets[0].Labels) != 64 ||
		p.Space != "bag" || len(p.Fingerprint) != 12 || p.Date != "" || p.LeftOut.StoryF1 != rounded(float64(r.Tables[0].Mean.F1)) {
		t.Errorf("provenance %+v", p)
	}
	names := func(tb Table) (out []string) {
		for _, row := range tb.Rows {
			out = append(out, row.Set)
		}
		return out
	}
	if len(r.Tables) != 2 || !slices.Equal(names(r.Tables[0]), []string{"alpha", "beta", "delta", "gamma"}) || !slices.Equal(names(r.Tables[1]), []string{"beta", "delta"}) {
		t.Fatalf("tables %+v", r.Tables)
	}
	for _, table := range r.Tables {
		for _, row := range table.Rows {
			if !(row.F1 > .6 && row.F1 <= row.Best+.05 && row.NDCG10 > .8 && row.ECE < .4) {
				t.Errorf("%s: %+v", table.Name, row)
			}
		}
		if (table.Mean.Loss != nil) != (table.Name == "greek") {
			t.Errorf("%s: the mean loss is %v", table.Name, table.Mean.Loss)
		}
	}
	if len(r.Corpora) < 18 || len(r.Corpora) > 24 { // without those that leave too few sets
		t.Errorf("%d drawn corpora, want 24", len(r.Corpora))
	}
	for _, d := range r.Corpora {
		if !(d.F1 > .3 && d.F1 <= d.Best+.05) || d.Articles == 0 {
			t.Errorf("drawn corpus %+v", d)
		}
	}
	if !bytes.Contains(one, []byte("\nSET ")) || !bytes.Contains(one, []byte("LOSS")) || !bytes.Contains(one, []byte("model of 4 sets for bag")) {
		t.Errorf("tables:\n%s", one)
	}
}

// TestNothingIsLearntFromWhatIsLeftOut gives a set labels by which all is wrong, and looks at what
// is made without it.
func TestNothingIsLearntFromWhatIsLeftOut(t *testing.T) {
	row := func(spoilt bool) Row {
		var sets []*Set
		for _, s := range inventedSets {
			items := invented(s.name, s.stories, s.clear)
			if spoilt && s.name == "alpha" {
				for i := range items {
					items[i].Story = fmt.Sprint(i % 9)
				}
			}
			sets = append(sets, newSet(t, s.name, items))
		}
		c, err := New(context.Background(), sets, options(2))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := c.rows(context.Background(), []seen{1})
		if err != nil {
			t.Fatal(err)
		}
		return rows[0]
	}
	good, bad := row(false), row(true)
	if good.Cut != bad.Cut || *good.Rule != *bad.Rule || *good.Reliability != *bad.Reliability {
		t.Errorf("the cut is %v with %+v; with other labels %v with %+v", good.Cut, *good.Rule, bad.Cut, *bad.Rule)
	}
	if !(bad.F1 < good.F1-.2) {
		t.Errorf("F1 %v, and %v where all labels are wrong", good.F1, bad.F1)
	}
}

func TestWhatCannotBeLearntFrom(t *testing.T) {
	good := invented("alpha", 16, .3)
	relabelled := func(of func(i int) string) []evaluate.Labelled {
		items := slices.Clone(good)
		for i := range items {
			items[i].Story = of(i)
		}
		return items
	}
	for name, c := range map[string]struct {
		items []evaluate.Labelled
		is    error
		want  string
	}{
		"no labels":    {relabelled(func(int) string { return "" }), evaluate.ErrUnlabelled, `set: no article has a story label (field "story")`},
		"one story":    {relabelled(func(int) string { return "x" }), ErrTooFew, "all 52 labelled articles are of one story"},
		"all one-offs": {relabelled(func(i int) string { return fmt.Sprint(i) }), ErrTooFew, "no two of 52"},
		"few":          {good[:7], ErrTooFew, "too few labelled articles (got 7, want at least 10)"},
		"empty":        {nil, evaluate.ErrUnlabelled, "set: "},
	} {
		if _, err := NewSet("set", sequence(c.items)); !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	broken := errors.New("line 3 is no article")
	rejected := func(yield func(evaluate.Labelled, error) bool) { yield(evaluate.Labelled{}, broken) }
	if _, err := NewSet("set", rejected); !errors.Is(err, broken) || !errors.Is(err, evaluate.ErrUnlabelled) {
		t.Errorf("rejected: %v", err)
	}

	sets := []*Set{newSet(t, "a", good), newSet(t, "b", good), newSet(t, "c", good)}
	other := newBag()
	other.space.Model = "another"
	failing := newBag()
	failing.fail = errors.New("no such host")
	for name, c := range map[string]struct {
		sets []*Set
		opts Options
		is   error
		want string
	}{
		"two sets":      {sets[:2], Options{Short: newBag()}, ErrTooFew, "2 labelled sets"},
		"twice":         {[]*Set{sets[0], sets[1], sets[0]}, Options{Short: newBag()}, nil, "two sets have the name a"},
		"spaces":        {sets, Options{Short: newBag(), Full: func(string) embed.Embedder { return other }}, ErrSpace, "a: texts in full"},
		"unknown kind":  {sets, Options{Short: newBag(), Kinds: []Kind{{"k", []string{"x"}}}}, nil, "kind k: there is no set x"},
		"large kind":    {sets, Options{Short: newBag(), Kinds: []Kind{{"k", []string{"a", "b"}}}}, ErrTooFew, "kind k: "},
		"no embeddings": {sets, Options{Short: failing}, failing.fail, "a: vectors: no such host"},
	} {
		if _, err := New(context.Background(), c.sets, c.opts); err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestSetLeavesOutWhatIsNotLabelled(t *testing.T) {
	items := invented("alpha", 16, .3)
	plain := newSet(t, "alpha", items)
	unlabelled := items[3]
	unlabelled.ID, unlabelled.Story = "unlabelled", ""
	s := newSet(t, "alpha", append(slices.Clone(items), unlabelled, items[5]))
	if s.Labelled != plain.Labelled || len(s.articles) != len(items) {
		t.Errorf("%+v, want %+v", s.Labelled, plain.Labelled)
	}
	items[5].Story = items[0].Story + "!"
	if newSet(t, "alpha", items).Labelled.Labels == plain.Labelled.Labels {
		t.Error("another label makes no other fingerprint")
	}
}

func TestSame(t *testing.T) {
	file := coefficients(truth)
	labelled := []score.LabelledSet{{Name: "a", Labels: "1"}, {Name: "b", Labels: "2"}}
	file.Provenance.Sets = labelled
	now := file
	now.Days = slices.Clone(file.Days)
	now.Lead.Weight += drift / 2
	if err := Same(&file, &now, labelled); err != nil {
		t.Error(err)
	}
	now.Lead.Weight += drift
	now.Days[2].Weight -= 1
	err := Same(&file, &now, labelled)
	if !errors.Is(err, ErrDrift) || !strings.Contains(err.Error(), "lead.weight is 3 in the file, 3.0075 now") || !strings.Contains(err.Error(), "days of width 8") ||
		strings.Count(err.Error(), "\n") != 1 {
		t.Error(err)
	}
	err = Same(&file, &now, []score.LabelledSet{{Name: "a", Labels: "9"}, {Name: "c"}})
	if !errors.Is(err, ErrDrift) || !strings.Contains(err.Error(), "a had other") || !strings.Contains(err.Error(), "without c") || !strings.Contains(err.Error(), "fitted on b too") {
		t.Error(err)
	}
	now.Days = now.Days[:1]
	if err := Same(&file, &now, labelled); !errors.Is(err, ErrDrift) {
		t.Error(err)
	}
}
