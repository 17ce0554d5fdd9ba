package evidence

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
)

// Version is the version of the file format and of the meaning of its coefficients. A file of another version is
// refused: coefficients fitted on other signals would be silently wrong.
const Version = 3

// largest is the greatest magnitude of a coefficient. Log-odds of a thousand are beyond any evidence; a file with more is
// broken. smallest is the least value of those that divide.
const largest, smallest = 1000.0, 1e-3

// Model holds the coefficients that turn signals into the log-odds of one event. It is not changed after it was made.
type Model struct {
	Version    int        `json:"version"`
	Provenance Provenance `json:"provenance"`

	Intercept float64 `json:"intercept"`
	Dense     Term    `json:"dense"`   // of Signals.Centred
	Lexical   Term    `json:"lexical"` // and of the signals of these names
	Lead      Term    `json:"lead"`
	Names     Term    `json:"names"`
	Length    Length  `json:"length"`
	Days      []Hat   `json:"days"`
	Undated   float64 `json:"undated"` // added when either date is unknown, in place of all Days
	Cut       CutRule `json:"cut"`

	Reliability Reliability `json:"reliability"`
}

// Provenance says where the coefficients come from.
type Provenance struct {
	Space       string        `json:"space"`              // embedding model
	Fingerprint string        `json:"fingerprint"`        // of the embedding space
	Date        string        `json:"date,omitempty"`     // when they were made, where that was said
	Sets        []LabelledSet `json:"sets"`               // that they were fitted on
	Method      string        `json:"method"`             // how
	LeftOut     *LeftOut      `json:"left_out,omitempty"` // nil: not measured when they were made
}

// LabelledSet is a set of articles of which it is known what belongs together.
type LabelledSet struct {
	Name     string `json:"name"`
	Articles int    `json:"articles"`
	Stories  int    `json:"stories"`
	Labels   string `json:"labels"` // SHA-256 of the list of ids and labels, in hex
}

// LeftOut holds means over the sets, each measured with a model of which nothing was made from that set.
type LeftOut struct {
	StoryF1   float64  `json:"story_f1"`            // B-cubed
	Delivered *float64 `json:"delivered,omitempty"` // pair precision where .95 was asked for; nil where nothing was put together
	ECE       float64  `json:"ece"`                 // expected calibration error of the probabilities of candidate pairs
}

// Term is the coefficient of a cosine. Short texts make cosines mean something else, so each article contributes a factor
// 1 + Gain*(length-1): 1 for a full text, 1-Gain for an empty one.
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

// Hat is the coefficient of a hat function of the days between two articles.
type Hat struct {
	Width  int     `json:"width"` // days at which nothing is left of it
	Weight float64 `json:"weight"`
}

//go:embed model.json
var defaultModel []byte

// Default returns the model that comes with the program.
var Default = sync.OnceValue(func() *Model {
	m, err := ParseModel(defaultModel)
	if err != nil {
		panic("evidence: the embedded model.json: " + err.Error()) // a broken build, not input
	}
	return m
})

// ParseModel reads the JSON of a model and validates it.
func ParseModel(data []byte) (*Model, error) {
	m := new(Model)
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(m); err != nil {
		return nil, fmt.Errorf("evidence model: %w", err)
	}
	if err := m.validate(); err != nil {
		return nil, fmt.Errorf("evidence model: %w", err)
	}
	return m, nil
}

func (m *Model) validate() error {
	if m.Version != Version {
		return fmt.Errorf("version %d, this program reads version %d", m.Version, Version)
	}
	for _, f := range []struct {
		name  string
		value float64
		least float64
	}{
		{"intercept", m.Intercept, -largest},
		{"dense.weight", m.Dense.Weight, 0}, {"dense.gain", m.Dense.Gain, -largest},
		{"lexical.weight", m.Lexical.Weight, 0}, {"lexical.gain", m.Lexical.Gain, -largest},
		{"lead.weight", m.Lead.Weight, 0}, {"lead.gain", m.Lead.Gain, -largest},
		{"names.weight", m.Names.Weight, 0}, {"names.gain", m.Names.Gain, -largest},
		{"length.sum", m.Length.Sum, -largest}, {"length.product", m.Length.Product, -largest},
		{"undated", m.Undated, -largest},
		{"cut.base", m.Cut.Base, -largest}, {"cut.prior", m.Cut.Prior, 0}, {"cut.bound", m.Cut.Bound, 0},
		{"cut.shape", m.Cut.Shape, 0}, {"cut.hold", m.Cut.Hold, smallest}, {"cut.blur", m.Cut.Blur, smallest},
		{"reliability.alone.slope", m.Reliability.Alone.Slope, 0}, {"reliability.alone.offset", m.Reliability.Alone.Offset, -largest},
		{"reliability.together.slope", m.Reliability.Together.Slope, 0}, {"reliability.together.offset", m.Reliability.Together.Offset, -largest},
		{"reliability.apart.slope", m.Reliability.Apart.Slope, 0}, {"reliability.apart.offset", m.Reliability.Apart.Offset, -largest},
		{"reliability.join.slope", m.Reliability.Join.Slope, smallest}, {"reliability.join.offset", m.Reliability.Join.Offset, -largest},
		{"reliability.join_error", m.Reliability.JoinError, 0},
	} {
		if !(f.value >= f.least && f.value <= largest) {
			return fmt.Errorf("%s %v: must be %v to %v", f.name, f.value, f.least, largest)
		}
	}
	if m.Dense.Weight == 0 && m.Lexical.Weight == 0 && m.Lead.Weight == 0 {
		return errors.New("no signal has a weight")
	}
	if m.Reliability.JoinError >= 0.5 {
		return fmt.Errorf("reliability.join_error %v: must be below .5", m.Reliability.JoinError)
	}
	if len(m.Days) > maxHats {
		return fmt.Errorf("days has %d functions, at most %d fit", len(m.Days), maxHats)
	}
	for i, h := range m.Days {
		if h.Width < 1 || h.Width > maxHatWidth {
			return fmt.Errorf("days[%d].width %d: must be 1 to %d", i, h.Width, maxHatWidth)
		}
		if !(h.Weight >= 0 && h.Weight <= largest) {
			return fmt.Errorf("days[%d].weight %v: must be 0 to %v", i, h.Weight, largest)
		}
	}
	return nil
}

// Logit returns the log-odds that two articles are about one event, for a corpus in which half of the pairs that come
// near each other are.
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
		logit += h.Weight * hat(h.Width, s.Days)
	}
	return logit
}
