package evaluate

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"
)

// WriteTables writes a report for people: a table of stories and one of the rest, each with the mean over the sets. The tables
// fit a screen of 120 columns as long as names are no longer than those of the usual sets.
func WriteTables(w io.Writer, r *Report) error {
	if err := writeStories(w, r); err != nil {
		return err
	}
	fmt.Fprintln(w)
	return writeRelated(w, r)
}

func writeStories(w io.Writer, r *Report) error {
	t := newTable(w, "STORIES OF", "ARTICLES", "FOUND/GOLD", "GROUPED", "LARGEST", "P", "R", "F1", "95%", "PAIR P", "R", "F1", "AMI", "ARI")
	for _, s := range r.Sets {
		x := s.Stories
		t.row(SetName(s.File), s.Articles, fmt.Sprintf("%d/%d", x.Found, x.Gold), percent(x.InStories)+"/"+percent(x.GoldInStories),
			percent(x.LargestShare)+"%", x.Precision, x.Recall, x.F1, span(s.Intervals, "stories.f1"), x.PairPrecision, x.PairRecall, x.PairF1, x.AMI, x.ARI)
	}
	m := func(name string) Score { return r.Mean["stories."+name] }
	t.row("mean", "", "", percent(m("in_stories")), percent(m("largest_share"))+"%", m("precision"), m("recall"), m("f1"), span(r.Intervals, "stories.f1"),
		m("pair_precision"), m("pair_recall"), m("pair_f1"), m("ami"), m("ari"))
	return t.Flush()
}

func writeRelated(w io.Writer, r *Report) error {
	t := newTable(w, "RELATED IN", "ASKED", "nDCG@10", "95%", "P@5", "MRR", "PAIRS", "ECE", "95%", "TOPICS", "AMI", "ARI", "SECONDS")
	seconds := 0.0
	for _, s := range r.Sets {
		t.row(SetName(s.File), s.Related.Articles, s.Related.NDCG10, span(s.Intervals, "related.ndcg10"), s.Related.P5, s.Related.MRR,
			s.Reliability.Pairs, s.Reliability.ECE, span(s.Intervals, "reliability.ece"),
			fmt.Sprintf("%d/%d", s.Topics.Found, s.Topics.Gold), s.Topics.AMI, s.Topics.ARI, fmt.Sprintf("%.1f", s.Seconds))
		seconds += s.Seconds
	}
	m := r.Mean
	t.row("mean", "", m["related.ndcg10"], span(r.Intervals, "related.ndcg10"), m["related.p5"], m["related.mrr"],
		"", m["reliability.ece"], span(r.Intervals, "reliability.ece"), "", m["topics.ami"], m["topics.ari"], fmt.Sprintf("%.1f", seconds/float64(len(r.Sets))))
	return t.Flush()
}

// columns is a table whose cells are right below each other.
type columns struct{ *tabwriter.Writer }

func newTable(w io.Writer, header ...string) columns {
	t := columns{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	fmt.Fprintln(t, strings.Join(header, "\t"))
	return t
}

// row writes a line. Scores lose their leading zero, which says nothing.
func (t columns) row(cells ...any) {
	text := make([]string, len(cells))
	for i, cell := range cells {
		if s, ok := cell.(Score); ok {
			cell = short(s)
		}
		text[i] = fmt.Sprint(cell)
	}
	fmt.Fprintln(t, strings.Join(text, "\t"))
}

// short is a score in four or five characters.
func short(s Score) string { return strings.Replace(s.String(), "0.", ".", 1) }

// span is an interval with two digits, empty where there is none.
func span(of map[string]Interval, name string) string {
	i, ok := of[name]
	if !ok {
		return ""
	}
	two := func(s Score) string { return strings.TrimPrefix(fmt.Sprintf("%.2f", float64(s)), "0") }
	return two(i[0]) + "-" + two(i[1])
}

// percent is a share in whole percent, without the sign.
func percent(s Score) string {
	if !s.Known() {
		return "-"
	}
	return fmt.Sprintf("%.0f", 100*float64(s))
}

// setName is the name of a file without directories and the usual endings.
func SetName(file string) string {
	base := filepath.Base(file)
	name := strings.TrimSuffix(base, ".gz")
	if name = strings.TrimSuffix(name, filepath.Ext(name)); name == "" {
		return base
	}
	return name
}

// maxListed is how many problems of one kind are listed.
const maxListed = 10

// WriteNotes says what of each file was not measured, or not as it stands in the file. It writes nothing where all was.
func WriteNotes(w io.Writer, results []*Result) error {
	var failed error
	note := func(format string, args ...any) {
		if _, err := fmt.Fprintf(w, format, args...); err != nil && failed == nil {
			failed = err
		}
	}
	list := func(problems []error) {
		for _, err := range problems[:min(len(problems), maxListed)] {
			note("  %v\n", err)
		}
		if len(problems) > maxListed {
			note("  and %d more\n", len(problems)-maxListed)
		}
	}
	for _, r := range results {
		if r.Unlabelled > 0 {
			note("%s: %d of %d articles have no story label: they are in the corpus, and not counted\n", r.File, r.Unlabelled, r.Articles)
		}
		if r.WithoutVector > 0 {
			note("%s: %d articles left out, for which there is no vector\n", r.File, r.WithoutVector)
		}
		if r.Unidentified > 0 {
			note("%s: %d articles have no id and were given one\n", r.File, r.Unidentified)
		}
		if n := len(r.Duplicates); n > 0 {
			note("%s: %d articles left out, whose id occurred before\n", r.File, n)
			list(r.Duplicates)
		}
		if n := len(r.Rejected); n > 0 {
			note("%s: %d items left out, which are no articles\n", r.File, n)
			list(r.Rejected)
		}
	}
	return failed
}
