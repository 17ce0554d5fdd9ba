package state

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"throughline/internal/hierarchy"
	"throughline/internal/news"
	"throughline/internal/score"
	"throughline/internal/store"
)

const (
	// calibrateFrom is the number of articles from which the threshold is chosen: fewer show only
	// chance. calibrateGrowth is the factor by which the corpus must have grown before it is chosen
	// again.
	calibrateFrom   = 64
	calibrateGrowth = 2
	// thresholdSample is the approximate number of articles that the threshold is chosen on.
	thresholdSample = 1000
)

// due reports whether enough articles have come since the last calibration to calibrate again.
func (o *Owner) due() bool {
	o.mu.Lock()
	at := o.known.ThresholdAt
	o.mu.Unlock()
	articles := o.Current().Stats.Articles()
	return articles >= calibrateFrom && articles >= calibrateGrowth*at && o.retry.allows(o.cfg.Now(), articles)
}

// calibrate measures the embedding space if that is due, and chooses the threshold. A failure
// leaves the State unchanged, is logged once, and is retried after a pause.
func (o *Owner) calibrate(ctx context.Context) {
	release, err := o.begin(ctx)
	if err != nil {
		return
	}
	defer release()
	articles := o.Current().Stats.Articles()
	if err = o.measureSpace(ctx, true); err == nil {
		err = o.chooseThreshold(ctx)
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		o.cfg.Logger.WarnContext(ctx, "calibration failed; the current threshold stays in force", "error", err,
			"articles", articles, "retry", o.retry.failed(o.cfg.Now(), articles))
		return
	}
	o.retry = backoff{}
}

// begin waits until no other calibration runs, and reserves the next one until release is called.
func (o *Owner) begin(ctx context.Context) (release func(), err error) {
	select {
	case o.calibrating <- struct{}{}:
		return func() { <-o.calibrating }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// chooseThreshold clusters a sample of the store and adopts the threshold of the sample.
//
// The threshold depends on the share of same-story pairs among near neighbours. The number of near
// neighbours of an article is the same in a sample as in the whole store, so the sample keeps the
// share if it consists of whole stories and of one-offs, each drawn with the same chance. A scan
// visits articles in an order that is unrelated to their content, so its first articles are such a
// sample, if a story is taken when its representative is among them. A store with fewer articles
// than the sample is its own sample; the threshold is then the one that reclustering finds.
func (o *Owner) chooseThreshold(ctx context.Context) error {
	sample, err := o.sample(ctx)
	if err != nil {
		return err
	}
	st := o.Publish()
	o.mu.Lock()
	target := o.known.target(&o.cfg)
	o.mu.Unlock()
	found, err := hierarchy.Arrange(ctx, st, sample, hierarchy.Options{
		Workers: o.cfg.Workers, Target: target, Topics: 1, // the search for the number of topics takes time and is not needed here
	})
	if err != nil {
		return fmt.Errorf("choosing the story threshold: %w", err)
	}
	if err := o.checkThreshold(st, found.Threshold.Logit); err != nil {
		return err
	}
	o.cfg.Logger.DebugContext(ctx, "story threshold chosen", "articles", len(sample), "logit", found.Threshold.Logit,
		"confidence", found.Threshold.Confidence)
	o.adopt(func(c *calibration) {
		c.Threshold, c.ThresholdAt = found.Threshold, o.builder.Articles()
		c.Templates = c.Templates.With(found.Templates) // a sample shows some
	})
	return nil
}

// sample reads the articles that chooseThreshold clusters.
func (o *Owner) sample(ctx context.Context) ([]score.Features, error) {
	var out []score.Features
	seen, storyIDs := make(map[string]bool), make(map[string]bool)
	take := func(s *store.Stored) error {
		out = append(out, s.Features())
		return nil
	}
	err := o.cfg.Store.Scan(ctx, news.Filter{}, store.WithVectors, func(s *store.Stored) error {
		seen[s.Article.ID] = true
		if id := s.Article.StoryID; id != "" {
			storyIDs[id] = true
		} else if err := take(s); err != nil {
			return err
		}
		if len(seen) == thresholdSample {
			return store.ErrStop
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	found, err := o.cfg.Store.Stories(ctx, slices.Sorted(maps.Keys(storyIDs)), store.WithNothing)
	if err != nil {
		return nil, err
	}
	var chosen []string
	for _, s := range found {
		if s != nil && seen[s.Representative] {
			chosen = append(chosen, s.ID)
		}
	}
	if len(chosen) == 0 { // an empty filter would select every article
		return out, nil
	}
	return out, o.cfg.Store.Scan(ctx, news.Filter{StoryIDs: chosen}, store.WithVectors, take)
}

// scaleGrowth is the factor by which a corpus must have grown before its embedding space is
// measured again.
const scaleGrowth = 8

// MeasureSpace measures the cosine scale of the embedding space on halves of stored articles, which
// needs no labels, if that is due. It does nothing if the coefficients of the model are for this
// space (Config.Reference is nil). A space whose cosines do not separate halves of one article from
// halves of different ones is a *score.UninformativeEmbeddingError. Reclustering calls it; requests
// never wait for it.
func (o *Owner) MeasureSpace(ctx context.Context) error {
	release, err := o.begin(ctx)
	if err != nil {
		return err
	}
	defer release()
	return o.measureSpace(ctx, false)
}

// measureSpace measures the space if that is due, or if wantHalves is set and this process has no
// halves yet. The caller has called begin.
func (o *Owner) measureSpace(ctx context.Context, wantHalves bool) error {
	articles := o.Publish().Stats.Articles()
	if o.cfg.Reference == nil || articles < calibrateFrom {
		return nil
	}
	o.measureUsual(ctx)
	o.mu.Lock()
	at := o.known.ScaleAt
	o.mu.Unlock()
	due := at == 0 || articles >= scaleGrowth*at
	if !due && (!wantHalves || o.halves != nil) {
		return nil
	}
	model := o.cfg.Embedder.Space().Model
	wholes, err := o.wholes(ctx)
	if err != nil {
		return err
	}
	scale, halves, err := measureScale(ctx, o.cfg.Embedder, o.cfg.Reference, wholes)
	if errors.Is(err, errTooFew) {
		o.cfg.Logger.InfoContext(ctx, "embedding model not calibrated; its cosines are used unscaled", "model", model, "error", err)
		o.adopt(func(c *calibration) { c.ScaleAt = articles }) // retry when the corpus has grown
		return nil
	}
	if err != nil {
		return fmt.Errorf("calibrating embedding model %q: %w", model, err)
	}
	o.halves = halves
	if !due {
		return nil
	}
	o.adopt(func(c *calibration) { c.Scale, c.ScaleAt = scale, articles })
	o.cfg.Logger.InfoContext(ctx, "embedding model calibrated on halves of articles", "model", model,
		"factor", scale.Factor, "auc", scale.AUC, "articles", scale.Articles)
	return nil
}

// wholes reads up to scaleSample stored articles that are long enough to be halved, ordered by id.
func (o *Owner) wholes(ctx context.Context) ([]Whole, error) {
	var found []*store.Stored
	err := o.cfg.Store.Scan(ctx, news.Filter{}, store.WithNothing, func(s *store.Stored) error {
		if halvable(s.Article.Words) {
			found = append(found, s)
		}
		if len(found) == scaleSample {
			return store.ErrStop
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b *store.Stored) int { return strings.Compare(a.Article.ID, b.Article.ID) })
	ids := make([]string, len(found))
	for i, s := range found {
		ids[i] = s.Article.ID
	}
	sections, err := o.cfg.Store.Sections(ctx, ids, false)
	if err != nil {
		return nil, err
	}
	out := make([]Whole, len(found))
	for i, s := range found {
		var text strings.Builder
		for _, section := range sections[s.Article.ID] {
			text.WriteString(section.Text + " ")
		}
		if !halvable(len(strings.Fields(text.String()))) { // the title alone made it long enough
			text.WriteString(s.Article.Title)
		}
		out[i] = Whole{ID: s.Article.ID, Text: text.String(), Source: s.Article.Source, Published: s.Article.Published}
	}
	return out, nil
}

const (
	// A threshold is inert if it joins fewer than minJoined of the pairs of halves of one article,
	// or more than maxJoined of the pairs of halves of different articles.
	minJoined = 0.05
	maxJoined = 0.5
)

// InertThresholdError reports a threshold that would make no stories, or one story of everything.
type InertThresholdError struct {
	Logit           float64 // the threshold
	Same, Different float64 // shares of the pairs of halves that it joins: of one article, and of different articles
}

func (e *InertThresholdError) Error() string {
	return fmt.Sprintf("story threshold: it does not separate articles (got log-odds of %.2f, which join %.0f %% of the halves of one article and %.0f %% of the "+
		"halves of different ones, want at least %.0f %% and at most %.0f %%)", e.Logit, 100*e.Same, 100*e.Different, 100*minJoined, 100*maxJoined)
}

// CheckThreshold returns an *InertThresholdError if logit is an inert threshold on the halves of
// articles that the embedding space was measured on. Without halves it returns nil.
func (o *Owner) CheckThreshold(ctx context.Context, st *score.State, logit float64) error {
	release, err := o.begin(ctx)
	if err != nil {
		return err
	}
	defer release()
	return o.checkThreshold(st, logit)
}

func (o *Owner) checkThreshold(st *score.State, logit float64) error {
	halves := o.halves
	if len(halves) < 2 {
		return nil
	}
	same, different := 0.0, 0.0
	first, second := make([]*score.Weighted, len(halves)), make([]*score.Weighted, len(halves))
	for i := range halves {
		first[i], second[i] = st.Weigh(&halves[i][0]), st.Weigh(&halves[i][1])
	}
	n := float64(len(halves))
	for i := range halves {
		for j := range halves {
			if st.Logit(score.Compare(first[i], second[j])) < logit {
				continue
			}
			if i == j {
				same += 1 / n
			} else {
				different += 1 / (n * (n - 1))
			}
		}
	}
	if same < minJoined || different > maxJoined {
		return &InertThresholdError{Logit: logit, Same: same, Different: different}
	}
	return nil
}

const (
	backoffFirst = 30 * time.Second
	backoffMax   = time.Hour
)

// backoff decides when a failed calibration may be retried: after a pause that doubles with every
// failure, or as soon as the corpus has doubled.
type backoff struct {
	failures int
	next     time.Time
	articles int // in the corpus at the last failure
}

func (b *backoff) allows(now time.Time, articles int) bool {
	return b.failures == 0 || !now.Before(b.next) || articles >= calibrateGrowth*b.articles
}

// failed counts a failure and returns the pause before the next attempt.
func (b *backoff) failed(now time.Time, articles int) time.Duration {
	pause := min(backoffFirst<<min(b.failures, 10), backoffMax)
	pause += time.Duration(rand.Int64N(int64(pause) / 10))
	b.failures++
	b.next, b.articles = now.Add(pause), articles
	return pause
}
