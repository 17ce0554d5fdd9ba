package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"join": func(words []string) string { return strings.Join(words, ", ") },
}).Parse(pageText))

// view is what the template draws.
type view struct {
	Title, One, Many string
	Facts            []fact
	Notes, Missing   []string
	Map              *mapView
	Sizes            *chart
	Stories          []storyView
	MoreStories      int
	Topics           []topicView
	Days             *timeline
	Known            map[string]bool // titles, dates, sources, strengths, keywords
}

type fact struct {
	Value int
	What  string
}

type storyView struct {
	Label           int32
	Title           string
	Words           []string
	Size, Sources   int
	Strength, Dates string
	Topic           int32
	TopicTitle      string
	Titles          []link
}

type link struct{ Text, URL, Date, Source string }

type topicView struct {
	Label   int32
	Title   string
	Words   []string
	Size    int
	Count   int // of stories
	Hue     int
	Theme   int32
	Stories []storyView
	More    int
	Single  int // items of the topic in no story
}

type mapView struct {
	Width, Height int
	Bubbles       []bubble
	Left          int // topics that are too small to be shown
}

type bubble struct {
	X, Y, R, LabelY string
	Hue             int
	Topic           int32
	Text            string // beside the circle; empty for small ones
	Says            string // for screen readers and the pointer
}

// Write writes the page.
func Write(w io.Writer, in Input) error {
	n := len(in.Story)
	if len(in.Topic) != n || len(in.Theme) != n || in.Strength != nil && len(in.Strength) != n {
		return fmt.Errorf("report: layers of %d, %d and %d items", n, len(in.Topic), len(in.Theme))
	}
	if topics := slices.Max(append([]int32{-1}, in.Topic...)) + 1; in.Means.Rows > 0 && in.Means.Rows < int(topics) {
		return fmt.Errorf("report: %d means for %d topics", in.Means.Rows, topics)
	}
	stories, topics := collect(in.Story, in.Strength), collect(in.Topic, nil)
	nest(stories, topics, in.Topic)
	shown := map[*group]bool{}
	for _, g := range stories[:min(tableStories, len(stories))] {
		shown[g] = true
	}
	for _, t := range topics[:min(mapTopics, len(topics))] {
		for _, g := range t.stories[:min(topicStories, len(t.stories))] {
			shown[g] = true
		}
	}
	k := in.describe(stories, topics, shown)
	v := &view{Title: in.Title, One: in.One, Many: in.Many, Notes: in.Notes,
		Known: map[string]bool{"titles": k.titles, "dates": k.dates, "sources": k.sources, "strengths": in.Strength != nil}}
	single := 0
	for _, l := range in.Story {
		if l < 0 {
			single++
		}
	}
	themes := int32(0)
	for _, l := range in.Theme {
		themes = max(themes, l+1)
	}
	v.Facts = []fact{{n, in.Many}, {len(stories), "stories"}, {len(topics), "topics"}, {int(themes), "themes"}, {single, "in no story"}}
	v.Missing = missing(k, in, n)
	v.Map = in.drawMap(topics)
	v.Sizes = drawSizes(stories, in.Many)
	if k.dates {
		v.Days = in.drawDays(stories)
	}
	topicOf := make(map[int32]*group, len(topics))
	for _, t := range topics {
		topicOf[t.label] = t
	}
	for _, g := range stories[:min(tableStories, len(stories))] {
		s := in.story(g, k)
		if t := topicOf[g.topic]; t != nil && slices.Index(topics, t) < mapTopics {
			s.Topic, s.TopicTitle = t.label, t.title
		}
		v.Stories = append(v.Stories, s)
	}
	v.MoreStories = len(stories) - len(v.Stories)
	for _, t := range topics[:min(mapTopics, len(topics))] {
		v.Topics = append(v.Topics, in.topic(t, k))
	}
	return page.Execute(w, v)
}

// nest puts stories into their topics, the largest first.
func nest(stories, topics []*group, topic []int32) {
	of := make(map[int32]*group, len(topics))
	for _, t := range topics {
		of[t.label] = t
	}
	for _, g := range stories {
		g.topic = topic[g.members[0]]
		if t := of[g.topic]; t != nil {
			t.stories = append(t.stories, g)
		}
	}
}

// missing says which parts of the page there is nothing for.
func missing(k known, in Input, n int) []string {
	var all []string
	if n == 0 {
		return nil
	}
	if !k.titles {
		all = append(all, "There are no titles: stories and topics have numbers instead, and no keywords.")
	}
	if !k.dates {
		all = append(all, "There are no dates: the timeline is left out.")
	}
	if in.Means.Rows == 0 {
		all = append(all, "There are no vectors: topics on the map are placed by size, not by likeness.")
	}
	return all
}

func (in *Input) story(g *group, k known) storyView {
	s := storyView{Label: g.label, Title: g.title, Words: g.words, Size: len(g.members), Sources: g.sources, Topic: -1}
	if in.Strength != nil {
		s.Strength = fmt.Sprintf("%.2f", g.strength)
	}
	if k.dates {
		s.Dates = span(g.first, g.last)
	}
	seen := map[string]bool{}
	for _, i := range in.strongest(g) {
		if len(s.Titles) == storyTitles {
			break
		}
		if in.Documents == nil {
			s.Titles = append(s.Titles, link{Text: fmt.Sprintf("%s %d", in.One, i)})
			continue
		}
		d := in.Documents(int(i))
		text := d.Title
		if text == "" {
			text = fmt.Sprintf("%s %s", in.One, d.ID)
		}
		if seen[text] {
			continue
		}
		seen[text] = true
		s.Titles = append(s.Titles, link{text, webAddress(d.URL), day(d.Published), d.Source})
	}
	return s
}

// webAddress is an address that a page may lead to, or nothing.
func webAddress(text string) string {
	if u, err := url.Parse(text); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return ""
	}
	return text
}

func (in *Input) topic(t *group, k known) topicView {
	v := topicView{Label: t.label, Title: t.title, Words: t.words, Size: len(t.members), Count: len(t.stories), Theme: in.Theme[t.members[0]]}
	v.Hue = hue(v.Theme)
	v.Single = v.Size
	for at, g := range t.stories {
		v.Single -= len(g.members)
		if at < topicStories {
			v.Stories = append(v.Stories, in.story(g, k))
		}
	}
	v.More = len(t.stories) - len(v.Stories)
	return v
}

// hue of a theme: turning by the golden angle keeps neighbours in number apart in colour, however many there are.
func hue(theme int32) int { return int(math.Mod(210+137.508*float64(max(theme, 0)), 360)) }

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

// Frame of the map, in units of the drawing.
const (
	mapWidth    = 960
	mapHeight   = 600
	mapFilled   = 0.22 // share of the frame that circles cover
	mapRounds   = 150
	labelFrom   = 15 // radius from which a circle has a label always
	labelWords  = 2  // at most, fewer where they would stand out of the circle by much
	labelShare  = 1.4
	letterWidth = 6.5
)

// drawMap places the largest topics by their likeness, or in rows where their vectors are not known.
func (in *Input) drawMap(topics []*group) *mapView {
	shown := topics[:min(mapTopics, len(topics))]
	if len(shown) == 0 {
		return nil
	}
	means := in.Means
	at := make([]point, 0, len(shown))
	if means.Rows > 0 {
		some := means
		some.Rows, some.Data = len(shown), nil
		for _, t := range shown {
			some.Data = append(some.Data, means.Row(int(t.label))...)
		}
		at = layout(some, mapRounds)
	} else {
		columns := int(math.Ceil(math.Sqrt(float64(len(shown)) * mapWidth / mapHeight)))
		for i := range shown {
			at = append(at, point{float64(i % columns), float64(i / columns)})
		}
	}
	var all float64
	for _, t := range shown {
		all += float64(len(t.members))
	}
	radius := make([]float64, len(shown))
	for i, t := range shown {
		radius[i] = min(110, max(3, math.Sqrt(mapFilled*mapWidth*mapHeight*float64(len(t.members))/all/math.Pi)))
	}
	m := &mapView{Width: mapWidth, Height: mapHeight, Left: len(topics) - len(shown)}
	for i, p := range fit(at, radius, mapWidth, mapHeight, 60) {
		t := shown[i]
		b := bubble{X: number(p.x), Y: number(p.y), R: number(radius[i]), LabelY: number(p.y + 4), Hue: hue(in.Theme[t.members[0]]), Topic: t.label}
		what := t.title
		if len(t.words) > 0 {
			what = strings.Join(t.words, ", ")
		}
		b.Says = fmt.Sprintf("%s: %d %s, %s", what, len(t.members), plural(len(t.members), in.One, in.Many), count(len(t.stories), "story", "stories"))
		for at, g := range t.stories[:min(5, len(t.stories))] {
			if at == 0 {
				b.Says += ". Largest:"
			}
			b.Says += fmt.Sprintf("\n• %s (%d)", g.title, len(g.members))
		}
		b.Text = t.title
		for words := min(labelWords, len(t.words)); words > 0; words-- {
			b.Text = strings.Join(t.words[:words], ", ")
			if float64(len([]rune(b.Text)))*letterWidth < labelShare*2*radius[i] {
				break
			}
		}
		if radius[i] < labelFrom {
			b.Text = ""
		}
		m.Bubbles = append(m.Bubbles, b)
	}
	return m
}

func number(x float64) string { return fmt.Sprintf("%.1f", x) }

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func count(n int, one, many string) string { return fmt.Sprintf("%d %s", n, plural(n, one, many)) }
