package calibrate

import (
	"context"
	"math"

	"throughline/internal/evaluate"
	"throughline/internal/evidence"
)

// asked are the precisions that reports ask for.
var asked = [...]float64{.8, .9, .95}

// Row is what a model reaches on a set that it has not seen.
type Row struct {
	Set       string         `json:"set"`
	F1        evaluate.Score `json:"f1"` // B-cubed, of stories at the cut that the rule chose
	Precision evaluate.Score `json:"precision"`
	Recall    evaluate.Score `json:"recall"`
	Best      evaluate.Score `json:"best_f1"` // at the best cut for this set
	NDCG10    evaluate.Score `json:"ndcg10"`  // of ranking the candidates of each article by the logit
	// Delivered are pair precisions, where .8, .9 and .95 were asked for; null where nothing was put together.
	Delivered [len(asked)]evaluate.Score `json:"delivered"`
	ECE       evaluate.Score             `json:"ece"` // of the probabilities of candidate pairs
	Cut       evaluate.Score             `json:"cut"`
	// Loss is by how much F1 is less than where the set alone was left out; in reports of a kind.
	Loss *evaluate.Score `json:"loss,omitempty"`
	// Rule and Reliability were made without the set; nil in a mean.
	Rule        *evidence.CutRule     `json:"rule,omitempty"`
	Reliability *evidence.Reliability `json:"reliability,omitempty"`
}

// Table is rows with their mean.
type Table struct {
	Name string `json:"name"`
	What string `json:"what"`
	Rows []Row  `json:"rows"`
	Mean Row    `json:"mean"`
}

// Report says how good models are on sets that they have not seen.
type Report struct {
	Model  *evidence.Model `json:"model"` // of all sets
	Tables []Table         `json:"tables"`
}

// Report makes the model of all sets, and those that leave sets out.
func (c *Calibration) Report(ctx context.Context) (*Report, error) {
	var r Report
	var err error
	chosen := Table{Name: "left out", What: "coefficients, constants and reliability without the set"}
	if chosen.Rows, err = c.rows(ctx, nil, c.each()); err != nil {
		return nil, err
	}
	inForce := Table{Name: "in force", What: "coefficients and reliability without the set, constants of the cut as in the program"}
	if inForce.Rows, err = c.rows(ctx, &c.opts.InForce, c.each()); err != nil {
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
	r.Model.Provenance.LeftOut = &evidence.LeftOut{StoryF1: rounded(float64(mean.F1)), ECE: rounded(float64(mean.ECE))}
	if most := mean.Delivered[len(asked)-1]; most.Known() {
		delivered := rounded(float64(most))
		r.Model.Provenance.LeftOut.Delivered = &delivered
	}
	return &r, nil
}

// each returns every set alone.
func (c *Calibration) each() []seen {
	var out []seen
	for i := range c.sets {
		out = append(out, 1<<i)
	}
	return out
}

// rows makes a model without each group of sets and measures it on these.
func (c *Calibration) rows(ctx context.Context, rule *evidence.CutRule, groups []seen) ([]Row, error) {
	var out []Row
	for _, group := range groups {
		on := c.all() &^ group
		m, err := c.model(ctx, on, rule)
		if err != nil {
			return nil, err
		}
		for _, i := range group.sets() {
			trees, err := c.linked(ctx, on, i, false)
			if err != nil {
				return nil, err
			}
			out = append(out, measure(c.sets[i].Name, trees[0], m))
		}
	}
	return out, nil
}

// measure says how good a model is on a set.
func measure(name string, l *linked, m *evidence.Model) Row {
	even := l.tree.Even(m.Cut)
	p, r, f1 := l.quality(even)
	row := Row{
		Set: name, F1: evaluate.Score(f1), Precision: evaluate.Score(p), Recall: evaluate.Score(r), Best: evaluate.Score(l.best()),
		NDCG10: evaluate.Score(l.ranking()), ECE: evaluate.Score(l.calibrationError(m, even)), Cut: evaluate.Score(even), Rule: &m.Cut, Reliability: &m.Reliability,
	}
	for k, wanted := range asked {
		row.Delivered[k] = evaluate.Score(l.pairPrecision(m.Reliability.CutFor(l.tree, even, wanted)))
	}
	return row
}

// summed adds the mean over the rows that have a figure.
func (t Table) summed() Table {
	mean := func(of func(*Row) evaluate.Score) evaluate.Score {
		sum, n := 0.0, 0.0
		for i := range t.Rows {
			if x := of(&t.Rows[i]); x.Known() {
				sum, n = sum+float64(x), n+1
			}
		}
		return evaluate.Score(sum / n)
	}
	t.Mean = Row{
		Set: "mean", F1: mean(func(r *Row) evaluate.Score { return r.F1 }), Precision: mean(func(r *Row) evaluate.Score { return r.Precision }),
		Recall: mean(func(r *Row) evaluate.Score { return r.Recall }), Best: mean(func(r *Row) evaluate.Score { return r.Best }),
		NDCG10: mean(func(r *Row) evaluate.Score { return r.NDCG10 }), ECE: mean(func(r *Row) evaluate.Score { return r.ECE }),
		Cut: mean(func(r *Row) evaluate.Score { return r.Cut }),
	}
	for k := range asked {
		t.Mean.Delivered[k] = mean(func(r *Row) evaluate.Score { return r.Delivered[k] })
	}
	if loss := mean(func(r *Row) evaluate.Score {
		if r.Loss == nil {
			return evaluate.Score(math.NaN())
		}
		return *r.Loss
	}); loss.Known() {
		t.Mean.Loss = &loss
	}
	return t
}
