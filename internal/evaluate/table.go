package evaluate

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"
)

// WriteTables writes a report as text: a table of stories and one of the rest, each with the mean
// over the sets. With names no longer than those of the usual sets the tables fit 120 columns.
func WriteTables(w io.Writer, r *Report) error {
	if err := writeStories(w, r); err != nil {
		return err
	}
	fmt.Fprintln(w)
	return writeRelated(w, r)
}

func writeStories(w io.Writer, r *Report) error {
	t := NewColumns(w, "STORIES OF", "ARTICLES", "FOUND/GOLD", "GROUPED", "LARGEST", "P", "R", "F1", "95%", "PAIR P", "R", "F1", "AMI", "ARI")
	for _, s := range r.Sets {
		x := s.Stories
		t.Row(SetName(s.File), s.Articles, fmt.Sprintf("%d/%d", x.Found, x.Gold), percent(x.InStories)+"/"+percent(x.GoldInStories),
			percent(x.LargestShare)+"%", x.Precision, x.Recall, x.F1, span(s.Intervals, "stories.f1"), x.PairPrecision, x.PairRecall, x.PairF1, x.AMI, x.ARI)
	}
	m := func(name string) Score { return r.Mean["stories."+name] }
	t.Row("mean", "", "", percent(m("in_stories")), percent(m("largest_share"))+"%", m("precision"), m("recall"), m("f1"), span(r.Intervals, "stories.f1"),
		m("pair_precision"), m("pair_recall"), m("pair_f1"), m("ami"), m("ari"))
	return t.Flush()
}

func writeRelated(w io.Writer, r *Report) error {
	t := NewColumns(w, "RELATED IN", "ASKED", "nDCG@10", "95%", "P@5", "MRR", "PAIRS", "ECE", "95%", "TOPICS", "AMI", "ARI", "SECONDS")
	seconds := 0.0
	for _, s := range r.Sets {
		t.Row(SetName(s.File), s.Related.Articles, s.Related.NDCG10, span(s.Intervals, "related.ndcg10"), s.Related.P5, s.Related.MRR,
			s.Reliability.Pairs, s.Reliability.ECE, span(s.Intervals, "reliability.ece"),
			fmt.Sprintf("%d/%d", s.Topics.Found, s.Topics.Gold), s.Topics.AMI, s.Topics.ARI, fmt.Sprintf("%.1f", s.Seconds))
		seconds += s.Seconds
	}
	m := r.Mean
	t.Row("mean", "", m["related.ndcg10"], span(r.Intervals, "related.ndcg10"), m["related.p5"], m["related.mrr"],
		"", m["reliability.ece"], span(r.Intervals, "reliability.ece"), "", m["topics.ami"], m["topics.ari"], fmt.Sprintf("%.1f", seconds/float64(len(r.Sets))))
	return t.Flush()
}

// Columns is a table with aligned columns.
type Columns struct{ *tabwriter.Writer }

// NewColumns starts a table. Flush ends it.
func NewColumns(w io.Writer, header ...string) Columns {
	t := Columns{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	fmt.Fprintln(t, strings.Join(header, "\t"))
	return t
}

// Row writes a line. Scores are written without the leading zero.
func (t Columns) Row(cells ...any) {
	text := make([]string, len(cells))
	for i, cell := range cells {
		if s, ok := cell.(Score); ok {
			cell = short(s)
		}
		text[i] = fmt.Sprint(cell)
	}
	fmt.Fprintln(t, strings.Join(text, "\t"))
}

// short returns a score in four or five characters.
func short(s Score) string { return strings.Replace(s.String(), "0.", ".", 1) }

// span returns an interval with two digits, "" if there is none.
func span(of map[string]Interval, name string) string {
	i, ok := of[name]
	if !ok {
		return ""
	}
	two := func(s Score) string { return strings.TrimPrefix(fmt.Sprintf("%.2f", float64(s)), "0") }
	return two(i[0]) + "-" + two(i[1])
}

// percent returns a share in whole percent, without the sign.
func percent(s Score) string {
	if !s.Known() {
		return "-"
	}
	return fmt.Sprintf("%.0f", 100*float64(s))
}

// SetName returns the name of a file without directories, .gz and extension.
func SetName(file string) string {
	base := filepath.Base(file)
	name := strings.TrimSuffix(base, ".gz")
	if name = strings.TrimSuffix(name, filepath.Ext(name)); name == "" {
		return base
	}
	return name
}

// maxListed is the most problems of one kind that are listed.
const maxListed = 10

// WriteNotes writes what was left out of each file or changed. It writes nothing if all of it was
// measured.
func WriteNotes(w io.Writer, results []*Result) error {
	var text bytes.Buffer
	for _, r := range results {
		for _, note := range []struct {
			count    int
			what     string
			problems []error
		}{
			{r.Unlabelled, fmt.Sprintf("of %d articles have no story label: they are in the corpus, and not counted", r.Articles), nil},
			{r.WithoutVector, "articles left out, for which there is no vector", nil},
			{r.Unidentified, "articles have no id and were given one", nil},
			{len(r.Duplicates), "articles left out, whose id occurred before", r.Duplicates},
			{len(r.Rejected), "items left out, which are no articles", r.Rejected},
		} {
			if note.count > 0 {
				fmt.Fprintf(&text, "%s: %d %s\n", r.File, note.count, note.what)
			}
			for i, err := range note.problems {
				if i == maxListed {
					fmt.Fprintf(&text, "  and %d more\n", len(note.problems)-maxListed)
					break
				}
				fmt.Fprintf(&text, "  %v\n", err)
			}
		}
	}
	_, err := text.WriteTo(w)
	return err
}
