package report

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
	"time"
)

// Charts, in units of the drawing. The template knows them too.
const (
	chartWidth = 960
	chartBase  = 190 // where bars stand
	chartTop   = 20
	laneHeight = 22
)

// chart is a row of bars.
type chart struct {
	Bars []bar
	Says string // for screen readers
}

type bar struct {
	X, Y, W, H, Middle string
	Label, Value, Says string
}

// drawBars returns bars of equal width for counts.
func drawBars(counts []int) []bar {
	most := max(1, slices.Max(counts))
	width := float64(chartWidth) / float64(len(counts))
	bars := make([]bar, len(counts))
	for i, n := range counts {
		height := float64(chartBase-chartTop) * float64(n) / float64(most)
		if n > 0 {
			height = max(height, 1) // so that it can be seen
		}
		bars[i] = bar{X: number(float64(i)*width + width*.05), Y: number(chartBase - height), W: number(width * .9),
			H: number(height), Middle: number((float64(i) + .5) * width)}
	}
	return bars
}

// drawSizes counts stories by size: 2 to 3 items, 4 to 7, 8 to 15 and so on.
func drawSizes(stories []*group, many string) *chart {
	if len(stories) == 0 {
		return nil
	}
	class := func(s *group) int { return max(bits.Len(uint(len(s.members)))-2, 0) }
	counts := make([]int, class(stories[0])+1) // the first one is the largest
	for _, s := range stories {
		counts[class(s)]++
	}
	c := &chart{Bars: drawBars(counts)}
	var all []string
	for i, n := range counts {
		b := &c.Bars[i]
		b.Label, b.Value = fmt.Sprintf("%d–%d", 2<<i, 4<<i-1), fmt.Sprint(n)
		b.Says = fmt.Sprintf("%s of %s %s", quantity(n, "story", "stories"), b.Label, many)
		all = append(all, b.Says)
	}
	c.Says = strings.Join(all, "; ")
	return c
}

// timeline shows when items were published, and the largest stories from their first item to their
// last.
type timeline struct {
	chart
	Per     string // the time that a bar stands for
	Undated int
	Ticks   []tick
	Rows    []lane
	Height  int // of the rows
}

type tick struct{ X, Text string }

// lane is the row of a story.
type lane struct {
	X, W, Y, TextX, TextY, Anchor string
	Hue                           int
	Title, Says                   string
	Label                         int32
	Dots                          []dot
}

type dot struct{ X, Y, R string }

// mostColumns is the number of days up to which a column stands for one; beyond that it stands for
// more.
const mostColumns = 180

// calendar divides time into columns.
type calendar struct{ first, step, columns int } // first day, days a column, columns

// calendarOf covers dates, which it sorts. One in a hundred at either end is left to the outermost
// column, because a few wrong dates far from the others must not squeeze these into one column.
func calendarOf(dates []time.Time) calendar {
	slices.SortFunc(dates, time.Time.Compare)
	first, last := dayNumber(dates[len(dates)/100]), dayNumber(dates[len(dates)-1-len(dates)/100])
	step := 1
	for _, wider := range []int{7, 30, 91, 365, 3650, 36500} {
		if (last-first)/step < mostColumns {
			break
		}
		step = wider
	}
	return calendar{first, step, min((last-first)/step, 10*mostColumns) + 1}
}

func (c calendar) column(t time.Time) int {
	return min(max((dayNumber(t)-c.first)/c.step, 0), c.columns-1)
}

func (c calendar) start(column int) time.Time {
	return time.Unix(int64(c.first+column*c.step)*86400, 0).UTC()
}

func (c calendar) width() float64 { return float64(chartWidth) / float64(c.columns) }

func dayNumber(t time.Time) int { return int(math.Floor(float64(t.Unix()) / 86400)) }

func (in *Input) drawDays(stories []*group) *timeline {
	v := &timeline{}
	var dates []time.Time
	for i := range in.Story {
		if t := in.Documents(i).Published; t.IsZero() {
			v.Undated++
		} else {
			dates = append(dates, t)
		}
	}
	c := calendarOf(dates)
	counts := make([]int, c.columns)
	for _, t := range dates {
		counts[c.column(t)]++
	}
	names := map[int]string{1: "day", 7: "week", 30: "30 days", 91: "quarter", 365: "year"}
	v.Per = cmp.Or(names[c.step], fmt.Sprintf("%d days", c.step))
	v.Says = fmt.Sprintf("%s by %s, %s", in.Many, v.Per, span(c.start(0), c.start(c.columns-1)))
	v.Bars = drawBars(counts)
	for i, n := range counts {
		v.Bars[i].Says = day(c.start(i)) + ": " + quantity(n, in.One, in.Many)
		if c.step > 1 {
			v.Bars[i].Says = "from " + v.Bars[i].Says
		}
	}
	for i := 0; i < c.columns; i += max(1, (c.columns+7)/8) {
		v.Ticks = append(v.Ticks, tick{v.Bars[i].Middle, day(c.start(i))})
	}
	dated := slices.DeleteFunc(slices.Clone(stories), func(s *group) bool { return s.first.IsZero() || s.Title == "" })
	dated = head(dated, timelineRows)
	slices.SortStableFunc(dated, func(a, b *group) int { return a.first.Compare(b.first) })
	for row, s := range dated {
		v.Rows = append(v.Rows, in.drawLane(s, c, row))
	}
	v.Height = len(v.Rows)*laneHeight + 4
	return v
}

func (in *Input) drawLane(s *group, c calendar, row int) lane {
	width := c.width()
	from, to := (float64(c.column(s.first))+.1)*width, (float64(c.column(s.last))+.9)*width
	y := float64(row*laneHeight) + laneHeight/2
	l := lane{X: number(from), W: number(max(to-from, 4)), Y: number(y - 4), TextX: number(to + 6), TextY: number(y + 4), Anchor: "start",
		Title: clip(s.Title, 70), Label: s.Label, Hue: s.Hue(),
		Says: fmt.Sprintf("%s: %s, %s", s.Title, quantity(len(s.members), in.One, in.Many), s.Dates())}
	switch {
	case to > chartWidth*.6 && from > chartWidth*.4:
		l.Anchor, l.TextX = "end", number(from-6)
	case to > chartWidth*.6: // no room on either side
		l.TextX = number(from + 10)
	}
	counts := make([]int, c.columns)
	for _, i := range s.members {
		if t := in.Documents(int(i)).Published; !t.IsZero() {
			counts[c.column(t)]++
		}
	}
	most := float64(slices.Max(counts))
	for column, n := range counts {
		if n > 0 {
			l.Dots = append(l.Dots, dot{number((float64(column) + .5) * width), number(y), number(2 + 5*float64(n)/most)})
		}
	}
	return l
}

// clip shortens a text to at most so many characters.
func clip(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return strings.TrimSpace(string(runes[:most-1])) + "…"
}
