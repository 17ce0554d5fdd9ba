package calibrate

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"throughline/internal/article"
	"throughline/internal/evaluate"
	"throughline/internal/evidence"
)

var (
	// ErrUnlabelled: a file has no label.
	ErrUnlabelled = errors.New("no article has a story label")
	// ErrTooFew: there is not enough to learn from.
	ErrTooFew = errors.New("too little to learn from")
	// ErrSpace: vectors of two embedding spaces.
	ErrSpace = errors.New("texts in full and texts cut short must be embedded by one model")
)

// mostArticles is how many labelled articles of a file count, the first ones. Further ones would cost time and change nothing.
const mostArticles = 2500

// leastArticles is how many articles a corpus has at least; in a smaller one everything comes near everything.
const leastArticles = 10

// Set is a labelled set: articles in the order of their ids, with the number of the story of each.
type Set struct {
	Name     string
	Labelled evidence.LabelledSet // for the provenance

	articles []article.Article
	story    []int32
	stories  int32
	long     bool // texts are long enough to be cut short
}

// NewSet reads a set. Articles without a label, with an id that occurred before, or that cannot be read are left out.
func NewSet(name string, items iter.Seq2[evaluate.Labelled, error]) (*Set, error) {
	type labelled struct {
		article article.Article
		story   string
	}
	var all []labelled
	var rejected error
	known := map[string]bool{}
	for item, err := range items {
		switch {
		case err != nil:
			if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
				return nil, err
			}
			rejected = cmp.Or(rejected, err)
		case item.Story != "" && !known[item.Article.ID] && len(all) < mostArticles:
			known[item.Article.ID] = true
			all = append(all, labelled{item.Article, item.Story})
		}
	}
	if len(all) == 0 && rejected != nil {
		return nil, fmt.Errorf("%s: %w; the first item that was rejected: %w", name, ErrUnlabelled, rejected)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: %w (field %q)", name, ErrUnlabelled, "story")
	}
	slices.SortFunc(all, func(a, b labelled) int { return strings.Compare(a.article.ID, b.article.ID) })
	s := &Set{Name: name}
	numbers := map[string]int32{}
	sizes := map[string]int{}
	h := sha256.New()
	words := make([]int, 0, len(all))
	for _, l := range all {
		if _, ok := numbers[l.story]; !ok {
			numbers[l.story] = s.stories
			s.stories++
		}
		sizes[l.story]++
		s.articles, s.story = append(s.articles, l.article), append(s.story, numbers[l.story])
		fmt.Fprintf(h, "%q %q\n", l.article.ID, l.story) // never fails, as documented
		words = append(words, len(strings.Fields(l.article.Text())))
	}
	if s.stories < 2 {
		return nil, fmt.Errorf("%s: %w: all %d labelled articles are of one story, so nothing says what is not of one", name, ErrTooFew, len(all))
	}
	if len(sizes) == len(all) {
		return nil, fmt.Errorf("%s: %w: no two of %d labelled articles are of one story", name, ErrTooFew, len(all))
	}
	if len(all) < leastArticles {
		return nil, fmt.Errorf("%s: %w: %d labelled articles, %d are needed", name, ErrTooFew, len(all), leastArticles)
	}
	slices.Sort(words)
	s.long = words[len(words)/2] >= 2*shortWords
	s.Labelled = evidence.LabelledSet{Name: name, Articles: len(all), Stories: int(s.stories), Labels: hex.EncodeToString(h.Sum(nil))}
	return s, nil
}
