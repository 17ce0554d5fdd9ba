package evaluate

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"math"

	"throughline/internal/derive"
)

// Sizes of a chart in its own units, of which it is chartWidth wide.
const (
	chartWidth   = 900
	chartHeader  = 76 // above the panels
	gutter       = 84 // left of the panels
	panelsPerRow = 4
	panelWidth   = 190
	panelStep    = panelWidth + 14
	panelHeader  = 46 // above the plot of a panel
	plotHeight   = 150
	tableLine    = 16 // of the numbers below a plot
	panelHeight  = panelHeader + plotHeight + 4*tableLine + 36
	columnWidth  = panelWidth / 4.0
	halfPair     = 9 // from the middle of a column to the marks of a run
)

// chartSizes are the sizes of corpora that have a column each.
var chartSizes = []struct {
	name        string
	least, most int // articles
}{{"to 50", 0, 50}, {"51–150", 51, 150}, {"151+", 151, math.MaxInt}, {"all", 0, math.MaxInt}}

// panelNotes describe the kinds of corpora.
var panelNotes = map[derive.Kind]string{
	derive.Sub: "some stories of a file", derive.Thin: "mostly one-offs", derive.Ones: "nothing but one-offs",
	derive.Giant: "one story and little else", derive.Mix: "stories of two or three files", derive.Window: "stories from some day on",
}

// chartStyle has fixed colours instead of variables, which some viewers of SVG do not know.
const chartStyle = `<style>
.back,.before circle{fill:#fff}
text{font:11px -apple-system,"Segoe UI","Noto Sans",Helvetica,Arial,sans-serif;fill:#59636e}
.title{font-size:17px;font-weight:600;fill:#1f2328}
.kind{font-size:14px;font-weight:600;fill:#1f2328}
.note{font-size:12px}
.middle{text-anchor:middle}
.end{text-anchor:end}
.grid{stroke:#d8dee4;fill:none}
.before,.after{fill:none;stroke-width:1.5}
.before{stroke:#b0752c}
.after{stroke:#2b6cb0}
.tenth{stroke-width:3.5}
.after circle{fill:#2b6cb0}
.before-number{fill:#935f1f}
.after-number{fill:#2b6cb0;font-weight:600}
@media (prefers-color-scheme:dark){
.back,.before circle{fill:#0d1117}
text{fill:#9198a1}
.title,.kind{fill:#e6edf3}
.grid{stroke:#30363d}
.before{stroke:#d3a45c}
.after{stroke:#6cb0f5}
.after circle{fill:#6cb0f5}
.before-number{fill:#d3a45c}
.after-number{fill:#6cb0f5}
}
</style>
`

// chart is an SVG that is being written.
type chart struct {
	bytes.Buffer
	runs [2]*Report // in the order of runNames
}

// runNames are also the names of styles.
var runNames = [2]string{"before", "after"}

// WriteChart draws the story F1 of two runs on the same derived corpora as an SVG: a panel for each
// kind and one for all, and in it the mean, the tenth percentile and the worst by number of
// articles. Equal reports give equal bytes.
func WriteChart(w io.Writer, before, after *Report) error {
	if after.Derived == nil {
		return fmt.Errorf("%w: a chart is of derived corpora, and the later run was of files", ErrIncomparable)
	}
	if err := before.CoversDerived(after.Derived); err != nil {
		return err
	}
	if _, err := Compare(before, after); err != nil {
		return err
	}
	var kinds []derive.Kind
	for _, kind := range derive.Kinds() {
		if len(f1Of(after, func(r *Result) bool { return r.Drawn.Kind == kind })) > 0 {
			kinds = append(kinds, kind)
		}
	}
	cells := len(kinds) + 2 // of all, and the legend
	height := chartHeader + (cells+panelsPerRow-1)/panelsPerRow*panelHeight
	d := after.Derived
	c := &chart{runs: [2]*Report{before, after}}
	fmt.Fprintf(c, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" aria-labelledby=\"title desc\">\n",
		chartWidth, height, chartWidth, height)
	c.element("title", ` id="title"`, "Story F1 by kind and size of derived corpora, before and after")
	all := func(*Result) bool { return true }
	c.element("desc", ` id="desc"`, fmt.Sprintf("%v. Before: %s. After: %s.", d, inWords(f1Of(before, all)), inWords(f1Of(after, all))))
	c.WriteString(chartStyle)
	fmt.Fprintf(c, "<rect class=\"back\" width=\"%d\" height=\"%d\" rx=\"6\"/>\n", chartWidth, height)
	c.text(16, 32, "title", "Story F1 by kind and size of corpus")
	note := fmt.Sprintf("%d derived corpora, amount of text: %v, seed %s", len(after.Sets), d.Amount, d.Seed)
	if d.Odd {
		note += ", odd"
	}
	c.text(16, 54, "note", note)
	for i := range cells {
		x, y := float64(gutter+i%panelsPerRow*panelStep), float64(chartHeader+i/panelsPerRow*panelHeight)
		if i == cells-1 {
			c.legend(x, y)
			continue
		}
		name, note, of := "all", "every kind", all
		if i < len(kinds) {
			name, note, of = kinds[i].String(), panelNotes[kinds[i]], func(r *Result) bool { return r.Drawn.Kind == kinds[i] }
		}
		c.text(x, y+14, "kind", name)
		c.text(x, y+30, "note", note)
		c.panel(x, y+panelHeader, i%panelsPerRow == 0, of)
	}
	c.WriteString("</svg>\n")
	_, err := c.WriteTo(w)
	return err
}

// f1Of returns the story F1 of some corpora.
func f1Of(r *Report, of func(*Result) bool) []float64 {
	var out []float64
	for _, s := range r.Sets {
		if s.Stories.F1.Known() && of(s) {
			out = append(out, float64(s.Stories.F1))
		}
	}
	return out
}

func inWords(f1 []float64) string {
	if len(f1) == 0 {
		return "unknown"
	}
	s := derive.Summarize(f1)
	return fmt.Sprintf("mean %s, tenth percentile %s, worst %s", short(Score(s.Mean)), short(Score(s.Tenth)), short(Score(s.Worst)))
}

// element writes an element that holds text.
func (c *chart) element(name, attributes, text string) {
	fmt.Fprintf(c, "<%s%s>", name, attributes)
	xml.EscapeText(c, []byte(text)) // a buffer does not fail
	fmt.Fprintf(c, "</%s>\n", name)
}

func (c *chart) text(x, y float64, class, text string) {
	c.element("text", fmt.Sprintf(` x="%.1f" y="%.1f" class="%s"`, x, y, class), text)
}

// panel draws the plot whose top left corner is given, and the numbers below it. first asks
// for the names of lines, which are left of it.
func (c *chart) panel(x, top float64, first bool, of func(*Result) bool) {
	for tenths := 0; tenths <= 10; tenths += 2 {
		score := float64(tenths) / 10
		fmt.Fprintf(c, "<path class=\"grid\" d=\"M%.1f %.1fh%d\"/>\n", x, plotAt(top, score), panelWidth)
		if first {
			c.text(x-8, plotAt(top, score)+4, "end", fmt.Sprint(score))
		}
	}
	line := func(i int) float64 { return top + plotHeight + 18 + float64(i*tableLine) }
	if first {
		for i, name := range []string{"articles", "corpora", "mean before", "mean after"} {
			c.text(x-8, line(i), "end", name)
		}
	}
	fmt.Fprintf(c, "<path class=\"grid\" stroke-dasharray=\"2 3\" d=\"M%.1f %.1fv%d\"/>\n", x+3*columnWidth, top, plotHeight+18+3*tableLine)
	for i, size := range chartSizes {
		middle := x + (float64(i)+.5)*columnWidth
		c.text(middle, line(0), "middle", size.name)
		for k, report := range c.runs {
			f1 := f1Of(report, func(r *Result) bool { return of(r) && r.Articles >= size.least && r.Articles <= size.most })
			if k == 0 {
				c.text(middle, line(1), "middle", fmt.Sprint(len(f1)))
			}
			mean := "–"
			if len(f1) > 0 {
				s := derive.Summarize(f1)
				mean = short(Score(s.Mean))
				c.mark(middle+float64(2*k-1)*halfPair, top, runNames[k], s)
			}
			c.text(middle, line(2+k), "middle "+runNames[k]+"-number", mean)
		}
	}
}

// mark draws the scores of a run.
func (c *chart) mark(x, top float64, run string, s derive.Summary) {
	mean, tenth, worst := plotAt(top, s.Mean), plotAt(top, s.Tenth), plotAt(top, s.Worst)
	fmt.Fprintf(c, "<g class=\"%s\"><path d=\"M%.1f %.1fV%.1fm-3 0h6\"/><path class=\"tenth\" d=\"M%.1f %.1fh12\"/><circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/></g>\n",
		run, x, min(mean, tenth), worst, x-6, tenth, x, mean)
}

// plotAt returns where a score is in a plot. The conversion makes all processors round alike.
func plotAt(top, score float64) float64 { return top + float64((1-score)*plotHeight) }

// legend explains the marks.
func (c *chart) legend(x, y float64) {
	c.text(x, y+14, "kind", "How to read it")
	c.text(x, y+30, "note", "F1 of 1: stories as labelled")
	top := y + panelHeader
	sample := derive.Summary{Mean: .88, Tenth: .62, Worst: .3}
	for i, run := range runNames {
		at := x + 26 + float64(i)*44
		c.mark(at, top, run, sample)
		c.text(at, plotAt(top, .12), "middle "+run+"-number", run)
	}
	for _, part := range []struct {
		name string
		at   float64
	}{{"mean", sample.Mean}, {"tenth percentile", sample.Tenth}, {"worst corpus", sample.Worst}} {
		c.text(x+90, plotAt(top, part.at)+4, "note", part.name)
	}
}
