// Package evaluate measures how good the answers are, on articles of which somebody has said what belongs together.
//
// It knows how labelled files are read, which questions are asked about them, and how the answers are scored. The answers
// come from the engines that serve readers, with the settings that readers get by default, over a store that holds the
// labelled articles and nothing else. It does not know how an answer comes about, and nothing in it can be tuned.
//
// What is measured:
//
//   - Related: for every article whose story has at least two articles, the list of related coverage, copies included. What
//     is of the same story is relevant, all else is not. nDCG of the first ten, precision of the first five, and the
//     reciprocal rank of the first relevant one, each as the mean over those articles. A list of five cannot be more
//     precise than the story is large, so P@5 stays below 1 where stories are small.
//   - Stories: B-cubed precision, recall and F1 of the stories found. An article in no story counts as a story of its own,
//     in the labels and in what was found. Counted as found and as gold are stories with at least two labelled articles.
//   - Topics: mutual information and Rand index, both adjusted for chance, of the topics found.
//
// Articles without a label take part: they are stored, they can be found, and stories can form around them, as in any
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

	"throughline/internal/article"
	"throughline/internal/ingest"
)

// Labelled is an article with what is known of it. An empty label is an unknown one. A label that occurs once says that
// the article is a one-off, which is knowledge.
type Labelled struct {
	Article      article.Article
	Story, Topic string
}

// Options of a run.
type Options struct {
	Now     func() time.Time // needed: for Result.Seconds
	Workers int              // how many questions are asked at a time; 0: as many as there are cores
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
	g, err := store(ctx, sys, items, opts, result)
	if err != nil {
		return nil, fmt.Errorf("%s: storing the articles: %w", name, err)
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
	result.Stories, result.Topics = scoreFiling(g, filed)
	if result.Related, err = relate(ctx, sys, g, opts); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	result.Seconds = opts.Now().Sub(started).Seconds()
	return result, nil
}

// gold is what is known of the stored articles, in the order they were read. A label of -1 is an unknown one.
type gold struct {
	ids           []string
	stories       []int32
	topics        []int32
	storiesBySize []int // articles of each story
}

// store puts the articles into the system and returns the labels of those it took.
func store(ctx context.Context, sys System, items iter.Seq2[Labelled, error], opts Options, result *Result) (*gold, error) {
	// The pipeline pulls articles in a goroutine of its own; that goroutine alone touches seen and result.Duplicates, and
	// it has ended when Ingest returns.
	var seen []Labelled
	known := make(map[string]bool)
	articles := func(yield func(article.Article, error) bool) {
		for item, err := range items {
			if err == nil {
				if id := item.Article.ID; known[id] {
					result.Duplicates = append(result.Duplicates, &DuplicateError{Origin: item.Article.Origin, ID: id})
					continue
				}
				known[item.Article.ID] = true
				if derived(item.Article) {
					result.Unidentified++
				}
				label := Labelled{Story: item.Story, Topic: item.Topic}
				label.Article.ID = item.Article.ID // the texts are not kept
				seen = append(seen, label)
			}
			if !yield(item.Article, err) {
				return
			}
		}
	}
	stored := make(map[string]bool)
	summary, err := sys.Ingest(ctx, articles, func(r ingest.Report) {
		opts.Progress("reading")
		if r.Outcome != ingest.Rejected {
			stored[r.ID] = true
		}
	})
	if err != nil {
		return nil, err
	}
	for _, r := range summary.Rejected {
		result.Rejected = append(result.Rejected, r.Err)
	}
	g := &gold{}
	stories, topics := newNumbers(), newNumbers()
	for _, l := range seen {
		if !stored[l.Article.ID] {
			continue
		}
		g.ids = append(g.ids, l.Article.ID)
		g.stories = append(g.stories, stories.of(l.Story))
		g.topics = append(g.topics, topics.of(l.Topic))
	}
	g.storiesBySize = sizes(g.stories)
	for i := range g.ids {
		if g.stories[i] < 0 {
			result.Unlabelled++
		}
	}
	return g, nil
}

// derived reports whether the article came without an id: then its own content leads to the same one.
func derived(a article.Article) bool {
	bare := a
	bare.ID = ""
	return article.Finish(&bare) == nil && bare.ID == a.ID
}

// DuplicateError is an article whose id an earlier one has. The earlier one stays.
type DuplicateError struct {
	Origin article.Origin
	ID     string
}

func (e *DuplicateError) Error() string {
	return fmt.Sprintf("%s: an article with the id %q was read before", e.Origin, e.ID)
}

// numbers gives labels numbers from 0 in order of appearance, and -1 to the empty one.
type numbers map[string]int32

func newNumbers() numbers { return numbers{"": -1} }

func (n numbers) of(label string) int32 {
	number, ok := n[label]
	if !ok {
		number = int32(len(n) - 1)
		n[label] = number
	}
	return number
}

// sizes counts how often each label occurs.
func sizes(labels []int32) []int {
	var counts []int
	for _, l := range labels {
		if l < 0 {
			continue
		}
		for int(l) >= len(counts) {
			counts = append(counts, 0)
		}
		counts[l]++
	}
	return counts
}
