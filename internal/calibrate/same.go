package calibrate

import (
	"errors"
	"fmt"
	"math"

	"throughline/internal/evidence"
)

// ErrDrift: a file of coefficients is not what its labelled sets lead to.
var ErrDrift = errors.New("not what is fitted on these sets")

// drift is by how much a coefficient may differ: five in the last digit that is written. Vectors of another processor's kernels differ in the seventh
// digit, which may turn a neighbour round and move the third.
const drift = .005

// Labelled describes the sets, in the order of their names.
func (c *Calibration) Labelled() []evidence.LabelledSet {
	var out []evidence.LabelledSet
	for _, s := range c.sets {
		out = append(out, s.Labelled)
	}
	return out
}

// Same compares the coefficients of a file with those that were fitted now, and the labels they were fitted on. It returns an error for each difference.
func Same(file, fitted *evidence.Model, labelled []evidence.LabelledSet) error {
	var errs []error
	before := make(map[string]string)
	for _, s := range file.Provenance.Sets {
		before[s.Name] = s.Labels
	}
	for _, s := range labelled {
		labels, ok := before[s.Name]
		delete(before, s.Name)
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("%w: the file was fitted without %s", ErrDrift, s.Name))
		case labels != s.Labels:
			errs = append(errs, fmt.Errorf("%w: %s had other articles or labels", ErrDrift, s.Name))
		}
	}
	for _, s := range file.Provenance.Sets {
		if _, ok := before[s.Name]; ok {
			errs = append(errs, fmt.Errorf("%w: the file was fitted on %s too", ErrDrift, s.Name))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...) // of other labels come other coefficients
	}
	was, is := named(file), named(fitted)
	if len(was) != len(is) {
		return fmt.Errorf("%w: the file has %d coefficients, not %d", ErrDrift, len(was), len(is))
	}
	for i, c := range is {
		if was[i].name != c.name {
			errs = append(errs, fmt.Errorf("%w: %s in place of %s", ErrDrift, was[i].name, c.name))
		} else if !(math.Abs(was[i].value-c.value) <= drift) {
			errs = append(errs, fmt.Errorf("%w: %s is %v in the file, %v now", ErrDrift, c.name, was[i].value, c.value))
		}
	}
	return errors.Join(errs...)
}

type coefficient struct {
	name  string
	value float64
}

func named(m *evidence.Model) []coefficient {
	out := []coefficient{
		{"intercept", m.Intercept},
		{"dense.weight", m.Dense.Weight}, {"dense.gain", m.Dense.Gain}, {"lexical.weight", m.Lexical.Weight}, {"lexical.gain", m.Lexical.Gain},
		{"lead.weight", m.Lead.Weight}, {"lead.gain", m.Lead.Gain}, {"names.weight", m.Names.Weight}, {"names.gain", m.Names.Gain},
		{"length.sum", m.Length.Sum}, {"length.product", m.Length.Product}, {"undated", m.Undated},
	}
	for _, h := range m.Days {
		out = append(out, coefficient{fmt.Sprintf("days of width %d", h.Width), h.Weight})
	}
	return out
}
