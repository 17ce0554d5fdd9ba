package cluster

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"throughline/cluster/vector"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// checkLayers reports labels that are not nested, not numbered by first member, or smaller than
// allowed.
func checkLayers(t *testing.T, r *Result, minStory, minTopic int) {
	t.Helper()
	sizes := map[string]map[int32]int{}
	for name, labels := range map[string][]int32{"story": r.Story, "topic": r.Topic, "theme": r.Theme} {
		next := int32(0)
		sizes[name] = map[int32]int{}
		for i, l := range labels {
			if l < -1 || l > next {
				t.Fatalf("%s of row %d is %d, the next new one being %d", name, i, l, next)
			}
			next = max(next, l+1)
			sizes[name][l]++
		}
	}
	for l, size := range sizes["story"] {
		if l >= 0 && size < minStory {
			t.Fatalf("story %d has %d rows", l, size)
		}
	}
	for l, size := range sizes["topic"] {
		if l >= 0 && size < minTopic {
			t.Fatalf("topic %d has %d rows", l, size)
		}
	}
	topicOf, themeOf := map[int32]int32{}, map[int32]int32{}
	for i, s := range r.Story {
		if before, ok := topicOf[s]; s >= 0 && ok && before != r.Topic[i] {
			t.Fatalf("story %d is in topics %d and %d", s, before, r.Topic[i])
		}
		topicOf[s] = r.Topic[i]
		if before, ok := themeOf[r.Topic[i]]; ok && before != r.Theme[i] {
			t.Fatalf("topic %d is in themes %d and %d", r.Topic[i], before, r.Theme[i])
		}
		themeOf[r.Topic[i]] = r.Theme[i]
		if (r.Theme[i] < 0) != (r.Topic[i] < 0) {
			t.Fatalf("row %d has topic %d and theme %d", i, r.Topic[i], r.Theme[i])
		}
		for name, v := range map[string][2]float32{"strength": {r.Strength[i], float32(s)}, "topic strength": {r.TopicStrength[i], float32(r.Topic[i])}} {
			if v[0] < 0 || v[0] > 1 || v[1] < 0 && v[0] != 0 || v[0] != v[0] {
				t.Fatalf("row %d has %s %v with label %v", i, name, v[0], v[1])
			}
		}
	}
}

func TestRun(t *testing.T) {
	m, story, topic := nested(1, 3000, 192, 200, 12)
	before := slices.Clone(m.Data)
	r, err := Run(t.Context(), m, Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	checkLayers(t, r, 2, 5)
	if p, q, f := PairF1(apart(story), r.Story); f < 0.95 {
		t.Errorf("stories: precision %v, recall %v, F1 %v", p, q, f)
	}
	if a := AMI(topic, r.Topic); a < 0.95 {
		t.Errorf("topics: AMI %v", a)
	}
	if want := int(slices.Max(r.Topic)) + 1; r.TopicMeans.Rows != want || r.TopicMeans.Dim != m.Dim {
		t.Errorf("means of %d topics, want %d", r.TopicMeans.Rows, want)
	}
	for k := range r.TopicMeans.Rows {
		if v := r.TopicMeans.Row(k); math.Abs(float64(vector.Dot(v, v))-1) > 1e-5 {
			t.Errorf("the mean of topic %d has the square %v", k, vector.Dot(v, v))
		}
	}
	if !slices.Equal(m.Data, before) {
		t.Error("Run changed its input")
	}
	strong, weak := 0., 0.
	for i, s := range r.Strength {
		if r.Story[i] >= 0 && s < 0.3 {
			weak++
		}
		if s > 0.7 {
			strong++
		}
	}
	if strong < 1500 || weak > 150 {
		t.Errorf("%v rows are strong members and %v weak ones", strong, weak)
	}
	for _, opts := range []Options{{Workers: 2}, {Workers: 8}, {Overwrite: true}} {
		m.Data = slices.Clone(before)
		again, err := Run(t.Context(), m, opts)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(again.Story, r.Story) || !slices.Equal(again.Topic, r.Topic) || !slices.Equal(again.Theme, r.Theme) ||
			!slices.Equal(again.Strength, r.Strength) || !slices.Equal(again.TopicStrength, r.TopicStrength) || !slices.Equal(again.Dendrogram.Merges, r.Dendrogram.Merges) {
			t.Errorf("%+v gives another result", opts)
		}
	}
}

func TestRunInCells(t *testing.T) {
	m, story, _ := nested(2, 18000, 96, 1000, 20)
	var first *Result
	for _, workers := range []int{1, 8} {
		r, err := Run(t.Context(), m, Options{Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = r
			checkLayers(t, r, 2, 13)
			if _, _, f := PairF1(apart(story), r.Story); f < 0.7 {
				t.Errorf("stories: F1 %v", f)
			}
		}
		if !slices.Equal(r.Story, first.Story) || !slices.Equal(r.Theme, first.Theme) || !slices.Equal(r.Strength, first.Strength) {
			t.Errorf("%d workers give another result than 1", workers)
		}
	}
}

func TestRunFew(t *testing.T) {
	for name, c := range map[string]struct {
		m    Matrix
		want []int32
	}{
		"none":      {Matrix{}, nil},
		"one":       {Matrix{1, 2, []float32{1, 0}}, []int32{-1}},
		"zero":      {Matrix{1, 2, []float32{0, 0}}, []int32{-1}},
		"zeros":     {Matrix{3, 2, make([]float32, 6)}, []int32{-1, -1, -1}},
		"same":      {Matrix{2, 2, []float32{1, 0, 1, 0}}, []int32{0, 0}},
		"scaled":    {Matrix{2, 2, []float32{1, 0, 7, 0}}, []int32{0, 0}},
		"opposite":  {Matrix{2, 2, []float32{1, 0, -1, 0}}, []int32{-1, -1}},
		"different": {Matrix{2, 2, []float32{1, 0, 0, 1}}, []int32{-1, -1}},
		"and zero":  {Matrix{3, 2, []float32{1, 0, 0, 0, 1, 0}}, []int32{0, -1, 0}},
		"pairs":     {Matrix{4, 3, []float32{1, 0, 0, 0, 1, 0, 0.99, 0.05, 0, 0.02, 0.99, 0.03}}, []int32{0, 1, 0, 1}},
		"identical": {Matrix{50, 2, slices.Repeat([]float32{0.6, 0.8}, 50)}, make([]int32, 50)},
	} {
		r, err := Run(t.Context(), c.m, Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		checkLayers(t, r, 2, 3)
		if !slices.Equal(r.Story, c.want) {
			t.Errorf("%s: stories %v, want %v", name, r.Story, c.want)
		}
	}
}

func TestRunIdentical(t *testing.T) {
	const n = 30000
	r, err := Run(t.Context(), Matrix{n, 8, slices.Repeat([]float32{0.5, 0.1, 0, 0, -0.2, 0.3, 0, 0.7}, n)}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if slices.Max(r.Story) != 0 || slices.Min(r.Story) != 0 || slices.Min(r.Topic) != 0 || slices.Min(r.Strength) < 0.99 {
		t.Errorf("identical rows are in stories %d to %d", slices.Min(r.Story), slices.Max(r.Story))
	}
}

// TestRunCopies has two rows five thousand times each among others. Copies belong together, and the
// others are found as if the copies were not there.
func TestRunCopies(t *testing.T) {
	m, story, _ := nested(3, 1500, 48, 100, 10)
	for c := range 2 {
		row := slices.Clone(m.Row(7 + c))
		for range 5000 {
			m.Data = append(m.Data, row...)
			m.Rows++
		}
	}
	r, err := Run(t.Context(), m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for c := range 2 {
		for i := 1500 + 5000*c; i < 1500+5000*(c+1); i++ {
			if r.Story[i] != r.Story[7+c] || r.Story[i] < 0 {
				t.Fatalf("row %d, a copy of %d, is in story %d instead of %d", i, 7+c, r.Story[i], r.Story[7+c])
			}
		}
	}
	if _, _, f := PairF1(apart(story), r.Story[:1500]); f < 0.8 {
		t.Errorf("stories among copies: F1 %v", f)
	}
}

func TestRunInput(t *testing.T) {
	var bad *InputError
	if _, err := Run(t.Context(), Matrix{2, 2, []float32{1, 0, float32(math.NaN()), 1}}, Options{}); !errors.As(err, &bad) || bad.Row != 1 || bad.Column != 0 {
		t.Error(err)
	}
	if _, err := Run(t.Context(), Matrix{2, 2, []float32{1, 0}}, Options{}); !errors.As(err, &bad) {
		t.Error(err)
	}
}

func TestRunCancelled(t *testing.T) {
	m, _, _ := nested(4, 2000, 16, 100, 10)
	stages := map[string]bool{}
	if _, err := Run(t.Context(), m, Options{Progress: func(p Progress) { stages[p.Stage] = true }}); err != nil {
		t.Fatal(err)
	}
	for _, stage := range []string{"neighbours", "linkage"} {
		if !stages[stage] {
			t.Errorf("no progress of %s", stage)
		}
		ctx, cancel := context.WithCancel(t.Context())
		_, err := Run(ctx, m, Options{Progress: func(p Progress) {
			if p.Stage == stage {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled at %s: %v", stage, err)
		}
		cancel()
	}
}

func TestInverseEighthRoot(t *testing.T) {
	// A symmetric matrix with known eigenvectors: a reflection of a diagonal.
	const dim = 24
	v := make([]float64, dim)
	var square float64
	for d := range v {
		v[d] = math.Sin(float64(d + 1))
		square += v[d] * v[d]
	}
	reflected := func(f func(d int) float64) []float32 {
		out := make([]float32, dim*dim)
		h := func(i, j int) float64 {
			x := -2 * v[i] * v[j] / square
			if i == j {
				x++
			}
			return x
		}
		for i := range dim {
			for j := range dim {
				var sum float64
				for d := range dim {
					sum += h(i, d) * f(d) * h(j, d)
				}
				out[i*dim+j] = float32(sum)
			}
		}
		return out
	}
	eigen := func(d int) float64 { return 0.1 + 12*math.Exp(-float64(d)) }
	got, err := inverseEighthRoot(t.Context(), reflected(eigen), dim, 2)
	if err != nil {
		t.Fatal(err)
	}
	want := reflected(func(d int) float64 { return math.Pow(eigen(d), -1./8) })
	for k := range want {
		if math.Abs(float64(got[k]-want[k])) > 1e-3 {
			t.Fatalf("element %d is %v, want %v", k, got[k], want[k])
		}
	}
}

// TestRunWide has more dimensions than variances are evened out in.
func TestRunWide(t *testing.T) {
	m, story, _ := nested(6, 600, 600, 40, 5)
	r, err := Run(t.Context(), m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, f := PairF1(apart(story), r.Story); f < 0.9 {
		t.Errorf("stories: F1 %v", f)
	}
}

func TestMultiply(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	const rows, columns, dim = 70, 90, 5000 // more than a block of each
	a, b, got := make([]float32, rows*dim), make([]float32, columns*dim), make([]float32, rows*columns)
	for k := range a {
		a[k] = r.Float32()
	}
	for k := range b {
		b[k] = r.Float32()
	}
	if err := multiply(t.Context(), a, b, dim, got, 2); err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		for j := range columns {
			if want := vector.Dot(a[i*dim:(i+1)*dim], b[j*dim:(j+1)*dim]); got[i*columns+j] != want {
				t.Fatalf("row %d, column %d: %v, want %v", i, j, got[i*columns+j], want)
			}
		}
	}
}

func BenchmarkRun(b *testing.B) {
	m, _, _ := nested(5, 10000, 256, 400, 20)
	for b.Loop() {
		if _, err := Run(b.Context(), m, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
