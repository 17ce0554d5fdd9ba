package state

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"throughline/embed"
	"throughline/internal/news"
	"throughline/internal/score"
)

const (
	// scaleSample is the number of articles that are halved at most.
	scaleSample = 96
	// halfWords is the largest and minHalfWords the smallest number of words of a half: about those
	// of a lede and of a headline.
	halfWords    = 90
	minHalfWords = 6
)

// Whole is an article whose text is halved for MeasureScale.
type Whole struct {
	ID, Text, Source string
	Published        time.Time
}

// halvable reports whether an article with this number of words can be halved.
func halvable(words int) bool { return words >= 2*minHalfWords }

// halved holds the features of the two halves of an article, as if each were an article, with
// vectors of the embedding space of the store.
type halved [2]score.Features

// errTooFew reports that too few articles are long enough for the embedding space to be measured.
var errTooFew = errors.New("too few articles with enough text")

// MeasureScale embeds halves of articles with both models and returns the cosine scale of the
// first; see score.MeasureScale. It uses the first 96 articles that can be halved. With fewer than
// 64 articles, or fewer than 32 that can be halved, it returns the zero Scale and no error. It is
// for jobs without a store.
func MeasureScale(ctx context.Context, own, reference embed.Embedder, wholes []Whole) (score.Scale, error) {
	if len(wholes) < calibrateFrom {
		return score.Scale{}, nil
	}
	scale, _, err := measureScale(ctx, own, reference, wholes)
	if errors.Is(err, errTooFew) {
		return score.Scale{}, nil
	}
	if err != nil {
		return score.Scale{}, fmt.Errorf("calibrating embedding model %q: %w", own.Space().Model, err)
	}
	return scale, nil
}

func measureScale(ctx context.Context, own, reference embed.Embedder, wholes []Whole) (score.Scale, []halved, error) {
	var sample []halved
	var texts []string
	for _, w := range wholes {
		words := strings.Fields(w.Text)
		if !halvable(len(words)) || len(sample) == scaleSample {
			continue
		}
		words = words[:min(len(words), 2*halfWords)]
		var h halved
		for k, half := range [2][]string{words[:len(words)/2], words[len(words)/2:]} {
			text := strings.Join(half, " ")
			texts = append(texts, text)
			h[k] = score.FeaturesOf(&news.Article{ID: w.ID, Published: w.Published, Source: w.Source, Sections: []news.Section{{Text: text}}}, nil)
		}
		sample = append(sample, h)
	}
	if len(sample) < calibrateFrom/2 {
		return score.Scale{}, nil, fmt.Errorf("%w (got %d, want %d)", errTooFew, len(sample), calibrateFrom/2)
	}
	vectors, err := own.Embed(ctx, embed.Document, texts)
	if err != nil {
		return score.Scale{}, nil, fmt.Errorf("embedding halves of articles: %w", err)
	}
	others, err := reference.Embed(ctx, embed.Document, texts)
	if err != nil {
		return score.Scale{}, nil, fmt.Errorf("embedding halves of articles with the reference model: %w", err)
	}
	articles := make([]score.Halves, len(sample))
	for i := range sample {
		articles[i].Published = sample[i][0].Published
		for k := range 2 {
			articles[i].Own[k], articles[i].Reference[k] = vectors[2*i+k], others[2*i+k]
			sample[i][k].Dense = vectors[2*i+k]
		}
	}
	scale, err := score.MeasureScale(articles)
	return scale, sample, err
}
