package calibrate

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"

	"throughline/internal/news"
)

const (
	// shortWords is the number of words of text of a shortened article: that of a teaser.
	shortWords = 30
	// untitledWords is the least number of words left of an article without a title, also in the
	// variant of titles only.
	untitledWords = 12
	// manyArticles is the number of articles from which the shortened variants hold a share of the
	// stories only, because they need vectors of their own.
	manyArticles = 1000
	// smallStories is the number of stories above which the small variant draws a smaller share of
	// them.
	smallStories = 60
)

// variant describes a corpus to be made from a set.
type variant struct {
	name    string
	members []int // of the set, ascending
	words   int   // of text per article; negative: all
	undated bool
}

const whole = "full"

// variants returns the corpora that are made from a set, the whole set first. The others stand for
// corpora unlike the few that are labelled: teasers, headlines, fewer stories, small stories with
// many one-offs, no dates, few articles, half of the articles of each story.
func variants(s *Set) []variant {
	out := []variant{{name: whole, members: s.draw(whole, 1, len(s.articles)), words: -1}}
	add := func(name string, members []int, words int, undated bool) {
		if len(members) >= leastArticles {
			out = append(out, variant{name, members, words, undated})
		}
	}
	if s.long {
		share := 1.0
		if len(s.articles) >= manyArticles {
			share = .4
		}
		add("short", s.draw("short", share, 900), shortWords, false)
		add("titles", s.draw("titles", share, 900), 0, false)
	}
	add("third", s.draw("third", .35, 600), -1, false)
	add("thin", s.thin(3, 700), -1, false)
	add("undated", s.draw("undated", .5, 600), -1, true)
	few := .3
	if s.stories > smallStories {
		few = .15
	}
	add("small", s.draw("small", few, 80), -1, false)
	add("half", some(s.random("half"), slices.Clone(out[0].members), min(len(s.articles)/2, 600)), -1, false)
	return out
}

// random returns the random generator of a variant, seeded with its name.
func (s *Set) random(variant string) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s/%s", s.Name, variant) // never fails, as documented
	return rand.New(rand.NewPCG(h.Sum64(), 1))
}

// draw returns the articles of a random share of the stories, two at least, and at most `most`
// articles.
func (s *Set) draw(name string, share float64, most int) []int {
	r := s.random(name)
	chosen := make([]bool, s.stories)
	for _, story := range r.Perm(int(s.stories))[:min(int(s.stories), max(2, int(share*float64(s.stories))))] {
		chosen[story] = true
	}
	var members []int
	for i, story := range s.story {
		if chosen[story] {
			members = append(members, i)
		}
	}
	return some(r, members, most)
}

// thin returns at most perStory articles of every story, one of about half of the stories, and at
// most `most` in all.
func (s *Set) thin(perStory, most int) []int {
	r := s.random("thin")
	of := make([][]int, s.stories)
	for i, story := range s.story {
		of[story] = append(of[story], i)
	}
	var members []int
	for _, articles := range of {
		keep := perStory
		if r.IntN(2) == 0 {
			keep = 1
		}
		members = append(members, some(r, articles, keep)...)
	}
	return some(r, members, most)
}

// some returns at most `most` random members, in ascending order.
func some(r *rand.Rand, members []int, most int) []int {
	if len(members) > most {
		r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		members = members[:most]
	}
	slices.Sort(members)
	return members
}

// short returns an article with so many words of its text.
func short(a news.Article, words int) (news.Article, error) {
	if a.TitleDerived {
		a.Title, words = "", max(words, untitledWords)
	}
	text := strings.Fields(a.Text())
	a.Sections = nil
	if text = text[:min(words, len(text))]; len(text) > 0 {
		a.Sections = []news.Section{{Text: strings.Join(text, " ")}}
	}
	if a.Title == "" && len(a.Sections) == 0 {
		return a, fmt.Errorf("article %q: neither a title nor a text", a.ID)
	}
	valid, err := news.Validate(a)
	return valid.Article(), err
}
