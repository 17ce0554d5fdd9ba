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
	"throughline/internal/derive"
	"throughline/internal/score"
)

// Options configures a Calibration.
type Options struct {
	// Full returns the embedder of the whole texts of a set; nil: Short.
	Full func(set string) embed.Embedder
	// Short embeds shortened texts, in the same space as Full.
	Short embed.Embedder
	// News are the features of unlabelled articles of general news. What is usual is learnt from
	// them and the sets; see score.Background. Without any it is what comes with the program.
	News []score.Features
	// Corpora is the number of corpora that are drawn to fit on, and to report on. 0: 636 and 480.
	Corpora int
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

func (s seen) sets() (numbers []int) {
	for ; s != 0; s &= s - 1 {
		numbers = append(numbers, bits.TrailingZeros64(uint64(s)))
	}
	return numbers
}

// Calibration holds labelled sets that are prepared for fitting. It caches fits and is not safe for
// concurrent use.
type Calibration struct {
	sets   []*Set
	opts   Options
	texts  *texts
	wholes []*corpus // by set
	drawn  []*corpus // to fit on

	news        *score.StatsBuilder // News and the independent texts of all sets; see background
	usual       [][]score.Features  // these, by set
	backgrounds map[seen]*score.Background
	models      map[seen]*score.Model // coefficients only
}

// New prepares sets: it draws corpora, makes vectors and finds candidate pairs. It needs 3 to 64
// sets.
func New(ctx context.Context, sets []*Set, opts Options) (*Calibration, error) {
	if opts.Workers <= 0 {
		opts.Workers = runtime.GOMAXPROCS(0)
	}
	if opts.Progress == nil {
		opts.Progress = func(string) {}
	}
	if len(sets) < leastSets || len(sets) > mostSets {
		return nil, fmt.Errorf("%w: %d labelled sets; %d are needed, so that two can be left out: one to report on, one to fit the rule on; at most %d",
			ErrTooFew, len(sets), leastSets, mostSets)
	}
	sets = slices.SortedFunc(slices.Values(sets), func(a, b *Set) int { return strings.Compare(a.Name, b.Name) })
	for i, s := range sets[1:] {
		if s.Name == sets[i].Name {
			return nil, fmt.Errorf("two sets have the name %s", s.Name)
		}
	}
	c := &Calibration{
		sets: sets, opts: opts, models: make(map[seen]*score.Model), backgrounds: make(map[seen]*score.Background),
		news: score.NewStatsBuilder(),
	}
	c.texts = &texts{sets: sets, opts: &c.opts, vectors: make(map[textKey][]float32)}
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
	}
	var err error
	if c.wholes, err = c.wholeCorpora(ctx); err != nil {
		return nil, err
	}
	if c.drawn, err = c.corpora(ctx, fitted.scaled(opts.Corpora)); err != nil {
		return nil, err
	}
	for i, whole := range c.wholes {
		if len(whole.examples) == 0 {
			return nil, fmt.Errorf("%s: %w: among the pairs that come near each other none is of one story, or all are", sets[i].Name, ErrTooFew)
		}
	}
	return c, nil
}

// leastSets is the least number of sets of a calibration.
const leastSets = 3

// wholeCorpora makes a corpus of every set, and counts what is usual.
func (c *Calibration) wholeCorpora(ctx context.Context) ([]*corpus, error) {
	for i := range c.opts.News {
		c.news.Add(&c.opts.News[i])
	}
	out, fs := make([]*corpus, len(c.sets)), make([][]score.Features, len(c.sets))
	for i, s := range c.sets {
		c.opts.Progress("embedding " + s.Name)
		items := c.texts.wholeItems(i)
		if err := c.texts.embed(ctx, keys(items)); err != nil {
			return nil, err
		}
		fs[i] = c.texts.features(items)
		c.usual = append(c.usual, independent(fs[i]))
		for k := range c.usual[i] {
			c.news.Add(&c.usual[i][k])
		}
		out[i] = &corpus{name: s.Name, sources: 1 << i, story: s.story}
	}
	return out, c.prepareAll(ctx, out, func(i int) []score.Features { return fs[i] })
}

// corpora draws the corpora of a plan and prepares them.
func (c *Calibration) corpora(ctx context.Context, p plan) ([]*corpus, error) {
	var sources []derive.Source
	for _, s := range c.sets {
		sources = append(sources, s.source())
	}
	c.opts.Progress("drawing corpora")
	drawn := p.draw(sources)
	out, items := make([]*corpus, len(drawn)), make([][]item, len(drawn))
	var wanted []textKey
	for i := range drawn {
		var err error
		if items[i], err = c.texts.items(&drawn[i]); err != nil {
			return nil, err
		}
		wanted = append(wanted, keys(items[i])...)
		out[i] = &corpus{name: drawn[i].Name, drawn: &drawn[i]}
		for _, it := range items[i] {
			out[i].story = append(out[i].story, it.story)
		}
		for _, source := range drawn[i].Sources {
			out[i].sources |= 1 << source
		}
	}
	if err := c.texts.embed(ctx, wanted); err != nil {
		return nil, err
	}
	return out, c.prepareAll(ctx, out, func(i int) []score.Features { return c.texts.features(items[i]) })
}

func keys(items []item) []textKey {
	out := make([]textKey, len(items))
	for i := range items {
		out[i] = items[i].key
	}
	return out
}

func (c *Calibration) prepareAll(ctx context.Context, corpora []*corpus, features func(i int) []score.Features) error {
	backgrounds := make([]*score.Background, len(corpora))
	for i, made := range corpora {
		var err error
		if backgrounds[i], err = c.background(made.sources); err != nil {
			return err
		}
	}
	c.opts.Progress("finding candidate pairs")
	return parallel(len(corpora), c.opts.Workers, func(i int) error {
		return corpora[i].prepare(ctx, features(i), backgrounds[i])
	})
}

// background returns what is usual without some sets.
func (c *Calibration) background(without seen) (*score.Background, error) {
	if len(c.opts.News) == 0 {
		return score.DefaultBackground(), nil
	}
	if bg, ok := c.backgrounds[without]; ok {
		return bg, nil
	}
	count := func(change func(*score.Features)) {
		for _, i := range without.sets() {
			for k := range c.usual[i] {
				change(&c.usual[i][k])
			}
		}
	}
	count(c.news.Remove)
	bg, err := score.NewBackground(c.news)
	count(c.news.Add)
	c.backgrounds[without] = bg
	return bg, err
}

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

// usable returns the corpora that a model may be fitted on, whole sets first.
func (c *Calibration) usable(on seen) []*corpus {
	var out []*corpus
	for _, made := range slices.Concat(c.wholes, c.drawn) {
		if made.sources&^on == 0 {
			out = append(out, made)
		}
	}
	return out
}

// shares returns the weight of each corpus by which all sets count the same: the mean over its sets
// of one over what the set has in all. size says how much a corpus has.
func shares(corpora []*corpus, size func(*corpus) float64) []float64 {
	total := map[int]float64{}
	for _, c := range corpora {
		sets := c.sources.sets()
		for _, s := range sets {
			total[s] += size(c) / float64(len(sets))
		}
	}
	out := make([]float64, len(corpora))
	for i, c := range corpora {
		sets := c.sources.sets()
		for _, s := range sets {
			if total[s] > 0 {
				out[i] += size(c) / total[s] / float64(len(sets))
			}
		}
	}
	return out
}

// coefficients fits the coefficients on the given sets.
func (c *Calibration) coefficients(on seen) (*score.Model, error) {
	if m, ok := c.models[on]; ok {
		return m, nil
	}
	corpora := c.usable(on)
	weights := shares(corpora, func(made *corpus) float64 {
		if len(made.examples) == 0 {
			return 0
		}
		return math.Sqrt(float64(len(made.story)))
	})
	var blocks []block
	for i, made := range corpora {
		if len(made.examples) > 0 {
			// draw weighs the examples by the square root of the size too: it counts once
			blocks = append(blocks, block{made.examples, weights[i] / math.Sqrt(float64(len(made.story)))})
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

// model makes a model from the given sets: each corpus is linked with coefficients fitted without
// its own sets. It takes at most so many corpora, evenly spaced.
func (c *Calibration) model(ctx context.Context, on seen, most int) (*score.Model, error) {
	fitted, err := c.coefficients(on)
	if err != nil {
		return nil, err
	}
	corpora := c.usable(on)
	corpora = slices.DeleteFunc(corpora, func(made *corpus) bool { return on&^made.sources == 0 })
	if step := (len(corpora)-1)/most + 1; step > 1 {
		kept := corpora[:0]
		for i := 0; i < len(corpora); i += step {
			kept = append(kept, corpora[i])
		}
		corpora = kept
	}
	models := make([]*score.Model, len(corpora))
	for i, made := range corpora {
		if models[i], err = c.coefficients(on &^ made.sources); err != nil {
			return nil, err
		}
	}
	linkages := make([]*linked, len(corpora))
	c.opts.Progress("fitting a rule")
	if err := parallel(len(corpora), c.opts.Workers, func(i int) (err error) {
		linkages[i], err = link(ctx, models[i], corpora[i])
		return err
	}); err != nil {
		return nil, err
	}
	m := *fitted
	// Odd corpora do not decide about the others: with them the mean story F1 of the others is .007
	// lower, and that of odd ones no higher.
	plain := shares(corpora, func(made *corpus) float64 {
		if made.drawn != nil && made.drawn.Odd {
			return 0
		}
		return 1
	})
	if m.Threshold, err = fitRule(linkages, plain); err != nil {
		return nil, err
	}
	if m.Reliability, err = reliability(linkages, shares(corpora, func(*corpus) float64 { return 1 }), m.Threshold); err != nil {
		return nil, err
	}
	return &m, nil
}

// Coefficients fits the coefficients on all sets. The model has no rule and no reliability.
func (c *Calibration) Coefficients() (*score.Model, error) { return c.coefficients(c.all()) }

// Model makes the model of all sets. The caller adds date and left-out figures to the provenance.
func (c *Calibration) Model(ctx context.Context) (*score.Model, error) {
	m, err := c.model(ctx, c.all(), math.MaxInt32)
	if err != nil {
		return nil, err
	}
	space := c.opts.Short.Space()
	m.Provenance = score.Provenance{Space: space.Model, Fingerprint: space.Fingerprint(), Sets: c.Labelled(), Method: method}
	return m, nil
}

// method describes the fit in the provenance of a model.
const method = "throughline calibrate: logistic regression on candidate pairs (20 nearest by words and by vector), balanced per corpus, of each set and of " +
	"corpora drawn from them in all amounts of text; weights of the threshold by story F1, and reliability, on linkages with coefficients fitted without the sets of the corpus"

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
