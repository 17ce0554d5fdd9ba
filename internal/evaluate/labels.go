package evaluate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"slices"
	"strings"

	"throughline/internal/article"
	"throughline/internal/ingest"
)

// Labelled is an article with what is known of it. An empty label is an unknown one. A label that occurs once says that
// the article is a one-off, which is knowledge.
type Labelled struct {
	Article      article.Article
	Story, Topic string
}

// gold is what is known of the stored articles, ordered by id, so that the order they were read in does not change as much as the
// rounding of a sum. A label of -1 is an unknown one.
type gold struct {
	ids           []string
	stories       []int32
	topics        []int32
	storiesBySize []int // articles of each story
	fingerprint   string
}

// store puts the articles into the system and returns the labels of those it took.
func ingestAll(ctx context.Context, sys System, items iter.Seq2[Labelled, error], opts Options, result *Result) (*gold, error) {
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
	g := number(slices.DeleteFunc(seen, func(l Labelled) bool { return !stored[l.Article.ID] }))
	for i := range g.ids {
		if g.stories[i] < 0 {
			result.Unlabelled++
		}
	}
	return g, nil
}

// number orders articles and gives their labels numbers.
func number(labelled []Labelled) *gold {
	slices.SortFunc(labelled, func(a, b Labelled) int { return strings.Compare(a.Article.ID, b.Article.ID) })
	g := &gold{}
	stories, topics := newNumbers(), newNumbers()
	h := sha256.New()
	for _, l := range labelled {
		g.ids = append(g.ids, l.Article.ID)
		g.stories = append(g.stories, stories.of(l.Story))
		g.topics = append(g.topics, topics.of(l.Topic))
		fmt.Fprintf(h, "%q %q %q\n", l.Article.ID, l.Story, l.Topic) // never fails, as documented
	}
	g.storiesBySize = sizes(g.stories)
	g.fingerprint = hex.EncodeToString(h.Sum(nil)[:8])
	return g
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

// known returns the labels of those items whose gold label is known.
func known(labels, gold []int32) []int32 {
	var out []int32
	for i, l := range labels {
		if gold[i] >= 0 {
			out = append(out, l)
		}
	}
	return out
}

// several counts the labels that occur more than once, and how many items have such a label.
func several(labels []int32) (count, items int) {
	for _, size := range sizes(labels) {
		if size > 1 {
			count++
			items += size
		}
	}
	return count, items
}

// distinct counts the labels that occur.
func distinct(labels []int32) int {
	n := 0
	for _, size := range sizes(labels) {
		if size > 0 {
			n++
		}
	}
	return n
}
