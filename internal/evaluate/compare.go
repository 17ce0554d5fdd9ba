package evaluate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// ErrIncomparable is the error of two reports that do not measure the same thing.
var ErrIncomparable = errors.New("the earlier run cannot be compared with this one")

// Comparison lists the changes since an earlier run.
type Comparison struct {
	Model   string   `json:"model"` // of the earlier run
	Changes []Change `json:"changes"`
	// Kinds lists the changes of the story F1 of derived corpora by kind, and of all.
	Kinds []KindChange `json:"kinds,omitempty"`
	// OtherLists means that the runs asked for the related coverage of different articles, so its
	// figures are not compared.
	OtherLists bool `json:"other_lists,omitempty"`
}

// Change is the change of a figure of one set, or of the mean over the sets.
type Change struct {
	Set        string `json:"set"` // file; empty: the mean
	Figure     string `json:"figure"`
	Old        Score  `json:"old"`
	New        Score  `json:"new"`
	Difference Score  `json:"difference"`
	// Outside means that neither figure lies within the interval of the other: a greater difference
	// than between other stories of the same kind. A change within the intervals may be real too,
	// because both runs measure the same articles.
	Outside bool `json:"outside"`
}

// ReadReport reads the JSON of an earlier run. It refuses other documents and reports of another
// version.
func ReadReport(r io.Reader) (*Report, error) {
	report := new(Report)
	if err := json.NewDecoder(r).Decode(report); err != nil {
		return nil, fmt.Errorf("not the report of a run: %w", err)
	}
	if report.Format != format {
		return nil, fmt.Errorf("%w: unsupported format (got %d, want %d): run it again", ErrIncomparable, report.Format, format)
	}
	if len(report.Sets) == 0 || slices.Contains(report.Sets, nil) {
		return nil, fmt.Errorf("%w: it has no sets", ErrIncomparable)
	}
	if report.Derived != nil && slices.ContainsFunc(report.Sets, func(r *Result) bool { return r.Drawn == nil }) {
		return nil, fmt.Errorf("%w: a set does not say what it was drawn from", ErrIncomparable)
	}
	return report, nil
}

// Covers returns an error unless an earlier run has the sets of these files and no others, by name.
// It finds a mistake before a long run; Compare compares the labels.
func (r *Report) Covers(files []string) error {
	if r.Derived != nil {
		return fmt.Errorf("%w: it was of %v, this one is of files", ErrIncomparable, r.Derived)
	}
	var old, now []string
	for _, s := range r.Sets {
		old = append(old, SetName(s.File))
	}
	for _, f := range files {
		now = append(now, SetName(f))
	}
	slices.Sort(old)
	slices.Sort(now)
	if !slices.Equal(old, now) {
		return fmt.Errorf("%w: it was of %s, this one is of %s", ErrIncomparable, strings.Join(old, ", "), strings.Join(now, ", "))
	}
	return nil
}

// Compare returns the changes since an earlier run: by set in the order of the later run, then by
// figure, and last the mean. The sets must have the same articles and labels; the model may differ.
func Compare(old, now *Report) (*Comparison, error) {
	var before []*Result // of each set of now
	left := slices.Clone(old.Sets)
	c := &Comparison{Model: old.Model}
	for _, set := range now.Sets {
		at := slices.IndexFunc(left, func(r *Result) bool { return r.Labels == set.Labels })
		if at < 0 {
			return nil, fmt.Errorf("%w: it had no set with the articles and labels of %s", ErrIncomparable, set.File)
		}
		before = append(before, left[at])
		c.OtherLists = c.OtherLists || left[at].Related.Articles != set.Related.Articles
		left = slices.Delete(left, at, at+1)
	}
	if len(left) > 0 {
		return nil, fmt.Errorf("%w: it had one more set, %s", ErrIncomparable, left[0].File)
	}
	for i, set := range now.Sets {
		for _, f := range figures {
			c.add(set.File, f, f.at(before[i]), f.at(set), before[i].Intervals, set.Intervals)
		}
	}
	for _, f := range figures {
		mean, ok := old.Mean[f.name]
		if !ok {
			mean = unknown
		}
		c.add("", f, mean, now.Mean[f.name], old.Intervals, now.Intervals)
	}
	if old.Derived != nil && now.Derived != nil {
		c.Kinds = kindChanges(old.Derived.F1, now.Derived.F1)
	}
	return c, nil
}

func (c *Comparison) add(set string, f figure, old, now Score, oldIntervals, nowIntervals map[string]Interval) {
	if !old.Known() && !now.Known() || c.OtherLists && f.ofLists() {
		return
	}
	old, now = old.rounded(), now.rounded() // the earlier report is rounded
	change := Change{Set: set, Figure: f.name, Old: old, New: now, Difference: (now - old).rounded()}
	around, ok := oldIntervals[f.name]
	aroundNow, okNow := nowIntervals[f.name]
	if ok || okNow {
		change.Outside = !(ok && around.Holds(now)) && !(okNow && aroundNow.Holds(old))
	}
	c.Changes = append(c.Changes, change)
}

// Dropped returns the means that got worse by more than a difference, or can no longer be measured.
func (c *Comparison) Dropped(more float64) []Change {
	var out []Change
	for _, change := range c.Changes {
		at := slices.IndexFunc(figures, func(f figure) bool { return f.name == change.Figure })
		if change.Set != "" || at < 0 || figures[at].better == neither || !change.Old.Known() {
			continue
		}
		if loss := -figures[at].better * float64(change.Difference); loss > more || math.IsNaN(loss) {
			out = append(out, change)
		}
	}
	return out
}

// String returns "figure: new, was old".
func (c Change) String() string {
	return fmt.Sprintf("%s: %v, was %v", c.Figure, c.New, c.Old)
}

// WriteComparison writes the changes as text: every figure that differs in the third digit, and the
// means. Of derived corpora it writes the story F1 only.
func WriteComparison(w io.Writer, c *Comparison) error {
	if c.Kinds != nil {
		return writeDerivedComparison(w, c)
	}
	t := NewColumns(w, "CHANGED IN", "FIGURE", "OLD", "NEW", "DIFFERENCE", "")
	for _, change := range c.Changes {
		name := "mean"
		if change.Set != "" {
			if name = SetName(change.Set); short(change.Old) == short(change.New) {
				continue
			}
		}
		mark := ""
		if change.Outside {
			mark = "outside of the 95% interval"
		}
		difference := "-"
		if change.Difference.Known() {
			difference = fmt.Sprintf("%+.3f", float64(change.Difference))
		}
		t.Row(name, change.Figure, change.Old, change.New, difference, mark)
	}
	if err := t.Flush(); err != nil || !c.OtherLists {
		return err
	}
	_, err := fmt.Fprintln(w, "The earlier run asked for the related coverage of other articles, so that cannot be compared.")
	return err
}
