package calibrate

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"

	"throughline/internal/article"
)

const (
	// shortWords is how much text an article has in a copy that is cut short: that of a teaser.
	shortWords = 30
	// untitledWords is how much is left of an article without a title where the others keep their title only.
	untitledWords = 12
	// manyArticles is the size from which on copies that are cut short hold a part of the stories: they need vectors of their own.
	manyArticles = 1000
	// smallStories is how many stories a set has to have for its small copy to take fewer of them.
	smallStories = 60
)

// variant is a corpus to be made from a set.
type variant struct {
	name    string
	members []int // of the set, ascending
	words   int   // of the text that are kept; negative: all
	undated bool
}

const whole = "full"

// variants returns the corpora that are made of a set. All but the first are for corpora unlike the few that are labelled: teasers, headlines, fewer
// stories, thin stories with many one-offs, no dates, few articles, half of the articles of each story.
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
	add("half", s.sample("half", min(len(s.articles)/2, 600)), -1, false)
	return out
}

// random returns the generator of a copy.
func (s *Set) random(copyOf string) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s/%s", s.Name, copyOf) // never fails, as documented
	return rand.New(rand.NewPCG(h.Sum64(), 1))
}

// draw returns articles of a share of the stories, two at least.
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

// thin leaves few articles to every story, and one to half of them.
func (s *Set) thin(least, most int) []int {
	r := s.random("thin")
	of := make([][]int, s.stories)
	for i, story := range s.story {
		of[story] = append(of[story], i)
	}
	var members []int
	for _, articles := range of {
		keep := least
		if r.IntN(2) == 0 {
			keep = 1
		}
		members = append(members, some(r, articles, keep)...)
	}
	return some(r, members, most)
}

// sample returns some of the articles, whatever their stories.
func (s *Set) sample(name string, most int) []int {
	members := make([]int, len(s.articles))
	for i := range members {
		members[i] = i
	}
	return some(s.random(name), members, most)
}

// some returns at most so many, in ascending order.
func some(r *rand.Rand, members []int, most int) []int {
	if len(members) > most {
		r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		members = members[:most]
	}
	slices.Sort(members)
	return members
}

// short is an article with so many words of its text. Of one without a title some are left.
func short(a article.Article, words int) (article.Article, error) {
	if a.TitleDerived {
		a.Title, words = "", max(words, untitledWords)
	}
	text := strings.Fields(a.Text())
	a.Sections = nil
	if text = text[:min(words, len(text))]; len(text) > 0 {
		a.Sections = []article.Section{{Text: strings.Join(text, " ")}}
	}
	if a.Title == "" && len(a.Sections) == 0 {
		return a, fmt.Errorf("%q has neither a title nor a text", a.ID)
	}
	return a, article.Finish(&a)
}
