package minilm

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"

	"throughline/internal/evaltest"
)

// newsTokens is how many tokens of title and text the vectors there were made of.
const newsTokens = 128

type newsSet struct {
	texts   []string
	stories []string // "" where unknown
	vectors [][]float32
}

// readNews reads a labelled set with the vectors of the unrounded model, see evaltest.
func readNews(t *testing.T, name string) newsSet {
	t.Helper()
	var set newsSet
	evaltest.Lines(t, name, func(line []byte) error {
		var row struct{ Title, Text, Story string }
		if err := json.Unmarshal(line, &row); err != nil {
			return err
		}
		if row.Title != "" {
			row.Text = row.Title + ". " + row.Text
		}
		set.texts, set.stories = append(set.texts, row.Text), append(set.stories, row.Story)
		return nil
	})
	data, err := os.ReadFile(evaltest.Path(t, "eval/vectors/"+name+".npy"))
	if err != nil {
		t.Fatal(err)
	}
	set.vectors = readHalves(t, data)
	if len(set.vectors) != len(set.texts) {
		t.Fatalf("%s has %d texts and %d vectors", name, len(set.texts), len(set.vectors))
	}
	return set
}

var halvesShape = regexp.MustCompile(`(?s)NUMPY\x01\x00..\{'descr': '<f2', 'fortran_order': False, 'shape': \((\d+), 384\)`)

// readHalves reads a NumPy file of float16 vectors.
func readHalves(t *testing.T, data []byte) [][]float32 {
	t.Helper()
	head, body, _ := bytes.Cut(data, []byte("\n"))
	shape := halvesShape.FindSubmatch(head)
	if shape == nil {
		t.Fatalf("not float16 vectors: %.80q", head)
	}
	rows, err := strconv.Atoi(string(shape[1]))
	if err != nil || len(body) != rows*hidden*2 {
		t.Fatalf("%d bytes for %d vectors: %v", len(body), rows, err)
	}
	halves := make([]uint16, rows*hidden)
	if err := binary.Read(bytes.NewReader(body), binary.LittleEndian, halves); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	vectors := make([][]float32, rows)
	for i := range vectors {
		for _, h := range halves[i*hidden:][:hidden] {
			vectors[i] = append(vectors[i], fromFloat16(h))
		}
	}
	return vectors
}

// embedNews computes vectors of the beginnings of texts, as those they are compared with were made.
func embedNews(t *testing.T, texts []string) [][]float32 {
	t.Helper()
	m, tok := newModel(t, Options{}), newTokenizer(t)
	ids, order := make([][]int32, len(texts)), make([]int, len(texts))
	for i, text := range texts {
		ids[i], order[i] = tok.encode(nil, text, newsTokens), i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(len(ids[a]), len(ids[b])) })
	sorted, out, vectors := make([][]int32, len(texts)), make([][]float32, len(texts)), make([][]float32, len(texts))
	for i, at := range order {
		sorted[i], out[i] = ids[at], make([]float32, hidden)
		vectors[at] = out[i]
	}
	ends := pack(nil, sorted, maxRows)
	var next atomic.Int64
	err := parallel(m.workers, func() error {
		s := newScratch()
		for i := int(next.Add(1)) - 1; i < len(ends); i = int(next.Add(1)) - 1 {
			start := 0
			if i > 0 {
				start = ends[i-1]
			}
			m.weights.forward(m.kernels, s, sorted[start:ends[i]], out[start:ends[i]])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return vectors
}

// ndcg is the same-story nDCG@10 of ranking by cosine, averaged over the articles whose story has
// another one. Equal cosines are ranked by position.
func ndcg(vectors [][]float32, stories []string) float64 {
	const depth = 10
	unit := make([][]float32, len(vectors))
	for i, v := range vectors {
		length := math.Sqrt(cosineParts(v, v))
		for _, x := range v {
			unit[i] = append(unit[i], x/float32(length))
		}
	}
	total, queries := 0.0, 0
	similarity, order := make([]float64, len(unit)), make([]int, 0, len(unit))
	for q := range unit {
		relevant := 0
		order = order[:0]
		for i := range unit {
			if i == q {
				continue
			}
			similarity[i], order = cosineParts(unit[q], unit[i]), append(order, i)
			if stories[i] != "" && stories[i] == stories[q] {
				relevant++
			}
		}
		if relevant == 0 {
			continue
		}
		slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(similarity[b], similarity[a]), cmp.Compare(a, b)) })
		gain, ideal := 0.0, 0.0
		for rank := range depth {
			discount := 1 / math.Log2(float64(rank)+2)
			if rank < relevant {
				ideal += discount
			}
			if stories[order[rank]] == stories[q] {
				gain += discount
			}
		}
		total, queries = total+gain/ideal, queries+1
	}
	return total / float64(queries)
}

func cosineParts(a, b []float32) float64 {
	var sum float32
	for i := range a {
		sum += a[i] * b[i]
	}
	return float64(sum)
}

// What the rounding of weights and inputs costs on news, against the bounds that the project sets
// itself.
func TestVectorsOfNewsAreTheReferences(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds; run without -short")
	}
	if newModel(t, Options{}).Kernels() == portable.name {
		t.Skip("takes minutes with portable kernels; run where there are others, without THROUGHLINE_CPU")
	}
	var all []float64
	for _, name := range []string{"allsides", "basil", "groundnews", "newswcl50", "ecbplus"} {
		set := readNews(t, name)
		vectors := embedNews(t, set.texts)
		if name != "ecbplus" { // some of its texts were corrected after the vectors were made
			for i, v := range vectors {
				all = append(all, cosine(v, set.vectors[i]))
			}
		}
		if name == "groundnews" {
			continue // its stories are too broad for ten places to tell much
		}
		ours, reference := ndcg(vectors, set.stories), ndcg(set.vectors, set.stories)
		t.Logf("%s: same-story nDCG@10 %.4f, %.4f with the reference vectors", name, ours, reference)
		if !(math.Abs(ours-reference) <= 0.002) {
			t.Errorf("%s: same-story nDCG@10 %.4f, %.4f with the reference vectors", name, ours, reference)
		}
	}
	sum := 0.0
	for _, c := range all {
		sum += c
	}
	mean, worst := sum/float64(len(all)), slices.Min(all)
	t.Logf("%d texts: cosine %.5f on average, %.5f at worst", len(all), mean, worst)
	if len(all) < 2000 || !(mean >= 0.998) || !(worst >= 0.995) {
		t.Errorf("%d texts: cosine %.5f on average, %.5f at worst", len(all), mean, worst)
	}
}
