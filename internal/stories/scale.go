package stories

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"throughline/embed"
	"throughline/internal/evidence"
	"throughline/internal/lexical"
	"throughline/internal/points"
)

const (
	// scaleFrom is how large a corpus must be for its embedding space to be measured, scaleGrowth how many times larger it must have become
	// for that to be done again, and scaleSample how many articles are halved.
	scaleFrom   = 64
	scaleGrowth = 8
	scaleSample = 96
	// halfWords is how many words a half has at most, and fewestHalfWords at least: about what a lede and a headline have.
	halfWords       = 90
	fewestHalfWords = 6
)

// scaling is what is known of the embedding space. It matters only where that is not the one the model's coefficients are for.
type scaling struct {
	mu     sync.Mutex // held while it is measured
	asked  bool       // the store, for what was measured before
	size   int        // of the corpus when it was measured; 0: never
	halves []halved   // that it was measured on, by this process
}

// halved is one article's halves as they would be compared if they were articles.
type halved [2]evidence.Profile

// scale sees to it that cosines mean what the model's coefficients take them for, by measuring an unfamiliar embedding space on halves of stored
// articles, which need no labels. It reports whether it has measured. A space that tells nothing is an *evidence.InertError: words alone would
// decide then, and nobody would know.
func (e *Engine) scale(ctx context.Context) (measured bool, err error) {
	if e.cfg.Reference == nil {
		return false, nil
	}
	s := &e.scaling
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.asked {
		before, err := e.cfg.Store.Scale(ctx)
		if err != nil {
			return false, fmt.Errorf("reading how the embedding space was calibrated: %w", err)
		}
		if s.asked = true; before != nil {
			s.size = before.Corpus
			e.cfg.Corpus.SetScale(evidence.Scale{Factor: before.Factor, Separation: before.Separation, Articles: before.Articles})
		}
	}
	size := e.cfg.Corpus.Len()
	if size < scaleFrom || s.size > 0 && size < scaleGrowth*s.size {
		return false, nil
	}
	if err := e.measureScale(ctx, s, size); err != nil {
		return false, fmt.Errorf("calibrating to the embedding model %q: %w", e.cfg.Embedder.Space().Model, err)
	}
	return true, nil
}

// measureScale halves articles, embeds the halves in both spaces and compares.
func (e *Engine) measureScale(ctx context.Context, s *scaling, size int) error {
	sample, texts, err := e.halve(ctx)
	if err != nil {
		return err
	}
	own, err := e.cfg.Embedder.Embed(ctx, embed.Document, texts)
	if err != nil {
		return fmt.Errorf("embedding halves of articles: %w", err)
	}
	reference, err := e.cfg.Reference.Embed(ctx, embed.Document, texts)
	if err != nil {
		return fmt.Errorf("embedding halves of articles with the reference model: %w", err)
	}
	articles := make([]evidence.Halves, len(sample))
	for i := range sample {
		articles[i] = evidence.Halves{Published: sample[i][0].Published,
			Own: [2][]float32{own[2*i], own[2*i+1]}, Reference: [2][]float32{reference[2*i], reference[2*i+1]}}
		sample[i][0].Dense, sample[i][1].Dense = own[2*i], own[2*i+1]
	}
	scale, err := evidence.MeasureScale(articles)
	var inert *evidence.InertError
	switch {
	case errors.As(err, &inert):
		return err
	case err != nil: // too few texts: not before there are more
		e.cfg.Logger.InfoContext(ctx, "the embedding model is not calibrated", "model", e.cfg.Embedder.Space().Model, "why", err)
		s.size = size
		return nil
	}
	e.cfg.Corpus.SetScale(scale)
	s.size, s.halves = size, sample
	e.cfg.Logger.InfoContext(ctx, "calibrated to the embedding model on halves of articles", "model", e.cfg.Embedder.Space().Model,
		"factor", scale.Factor, "separation", scale.Separation, "articles", scale.Articles)
	err = e.cfg.Store.PutScale(ctx, points.Scale{Factor: scale.Factor, Separation: scale.Separation, Articles: scale.Articles, Corpus: size})
	if err != nil && !errors.Is(err, points.ErrReadOnly) {
		return fmt.Errorf("keeping the calibration: %w", err)
	}
	return nil
}

// halve returns the halves of articles that have enough text, without vectors, and their texts, two each.
func (e *Engine) halve(ctx context.Context) ([]halved, []string, error) {
	var found []*points.Stored
	err := e.cfg.Store.Scan(ctx, points.WithNothing, func(s *points.Stored) error {
		if s.Article.Words >= 2*fewestHalfWords {
			found = append(found, s)
		}
		if len(found) == scaleSample {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, nil, err
	}
	slices.SortFunc(found, byID)
	ids := make([]string, len(found))
	for i, s := range found {
		ids[i] = s.Article.ID
	}
	sections, err := e.cfg.Store.Sections(ctx, ids, false)
	if err != nil {
		return nil, nil, err
	}
	var sample []halved
	var texts []string
	for _, s := range found {
		var words []string
		for _, section := range sections[s.Article.ID] {
			words = append(words, strings.Fields(section.Text)...)
		}
		if len(words) < 2*fewestHalfWords { // a headline
			words = append(strings.Fields(s.Article.Title), words...)
		}
		words = words[:min(len(words), 2*halfWords)]
		if len(words) < 2*fewestHalfWords {
			continue
		}
		var h halved
		for k, half := range [2][]string{words[:len(words)/2], words[len(words)/2:]} {
			text := strings.Join(half, " ")
			texts = append(texts, text)
			h[k] = evidence.Profile{ID: s.Article.ID, Lex: lexical.Analyze("", text), Published: s.Article.Published, Source: s.Article.Source}
		}
		sample = append(sample, h)
	}
	return sample, texts, nil
}

const (
	// A cut is inert when it joins hardly any two halves of an article, or most halves of different ones.
	fewestJoined = 0.05
	mostJoined   = 0.5
)

// InertCutError says that a cut would make no stories, or one of everything.
type InertCutError struct {
	Logit           float64
	Together, Apart float64 // share of halves of one article, and of different ones, that the cut joins
}

func (e *InertCutError) Error() string {
	return fmt.Sprintf("no place was found where stories of this corpus end: a cut at log-odds of %.2f would join %.0f %% of the halves of one article "+
		"and %.0f %% of halves of different ones", e.Logit, 100*e.Together, 100*e.Apart)
}

// checkCut refuses an inert cut, where halves of articles were measured to tell.
func (e *Engine) checkCut(cut float64) error {
	e.scaling.mu.Lock()
	halves := e.scaling.halves
	e.scaling.mu.Unlock()
	if len(halves) < 2 {
		return nil
	}
	together, apart := 0.0, 0.0
	first := make([]*evidence.Weighed, len(halves))
	second := make([]*evidence.Weighed, len(halves))
	for i := range halves {
		first[i], second[i] = e.cfg.Corpus.Weigh(&halves[i][0]), e.cfg.Corpus.Weigh(&halves[i][1])
	}
	n := float64(len(halves))
	for i := range halves {
		for j := range halves {
			if e.cfg.Model.Logit(evidence.Compare(first[i], second[j])) < cut {
				continue
			}
			if i == j {
				together += 1 / n
			} else {
				apart += 1 / (n * (n - 1))
			}
		}
	}
	if together < fewestJoined || apart > mostJoined {
		return &InertCutError{Logit: cut, Together: together, Apart: apart}
	}
	return nil
}
