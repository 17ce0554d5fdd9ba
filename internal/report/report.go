// Package report makes an HTML page out of a clustering. The page has a map of the topics, the
// sizes of the stories, a timeline, and the largest stories.
//
// It knows labels, documents and how to draw, not where any of that comes from. The page is one
// file that loads nothing and runs no script: the details of a topic are shown by links within the
// page. Text from documents is escaped by html/template. The same input gives the same bytes.
package report

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"throughline/cluster"
)

// Input is a clustering of items. Labels are by item, numbered from 0; -1 means none.
type Input struct {
	Title               string // what was clustered
	One, Many           string // what an item is called, e.g. "article", "articles"
	Story, Topic, Theme []int32
	Strength            []float32          // nil: unknown
	Documents           func(int) Document // nil: unknown
	Means               cluster.Matrix     // a row for each topic; no rows: unknown
	Names               Names
	Notes               []string // shown at the top
}

// Names are those of the groups of each layer, by label. The zero value is unknown.
type Names struct{ Stories, Topics, Themes []Name }

// Name is the title of a group and its keywords. Without a title the group has a number.
type Name struct {
	Title string
	Words []string
}

// of returns the name of a group; what names those that have none.
func of(names []Name, label int32, what string) Name {
	var n Name
	if int(label) < len(names) {
		n = names[label]
	}
	n.Title = cmp.Or(n.Title, fmt.Sprintf("%s %d", what, label))
	return n
}

// Document describes an item. Any field may be empty.
type Document struct {
	ID, Title, Source, URL string
	Published              time.Time
}

// Bounds that keep the page small enough for a browser to open at once.
const (
	mapTopics    = 250
	tableStories = 100
	topicStories = 25 // listed with a topic
	storyTitles  = 4  // listed with a story
	timelineRows = 40
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"join": func(words []string) string { return strings.Join(words, ", ") },
}).Parse(pageText))

// view is what the template shows.
type view struct {
	Input
	Facts                  []fact
	Missing                []string
	Titled, Dated, Sourced bool // some document has a title, a date, a source
	Map                    *topicMap
	Sizes                  *chart
	Days                   *timeline
	Stories, Topics        []*group // those that are listed
	MoreStories            int
}

type fact struct {
	Value int
	What  string
}

// group is a story or a topic.
type group struct {
	Label, Theme int32
	Name
	ThemeTitle string // of a topic; empty: in no theme with another
	Strength   string // of a story: mean strength of its members
	Sources    int    // of a story
	Titles     []link // of a story: its strongest members
	Topic      *group // of a story in the table: its topic, when that is listed

	members     []int32 // ascending
	stories     []*group
	first, last time.Time
}

type link struct{ Text, URL, Date, Source string }

func (g *group) Size() int        { return len(g.members) }
func (g *group) Hue() int         { return hue(g.Theme) }
func (g *group) Dates() string    { return span(g.first, g.last) }
func (g *group) Count() int       { return len(g.stories) }
func (g *group) Listed() []*group { return head(g.stories, topicStories) }
func (g *group) More() int        { return len(g.stories) - len(g.Listed()) }

// Single is the number of items of a topic that are in no story.
func (g *group) Single() int { return single(len(g.members), g.stories) }

func single(items int, stories []*group) int {
	for _, s := range stories {
		items -= len(s.members)
	}
	return items
}

// Write writes the page.
func Write(w io.Writer, in Input) error {
	n := len(in.Story)
	if len(in.Topic) != n || len(in.Theme) != n || in.Strength != nil && len(in.Strength) != n {
		return fmt.Errorf("report: label layers of different lengths (got %d, %d and %d)", n, len(in.Topic), len(in.Theme))
	}
	if in.Documents == nil {
		in.Documents = func(i int) Document { return Document{ID: strconv.Itoa(i)} }
	}
	stories, topics := in.collect(in.Story), in.collect(in.Topic)
	byLabel := map[int32]*group{}
	for _, t := range topics {
		if in.Means.Rows > 0 && int(t.Label) >= in.Means.Rows {
			return fmt.Errorf("report: too few topic means (got %d, want more than %d)", in.Means.Rows, t.Label)
		}
		byLabel[t.Label] = t
	}
	for _, s := range stories {
		if t := byLabel[in.Topic[s.members[0]]]; t != nil {
			t.stories = append(t.stories, s)
		}
	}
	v := &view{Input: in, Stories: head(stories, tableStories), Topics: head(topics, mapTopics)}
	v.MoreStories = len(stories) - len(v.Stories)
	for _, t := range v.Topics {
		for _, s := range t.stories {
			s.Topic = t
		}
	}
	v.describe(stories, topics)
	themes := slices.Max(append([]int32{-1}, in.Theme...)) + 1
	v.Facts = []fact{
		{n, in.Many}, {len(stories), "stories"}, {len(topics), "topics"}, {int(themes), "themes"}, {single(n, stories), "in no story"},
	}
	if n > 0 && !v.Titled {
		v.Missing = append(v.Missing, "There are no titles: stories and topics have numbers instead, and no keywords.")
	}
	if n > 0 && !v.Dated {
		v.Missing = append(v.Missing, "There are no dates: the timeline is left out.")
	}
	if n > 0 && in.Means.Rows == 0 {
		v.Missing = append(v.Missing, "There are no vectors: topics on the map are placed by size, not by likeness.")
	}
	v.Map = in.drawMap(topics)
	v.Sizes = drawSizes(stories, in.Many)
	if v.Dated {
		v.Days = in.drawDays(stories)
	}
	return page.Execute(w, v)
}

// collect returns the groups of a layer, the largest first.
func (in *Input) collect(labels []int32) []*group {
	var groups []*group
	byLabel := map[int32]*group{}
	for i, l := range labels {
		if l < 0 {
			continue
		}
		g := byLabel[l]
		if g == nil {
			g = &group{Label: l, Theme: in.Theme[i]}
			byLabel[l], groups = g, append(groups, g)
		}
		g.members = append(g.members, int32(i))
	}
	slices.SortFunc(groups, func(a, b *group) int {
		return cmp.Or(cmp.Compare(len(b.members), len(a.members)), cmp.Compare(a.Label, b.Label))
	})
	return groups
}

// describe names the groups and reads the documents: dates and sources of every story, and titles
// of those that are listed.
func (v *view) describe(stories, topics []*group) {
	listed := slices.Clone(v.Stories)
	for _, t := range v.Topics {
		listed = append(listed, t.Listed()...)
	}
	topicsOf := map[int32]int{}
	for _, t := range topics {
		topicsOf[t.Theme]++
	}
	for _, t := range topics {
		t.Name = of(v.Names.Topics, t.Label, "Topic")
		if t.Theme >= 0 && topicsOf[t.Theme] > 1 {
			t.ThemeTitle = of(v.Names.Themes, t.Theme, "theme").Title
		}
	}
	for _, s := range stories {
		s.Name = of(v.Names.Stories, s.Label, "Story")
		v.readDates(s)
	}
	shown := map[*group]bool{}
	for _, s := range listed {
		if !shown[s] {
			shown[s] = true
			v.readTitles(s)
		}
	}
}

// readDates finds the dates and sources of a story, and what is known of any document.
func (v *view) readDates(s *group) {
	sources := map[string]bool{}
	for _, i := range s.members {
		d := v.Documents(int(i))
		v.Titled, v.Dated, v.Sourced = v.Titled || d.Title != "", v.Dated || !d.Published.IsZero(), v.Sourced || d.Source != ""
		if d.Source != "" {
			sources[d.Source] = true
		}
		if t := d.Published; !t.IsZero() {
			if s.first.IsZero() || t.Before(s.first) {
				s.first = t
			}
			if t.After(s.last) {
				s.last = t
			}
		}
	}
	s.Sources = len(sources)
}

// readTitles finds the strongest members of a story.
func (v *view) readTitles(s *group) {
	members := slices.Clone(s.members)
	if v.Strength != nil {
		var sum float64
		for _, i := range s.members {
			sum += float64(v.Strength[i])
		}
		s.Strength = fmt.Sprintf("%.2f", sum/float64(len(s.members)))
		slices.SortStableFunc(members, func(a, b int32) int { return cmp.Compare(v.Strength[b], v.Strength[a]) })
	}
	seen := map[string]bool{}
	for _, i := range members {
		d := v.Documents(int(i))
		item := link{cmp.Or(d.Title, fmt.Sprintf("%s %s", v.One, d.ID)), webAddress(d.URL), day(d.Published), d.Source}
		if !seen[item.Text] {
			seen[item.Text] = true
			s.Titles = append(s.Titles, item)
		}
		if len(s.Titles) == storyTitles {
			break
		}
	}
}

// webAddress returns text when it is an http or https URL, which a page may link to, else "".
func webAddress(text string) string {
	if u, err := url.Parse(text); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return ""
	}
	return text
}

func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

func span(first, last time.Time) string {
	a, b := day(first), day(last)
	if a == b {
		return a
	}
	return a + " to " + b
}

// quantity returns a number with its noun, e.g. "1 story" or "3 stories".
func quantity(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func number(x float64) string { return fmt.Sprintf("%.1f", x) }

func head[T any](list []T, n int) []T { return list[:min(n, len(list))] }
