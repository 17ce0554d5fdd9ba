package calibrate

import (
	"context"
	"fmt"
	"io"

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

// Report holds the model of all sets and its quality on sets left out.
type Report struct {
	Model  *score.Model `json:"model"` // of all sets
	Tables []Table      `json:"tables"`
}

// Report makes the model of all sets, and those that leave sets out.
func (c *Calibration) Report(ctx context.Context) (*Report, error) {
	var r Report
	var err error
	var each []seen // every set alone
	for i := range c.sets {
		each = append(each, 1<<i)
	}
	chosen := Table{Name: "left out", What: "coefficients, constants and reliability without the set"}
	if chosen.Rows, err = c.rows(ctx, nil, each); err != nil {
		return nil, err
	}
	inForce := Table{Name: "in force", What: "coefficients and reliability without the set, constants of the threshold as in the program"}
	if inForce.Rows, err = c.rows(ctx, &c.opts.InForce, each); err != nil {
		return nil, err
	}
	r.Tables = []Table{chosen.summed(), inForce.summed()}
	for _, k := range c.opts.Kinds {
		kind, err := c.of(k)
		if err != nil {
			return nil, err
		}
		t := Table{Name: k.Name, What: "everything without any set of the kind"}
		if t.Rows, err = c.rows(ctx, nil, []seen{kind}); err != nil {
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
func (c *Calibration) rows(ctx context.Context, rule *score.ThresholdRule, groups []seen) ([]Row, error) {
	var out []Row
	for _, group := range groups {
		on := c.all() &^ group
		m, err := c.model(ctx, on, rule)
		if err != nil {
			return nil, err
		}
		for _, i := range group.sets() {
			linkages, err := c.linked(ctx, on, i, false)
			if err != nil {
				return nil, err
			}
			out = append(out, measure(c.sets[i].Name, linkages[0], m))
		}
	}
	return out, nil
}

// measure measures a model on a set.
func measure(name string, l *linked, m *score.Model) Row {
	breakEven := l.tree.BreakEven(m.Threshold)
	p, r, f1 := l.quality(breakEven)
	row := Row{
		Set: name, F1: evaluate.Score(f1), Precision: evaluate.Score(p), Recall: evaluate.Score(r), Best: evaluate.Score(l.best()),
		NDCG10: evaluate.Score(l.ranking()), ECE: evaluate.Score(l.calibrationError(m, breakEven)), Cut: evaluate.Score(breakEven), Rule: &m.Threshold, Reliability: &m.Reliability,
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
	c, p := r.Model.Threshold, r.Model.Provenance
	fmt.Fprintf(w, "\nmodel of %d sets for %s: threshold target %v, prior weight %v, prior clip %v, gap weight %v, target weight %v, temperature %v\n",
		len(p.Sets), p.Space, c.Target, c.PriorWeight, c.PriorClip, c.GapWeight, c.TargetWeight, c.Temperature)
	return nil
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
