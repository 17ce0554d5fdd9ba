package calibrate

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"throughline/internal/score"
)

// truth is a vector of coefficients as they come out of news.
var truth = []float64{6, 3.5, 3, 5, .4, .1, -1.2, .9, -3.5, 1.2, .6, 1, .8}

// drawn returns examples whose labels follow from the coefficients.
func drawn(seed uint64, blocks, size int) []block {
	r := rand.New(rand.NewPCG(seed, 2))
	var slope [count]float64
	out := make([]block, blocks)
	for b := range out {
		for range size {
			s := score.Signals{Centred: r.Float64(), Lexical: r.Float64() * .7, Lead: r.Float64() * .7, Names: r.Float64() * .7,
				Lengths: [2]float64{.3 + .7*r.Float64(), .3 + .7*r.Float64()}, Dated: r.IntN(4) > 0, Days: float64(r.IntN(25))}
			e := newExample(s, false)
			e.weight = .5 + r.Float64()
			if r.Float64() < sigmoid(e.logit(truth, &slope)) {
				e.same = 1
			}
			out[b].examples = append(out[b].examples, e)
			out[b].weight = 1
		}
	}
	return out
}

func TestFitFindsTheCoefficients(t *testing.T) {
	blocks := drawn(1, 40, 4000)
	p, err := fit(blocks, [count]float64{}, 2)
	if err != nil {
		t.Fatal(err)
	}
	// Single coefficients stand in for each other; what they add up to must not.
	var slope [count]float64
	sum, n := 0.0, 0.0
	for _, e := range drawn(2, 1, 4000)[0].examples {
		gap := e.logit(p, &slope) - e.logit(truth, &slope)
		sum += gap * gap
		n++
	}
	if deviation := math.Sqrt(sum / n); deviation > .15 {
		t.Errorf("logits are off by %.3f on average", deviation)
	}
	for k, name := range map[int]string{0: "dense", 1: "lexical", 2: "lead", 3: "names"} {
		if math.Abs(p[k]-truth[k]) > .15*truth[k] {
			t.Errorf("weight of %s %.2f, truth %.2f", name, p[k], truth[k])
		}
	}
}

// TestFitIsTheModels compares a logit of the fit with that of the model made of it.
func TestFitIsTheModels(t *testing.T) {
	m := coefficients(truth)
	r := rand.New(rand.NewPCG(5, 6))
	var slope [count]float64
	for range 200 {
		s := score.Signals{Centred: r.Float64(), Lexical: r.Float64(), Lead: r.Float64(), Names: r.Float64(),
			Lengths: [2]float64{r.Float64(), r.Float64()}, Dated: r.IntN(3) > 0, Days: float64(r.IntN(30))}
		e := newExample(s, true)
		if got, want := e.logit(truth, &slope), m.Logit(s); math.Abs(got-want) > 1e-9 {
			t.Fatalf("%+v: the fit has a logit of %v, the model of %v", s, got, want)
		}
	}
}

// TestGradients compares the slopes that minimize follows with finite differences.
func TestGradients(t *testing.T) {
	var observed []observation
	r := rand.New(rand.NewPCG(7, 8))
	for range 300 {
		observed = append(observed, observation{x: 6 * (r.Float64() - .5), odds: 4 * (r.Float64() - .5), same: r.Float64(), weight: r.Float64()})
	}
	for name, c := range map[string]struct {
		f objective
		p []float64
	}{
		"likelihood":          {likelihood(drawn(3, 3, 200), pull(), 2), truth},
		"binomial":            {binomial(observed, false), []float64{.8, -.3, .2}},
		"binomial with error": {binomial(observed, true), []float64{1.2, .4, -.3, .07}},
	} {
		gradient, curvature := make([]float64, len(c.p)), square(len(c.p))
		c.f(c.p, gradient, curvature)
		for i := range c.p {
			const h = 1e-5
			at := func(x float64) float64 {
				q := slices.Clone(c.p)
				q[i] += x
				return c.f(q, make([]float64, len(q)), square(len(q)))
			}
			if want := (at(h) - at(-h)) / (2 * h); math.Abs(gradient[i]-want) > 1e-6*(1+math.Abs(want)) {
				t.Errorf("%s: slope %d is %v, by differences %v", name, i, gradient[i], want)
			}
			if !(curvature[i][i] > 0) {
				t.Errorf("%s: curvature %d is %v", name, i, curvature[i][i])
			}
		}
	}
}

func TestBounds(t *testing.T) {
	blocks := drawn(4, 4, 2000)
	for b := range blocks {
		for k := range blocks[b].examples {
			blocks[b].examples[k].cosine[1] *= -1 // the more words in common, the less likely
		}
	}
	weak := pull() // so that the examples decide
	for k := range weak {
		weak[k] /= 100
	}
	p, err := fit(blocks, weak, 1)
	if err != nil {
		t.Fatal(err)
	}
	for k := range cosines {
		if p[k] < 0 || p[atGain] < -1 || p[atGain] > 1 {
			t.Errorf("weight %v, gain %v", p[k], p[atGain])
		}
	}
	if p[1] > 1e-6 {
		t.Errorf("what speaks against has a weight of %v", p[1])
	}
}

func TestWorkersChangeNothing(t *testing.T) {
	blocks := drawn(6, 7, 500)
	one, err := fit(blocks, pull(), 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, workers := range []int{2, 3, 16} {
		if p, err := fit(blocks, pull(), workers); err != nil || !slices.Equal(p, one) {
			t.Errorf("%d workers: %v, %v; one: %v", workers, p, err, one)
		}
	}
}

func TestMinimizeKnownFunctions(t *testing.T) {
	// A bowl whose bottom lies beyond a bound.
	bowl := func(p, gradient []float64, curvature [][]float64) float64 {
		gradient[0], gradient[1] = 2*(p[0]-3)+p[1], 4*(p[1]+2)+p[0]
		curvature[0][0], curvature[0][1], curvature[1][0], curvature[1][1] = 2, 1, 1, 4
		return (p[0]-3)*(p[0]-3) + 2*(p[1]+2)*(p[1]+2) + p[0]*p[1]
	}
	p, err := minimize(bowl, []float64{0, 50}, []float64{-9, -1}, []float64{9, 9})
	if err != nil || math.Abs(p[0]-3.5) > 1e-6 || p[1] != -1 {
		t.Errorf("%v, %v; the least value between the bounds is at 3.5, -1", p, err)
	}
	nowhere := func([]float64, []float64, [][]float64) float64 { return math.NaN() }
	if _, err := minimize(nowhere, []float64{0}, []float64{-1}, []float64{1}); !errors.Is(err, errNoMinimum) {
		t.Errorf("a function without values: %v", err)
	}
}

func TestLines(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	var observed []observation
	for range 40_000 {
		o := observation{x: 8 * (r.Float64() - .5), odds: 4 * (r.Float64() - .5), weight: 1}
		if r.Float64() < .9*sigmoid(1.4*o.x-.5+.3*o.odds) {
			o.same = 1
		}
		observed = append(observed, o)
	}
	p, err := minimize(binomial(observed, true), []float64{1, 0, 0, .05}, []float64{leastSlope, -20, -20, 0}, []float64{20, 20, 20, .3})
	if err != nil || math.Abs(p[0]-1.4) > .12 || math.Abs(p[1]+.5) > .12 || math.Abs(p[2]-.3) > .06 || math.Abs(p[3]-.1) > .02 {
		t.Errorf("slope, offset, share, error %v, %v; they were 1.4, -.5, .3, .1", p, err)
	}
	for i := range observed {
		observed[i].x *= -1
	}
	if l, err := line("x", observed); err != nil || l.Slope != leastSlope {
		t.Errorf("less likely with more evidence: %+v, %v", l, err)
	}
	if _, err := line("x", nil); !errors.Is(err, ErrTooFew) {
		t.Errorf("nothing observed: %v", err)
	}
}
