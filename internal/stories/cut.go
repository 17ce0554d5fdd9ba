package stories

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"throughline/internal/corpus"
	"throughline/internal/evidence"
	"throughline/internal/store"
)

// cutSample is about how many articles the cut is estimated on.
const cutSample = 1000

// cutGrowth is how much larger a corpus must have become for the cut to be estimated anew, and cutFewest how large at least:
// what a few articles show is chance.
const (
	cutGrowth = 2
	cutFewest = 64
)

// cutState is where stories end, as far as it is known.
type cutState struct {
	mu    sync.Mutex // held while it is looked up
	known bool
	cut   evidence.Cut
	size  int // articles of the corpus that it was found for
}

// cut says where stories end. It depends on the corpus: it is that of the last
// reclustering, or, in a process that has not seen one and in a corpus that has grown since, an estimate of what
// reclustering would find. While too little is stored to show anything it is the model's own.
func (e *Engine) cut(ctx context.Context) (evidence.Cut, error) {
	measured, err := e.scale(ctx)
	if err != nil {
		return evidence.Cut{}, err
	}
	c := &e.cutting
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = c.known && !measured
	size := e.cfg.Corpus.Len()
	if c.known && (size < cutFewest || size < cutGrowth*c.size) {
		return c.cut, nil
	}
	cut, err := e.estimateCut(ctx)
	if err != nil {
		return evidence.Cut{}, fmt.Errorf("estimating where stories end in this corpus: %w", err)
	}
	if err := e.checkCut(cut.Logit); err != nil {
		return evidence.Cut{}, err
	}
	c.known, c.cut, c.size = true, cut, size
	e.cfg.Corpus.SetCut(cut.Even)
	return cut, nil
}

// Ready finds out, once, what scores of this corpus depend on: how its embedding space was calibrated, and where its stories end. Filing and
// reclustering do so by themselves; in a process that only reads, the corpus would not know.
func (e *Engine) Ready(ctx context.Context) error {
	_, err := e.cut(ctx)
	return err
}

func (e *Engine) setCut(cut evidence.Cut) {
	c := &e.cutting
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known, c.cut, c.size = true, cut, e.cfg.Corpus.Len()
	e.cfg.Corpus.SetCut(cut.Even)
}

// estimateCut clusters a sample of the store. The cut follows from the share of same-story pairs among near neighbours, of
// which every article has as many in a sample as in the whole; so the share is kept when stories are, and the sample is one
// of whole stories and of one-offs, each with the same chance. A scan goes through articles in an order that means
// nothing, so its beginning is such a sample if a story is in it by its representative only. A store of fewer articles is
// its own sample, and the estimate is what reclustering finds.
func (e *Engine) estimateCut(ctx context.Context) (evidence.Cut, error) {
	var sample []*store.Stored
	seen, storyIDs := make(map[string]bool), make(map[string]bool)
	err := e.cfg.Store.Scan(ctx, store.WithVectors, func(s *store.Stored) error {
		seen[s.Article.ID] = true
		if id := s.Article.StoryID; id == "" {
			sample = append(sample, s)
		} else {
			storyIDs[id] = true
		}
		if len(seen) == cutSample {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return evidence.Cut{}, err
	}
	found, err := e.cfg.Store.GetStories(ctx, slices.Sorted(maps.Keys(storyIDs)), store.WithNothing)
	if err != nil {
		return evidence.Cut{}, err
	}
	var chosen []string
	for _, s := range found {
		if s != nil && seen[s.Representative] {
			chosen = append(chosen, s.ID)
		}
	}
	if len(chosen) == 0 && (len(seen) < cutFewest || len(seen) == cutSample) {
		return e.cfg.Model.StartCut(), nil // too few articles, or one-offs alone, which show nothing
	}
	if len(chosen) > 0 { // no id is no filter
		err = e.cfg.Store.ScanWhere(ctx, store.Filter{StoryIDs: chosen}, store.WithVectors, func(s *store.Stored) error {
			sample = append(sample, s)
			return nil
		})
		if err != nil {
			return evidence.Cut{}, err
		}
	}
	profiles := make([]evidence.Profile, len(sample))
	for i, s := range sample {
		profiles[i] = *corpus.Profile(s)
	}
	ladder, err := e.cfg.Model.Ladder(ctx, e.cfg.Corpus, profiles, evidence.LadderOptions{
		Workers: e.cfg.Workers, Precision: e.cfg.Precision, Topics: 1, // topics do not matter here, and looking for their number takes time
	})
	if err != nil {
		return evidence.Cut{}, err
	}
	e.cfg.Logger.DebugContext(ctx, "estimated where stories end", "articles", len(sample), "logit", ladder.Cut.Logit)
	return ladder.Cut, nil
}
