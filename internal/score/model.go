package score

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sync"
)

// Version is the version of the file format and of the meaning of its coefficients. A file of
// another version is refused, because coefficients that were fitted on other signals would be
// silently wrong.
const Version = 5

// largest bounds the magnitude of a coefficient: a file with log-odds of a thousand is broken.
// smallest bounds from below those that divide.
const largest, smallest = 1000.0, 1e-3

// maxKernelWidth bounds the days of a kernel, which are terms in the sparse vector of every
// article. maxKernels is the most kernels that day terms can number.
const maxKernelWidth, maxKernels = 64, 8

// Model holds the coefficients that turn signals into the log-odds of one event. It must not be
// changed.
type Model struct {
	Version    int        `json:"version"`
	Provenance Provenance `json:"provenance"`

	Intercept float64       `json:"intercept"`
	Dense     Term          `json:"dense"`   // of Signals.Centred
	Lexical   Term          `json:"lexical"` // and of the signals of these names
	Lead      Term          `json:"lead"`
	Names     Term          `json:"names"`
	Length    Length        `json:"length"`
	Days      []TimeKernel  `json:"days"`
	Undated   float64       `json:"undated"` // added instead of Days if a date is unknown
	Threshold ThresholdRule `json:"threshold"`

	Reliability Reliability `json:"reliability"`
}

// Provenance records where the coefficients come from.
type Provenance struct {
	Space       string        `json:"space"`              // embedding model
	Fingerprint string        `json:"fingerprint"`        // of the embedding space
	Date        string        `json:"date,omitempty"`     // of the fit; empty: not recorded
	Sets        []LabelledSet `json:"sets"`               // fitted on
	Method      string        `json:"method"`             // in words
	LeftOut     *LeftOut      `json:"left_out,omitempty"` // nil: not measured
}

// LabelledSet describes a set of articles whose stories are known.
type LabelledSet struct {
	Name     string `json:"name"`
	Articles int    `json:"articles"`
	Stories  int    `json:"stories"`
	Labels   string `json:"labels"` // SHA-256 of the list of ids and labels, in hex
}

// LeftOut holds means over the labelled sets. Each set is measured with a model that was fitted
// without it.
type LeftOut struct {
	StoryF1 float64 `json:"story_f1"` // B-cubed
	// Delivered is the pair precision for a target of .95; nil: no articles were joined.
	Delivered *float64 `json:"delivered,omitempty"`
	// ECE is the expected calibration error of the probabilities of candidate pairs.
	ECE float64 `json:"ece"`
}

// Term holds the coefficients of a cosine. Cosines of short texts mean something else, so each
// article contributes a factor 1 + Gain*(length-1): 1 for a full text, 1-Gain for an empty one.
type Term struct {
	Weight float64 `json:"weight"`
	Gain   float64 `json:"gain"`
}

func (t Term) factor(length float64) float64 { return 1 + t.Gain*(length-1) }

// Length holds the coefficients of the sum and the product of the two lengths.
type Length struct {
	Sum     float64 `json:"sum"`
	Product float64 `json:"product"`
}

// TimeKernel is the coefficient of a triangular kernel over the days between two articles: 1 at 0
// days, falling linearly to 0 at Width. The kernel equals a dot product: the vector of a date has
// the weight 1/sqrt(Width) on each of the days [day, day+Width), and two such intervals share
// Width-days of them. A sum of kernels of several widths falls fast at first and slowly later, as
// the odds of one event do.
type TimeKernel struct {
	Width  int     `json:"width"` // days at which the kernel is 0
	Weight float64 `json:"weight"`
}

//go:embed model.json
var defaultModel []byte

// Default returns the model that comes with the program.
var Default = sync.OnceValue(func() *Model {
	m, err := ParseModel(defaultModel)
	if err != nil {
		panic("score: the embedded model.json: " + err.Error()) // a broken build, not input
	}
	return m
})

// ParseModel reads the JSON of a model and validates it.
func ParseModel(data []byte) (*Model, error) {
	m := new(Model)
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(m); err != nil {
		return nil, fmt.Errorf("score model: %w", err)
	}
	if err := m.validate(); err != nil {
		return nil, fmt.Errorf("score model: %w", err)
	}
	return m, nil
}

// Coefficient is a number of a model, named by its path in the JSON.
type Coefficient struct {
	Name         string
	Value, least float64
}

// Coefficients returns the coefficients of the logit other than Days.
func (m *Model) Coefficients() []Coefficient {
	return []Coefficient{
		{"intercept", m.Intercept, -largest},
		{"dense.weight", m.Dense.Weight, 0}, {"dense.gain", m.Dense.Gain, -largest},
		{"lexical.weight", m.Lexical.Weight, 0}, {"lexical.gain", m.Lexical.Gain, -largest},
		{"lead.weight", m.Lead.Weight, 0}, {"lead.gain", m.Lead.Gain, -largest},
		{"names.weight", m.Names.Weight, 0}, {"names.gain", m.Names.Gain, -largest},
		{"length.sum", m.Length.Sum, -largest}, {"length.product", m.Length.Product, -largest},
		{"undated", m.Undated, -largest},
	}
}

func (m *Model) validate() error {
	if m.Version != Version {
		return fmt.Errorf("version: unsupported (got %d, want %d)", m.Version, Version)
	}
	for _, f := range append(m.Coefficients(), []Coefficient{
		{"threshold.default", m.Threshold.Default, -largest},
		{"reliability.unfiled.slope", m.Reliability.Unfiled.Slope, 0}, {"reliability.unfiled.offset", m.Reliability.Unfiled.Offset, -largest}, {"reliability.unfiled.share", m.Reliability.Unfiled.Share, -largest},
		{"reliability.same_story.slope", m.Reliability.SameStory.Slope, 0}, {"reliability.same_story.offset", m.Reliability.SameStory.Offset, -largest}, {"reliability.same_story.share", m.Reliability.SameStory.Share, -largest},
		{"reliability.different_story.slope", m.Reliability.DifferentStory.Slope, 0}, {"reliability.different_story.offset", m.Reliability.DifferentStory.Offset, -largest}, {"reliability.different_story.share", m.Reliability.DifferentStory.Share, -largest},
		{"reliability.join.slope", m.Reliability.Join.Slope, smallest}, {"reliability.join.offset", m.Reliability.Join.Offset, -largest}, {"reliability.join.share", m.Reliability.Join.Share, -largest},
		{"reliability.join_error", m.Reliability.JoinError, 0},
	}...) {
		if !(f.Value >= f.least && f.Value <= largest) {
			return fmt.Errorf("%s: out of range (got %v, want %v to %v)", f.Name, f.Value, f.least, largest)
		}
	}
	for i, w := range m.Threshold.Weights() {
		if !(math.Abs(*w) <= largest) {
			return fmt.Errorf("threshold: weight %d: out of range (got %v, want -%v to %v)", i, *w, largest, largest)
		}
	}
	if m.Dense.Weight == 0 && m.Lexical.Weight == 0 && m.Lead.Weight == 0 {
		return errors.New("weight: zero for dense, lexical and lead (want one above 0)")
	}
	if m.Reliability.JoinError >= 0.5 {
		return fmt.Errorf("reliability.join_error: out of range (got %v, want below 0.5)", m.Reliability.JoinError)
	}
	if len(m.Days) > maxKernels {
		return fmt.Errorf("days: too many kernels (got %d, want at most %d)", len(m.Days), maxKernels)
	}
	for i, h := range m.Days {
		if h.Width < 1 || h.Width > maxKernelWidth {
			return fmt.Errorf("days[%d].width: out of range (got %d, want 1 to %d)", i, h.Width, maxKernelWidth)
		}
		if !(h.Weight >= 0 && h.Weight <= largest) {
			return fmt.Errorf("days[%d].weight: out of range (got %v, want 0 to %v)", i, h.Weight, largest)
		}
	}
	return nil
}

// Logit returns the log-odds that two articles are about one event, for a corpus in which half of
// the candidate pairs are.
func (m *Model) Logit(s Signals) float64 {
	a, b := s.Lengths[0], s.Lengths[1]
	cosine := func(t Term, value float64) float64 { return t.Weight * t.factor(a) * t.factor(b) * value }
	logit := m.Intercept +
		cosine(m.Dense, s.Centred) + cosine(m.Lexical, s.Lexical) + cosine(m.Lead, s.Lead) + cosine(m.Names, s.Names) +
		m.Length.Sum*(a+b) + m.Length.Product*a*b
	if !s.Dated {
		return logit + m.Undated
	}
	for _, h := range m.Days {
		logit += h.Weight * math.Max(0, 1-s.Days/float64(h.Width))
	}
	return logit
}

// ablations removes the signals of a pair one after the other. After all of them no signal is left.
var ablations = []struct {
	name  string
	clear func(*Signals)
}{
	{"dense", func(s *Signals) { s.Dense = 0 }},
	{"centred", func(s *Signals) { s.Centred = 0 }},
	{"section", func(s *Signals) { s.Section = 0 }},
	{"lexical", func(s *Signals) { s.Lexical = 0 }},
	{"lead", func(s *Signals) { s.Lead = 0 }},
	{"names", func(s *Signals) { s.Names = 0 }},
	{"verbatim", func(s *Signals) { s.Verbatim, s.Copy = 0, false }},
	{"background", func(s *Signals) { s.Background = 0 }},
	{"days_apart", func(s *Signals) { s.Dated, s.Days = false, 0 }},
	{"length", func(s *Signals) { s.Lengths = [2]float64{} }},
}

// Prior is the name, among contributions, of the logit of a pair without signals.
const Prior = "intercept"

// Contributions returns what each signal adds to the logit: by how much the logit falls when the
// signal is removed, after those before it in the order of ablations. Together with Prior they sum
// to Logit, whatever terms a model has. A signal that no term reads is not among them. The cosines
// do not depend on each other, so the contribution of a cosine is its term.
func (m *Model) Contributions(s Signals) map[string]float64 {
	contributions := make(map[string]float64)
	before := m.Logit(s)
	for _, c := range ablations {
		c.clear(&s)
		after := m.Logit(s)
		if before != after {
			contributions[c.name] = before - after
		}
		before = after
	}
	contributions[Prior] = before
	return contributions
}
