package corpus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"throughline/embed"
	"throughline/internal/evidence"
	"throughline/internal/lexical"
)

const (
	// ScaleFrom is how many articles a corpus must have for its embedding space to be measured, and ScaleSample how many are halved.
	ScaleFrom   = 64
	ScaleSample = 96
	// halfWords is how many words a half has at most, and fewestHalfWords at least: about what a lede and a headline have.
	halfWords       = 90
	fewestHalfWords = 6
)

// Whole is an article to be halved.
type Whole struct {
	ID, Text, Source string
	Published        time.Time
}

// Halvable reports whether an article of so many words can be halved.
func Halvable(words int) bool { return words >= 2*fewestHalfWords }

// Halved is one article's halves as they would be compared if they were articles, with vectors of the corpus's own space.
type Halved [2]evidence.Profile

// ErrTooFew says that too few articles have enough text for an embedding space to be measured.
var ErrTooFew = errors.New("too few articles have text enough to be halved")

// MeasureScale embeds halves of articles in their own space and in the reference's, and compares; see evidence.MeasureScale. At most
// ScaleSample articles that can be halved are looked at. Vectors that tell nothing are an *evidence.InertError.
func MeasureScale(ctx context.Context, own, reference embed.Embedder, wholes []Whole) (evidence.Scale, []Halved, error) {
	var sample []Halved
	var texts []string
	for _, w := range wholes {
		words := strings.Fields(w.Text)
		if !Halvable(len(words)) || len(sample) == ScaleSample {
			continue
		}
		words = words[:min(len(words), 2*halfWords)]
		var h Halved
		for k, half := range [2][]string{words[:len(words)/2], words[len(words)/2:]} {
			text := strings.Join(half, " ")
			texts = append(texts, text)
			h[k] = evidence.Profile{ID: w.ID, Lex: lexical.Analyze("", text), Published: w.Published, Source: w.Source}
		}
		sample = append(sample, h)
	}
	if len(sample) < ScaleFrom/2 {
		return evidence.Scale{}, nil, fmt.Errorf("%w: %d", ErrTooFew, len(sample))
	}
	vectors, err := own.Embed(ctx, embed.Document, texts)
	if err != nil {
		return evidence.Scale{}, nil, fmt.Errorf("embedding halves of articles: %w", err)
	}
	others, err := reference.Embed(ctx, embed.Document, texts)
	if err != nil {
		return evidence.Scale{}, nil, fmt.Errorf("embedding halves of articles with the reference model: %w", err)
	}
	articles := make([]evidence.Halves, len(sample))
	for i := range sample {
		articles[i].Published = sample[i][0].Published
		for k := range 2 {
			articles[i].Own[k], articles[i].Reference[k] = vectors[2*i+k], others[2*i+k]
			sample[i][k].Dense = vectors[2*i+k]
		}
	}
	scale, err := evidence.MeasureScale(articles)
	return scale, sample, err
}
