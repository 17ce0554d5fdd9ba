package calibrate

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"throughline/internal/derive"
	"throughline/internal/evaluate"
	"throughline/internal/score"
)

// targets are the precisions that reports ask for.
var targets = [...]float64{.8, .9, .95}

// Row holds the quality of a model on a set that it was fitted without.
type Row struct {
	Set       string         `json:"set"`
	F1        evaluate.Score `json:"f1"` // B-cubed, of stories at the chosen threshold
	Precision evaluate.Score `json:"precision"`
	Recall    evaluate.Score `json:"recall"`
	Best      evaluate.Score `json:"best_f1"` // at the best threshold for this set
	NDCG10    evaluate.Score `json:"ndcg10"`  // of candidates ranked by logit
	// Delivered are the pair precisions for targets of .8, .9 and .95; null if no articles were
	// joined.
	Delivered [len(targets)]evaluate.Score `json:"delivered"`
	ECE       evaluate.Score               `json:"ece"` // of the probabilities of candidate pairs
	Cut       evaluate.Score               `json:"cut"`
	// Loss is the decrease of F1 against leaving out this set alone; in reports of a kind.
	Loss *evaluate.Score `json:"loss,omitempty"`
	// Rule and Reliability were fitted without the set; nil in a mean.
	Rule        *score.ThresholdRule `json:"rule,omitempty"`
	Reliability *score.Reliability   `json:"reliability,omitempty"`
}

// Table is rows with their mean.
type Table struct {
	Name string `json:"name"`
	What string `json:"what"`
	Rows []Row  `json:"rows"`
	Mean Row    `json:"mean"`
}

// Report holds the model of all sets and its quality on what was left out.
type Report struct {
	Model   *score.Model `json:"model"` // of all sets
	Tables  []Table      `json:"tables"`
	Corpora []Drawn      `json:"corpora"`
}

// Drawn is the quality of the stories of a corpus drawn from sets, with a model that was fitted
// without these.
type Drawn struct {
	Name      string         `json:"name"`
	Kind      derive.Kind    `json:"kind"`
	Amount    derive.Amount  `json:"amount"`
	Articles  int            `json:"articles"`
	F1        evaluate.Score `json:"f1"` // B-cubed
	Precision evaluate.Score `json:"precision"`
	Recall    evaluate.Score `json:"recall"`
	Best      evaluate.Score `json:"best_f1"`
	ECE       evaluate.Score `json:"ece"`
	Cut       evaluate.Score `json:"cut"`
}

// Report makes the model of all sets, and those that leave sets out.
func (c *Calibration) Report(ctx context.Context) (*Report, error) {
	var r Report
	var err error
	var each []seen // every set alone
	for i := range c.sets {
		each = append(each, 1<<i)
	}
	chosen := Table{Name: "left out", What: "everything fitted without the set"}
	if chosen.Rows, err = c.rows(ctx, each); err != nil {
		return nil, err
	}
	r.Tables = []Table{chosen.summed()}
	for _, k := range c.opts.Kinds {
		kind, err := c.of(k)
		if err != nil {
			return nil, err
		}
		t := Table{Name: k.Name, What: "everything without any set of the kind"}
		if t.Rows, err = c.rows(ctx, []seen{kind}); err != nil {
			return nil, err
		}
		for i, row := range t.Rows {
			for _, alone := range chosen.Rows {
				if alone.Set == row.Set {
					loss := alone.F1 - row.F1
					t.Rows[i].Loss = &loss
				}
			}
		}
		r.Tables = append(r.Tables, t.summed())
	}
	if r.Corpora, err = c.measureDrawn(ctx); err != nil {
		return nil, err
	}
	if r.Model, err = c.Model(ctx); err != nil {
		return nil, err
	}
	mean := r.Tables[0].Mean
	r.Model.Provenance.LeftOut = &score.LeftOut{StoryF1: rounded(float64(mean.F1)), ECE: rounded(float64(mean.ECE))}
	if most := mean.Delivered[len(targets)-1]; most.Known() {
		delivered := rounded(float64(most))
		r.Model.Provenance.LeftOut.Delivered = &delivered
	}
	return &r, nil
}

// rows fits a model without each group of sets and measures it on the group.
func (c *Calibration) rows(ctx context.Context, groups []seen) ([]Row, error) {
	var out []Row
	for _, group := range groups {
		m, err := c.model(ctx, c.all()&^group, mostLinked)
		if err != nil {
			return nil, err
		}
		for _, i := range group.sets() {
			l, err := link(ctx, m, c.wholes[i])
			if err != nil {
				return nil, err
			}
			out = append(out, measure(c.sets[i].Name, l, m))
		}
	}
	return out, nil
}

// measureDrawn draws other corpora than those that are fitted on, and measures the stories of each
// with a model that was fitted without its sets.
func (c *Calibration) measureDrawn(ctx context.Context) ([]Drawn, error) {
	corpora, err := c.corpora(ctx, measured.scaled(c.opts.Corpora))
	if err != nil {
		return nil, err
	}
	corpora = slices.DeleteFunc(corpora, func(made *corpus) bool { return len((c.all() &^ made.sources).sets()) < leastSets-1 })
	models := map[seen]*score.Model{}
	for _, made := range corpora {
		on := c.all() &^ made.sources
		if models[on] != nil {
			continue
		}
		if models[on], err = c.model(ctx, on, mostLinked); err != nil {
			return nil, err
		}
	}
	out := make([]Drawn, len(corpora))
	return out, parallel(len(corpora), c.opts.Workers, func(i int) error {
		made := corpora[i]
		m := models[c.all()&^made.sources]
		l, err := link(ctx, m, made)
		if err != nil {
			return err
		}
		row := measure(made.name, l, m)
		out[i] = Drawn{Name: made.name, Kind: made.drawn.Kind, Amount: made.drawn.Amount, Articles: len(made.story),
			F1: row.F1, Precision: row.Precision, Recall: row.Recall, Best: row.Best, ECE: row.ECE, Cut: row.Cut}
		return nil
	})
}

// measure measures a model on a set.
func measure(name string, l *linked, m *score.Model) Row {
	breakEven := l.tree.BreakEven(m.Threshold)
	p, r, f1 := l.quality(breakEven.Logit)
	row := Row{
		Set: name, F1: evaluate.Score(f1), Precision: evaluate.Score(p), Recall: evaluate.Score(r), Best: evaluate.Score(l.best()),
		NDCG10: evaluate.Score(l.ranking()), ECE: evaluate.Score(l.calibrationError(m, breakEven)), Cut: evaluate.Score(breakEven.Logit), Rule: &m.Threshold, Reliability: &m.Reliability,
	}
	for k, wanted := range targets {
		row.Delivered[k] = evaluate.Score(l.pairPrecision(l.tree.ForPrecision(m.Reliability, breakEven, wanted)))
	}
	return row
}

// figures returns the figures of a row that every table shows, in the order of its columns.
func (r *Row) figures() []*evaluate.Score {
	return []*evaluate.Score{&r.F1, &r.Precision, &r.Recall, &r.Best, &r.NDCG10, &r.Delivered[0], &r.Delivered[1], &r.Delivered[2], &r.ECE, &r.Cut}
}

// summed sets the mean row, over the rows that have each figure.
func (t Table) summed() Table {
	mean := func(of func(*Row) *evaluate.Score) evaluate.Score {
		sum, n := 0.0, 0.0
		for i := range t.Rows {
			if x := of(&t.Rows[i]); x != nil && x.Known() {
				sum, n = sum+float64(*x), n+1
			}
		}
		return evaluate.Score(sum / n)
	}
	t.Mean = Row{Set: "mean"}
	for k, figure := range t.Mean.figures() {
		*figure = mean(func(r *Row) *evaluate.Score { return r.figures()[k] })
	}
	if loss := mean(func(r *Row) *evaluate.Score { return r.Loss }); loss.Known() {
		t.Mean.Loss = &loss
	}
	return t
}

// WriteTables writes a report as text: the tables, then the chosen constants.
func WriteTables(w io.Writer, r *Report) error {
	for i, t := range r.Tables {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := writeTable(w, t); err != nil {
			return err
		}
	}
	if err := writeDrawn(w, r.Corpora); err != nil {
		return err
	}
	p := r.Model.Provenance
	_, err := fmt.Fprintf(w, "\nmodel of %d sets for %s\n", len(p.Sets), p.Space)
	return err
}

// writeDrawn writes the story F1 of drawn corpora by amount of text and kind.
func writeDrawn(w io.Writer, corpora []Drawn) error {
	groups := map[derive.Amount]map[string][]float64{}
	for _, d := range corpora {
		if groups[d.Amount] == nil {
			groups[d.Amount] = map[string][]float64{}
		}
		for _, g := range []string{d.Kind.String(), "all"} {
			groups[d.Amount][g] = append(groups[d.Amount][g], float64(d.F1))
		}
		groups[d.Amount]["best"] = append(groups[d.Amount]["best"], float64(d.Best))
	}
	for _, amount := range slices.Sorted(maps.Keys(groups)) {
		fmt.Fprintf(w, "\ncorpora drawn from the sets, %s: story F1, everything fitted without their sets\n", amount)
		columns := evaluate.NewColumns(w, "KIND", "CORPORA", "MEAN", "TENTH", "WORST")
		for _, g := range []string{"sub", "thin", "ones", "giant", "mix", "window", "all", "best"} {
			if xs := groups[amount][g]; len(xs) > 0 {
				s := derive.Summarize(xs)
				columns.Row(g, s.Count, evaluate.Score(s.Mean), evaluate.Score(s.Tenth), evaluate.Score(s.Worst))
			}
		}
		if err := columns.Flush(); err != nil {
			return err
		}
	}
	worst := slices.SortedStableFunc(slices.Values(corpora), func(a, b Drawn) int { return cmp.Compare(a.F1, b.F1) })
	fmt.Fprintf(w, "\nthe worst\n")
	columns := evaluate.NewColumns(w, "CORPUS", "AMOUNT", "ARTICLES", "F1", "P", "R", "BEST", "CUT")
	for _, d := range worst[:min(len(worst), 20)] {
		columns.Row(d.Name, d.Amount.String(), d.Articles, d.F1, d.Precision, d.Recall, d.Best, d.Cut)
	}
	return columns.Flush()
}

func writeTable(w io.Writer, t Table) error {
	fmt.Fprintf(w, "%s: %s\n", t.Name, t.What)
	header := []string{"SET", "F1", "P", "R", "BEST", "nDCG@10", "AT .80", ".90", ".95", "ECE", "CUT"}
	if t.Mean.Loss != nil {
		header = append(header, "LOSS")
	}
	columns := evaluate.NewColumns(w, header...)
	for _, r := range append(t.Rows[:len(t.Rows):len(t.Rows)], t.Mean) {
		cells := []any{r.Set}
		for _, figure := range r.figures() {
			cells = append(cells, *figure)
		}
		if t.Mean.Loss != nil {
			cells = append(cells, *r.Loss)
		}
		columns.Row(cells...)
	}
	return columns.Flush()
}
