package evaluate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"slices"
	"strings"

	"throughline/internal/formats"
	"throughline/internal/ingest"
	"throughline/internal/news"
)

// Labelled is an article with its labels. An empty label is unknown. A story label that occurs once
// means that the article is a one-off.
type Labelled struct {
	ID           string
	Valid        news.Valid
	Story, Topic string
}

// gold holds the labels of the stored articles, ordered by id, so that the order of reading does
// not change even the rounding of a sum. A label of -1 is unknown.
type gold struct {
	ids           []string
	stories       []int32
	topics        []int32
	storiesBySize []int // articles of each story
	fingerprint   string
}

// ingestAll stores the articles and returns the labels of those that the system accepted.
func ingestAll(ctx context.Context, sys System, items iter.Seq2[Labelled, error], opts Options, result *Result) (*gold, error) {
	// The pipeline iterates over articles in a goroutine of its own. Only that goroutine touches
	// seen and result.Duplicates, and it has ended when Ingest returns.
	var seen []Labelled
	known := make(map[string]bool)
	articles := func(yield func(news.Valid, error) bool) {
		for item, err := range items {
			if err == nil {
				a := item.Valid.Article()
				if known[item.ID] {
					result.Duplicates = append(result.Duplicates, errDuplicate(item))
					continue
				}
				known[item.ID] = true
				if derived(a) {
					result.Unidentified++
				}
				seen = append(seen, Labelled{ID: item.ID, Story: item.Story, Topic: item.Topic})
			}
			if !yield(item.Valid, err) {
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
	g := number(slices.DeleteFunc(seen, func(l Labelled) bool { return !stored[l.ID] }))
	for i := range g.ids {
		if g.stories[i] < 0 {
			result.Unlabelled++
		}
	}
	return g, nil
}

func errDuplicate(l Labelled) error {
	return fmt.Errorf("%s: an article with the id %q was read before", l.Valid.Article().Origin, l.ID)
}

// number orders articles by id and numbers their labels.
func number(labelled []Labelled) *gold {
	slices.SortFunc(labelled, func(a, b Labelled) int { return strings.Compare(a.ID, b.ID) })
	g := &gold{}
	stories, topics := numbers{}, numbers{}
	h := sha256.New()
	for _, l := range labelled {
		g.ids = append(g.ids, l.ID)
		g.stories = append(g.stories, stories.of(l.Story))
		g.topics = append(g.topics, topics.of(l.Topic))
		fmt.Fprintf(h, "%q %q %q\n", l.ID, l.Story, l.Topic) // never fails, as documented
	}
	g.storiesBySize = sizes(g.stories)
	g.fingerprint = hex.EncodeToString(h.Sum(nil)[:8])
	return g
}

// derived reports whether the article came without an id: its id is the one derived from its
// content.
func derived(a news.Article) bool {
	bare := a
	bare.ID = ""
	valid, err := news.Validate(bare)
	return err == nil && valid.Article().ID == a.ID
}

// numbers numbers labels from 0 in order of appearance; the empty label is -1.
type numbers map[string]int32

func (n numbers) of(label string) int32 {
	if label == "" {
		return -1
	}
	if _, ok := n[label]; !ok {
		n[label] = int32(len(n))
	}
	return n[label]
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

// known returns the labels of the items whose gold label is known.
func known(labels, gold []int32) []int32 {
	var out []int32
	for i, l := range labels {
		if gold[i] >= 0 {
			out = append(out, l)
		}
	}
	return out
}

// groups counts the labels that occur at least so often, and the items with such a label.
func groups(labels []int32, least int) (count, items int) {
	for _, size := range sizes(labels) {
		if size >= least {
			count++
			items += size
		}
	}
	return count, items
}

// Read reads labelled articles from any format with named fields, usually one JSON object a line.
// The field "story" is the label of the story, "topic" that of the topic; a missing, null or empty
// one is unknown.
func Read(ctx context.Context, path string, opts formats.Options) iter.Seq2[Labelled, error] {
	opts.Keep = []string{"story", "topic"}
	return func(yield func(Labelled, error) bool) {
		for a, err := range formats.Read(ctx, []string{path}, opts) {
			extra := a.Article().Extra
			if !yield(Labelled{ID: a.Article().ID, Valid: a, Story: extra["story"], Topic: extra["topic"]}, err) {
				return
			}
		}
	}
}
