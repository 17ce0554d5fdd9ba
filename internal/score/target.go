package score

import (
	"errors"
	"fmt"
	"math"

	"throughline/cluster"
)

// Target says where users want stories to end. The zero value is where the corpus shows that they
// end, which balances precision and recall.
type Target struct {
	// Precision is the wanted share of pairs of one event among the pairs of articles within
	// stories, above 0 and below 1; 0: none.
	Precision float64
	// Granularity is a number of steps from where the corpus shows that stories end, to finer
	// stories above 0 and to coarser ones below, -MaxGranularity to MaxGranularity.
	Granularity int
}

const (
	// MaxGranularity is the largest number of steps to finer or to coarser stories.
	MaxGranularity = cluster.MaxGranularity
	// GranularityStep is the log-odds by which one step moves the threshold: one to finer stories
	// doubles the odds that groups need to be one story.
	GranularityStep = math.Ln2
)

// Check returns an error if a value is out of range, or if both are given: a precision says where
// stories end, whatever the corpus shows.
func (t Target) Check() error {
	switch {
	case !(t.Precision >= 0 && t.Precision < 1):
		return fmt.Errorf("precision: out of range (got %v, want 0 to below 1)", t.Precision)
	case t.Granularity < -MaxGranularity || t.Granularity > MaxGranularity:
		return fmt.Errorf("granularity: out of range (got %d, want %d to %d)", t.Granularity, -MaxGranularity, MaxGranularity)
	case t.Precision > 0 && t.Granularity != 0:
		return errors.New("granularity: does not go with a precision")
	}
	return nil
}

// DefaultThreshold returns the threshold of a corpus without enough articles to choose one. A
// precision does not change it.
func (t Target) DefaultThreshold(m *Model) Threshold {
	out := m.DefaultThreshold()
	out.Logit += GranularityStep * float64(t.Granularity)
	return out
}

// Arranged is what an arrangement of all articles was asked for and found. It holds for articles
// that arrive later.
type Arranged struct {
	Asked  *Target `json:",omitempty"` // target of the request; nil: it had none
	Topics int     `json:",omitempty"` // number of topics of the request; 0: it had none
	Target Target  // that was used: Asked, or that of the server

	Threshold Threshold
	Templates Templates
}
