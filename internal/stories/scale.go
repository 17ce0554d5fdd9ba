package stories

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"throughline/internal/corpus"
	"throughline/internal/evidence"
	"throughline/internal/store"
)

// scaleGrowth is how many times larger a corpus must have become for its embedding space to be measured anew.
const scaleGrowth = 8

// scaling is what is known of the embedding space. It matters only where that is not the one the model's coefficients are for.
type scaling struct {
	mu     sync.Mutex      // held while it is measured
	asked  bool            // the store, for what was measured before
	size   int             // of the corpus when it was measured; 0: never
	halves []corpus.Halved // that it was measured on, by this process
}

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
	if size < corpus.ScaleFrom || s.size > 0 && size < scaleGrowth*s.size {
		return false, nil
	}
	if err := e.measureScale(ctx, s, size); err != nil {
		return false, fmt.Errorf("calibrating to the embedding model %q: %w", e.cfg.Embedder.Space().Model, err)
	}
	return true, nil
}

// measureScale measures the space on stored articles, and keeps what it finds.
func (e *Engine) measureScale(ctx context.Context, s *scaling, size int) error {
	model := e.cfg.Embedder.Space().Model
	sample, err := e.wholes(ctx)
	if err != nil {
		return err
	}
	scale, halves, err := corpus.MeasureScale(ctx, e.cfg.Embedder, e.cfg.Reference, sample)
	if errors.Is(err, corpus.ErrTooFew) { // not before there are more
		e.cfg.Logger.InfoContext(ctx, "the embedding model is not calibrated", "model", model, "why", err)
		s.size = size
		return nil
	}
	if err != nil {
		return err
	}
	e.cfg.Corpus.SetScale(scale)
	s.size, s.halves = size, halves
	e.cfg.Logger.InfoContext(ctx, "calibrated to the embedding model on halves of articles", "model", model,
		"factor", scale.Factor, "separation", scale.Separation, "articles", scale.Articles)
	err = e.cfg.Store.PutScale(ctx, store.Scale{Factor: scale.Factor, Separation: scale.Separation, Articles: scale.Articles, Corpus: size})
	if err != nil && !errors.Is(err, store.ErrReadOnly) {
		return fmt.Errorf("keeping the calibration: %w", err)
	}
	return nil
}

// wholes returns some stored articles that can be halved.
func (e *Engine) wholes(ctx context.Context) ([]corpus.Whole, error) {
	var found []*store.Stored
	err := e.cfg.Store.Scan(ctx, store.WithNothing, func(s *store.Stored) error {
		if corpus.Halvable(s.Article.Words) {
			found = append(found, s)
		}
		if len(found) == corpus.ScaleSample {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	slices.SortFunc(found, byID)
	ids := make([]string, len(found))
	for i, s := range found {
		ids[i] = s.Article.ID
	}
	sections, err := e.cfg.Store.Sections(ctx, ids, false)
	if err != nil {
		return nil, err
	}
	out := make([]corpus.Whole, len(found))
	for i, s := range found {
		var text strings.Builder
		for _, section := range sections[s.Article.ID] {
			text.WriteString(section.Text + " ")
		}
		if !corpus.Halvable(len(strings.Fields(text.String()))) { // a headline
			text.WriteString(s.Article.Title)
		}
		out[i] = corpus.Whole{ID: s.Article.ID, Text: text.String(), Source: s.Article.Source, Published: s.Article.Published}
	}
	return out, nil
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
