package evaluate

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"sync"

	"throughline/cluster"
	"throughline/cluster/vector"
	"throughline/embed"
	"throughline/internal/chunk"
	"throughline/internal/npy"
)

// Vectors replaces an embedding model by vectors that were made before: row i of an array belongs
// to the i-th item of a labelled file, even if the item is rejected. A run without a model takes
// seconds instead of minutes, and measures the quality with the vectors of any model.
//
// An article has one vector here, for the article and for each of its sections. So related coverage
// is measured without the contribution of sections.
type Vectors struct {
	path  string
	model string
	rows  cluster.Matrix // of unit vectors

	mu     sync.Mutex
	rowOf  map[string]int // by text
	next   int            // row of the next item
	beyond int            // items without a row
}

// ErrVectors is the error of an array that does not belong to its file, or that holds a vector
// without direction.
var ErrVectors = errors.New("not the vectors of these articles")

// OpenVectors reads a NumPy array with one row per item. model is the name of the embedding model,
// which decides the cosine scale. It normalizes the rows to length 1.
func OpenVectors(path, model string) (*Vectors, error) {
	f, header, err := npy.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	defer f.Close() // read from only
	rows := cluster.Matrix{Rows: header.Rows, Dim: header.Dim}
	rows.Data, err = header.Append(make([]float32, 0, header.Rows*header.Dim), f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if header.Dim == 0 || header.Rows == 0 {
		return nil, fmt.Errorf("%s: %w: empty array (got %d x %d)", path, ErrVectors, header.Rows, header.Dim)
	}
	for i := range header.Rows {
		if !vector.Normalize(rows.Row(i)) {
			return nil, fmt.Errorf("%s: row %d: %w: no direction (got zeros or a number that is not finite)", path, i, ErrVectors)
		}
	}
	return &Vectors{path: path, model: embed.CanonicalModel(model), rows: rows, rowOf: make(map[string]int)}, nil
}

// Of yields items and remembers the row of the texts of each. It leaves out items beyond the rows.
// Use it for one file, once.
func (v *Vectors) Of(items iter.Seq2[Labelled, error]) iter.Seq2[Labelled, error] {
	limit := chunk.LimitFor(v)
	return func(yield func(Labelled, error) bool) {
		for item, err := range items {
			row := v.next
			v.next++
			if err == nil {
				if row >= v.rows.Rows {
					v.beyond++
					continue
				}
				a := item.Valid.Article()
				v.remember(row, chunk.LeadText(a))
				for _, s := range chunk.Split(a, limit) {
					v.remember(row, chunk.EmbedText(a.Title, s))
				}
			}
			if !yield(item, err) {
				return
			}
		}
	}
}

// remember records the row of a text. Of articles with the same text the first counts, because a
// text is embedded once.
func (v *Vectors) remember(row int, text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, ok := v.rowOf[text]; !ok {
		v.rowOf[text] = row
	}
}

// Check returns an error if there were more rows than items, once all items were read: then rows
// and items do not correspond.
func (v *Vectors) Check() error {
	if v.rows.Rows > v.next {
		return fmt.Errorf("%s: %w: %d rows for %d items", v.path, ErrVectors, v.rows.Rows, v.next)
	}
	return nil
}

// Space returns the space of the model, without a length limit, because no text is embedded here.
func (v *Vectors) Space() embed.Space {
	return embed.Space{Model: v.model, Dimensions: v.rows.Dim, MaxTokens: math.MaxInt32}
}

// CountTokens returns 0, so that Split leaves sections as they are.
func (v *Vectors) CountTokens(string) int { return 0 }

// Embed returns the rows of texts of articles that were read before.
func (v *Vectors) Embed(ctx context.Context, _ embed.Kind, texts []string) ([][]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	out := make([][]float32, len(texts))
	for i, text := range texts {
		row, ok := v.rowOf[text]
		if !ok {
			return nil, fmt.Errorf("%s: %w: no row for the text %.40q", v.path, ErrVectors, text)
		}
		out[i] = slices.Clone(v.rows.Row(row))
	}
	return out, nil
}
