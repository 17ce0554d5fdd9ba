// Package evaluate measures how good the answers are, on articles of which somebody has said what belongs together.
//
// It knows how labelled files are read, which questions are asked about them, and how the answers are scored. The answers
// come from the engines that serve readers, with the settings that readers get by default, over a store that holds the
// labelled articles and nothing else. It does not know how an answer comes about, and nothing in it can be tuned.
//
// What is measured:
//
//   - Stories: B-cubed precision, recall and F1 of the stories found, the same over pairs of articles, mutual information and
//     Rand index, both adjusted for chance. An article in no story counts as a story of its own, in the labels and in what
//     was found. Counted as found and as gold are stories with at least two labelled articles, and articles in them as
//     grouped. The largest story is that of all stored articles. The precision over pairs is what a target precision asks
//     for: of the pairs that were put into one story, the share that is of one.
//   - Related: for every article whose story has at least two articles, the list of related coverage, copies included. What
//     is of the same story is relevant, all else is not. nDCG of the first ten, precision of the first five, and the
//     reciprocal rank of the first relevant one, each as the mean over those articles. A list of five cannot be more
//     precise than the story is large, so P@5 stays below 1 where stories are small.
//   - Reliability of the probabilities that these lists present, see Reliability.
//   - Topics: mutual information and Rand index of the topics found.
//
// Most figures come with an interval, see bootstrap. Reports can be kept and compared with later ones, see Compare.
//
// Articles without a story label take part: they are stored, they can be found, and stories can form around them, as in any
// corpus. They are neither asked about nor counted, except that one of them in a list of related coverage takes the place
// of a relevant one, since nobody said that it belongs to the story.
package evaluate

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"time"
)

// Options of a run.
type Options struct {
	Now     func() time.Time // needed: for Result.Seconds
	Workers int              // how many questions are asked at a time; 0: as many as there are cores
	// Ask bounds how many articles are asked about; which ones follows from their ids. 0: all; negative: none, so that there
	// are no figures of related coverage and of probabilities.
	Ask int
	// Bootstrap is how many samples intervals are taken from; 0: there are none.
	Bootstrap int
	// Vectors, when not nil, are the vectors of these articles. The system must have them as its embedder.
	Vectors *Vectors
	// Progress, when not nil, is told of every article that was read ("reading"), of the making of stories ("finding
	// stories"), and of every question that was answered ("relating"). It is never called concurrently.
	Progress func(stage string)
}

// ErrNothing: no article of the file could be stored.
var ErrNothing = errors.New("no article to evaluate")

// Run stores the labelled articles in an empty system, asks, and scores the answers. Items that are errors, or that cannot
// be stored, are left out and listed in the Result.
func Run(ctx context.Context, sys System, name string, items iter.Seq2[Labelled, error], opts Options) (*Result, error) {
	if opts.Workers <= 0 {
		opts.Workers = runtime.GOMAXPROCS(0)
	}
	if opts.Progress == nil {
		opts.Progress = func(string) {}
	}
	started := opts.Now()
	result := &Result{File: name}
	if opts.Vectors != nil {
		items = opts.Vectors.Of(items)
	}
	g, err := ingestAll(ctx, sys, items, opts, result)
	if err != nil {
		return nil, fmt.Errorf("%s: storing the articles: %w", name, err)
	}
	if opts.Vectors != nil {
		if err := opts.Vectors.Check(); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		result.WithoutVector = opts.Vectors.beyond
	}
	if result.Articles = len(g.ids); result.Articles == 0 {
		if len(result.Rejected) > 0 {
			return nil, fmt.Errorf("%s: %w; the first of %d rejected items: %w", name, ErrNothing, len(result.Rejected), result.Rejected[0])
		}
		return nil, fmt.Errorf("%s: %w", name, ErrNothing)
	}
	opts.Progress("finding stories")
	filed, err := sys.File(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: finding stories: %w", name, err)
	}
	units := make([]sums, len(g.storiesBySize))
	result.Labels = g.fingerprint
	result.Stories, result.Topics = scoreFiling(g, filed, units)
	if err := relate(ctx, sys, g, opts, units); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var all sums
	for i := range units {
		all.add(&units[i])
	}
	result.Related = Related{Articles: int(all.asked), NDCG10: Score(all.ndcg / all.asked), P5: Score(all.p5 / all.asked), MRR: Score(all.mrr / all.asked)}
	result.Reliability = all.bins.reliability()
	result.replicates = bootstrap(units, g.fingerprint, opts.Bootstrap)
	result.Intervals = intervals(result.replicates)
	result.Seconds = opts.Now().Sub(started).Seconds()
	return result, nil
}
