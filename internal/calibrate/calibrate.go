package calibrate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"runtime"
	"slices"
	"strings"

	"throughline/embed"
	"throughline/internal/score"
)

// Options configures a Calibration.
type Options struct {
	// Full returns the embedder of the whole texts of a set; nil: Short.
	Full func(set string) embed.Embedder
	// Short embeds shortened texts, in the same space as Full.
	Short embed.Embedder
	// InForce holds the constants of the current model. They change only where that improves the
	// score beyond noise.
	InForce score.ThresholdRule
	// Kinds lists groups of sets that the report leaves out together.
	Kinds   []Kind
	Workers int // 0: GOMAXPROCS
	// Progress, if not nil, is called at every step, never concurrently.
	Progress func(stage string)
}

// Kind is a named group of sets.
type Kind struct {
	Name string
	Sets []string
}

// seen is the set of labelled sets that a model may be fitted on: bit i stands for the i-th.
type seen uint64

// mostSets is the number of bits of a seen.
const mostSets = 64

func (s seen) without(set int) seen { return s &^ (1 << set) }
func (s seen) sets() (numbers []int) {
	for ; s != 0; s &= s - 1 {
		numbers = append(numbers, bits.TrailingZeros64(uint64(s)))
	}
	return numbers
}

// Calibration holds labelled sets that are prepared for fitting. It caches fits and linkages and is
// not safe for concurrent use.
type Calibration struct {
	sets    []*Set
	corpora [][]*corpus // by set, the whole set first
	opts    Options

	models   map[seen]*score.Model // coefficients only
	linkages map[linkageKey][]*linked
}

type linkageKey struct {
	model seen
	set   int
	all   bool // with the variants
}

// New prepares sets: it makes the variants, the vectors and the candidate pairs. It needs 3 to 64
// sets.
func New(ctx context.Context, sets []*Set, opts Options) (*Calibration, error) {
	if opts.Workers <= 0 {
		opts.Workers = runtime.GOMAXPROCS(0)
	}
	if opts.Progress == nil {
		opts.Progress = func(string) {}
	}
	if len(sets) < leastSets || len(sets) > mostSets {
		return nil, fmt.Errorf("%w: %d labelled sets; %d are needed, so that two can be left out: one to report on, one to choose constants on; at most %d",
			ErrTooFew, len(sets), leastSets, mostSets)
	}
	sets = slices.SortedFunc(slices.Values(sets), func(a, b *Set) int { return strings.Compare(a.Name, b.Name) })
	for i, s := range sets[1:] {
		if s.Name == sets[i].Name {
			return nil, fmt.Errorf("two sets have the name %s", s.Name)
		}
	}
	c := &Calibration{sets: sets, opts: opts, models: make(map[seen]*score.Model), linkages: make(map[linkageKey][]*linked)}
	for _, k := range opts.Kinds {
		if _, err := c.of(k); err != nil {
			return nil, err
		}
	}
	for _, s := range sets {
		full := opts.Short
		if opts.Full != nil {
			full = opts.Full(s.Name)
		}
		if a, b := full.Space(), opts.Short.Space(); a.Model != b.Model || a.Dimensions != b.Dimensions {
			return nil, fmt.Errorf("%s: %w: vectors of %s with %d dimensions, texts cut short are embedded by %s with %d",
				s.Name, ErrSpace, a.Model, a.Dimensions, b.Model, b.Dimensions)
		}
		var corpora []*corpus
		for _, v := range variants(s) {
			opts.Progress("preparing " + s.Name)
			made, err := prepare(ctx, s, v, full, opts.Short, opts)
			if err != nil {
				return nil, err
			}
			corpora = append(corpora, made)
		}
		if len(corpora[0].examples) == 0 {
			return nil, fmt.Errorf("%s: %w: among the pairs that come near each other none is of one story, or all are", s.Name, ErrTooFew)
		}
		c.corpora = append(c.corpora, corpora)
	}
	return c, nil
}

// leastSets is the least number of sets of a calibration.
const leastSets = 3

// of returns the sets of a kind. At least two others must remain.
func (c *Calibration) of(k Kind) (seen, error) {
	var s seen
	for _, name := range k.Sets {
		i := slices.IndexFunc(c.sets, func(set *Set) bool { return set.Name == name })
		if i < 0 {
			return 0, fmt.Errorf("kind %s: there is no set %s", k.Name, name)
		}
		s |= 1 << i
	}
	if left := len(c.sets) - len(s.sets()); left < leastSets-1 || s == 0 {
		return 0, fmt.Errorf("kind %s: %w: without its %d sets there are %d, and %d are needed", k.Name, ErrTooFew, len(s.sets()), left, leastSets-1)
	}
	return s, nil
}

func (c *Calibration) all() seen { return 1<<len(c.sets) - 1 }

// coefficients fits the coefficients on the given sets.
func (c *Calibration) coefficients(on seen) (*score.Model, error) {
	if m, ok := c.models[on]; ok {
		return m, nil
	}
	c.opts.Progress("fitting")
	var blocks [][]example
	for _, i := range on.sets() {
		for _, made := range c.corpora[i] {
			if len(made.examples) > 0 {
				blocks = append(blocks, made.examples)
			}
		}
	}
	p, err := fit(blocks, pull(), c.opts.Workers)
	if err != nil {
		return nil, err
	}
	m := coefficients(p)
	c.models[on] = &m
	return &m, nil
}

// linked links the corpora of a set, or the whole set only, with coefficients fitted on the given
// sets.
func (c *Calibration) linked(ctx context.Context, on seen, set int, all bool) ([]*linked, error) {
	key := linkageKey{on, set, all}
	for _, known := range []linkageKey{{on, set, true}, key} {
		if linkages, ok := c.linkages[known]; ok {
			return linkages, nil
		}
	}
	m, err := c.coefficients(on)
	if err != nil {
		return nil, err
	}
	corpora := c.corpora[set]
	if !all {
		corpora = corpora[:1]
	}
	linkages := make([]*linked, len(corpora))
	for k, made := range corpora {
		c.opts.Progress("linking " + c.sets[set].Name)
		if linkages[k], err = link(ctx, m, made, c.opts); err != nil {
			return nil, fmt.Errorf("%s, %s: %w", c.sets[set].Name, made.name, err)
		}
	}
	c.linkages[key] = linkages
	return linkages, nil
}

// model makes a model from the given sets. It takes the constants of rule, or chooses them if rule
// is nil.
func (c *Calibration) model(ctx context.Context, on seen, rule *score.ThresholdRule) (*score.Model, error) {
	fitted, err := c.coefficients(on)
	if err != nil {
		return nil, err
	}
	var linkages [][]*linked
	for _, i := range on.sets() {
		of, err := c.linked(ctx, on.without(i), i, true)
		if err != nil {
			return nil, err
		}
		linkages = append(linkages, of)
	}
	m := *fitted
	if rule != nil {
		m.Threshold = *rule
	} else {
		c.opts.Progress("choosing constants")
		m.Threshold = chooseRule(linkages, c.opts.InForce)
	}
	if m.Reliability, err = reliability(linkages, m.Threshold); err != nil {
		return nil, err
	}
	return &m, nil
}

// Coefficients fits the coefficients on all sets. The model has no threshold constants and no
// reliability.
func (c *Calibration) Coefficients() (*score.Model, error) { return c.coefficients(c.all()) }

// Model makes the model of all sets. The caller adds date and left-out figures to the provenance.
func (c *Calibration) Model(ctx context.Context) (*score.Model, error) {
	m, err := c.model(ctx, c.all(), nil)
	if err != nil {
		return nil, err
	}
	space := c.opts.Short.Space()
	m.Provenance = score.Provenance{Space: space.Model, Fingerprint: space.Fingerprint(), Sets: c.Labelled(), Method: method}
	return m, nil
}

// method describes the fit in the provenance of a model.
const method = "throughline calibrate: logistic regression on candidate pairs (20 nearest by words and by vector), balanced per corpus, of each set " +
	"and of copies of it with 30 words of text, with titles only, without dates, with a part of the stories, with at most three articles a story, and of " +
	"half of the articles; constants of the threshold by story F1, and reliability, on linkages with coefficients fitted without their set, with the constants of the " +
	"model in force changed as little as being within .003 of the best allows"

// ErrDrift is the error of a file whose coefficients are not those that its labelled sets lead to.
var ErrDrift = errors.New("not what is fitted on these sets")

// drift is the greatest difference between equal coefficients: five in the last digit that is
// written. The kernels of another processor change the seventh digit of vectors, which may exchange
// two neighbours and move the third digit of a coefficient.
const drift = .005

// Labelled returns the descriptions of the sets, in the order of their names.
func (c *Calibration) Labelled() []score.LabelledSet {
	var out []score.LabelledSet
	for _, s := range c.sets {
		out = append(out, s.Labelled)
	}
	return out
}

// Same compares the coefficients of a file, and the labels they were fitted on, with those fitted
// now. The error joins one ErrDrift for each difference.
func Same(file, fitted *score.Model, labelled []score.LabelledSet) error {
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
		return errors.Join(errs...) // other labels explain other coefficients
	}
	was, is := coefficientsOf(file), coefficientsOf(fitted)
	if len(was) != len(is) {
		return fmt.Errorf("%w: number of coefficients (got %d, want %d)", ErrDrift, len(was), len(is))
	}
	for i, c := range is {
		if was[i].Name != c.Name {
			errs = append(errs, fmt.Errorf("%w: %s in place of %s", ErrDrift, was[i].Name, c.Name))
		} else if !(math.Abs(was[i].Value-c.Value) <= drift) {
			errs = append(errs, fmt.Errorf("%w: %s is %v in the file, %v now", ErrDrift, c.Name, was[i].Value, c.Value))
		}
	}
	return errors.Join(errs...)
}

func coefficientsOf(m *score.Model) []score.Coefficient {
	out := m.Coefficients()
	for _, h := range m.Days {
		out = append(out, score.Coefficient{Name: fmt.Sprintf("days of width %d", h.Width), Value: h.Weight})
	}
	return out
}
