// Package evaluate measures the quality of the product on labelled articles.
//
// It knows how labelled files are read, which questions are asked about them, and how the answers
// are scored. The answers come from the engines that serve readers, with the default settings, over
// a store that holds the labelled articles and nothing else. It does not know how an answer is
// found, and it has no parameters to tune.
//
// The measurements:
//
//   - Stories: B-cubed precision, recall and F1 of the stories found, the same over pairs of
//     articles, adjusted mutual information (AMI) and adjusted Rand index (ARI). A one-off counts
//     as a story of its own, in the labels and in what was found. "Found" and "gold" count stories
//     with at least two labelled articles, "grouped" the articles in them. The largest story counts
//     all stored articles. A target precision asks for the pair precision: the share of pairs
//     within stories that are of one story.
//   - Related: for every article whose story has others, the list of related coverage, copies
//     included. Articles of the same story are relevant, all others are not. nDCG of the first ten,
//     precision of the first five, and the reciprocal rank of the first relevant one, each as the
//     mean over those articles. P@5 stays below 1 where stories have fewer than six articles.
//   - Reliability of the probabilities that these lists present, see Reliability.
//   - Topics: AMI and ARI of the topics found.
//
// What is measured is a file, or a corpus drawn from files, see Collection.
//
// Most figures come with an interval, see bootstrap. A report can be compared with a later one, see
// Compare.
//
// Articles without a story label are stored, can be found, and can form stories, as in any corpus.
// They are not asked about and not counted. But one of them in a list of related coverage takes the
// place of a relevant one, because its story is unknown.
package evaluate

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"time"
)

// Options configures Run.
type Options struct {
	Now     func() time.Time // required; for Result.Seconds
	Workers int              // questions at a time; 0: GOMAXPROCS
	// Ask is the most articles that are asked about, chosen by hashes of their ids. 0: all;
	// negative: none, which leaves out the figures of related coverage and of probabilities.
	Ask int
	// Bootstrap is the number of samples behind intervals; 0: no intervals.
	Bootstrap int
	// Vectors, if not nil, holds the vectors of these articles. The system must use it as its
	// embedder.
	Vectors *Vectors
	// Rate is the number of articles a second that RunLive stores; 0: as fast as it can.
	Rate float64
	// Progress, if not nil, is called for every article that was read ("reading"), before
	// clustering ("finding stories"), and for every question that was answered ("relating"). It is
	// never called concurrently.
	Progress func(stage string)
}

// ErrNothing is the error of a file without an article that could be stored.
var ErrNothing = errors.New("no article to evaluate")

// Run stores the labelled articles in an empty system, asks it the questions, and scores the
// answers. Items that are errors, or that cannot be stored, are left out and listed in the Result.
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
