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

	"throughline/internal/derive"
	"throughline/internal/evaluate"
	"throughline/internal/news"
	"throughline/internal/score"
)

var (
	// ErrTooFew is the error of too few sets, articles or pairs.
	ErrTooFew = errors.New("too little to learn from")
	// ErrSpace is the error of vectors of two embedding spaces.
	ErrSpace = errors.New("texts in full and texts cut short must be embedded by one model")
)

// mostArticles is the most labelled articles of a file that are used, the first ones. More cost
// time and change nothing.
const mostArticles = 2500

// leastArticles is the least number of articles of a corpus. In a smaller one all articles are near
// each other.
const leastArticles = 10

// Set is a labelled set: articles in the order of their ids, with the story number of each.
type Set struct {
	Name     string
	Labelled score.LabelledSet // for the provenance

	articles []news.Article
	story    []int32
	stories  int32
}

// NewSet reads a set. It leaves out articles without a label, with the id of an earlier one, or
// that cannot be read.
func NewSet(name string, items iter.Seq2[evaluate.Labelled, error]) (*Set, error) {
	type labelled struct {
		article news.Article
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
		case item.Story != "" && !known[item.ID] && len(all) < mostArticles:
			known[item.ID] = true
			all = append(all, labelled{item.Valid.Article(), item.Story})
		}
	}
	if len(all) == 0 && rejected != nil {
		return nil, fmt.Errorf("%s: %w; first rejected item: %w", name, evaluate.ErrUnlabelled, rejected)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: %w (field %q)", name, evaluate.ErrUnlabelled, "story")
	}
	slices.SortFunc(all, func(a, b labelled) int { return strings.Compare(a.article.ID, b.article.ID) })
	s := &Set{Name: name}
	numbers := map[string]int32{}
	h := sha256.New()
	for _, l := range all {
		if _, ok := numbers[l.story]; !ok {
			numbers[l.story] = s.stories
			s.stories++
		}
		s.articles, s.story = append(s.articles, l.article), append(s.story, numbers[l.story])
		fmt.Fprintf(h, "%q %q\n", l.article.ID, l.story) // never fails, as documented
	}
	if s.stories < 2 {
		return nil, fmt.Errorf("%s: %w: all %d labelled articles are of one story", name, ErrTooFew, len(all))
	}
	if len(numbers) == len(all) {
		return nil, fmt.Errorf("%s: %w: no two of %d labelled articles are of one story", name, ErrTooFew, len(all))
	}
	if len(all) < leastArticles {
		return nil, fmt.Errorf("%s: %w: too few labelled articles (got %d, want at least %d)", name, ErrTooFew, len(all), leastArticles)
	}
	s.Labelled = score.LabelledSet{Name: name, Articles: len(all), Stories: int(s.stories), Labels: hex.EncodeToString(h.Sum(nil))}
	return s, nil
}

// source describes the set for drawing corpora.
func (s *Set) source() derive.Source {
	out := derive.Source{Name: s.Name, Story: s.story}
	for i := range s.articles {
		out.Published = append(out.Published, s.articles[i].Published)
		out.Names = append(out.Names, derive.Names(s.articles[i]))
	}
	return out
}
