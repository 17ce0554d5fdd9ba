package report

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"
)

// chart is a row of columns.
type chart struct {
	Width, Height int
	Base          int // where columns stand
	Bars          []bar
	Says          string
}

type bar struct {
	X, Y, W, H, Middle string
	Label, Value, Says string
}

const (
	chartWidth  = 960
	chartHeight = 220
	chartBase   = 190
	chartTop    = 20
)

// drawBars makes columns of equal width.
func drawBars(values []int, label, says func(i int) string, value bool) []bar {
	most := slices.Max(values)
	width := float64(chartWidth) / float64(len(values))
	bars := make([]bar, 0, len(values))
	for i, v := range values {
		height := float64(chartBase-chartTop) * float64(v) / float64(max(most, 1))
		if v > 0 {
			height = max(height, 1) // what is there can be seen
		}
		b := bar{X: number(float64(i)*width + width*.05), Y: number(chartBase - height), W: number(width * .9), H: number(height),
			Middle: number((float64(i) + .5) * width), Label: label(i), Says: says(i)}
		if value {
			b.Value = fmt.Sprint(v)
		}
		bars = append(bars, b)
	}
	return bars
}

// drawSizes counts stories by size, in classes that double.
func drawSizes(stories []*group, many string) *chart {
	if len(stories) == 0 {
		return nil
	}
	var counts []int
	for _, g := range stories {
		class := max(bits.Len(uint(len(g.members)))-2, 0) // 2 to 3, 4 to 7, 8 to 15 and so on
		for len(counts) <= class {
			counts = append(counts, 0)
		}
		counts[class]++
	}
	label := func(i int) string { return fmt.Sprintf("%d–%d", 2<<i, 4<<i-1) }
	says := func(i int) string {
		return fmt.Sprintf("%s of %s %s", count(counts[i], "story", "stories"), label(i), many)
	}
	c := &chart{Width: chartWidth, Height: chartHeight, Base: chartBase, Bars: drawBars(counts, label, says, true)}
	var all []string
	for i := range counts {
		all = append(all, says(i))
	}
	c.Says = strings.Join(all, "; ")
	return c
}

// timeline is when items were published, and from when to when the largest stories went on.
type timeline struct {
	chart
	Per       string // what a column stands for
	Undated   int
	Rows      []lane
	LaneTop   int
	LanesHigh int
	Ticks     []tick
}

type lane struct {
	X, W, Y, TextX, TextY, Anchor string
	Hue                           int
	Title, Says                   string
	Label                         int32
	Dots                          []dot
}

type dot struct{ X, Y, R string }

type tick struct{ X, Text string }

// mostColumns bounds the columns of the timeline; days beyond that become weeks, then months of 30 days, and so on.
const mostColumns = 180

const laneHeight = 22

// drawDays counts the items of each day, or of as many days as it takes, and draws the largest stories as rows.
func (in *Input) drawDays(stories []*group) *timeline {
	var dates []time.Time
	undated := 0
	for i := range in.Story {
		if t := in.Documents(i).Published; t.IsZero() {
			undated++
		} else {
			dates = append(dates, t)
		}
	}
	// A few dates far from all others, mistakes mostly, must not squeeze the rest into one column.
	slices.SortFunc(dates, func(a, b time.Time) int { return a.Compare(b) })
	first, last := dayNumber(dates[len(dates)/100]), dayNumber(dates[len(dates)-1-len(dates)/100])
	step := 1
	for _, wider := range []int{7, 30, 91, 365, 3650, 36500} {
		if (last-first)/step < mostColumns {
			break
		}
		step = wider
	}
	columns := min((last-first)/step, 10*mostColumns) + 1
	column := func(t time.Time) int { return min(max((dayNumber(t)-first)/step, 0), columns-1) }
	counts := make([]int, columns)
	for _, t := range dates {
		counts[column(t)]++
	}
	start := func(i int) time.Time { return time.Unix(int64(first+i*step)*86400, 0).UTC() }
	per := map[int]string{1: "day", 7: "week", 30: "30 days", 91: "quarter", 365: "year"}[step]
	v := &timeline{Per: cmp.Or(per, fmt.Sprintf("%d days", step)), Undated: undated}
	v.chart = chart{Width: chartWidth, Height: chartHeight, Base: chartBase, Bars: drawBars(counts,
		func(int) string { return "" },
		func(i int) string {
			what := day(start(i))
			if step > 1 {
				what = "from " + what
			}
			return fmt.Sprintf("%s: %d %s", what, counts[i], plural(counts[i], in.One, in.Many))
		}, false)}
	v.Says = fmt.Sprintf("%s by %s, %s", in.Many, v.Per, span(start(0), start(columns-1)))
	width := float64(chartWidth) / float64(columns)
	for i := 0; i < columns; i += max(1, (columns+7)/8) {
		v.Ticks = append(v.Ticks, tick{number((float64(i) + .5) * width), day(start(i))})
	}
	dated := make([]*group, 0, timelineRows)
	for _, g := range stories {
		if len(dated) < timelineRows && !g.first.IsZero() && g.title != "" {
			dated = append(dated, g)
		}
	}
	slices.SortStableFunc(dated, func(a, b *group) int { return a.first.Compare(b.first) })
	for row, g := range dated {
		from, to := (float64(column(g.first))+.1)*width, (float64(column(g.last))+.9)*width
		y := float64(row*laneHeight) + laneHeight/2
		l := lane{X: number(from), W: number(max(to-from, 4)), Y: number(y - 4), TextX: number(to + 6), TextY: number(y + 4), Anchor: "start",
			Title: clip(g.title, 70), Label: g.label, Hue: hue(in.Theme[g.members[0]]),
			Says: fmt.Sprintf("%s: %d %s, %s", g.title, len(g.members), plural(len(g.members), in.One, in.Many), span(g.first, g.last))}
		switch {
		case to > chartWidth*.6 && from > chartWidth*.4:
			l.Anchor, l.TextX = "end", number(from-6)
		case to > chartWidth*.6: // no room on either side
			l.TextX = number(from + 10)
		}
		most, perColumn := 0, map[int]int{}
		for _, i := range g.members {
			if t := in.Documents(int(i)).Published; !t.IsZero() {
				c := column(t)
				perColumn[c]++
				most = max(most, perColumn[c])
			}
		}
		for c := range columns {
			if n := perColumn[c]; n > 0 {
				l.Dots = append(l.Dots, dot{number((float64(c) + .5) * width), number(y), number(2 + 5*float64(n)/float64(most))})
			}
		}
		v.Rows = append(v.Rows, l)
	}
	v.LanesHigh = len(v.Rows)*laneHeight + 4
	return v
}

func dayNumber(t time.Time) int {
	seconds := t.Unix()
	if seconds < 0 {
		seconds -= 86399
	}
	return int(seconds / 86400)
}

// clip shortens a text to so many characters.
func clip(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return strings.TrimSpace(string(runes[:most-1])) + "…"
}
