// Package derive draws small odd corpora from labelled sets.
//
// A few labelled sets say little about how stories come out in the corpus of a reader, which is
// smaller, larger, or of another mix. Hundreds of corpora that are drawn from these sets say more:
// parts of a set, one-offs only, one event, two sets in one, some weeks, articles of which only
// the titles are known. The package knows which articles are drawn and how they are changed. It
// does not know where articles are read, what their vectors are, or how stories are found.
package derive

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Source is a labelled set. Its slices have one entry for each article.
type Source struct {
	Name      string
	Story     []int32     // number of the story, from 0; -1: unlabelled, never drawn
	Published []time.Time // zero: unknown
	// Names counts the names in each title, see Names. Templates are made of articles with two or
	// more. Nil: of none.
	Names []int
}

// Kind says which stories of a set, and which articles of them, make a corpus.
type Kind int

const (
	Sub    Kind = iota // some stories
	Thin               // most stories keep one article, so that one-offs prevail
	Ones               // one article of every story: there is no story
	Giant              // one story is half of the corpus at least
	Mix                // stories of two or three sets
	Window             // the stories that begin after a day
)

var kindNames = []string{"sub", "thin", "ones", "giant", "mix", "window"}

// Kinds returns all kinds.
func Kinds() []Kind { return []Kind{Sub, Thin, Ones, Giant, Mix, Window} }

func (k Kind) String() string { return kindNames[k] }

// MarshalText returns the name.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads the name.
func (k *Kind) UnmarshalText(text []byte) error { return parse(k, kindNames, text) }

// Amount says how much text of an article is left.
type Amount int

const (
	Whole Amount = iota
	Lead         // the title and 30 words
	First        // the title and the first sentence
	Title        // the title alone
	Mixed        // of a corpus: another amount for each article
)

var amountNames = []string{"whole", "lead", "first", "title", "mixed"}

func (a Amount) String() string { return amountNames[a] }

// MarshalText returns the name.
func (a Amount) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads the name.
func (a *Amount) UnmarshalText(text []byte) error { return parse(a, amountNames, text) }

func parse[T ~int](to *T, names []string, text []byte) error {
	i := slices.Index(names, string(text))
	if i < 0 {
		return fmt.Errorf("got %q, want one of %s", text, strings.Join(names, ", "))
	}
	*to = T(i)
	return nil
}

// Corpus is a corpus that was drawn.
type Corpus struct {
	Name    string // number, kind, sources, and what is odd about it
	Kind    Kind
	Amount  Amount
	Sources []int // indices of the sources it is drawn from, ascending
	Items   []Item
	Story   []int32 // story of each item, from 0
	Odd     bool    // one of the oddities of Options.Odd is in it
}

// Options configures Draw.
type Options struct {
	Seed   string
	Amount Amount
	// Odd takes all but the event from one in three of the kind Giant. It makes one corpus in eight
	// of articles without dates, adds duplicates to one in eight, and templates to one in eight.
	Odd bool
}

// Draw draws a corpus. It depends on the options, the number and the sources, not on their order.
// Another amount, and Odd, keep the articles that are drawn. A number stands for a kind: they take
// turns. Mix needs two sources and Window a source of which most articles have a date; without
// these, the other kinds take turns. Without a labelled article the corpus is empty.
func Draw(sources []Source, number int, opts Options) Corpus {
	d := drawer{Rand: random(opts.Seed, number), sources: sources}
	labelled, dated := d.usable()
	if len(labelled) == 0 {
		return Corpus{Amount: opts.Amount}
	}
	kinds := slices.DeleteFunc(Kinds(), func(k Kind) bool { return k == Mix && len(labelled) < 2 || k == Window && len(dated) == 0 })
	c := Corpus{Kind: kinds[number%len(kinds)], Amount: opts.Amount}
	limit := pick(&d, 40, 80, 150, 300, 600, 1200)
	switch c.Kind {
	case Mix:
		for _, i := range d.Perm(len(labelled))[:min(len(labelled), pick(&d, 2, 3))] {
			c.Sources = append(c.Sources, labelled[i])
		}
	case Window:
		c.Sources = []int{pick(&d, dated...)}
	default:
		c.Sources = []int{pick(&d, labelled...)}
	}
	var drawn []labelledItem
	for _, s := range c.Sources {
		members := d.draw(c.Kind, s, limit, len(c.Sources))
		slices.Sort(members)
		for _, i := range members {
			drawn = append(drawn, labelledItem{Item{Source: s, Index: i}, storyKey{source: s, story: sources[s].Story[i]}})
		}
	}
	for i := range drawn {
		if drawn[i].Amount = opts.Amount; opts.Amount == Mixed {
			drawn[i].Amount = pick(&d, Whole, Lead, First, Title)
		}
	}
	var oddities []string
	if opts.Amount != Whole {
		oddities = append(oddities, opts.Amount.String())
	}
	if opts.Odd {
		var odd []string
		drawn, odd = d.odd(c.Kind, drawn)
		oddities, c.Odd = append(oddities, odd...), len(odd) > 0
	}
	d.Shuffle(len(drawn), func(i, j int) { drawn[i], drawn[j] = drawn[j], drawn[i] })
	numbers := map[storyKey]int32{}
	for _, item := range drawn {
		if _, ok := numbers[item.story]; !ok {
			numbers[item.story] = int32(len(numbers))
		}
		c.Items, c.Story = append(c.Items, item.Item), append(c.Story, numbers[item.story])
	}
	slices.SortFunc(c.Sources, func(a, b int) int { return strings.Compare(sources[a].Name, sources[b].Name) })
	var names []string
	for _, s := range c.Sources {
		names = append(names, sources[s].Name)
	}
	slices.Sort(c.Sources)
	c.Name = strings.Join(append([]string{fmt.Sprintf("%03d", number), c.Kind.String(), strings.Join(names, "+")}, oddities...), "-")
	return c
}

// labelledItem is an item with its story.
type labelledItem struct {
	Item
	story storyKey
}

// storyKey identifies a story: one of a source, or the only article made of a template.
type storyKey struct {
	source   int
	story    int32
	template int // number in the corpus, from 1; 0: no template
}

// drawer draws from sources.
type drawer struct {
	*rand.Rand
	sources []Source
}

// random returns the random numbers of a corpus.
func random(seed string, number int) *rand.Rand {
	return rand.New(rand.NewChaCha8(sha256.Sum256(fmt.Appendf(nil, "%s/%d", seed, number))))
}

func pick[T any](d *drawer, of ...T) T { return of[d.IntN(len(of))] }

// usable returns the sources with a labelled article, and those of them of which most labelled
// articles have a date, in the order of their names.
func (d *drawer) usable() (labelled, dated []int) {
	for i, s := range d.sources {
		count, known := 0, 0
		for k, story := range s.Story {
			if story >= 0 {
				count++
				if !s.Published[k].IsZero() {
					known++
				}
			}
		}
		if count > 0 {
			labelled = append(labelled, i)
		}
		if 2*known > count {
			dated = append(dated, i)
		}
	}
	byName := func(a, b int) int { return strings.Compare(d.sources[a].Name, d.sources[b].Name) }
	slices.SortStableFunc(labelled, byName)
	slices.SortStableFunc(dated, byName)
	return labelled, dated
}

// stories returns the articles of each story of a source.
func (s *Source) stories() [][]int {
	var out [][]int
	for i, story := range s.Story {
		if story < 0 {
			continue
		}
		for int(story) >= len(out) {
			out = append(out, nil)
		}
		out[story] = append(out[story], i)
	}
	return slices.DeleteFunc(out, func(members []int) bool { return len(members) == 0 })
}

// draw returns articles of a source for a corpus of about limit articles from several sources.
func (d *drawer) draw(kind Kind, source, limit, sources int) []int {
	s := &d.sources[source]
	stories := s.stories()
	all := func(members []int) []int { return members }
	one := func(members []int) []int { return []int{pick(d, members...)} }
	switch kind {
	case Thin:
		whole := pick(d, .1, .25)
		return d.some(stories, limit, func(members []int) []int {
			if d.Float64() < whole {
				return members
			}
			return one(members)
		})
	case Ones:
		return d.some(stories, limit, one)
	case Giant:
		return d.giant(stories, limit)
	case Mix:
		return d.some(stories, limit/sources+1, all)
	case Window:
		if members := d.window(s, stories, limit); len(members) >= leastWindow {
			return members
		}
	}
	return d.some(stories, limit, all)
}

// leastWindow is the least number of articles of a window. Fewer are left when it begins on one of
// the last days.
const leastWindow = 20

// some returns what keep leaves of the stories, in random order, up to limit articles. A story that
// would exceed the limit is left out, unless it is the first.
func (d *drawer) some(stories [][]int, limit int, keep func(members []int) []int) []int {
	var out []int
	for _, i := range d.Perm(len(stories)) {
		members := keep(stories[i])
		if len(out) > 0 && len(out)+len(members) > limit {
			continue
		}
		if out = append(out, members...); len(out) >= limit {
			break
		}
	}
	return out
}

// giant returns one of the largest stories and a few articles of others.
func (d *drawer) giant(stories [][]int, limit int) []int {
	giant, most := 0, -1.0
	for i, members := range stories {
		if size := float64(len(members)) + 30*d.Float64(); size > most {
			giant, most = i, size
		}
	}
	out := slices.Clone(stories[giant])
	d.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	out = out[:min(len(out), max(4, limit/2))]
	rest := min(len(out), max(2, int(float64(len(out))*pick(d, .05, .2, .5))))
	others := slices.Delete(slices.Clone(stories), giant, giant+1)
	return append(out, d.some(others, rest, func(members []int) []int { return members[:min(len(members), rest)] })...)
}

// window returns the stories that begin after some day, the earliest first, up to limit articles.
// Stories with an article without a date are left out.
func (d *drawer) window(s *Source, stories [][]int, limit int) []int {
	var days []time.Time
	for i, t := range s.Published {
		if s.Story[i] >= 0 && !t.IsZero() {
			days = append(days, t)
		}
	}
	start := pick(d, days...).Truncate(24 * time.Hour)
	type dated struct {
		first   time.Time
		members []int
	}
	var near []dated
	for _, members := range stories {
		first := slices.MinFunc(members, func(a, b int) int { return s.Published[a].Compare(s.Published[b]) })
		if t := s.Published[first]; !t.IsZero() && !t.Before(start) { // the zero time is the first of all
			near = append(near, dated{t, members})
		}
	}
	slices.SortStableFunc(near, func(a, b dated) int { return a.first.Compare(b.first) })
	var out []int
	for _, n := range near {
		if len(out)+len(n.members) <= limit {
			out = append(out, n.members...)
		}
	}
	return out
}

// odd takes the dates or all but one event away, or adds duplicates or templates, and says which.
func (d *drawer) odd(kind Kind, drawn []labelledItem) ([]labelledItem, []string) {
	undated, duplicates, templates, alone := d.IntN(8) == 0, d.IntN(8) == 0, d.IntN(8) == 0, d.IntN(3) == 0
	var names []string
	if alone && kind == Giant {
		names = append(names, "alone")
		drawn = mostCommonStory(drawn)
	}
	if undated && kind != Window {
		names = append(names, "undated")
		for i := range drawn {
			drawn[i].Undated = true
		}
	}
	originals := drawn
	// A duplicate of a one-off makes a story of it.
	if duplicates && kind != Ones {
		names = append(names, "duplicates")
		for _, i := range d.Perm(len(originals))[:min(len(originals), 1+d.IntN(3))] {
			for n := range d.repetitions(originals) {
				item := originals[i]
				item.Copy = n + 1
				drawn = append(drawn, item)
			}
		}
	}
	if templates {
		if made := d.templates(originals); len(made) > 0 {
			names = append(names, "templates")
			drawn = append(drawn, made...)
		}
	}
	return drawn, names
}

// mostCommonStory returns the items of the largest story.
func mostCommonStory(items []labelledItem) []labelledItem {
	counts := map[storyKey]int{}
	best := items[0].story
	for _, item := range items {
		if counts[item.story]++; counts[item.story] > counts[best] {
			best = item.story
		}
	}
	return slices.DeleteFunc(slices.Clone(items), func(item labelledItem) bool { return item.story != best })
}

// repetitions returns how often an article is repeated. In a small corpus there are fewer, so that
// it stays of its kind.
func (d *drawer) repetitions(of []labelledItem) int {
	return min(pick(d, 2, 5, 20), 2+len(of)/8)
}

// templates returns repetitions of one or two articles, each with the names, the numbers and the
// date of an article of another story.
func (d *drawer) templates(of []labelledItem) []labelledItem {
	var out []labelledItem
	for _, i := range d.Perm(len(of))[:min(len(of), 1+d.IntN(2))] {
		item := of[i]
		s := &d.sources[item.Source]
		named := func(i int) bool { return s.Names != nil && s.Names[i] >= 2 }
		if !named(item.Index) {
			continue
		}
		var donors []int // one of each story
		for _, members := range s.stories() {
			if members = slices.DeleteFunc(members, func(i int) bool { return !named(i) }); len(members) > 0 && s.Story[members[0]] != item.story.story {
				donors = append(donors, pick(d, members...))
			}
		}
		for _, k := range d.Perm(len(donors))[:min(len(donors), d.repetitions(of))] {
			made := item
			made.Template, made.Donor = len(out)+1, donors[k]
			made.story = storyKey{template: made.Template}
			out = append(out, made)
		}
	}
	return out
}

// Summary describes scores of corpora, such as story F1.
type Summary struct {
	Count              int
	Mean, Tenth, Worst float64 // Tenth is the tenth percentile
}

// Summarize summarizes at least one score.
func Summarize(scores []float64) Summary {
	scores = slices.Sorted(slices.Values(scores))
	sum := 0.0
	for _, s := range scores {
		sum += s
	}
	return Summary{Count: len(scores), Mean: sum / float64(len(scores)), Tenth: scores[len(scores)/10], Worst: scores[0]}
}
