package calibrate

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"throughline/internal/evaluate"
)

// WriteTables writes a report for people: the tables, then the constants that were chosen.
func WriteTables(w io.Writer, r *Report) error {
	for i, t := range r.Tables {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := writeTable(w, t); err != nil {
			return err
		}
	}
	c, p := r.Model.Cut, r.Model.Provenance
	fmt.Fprintf(w, "\nmodel of %d sets for %s: cut base %v, prior %v, bound %v, shape %v, hold %v, blur %v\n",
		len(p.Sets), p.Space, c.Base, c.Prior, c.Bound, c.Shape, c.Hold, c.Blur)
	return nil
}

func writeTable(w io.Writer, t Table) error {
	fmt.Fprintf(w, "%s: %s\n", t.Name, t.What)
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	header := []string{"SET", "F1", "P", "R", "BEST", "nDCG@10", "AT .80", ".90", ".95", "ECE", "CUT"}
	loss := t.Mean.Loss != nil
	if loss {
		header = append(header, "LOSS")
	}
	fmt.Fprintln(columns, strings.Join(header, "\t"))
	for _, r := range append(t.Rows[:len(t.Rows):len(t.Rows)], t.Mean) {
		scores := []evaluate.Score{r.F1, r.Precision, r.Recall, r.Best, r.NDCG10, r.Delivered[0], r.Delivered[1], r.Delivered[2], r.ECE, r.Cut}
		if loss {
			scores = append(scores, *r.Loss)
		}
		fmt.Fprint(columns, r.Set)
		for _, s := range scores {
			fmt.Fprint(columns, "\t", strings.Replace(s.String(), "0.", ".", 1))
		}
		fmt.Fprintln(columns)
	}
	return columns.Flush()
}
