// Package report makes a page of HTML out of a clustering: a map of topics, the sizes of stories, the largest stories, and when
// they happened.
//
// It knows labels, what is known of items, and how to draw; not where any of that comes from. The page is one file that
// loads nothing and runs no script: links within it show what belongs to a topic, so it works from the keyboard, from a mail, and
// decades from now. Everything that comes from articles is escaped by html/template. The same input gives the same bytes.
package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"throughline/cluster"
)

// Input is what a report is about: items by index, with labels numbered from 0 and -1 for none.
type Input struct {
	Title               string // what was clustered
	One, Many           string // what items are called, e.g. "article", "articles"
	Story, Topic, Theme []int32
	Strength            []float32          // nil: unknown
	Documents           func(int) Document // nil: nothing is known of items but their number
	Means               cluster.Matrix     // a row for each topic, of any length; no rows: unknown
	Notes               []string           // what readers should know of the input
}

// Document is what is known of an item. Anything may be empty.
type Document struct {
	ID, Title, Lead, Source, URL string
	Published                    time.Time
}

// Bounds of what a page shows, so that it stays one that a browser opens at once.
const (
	mapTopics     = 250
	tableStories  = 100
	topicStories  = 25  // listed with a topic
	storyTitles   = 4   // of a story
	topicSample   = 150 // documents that a topic's keywords are found in
	storySample   = 40
	keywordsShown = 6
	timelineRows  = 40
)

// group is a story or a topic.
type group struct {
	label    int32
	members  []int32 // ascending
	strength float64 // mean
	title    string
	words    []string
	first    time.Time
	last     time.Time
	sources  int
	topic    int32 // of a story
	stories  []*group
}

// collect gathers the members of every label, the largest group first.
func collect(labels []int32, strength []float32) []*group {
	count := int32(0)
	for _, l := range labels {
		count = max(count, l+1)
	}
	groups := make([]*group, count)
	for l := range groups {
		groups[l] = &group{label: int32(l), topic: -1}
	}
	for i, l := range labels {
		if l < 0 {
			continue
		}
		g := groups[l]
		g.members = append(g.members, int32(i))
		if strength != nil {
			g.strength += float64(strength[i])
		}
	}
	for _, g := range groups {
		g.strength /= float64(max(len(g.members), 1))
	}
	groups = slices.DeleteFunc(groups, func(g *group) bool { return len(g.members) == 0 })
	slices.SortStableFunc(groups, func(a, b *group) int { return cmp.Compare(len(b.members), len(a.members)) })
	return groups
}

// known says which facts there are of any item.
type known struct{ titles, dates, sources bool }

// describe reads the documents of the items: dates and sources of every story, titles and keywords of those that are shown.
func (in *Input) describe(stories, topics []*group, shown map[*group]bool) known {
	var k known
	if in.Documents == nil {
		for _, g := range stories {
			g.title = fmt.Sprintf("Story %d", g.label)
		}
		for _, g := range topics {
			g.title = fmt.Sprintf("Topic %d", g.label)
		}
		return k
	}
	for _, g := range stories {
		sources := map[string]bool{}
		for _, i := range g.members {
			d := in.Documents(int(i))
			k.titles, k.dates, k.sources = k.titles || d.Title != "", k.dates || !d.Published.IsZero(), k.sources || d.Source != ""
			if d.Source != "" {
				sources[d.Source] = true
			}
			g.date(d.Published)
		}
		g.sources = len(sources)
		if shown[g] {
			g.title = cmp.Or(in.Documents(int(in.strongest(g)[0])).Title, fmt.Sprintf("Story %d", g.label))
		}
	}
	in.name(stories, storySample, shown)
	in.name(topics, topicSample, nil)
	for _, g := range topics {
		g.title = strings.Join(g.words[:min(3, len(g.words))], ", ")
		if g.title == "" {
			g.title = fmt.Sprintf("Topic %d", g.label)
		}
	}
	return k
}

func (g *group) date(t time.Time) {
	if t.IsZero() {
		return
	}
	if g.first.IsZero() || t.Before(g.first) {
		g.first = t
	}
	if t.After(g.last) {
		g.last = t
	}
}

// strongest returns the members of a group, those that belong to it most first.
func (in *Input) strongest(g *group) []int32 {
	members := slices.Clone(g.members)
	if in.Strength != nil {
		slices.SortStableFunc(members, func(a, b int32) int { return cmp.Compare(in.Strength[b], in.Strength[a]) })
	}
	return members
}

// name finds the keywords of groups, in comparison with each other, in a sample of their documents.
func (in *Input) name(groups []*group, sample int, only map[*group]bool) {
	var named []*group
	var documents [][]cluster.Document
	for _, g := range groups {
		if only != nil && !only[g] {
			continue
		}
		var some []cluster.Document
		step := max(1, len(g.members)/sample)
		for at := 0; at < len(g.members) && len(some) < sample; at += step {
			d := in.Documents(int(g.members[at]))
			some = append(some, cluster.Document{Title: d.Title, Text: d.Lead})
		}
		named, documents = append(named, g), append(documents, some)
	}
	for k, words := range cluster.Keywords(documents, keywordsShown) {
		named[k].words = words
	}
}
