package evaluate

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"sync"

	"throughline/cluster/vector"
	"throughline/embed"
	"throughline/internal/article"
	"throughline/internal/corpus"
	"throughline/internal/npy"
)

// Vectors stands in for an embedding model where the vectors of a labelled file were made before: row i of an array belongs
// to the i-th item of the file, whatever became of that item. A run without a model takes seconds rather than minutes, and
// shows the quality that the vectors of any other model lead to.
//
// An article has one vector here: it stands for the article, and for each of its sections. So related coverage is measured
// without what sections add to it.
type Vectors struct {
	path  string
	model string
	dim   int
	rows  []float32 // unit vectors, one after the other

	mu     sync.Mutex
	rowOf  map[string]int // by text
	next   int            // the row of the next item
	beyond int            // items that had no row
}

// ErrVectors: an array does not belong to the file it is used for, or holds no directions.
var ErrVectors = errors.New("not the vectors of these articles")

// OpenVectors reads a NumPy array of one row an article. Model is the name of what made the vectors, and decides how they are
// to be judged. Rows are brought to length 1; one without a direction is an error.
func OpenVectors(path, model string) (*Vectors, error) {
	f, header, err := npy.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	defer f.Close() // read from only
	rows, err := header.Append(make([]float32, 0, header.Rows*header.Dim), f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if header.Dim == 0 || header.Rows == 0 {
		return nil, fmt.Errorf("%s: %w: an array of %d x %d", path, ErrVectors, header.Rows, header.Dim)
	}
	for i := range header.Rows {
		if !vector.Normalize(rows[i*header.Dim : (i+1)*header.Dim]) {
			return nil, fmt.Errorf("%s: row %d: %w: no direction, all numbers are zero or one is not finite", path, i, ErrVectors)
		}
	}
	return &Vectors{path: path, model: embed.CanonicalModel(model), dim: header.Dim, rows: rows, rowOf: make(map[string]int)}, nil
}

// Of passes items on and remembers which row the texts of each have. Items beyond the rows are left out. It is for one file,
// read once.
func (v *Vectors) Of(items iter.Seq2[Labelled, error]) iter.Seq2[Labelled, error] {
	limit := corpus.SectionLimit(v)
	count := len(v.rows) / v.dim
	return func(yield func(Labelled, error) bool) {
		for item, err := range items {
			row := v.next
			v.next++
			if err == nil {
				if row >= count {
					v.beyond++
					continue
				}
				v.remember(item.Article, limit, row)
			}
			if !yield(item, err) {
				return
			}
		}
	}
}

// remember notes the row of every text that is embedded for an article. Of articles with the same text the first counts, as
// everywhere: a text is embedded once.
func (v *Vectors) remember(a article.Article, limit article.Limit, row int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	note := func(text string) {
		if _, ok := v.rowOf[text]; !ok {
			v.rowOf[text] = row
		}
	}
	note(article.LeadText(a))
	for _, s := range article.Split(a, limit) {
		note(article.EmbedText(a.Title, s))
	}
}

// Check finds out, when all items were read, whether there were more rows than items: then rows and items are not of each
// other, and which of them are is not known.
func (v *Vectors) Check() error {
	if count := len(v.rows) / v.dim; count > v.next {
		return fmt.Errorf("%s: %w: %d rows for %d items", v.path, ErrVectors, count, v.next)
	}
	return nil
}

// Space names the model. No text is too long for vectors that exist.
func (v *Vectors) Space() embed.Space {
	return embed.Space{Model: v.model, Dimensions: v.dim, MaxTokens: math.MaxInt32}
}

// CountTokens says that nothing needs to be cut: a section is as long as it was written.
func (v *Vectors) CountTokens(string) int { return 0 }

// Embed returns the rows of texts that belong to articles read before.
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
			return nil, fmt.Errorf("%s: %w: none is of the text %.40q", v.path, ErrVectors, text)
		}
		out[i] = append([]float32(nil), v.rows[row*v.dim:(row+1)*v.dim]...)
	}
	return out, nil
}
