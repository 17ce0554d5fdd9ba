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

// ErrIncomparable: two reports do not measure the same thing.
var ErrIncomparable = errors.New("the earlier run cannot be compared with this one")

// Comparison is what changed since an earlier run.
type Comparison struct {
	Model   string   `json:"model"` // of the earlier run
	Changes []Change `json:"changes"`
	// OtherLists says that the runs asked for the related coverage of other articles, so that nothing is said of it.
	OtherLists bool `json:"other_lists,omitempty"`
}

// Change of a figure of one set, or of the mean over the sets.
type Change struct {
	Set        string `json:"set"` // file; empty: the mean
	Figure     string `json:"figure"`
	Old        Score  `json:"old"`
	New        Score  `json:"new"`
	Difference Score  `json:"difference"`
	// Outside says that neither figure lies within the interval of the other: more than other stories of the same kind
	// would move it by. A change inside may be real all the same, since both runs have judged the same articles.
	Outside bool `json:"outside"`
}

// ReadReport reads the JSON of an earlier run. A document that is no report, or one of another version, is refused.
func ReadReport(r io.Reader) (*Report, error) {
	report := new(Report)
	if err := json.NewDecoder(r).Decode(report); err != nil {
		return nil, fmt.Errorf("not the report of a run: %w", err)
	}
	if report.Format != format {
		return nil, fmt.Errorf("%w: it has format %d, this program writes format %d; run it anew", ErrIncomparable, report.Format, format)
	}
	if len(report.Sets) == 0 || slices.Contains(report.Sets, nil) {
		return nil, fmt.Errorf("%w: it has no sets", ErrIncomparable)
	}
	return report, nil
}

// Covers reports whether an earlier run has the sets of these files and no others, going by their names. It is for finding a
// mistake before a long run; Compare looks at the labels.
func (r *Report) Covers(files []string) error {
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

// Compare says what changed from an earlier run, set by set in the order of the later one and figure by figure, and at last
// for the mean. The sets must be the same, article for article and label for label; the model may differ.
func Compare(old, now *Report) (*Comparison, error) {
	type pair struct{ before, now *Result }
	var sets []pair
	left := slices.Clone(old.Sets)
	c := &Comparison{Model: old.Model}
	for _, set := range now.Sets {
		at := slices.IndexFunc(left, func(r *Result) bool { return r.Labels == set.Labels })
		if at < 0 {
			return nil, fmt.Errorf("%w: it had no set with the articles and labels of %s", ErrIncomparable, set.File)
		}
		sets = append(sets, pair{left[at], set})
		c.OtherLists = c.OtherLists || left[at].Related.Articles != set.Related.Articles
		left = slices.Delete(left, at, at+1)
	}
	if len(left) > 0 {
		return nil, fmt.Errorf("%w: it had one more set, %s", ErrIncomparable, left[0].File)
	}
	for _, s := range sets {
		for _, f := range figures {
			c.add(s.now.File, f, f.at(s.before), f.at(s.now), s.before.Intervals, s.now.Intervals)
		}
	}
	for _, f := range figures {
		before, ok := old.Mean[f.name]
		if !ok {
			before = unknown
		}
		c.add("", f, before, now.Mean[f.name], old.Intervals, now.Intervals)
	}
	return c, nil
}

func (c *Comparison) add(set string, f figure, old, now Score, oldIntervals, nowIntervals map[string]Interval) {
	if !old.Known() && !now.Known() || c.OtherLists && f.ofLists() {
		return
	}
	old, now = old.rounded(), now.rounded() // as the earlier one was kept
	change := Change{Set: set, Figure: f.name, Old: old, New: now, Difference: (now - old).rounded()}
	around, ok := oldIntervals[f.name]
	aroundNow, okNow := nowIntervals[f.name]
	if ok || okNow {
		change.Outside = !(ok && around.Holds(now)) && !(okNow && aroundNow.Holds(old))
	}
	c.Changes = append(c.Changes, change)
}

// Dropped returns the means that got worse by more than some difference.
func (c *Comparison) Dropped(more float64) []Change {
	var out []Change
	for _, change := range c.Changes {
		at := slices.IndexFunc(figures, func(f figure) bool { return f.name == change.Figure })
		if change.Set != "" || at < 0 || !change.Old.Known() {
			continue
		}
		loss := float64(-change.Difference)
		switch figures[at].better {
		case lower:
			loss = -loss
		case neither:
			continue
		}
		if loss > more || math.IsNaN(loss) { // one that can no longer be measured
			out = append(out, change)
		}
	}
	return out
}

// String is the change in a sentence.
func (c Change) String() string {
	return fmt.Sprintf("%s: %v, was %v", c.Figure, c.New, c.Old)
}

// WriteComparison writes what changed for people: every figure that is another one in the third digit, and the means.
func WriteComparison(w io.Writer, c *Comparison) error {
	t := newTable(w, "CHANGED IN", "FIGURE", "OLD", "NEW", "DIFFERENCE", "")
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
		t.row(name, change.Figure, change.Old, change.New, difference, mark)
	}
	if err := t.Flush(); err != nil || !c.OtherLists {
		return err
	}
	_, err := fmt.Fprintln(w, "The earlier run asked for the related coverage of other articles, so that cannot be compared.")
	return err
}
