package calibrate

import (
	"context"
	"fmt"
	"math/bits"
	"runtime"
	"slices"
	"strings"

	"throughline/embed"
	"throughline/internal/evidence"
)

// Options of a calibration.
type Options struct {
	// Full returns the embedder of the texts of a set as they are; nil: Short.
	Full func(set string) embed.Embedder
	// Short embeds texts that were cut short, in the same space.
	Short embed.Embedder
	// InForce holds the constants that change as little as noise allows.
	InForce evidence.CutRule
	// Kinds are sets of one kind each, by name, to be left out together.
	Kinds   []Kind
	Workers int // 0: as many as there are cores
	// Progress, when not nil, is told of every step. It is never called concurrently.
	Progress func(stage string)
}

// Kind is a group of sets.
type Kind struct {
	Name string
	Sets []string
}

// seen says which sets a model may see, a bit for each.
type seen uint64

// mostSets is how many bits there are.
const mostSets = 64

func (s seen) without(set int) seen { return s &^ (1 << set) }
func (s seen) sets() (numbers []int) {
	for ; s != 0; s &= s - 1 {
		numbers = append(numbers, bits.TrailingZeros64(uint64(s)))
	}
	return numbers
}

// Calibration is a number of labelled sets, prepared for fitting.
type Calibration struct {
	sets    []*Set
	corpora [][]*corpus // of each set, the whole one first
	opts    Options

	models map[seen]*evidence.Model // coefficients only
	trees  map[treeKey][]*linked
}

type treeKey struct {
	model seen
	set   int
	all   bool // with the copies
}

// New prepares sets: it makes the copies, the vectors and the candidate pairs.
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
	c := &Calibration{sets: sets, opts: opts, models: make(map[seen]*evidence.Model), trees: make(map[treeKey][]*linked)}
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

// leastSets is how many sets a calibration needs.
const leastSets = 3

// of returns the sets of a kind.
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

// coefficients fits on the sets given.
func (c *Calibration) coefficients(on seen) (*evidence.Model, error) {
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

// linked links the corpora of a set, or the whole one only, with coefficients fitted on the sets given.
func (c *Calibration) linked(ctx context.Context, on seen, set int, all bool) ([]*linked, error) {
	if trees, ok := c.trees[treeKey{on, set, true}]; ok {
		return trees, nil
	}
	key := treeKey{on, set, all}
	if trees, ok := c.trees[key]; ok {
		return trees, nil
	}
	m, err := c.coefficients(on)
	if err != nil {
		return nil, err
	}
	corpora := c.corpora[set]
	if !all {
		corpora = corpora[:1]
	}
	trees := make([]*linked, len(corpora))
	for k, made := range corpora {
		c.opts.Progress("linking " + c.sets[set].Name)
		if trees[k], err = link(ctx, m, made, c.opts); err != nil {
			return nil, fmt.Errorf("%s, %s: %w", c.sets[set].Name, made.name, err)
		}
	}
	c.trees[key] = trees
	return trees, nil
}

// model makes a model from the sets given. With constants in hand it takes these, else it chooses them.
func (c *Calibration) model(ctx context.Context, on seen, rule *evidence.CutRule) (*evidence.Model, error) {
	fitted, err := c.coefficients(on)
	if err != nil {
		return nil, err
	}
	var trees [][]*linked
	for _, i := range on.sets() {
		of, err := c.linked(ctx, on.without(i), i, true)
		if err != nil {
			return nil, err
		}
		trees = append(trees, of)
	}
	m := *fitted
	if rule != nil {
		m.Cut = *rule
	} else {
		c.opts.Progress("choosing constants")
		m.Cut = chooseRule(trees, c.opts.InForce)
	}
	if m.Reliability, err = reliability(trees, m.Cut); err != nil {
		return nil, err
	}
	return &m, nil
}

// Coefficients fits on all sets and leaves out what depends on trees.
func (c *Calibration) Coefficients() (*evidence.Model, error) { return c.coefficients(c.all()) }

// Model makes the model of all sets. The provenance says what it was made from, and is to be completed.
func (c *Calibration) Model(ctx context.Context) (*evidence.Model, error) {
	m, err := c.model(ctx, c.all(), nil)
	if err != nil {
		return nil, err
	}
	space := c.opts.Short.Space()
	m.Provenance = evidence.Provenance{Space: space.Model, Fingerprint: space.Fingerprint(), Method: method}
	for _, s := range c.sets {
		m.Provenance.Sets = append(m.Provenance.Sets, s.Labelled)
	}
	return m, nil
}

// method says how a model was made, for its provenance.
const method = "throughline calibrate: logistic regression on candidate pairs (20 nearest by words and by vector), balanced per corpus, of each set " +
	"and of copies of it with 30 words of text, with titles only, without dates, with a part of the stories, with at most three articles a story, and of " +
	"half of the articles; constants of the cut by story F1, and reliability, on trees of coefficients fitted without their set, with the constants of the " +
	"model in force changed as little as being within .003 of the best allows"
