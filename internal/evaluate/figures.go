package evaluate

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
)

// Score is a figure, usually between 0 and 1. NaN means that the labels do not allow to measure it; in JSON that is null.
type Score float64

// unknown is the score of what could not be measured, because no label says what would be right.
var unknown = Score(math.NaN())

// Known reports whether it could be measured.
func (s Score) Known() bool { return !math.IsNaN(float64(s)) }

// MarshalJSON gives four digits: more would be noise.
func (s Score) MarshalJSON() ([]byte, error) {
	if !s.Known() {
		return []byte("null"), nil
	}
	return json.Marshal(float64(s.rounded()))
}

func (s Score) rounded() Score { return Score(math.Round(float64(s)*1e4) / 1e4) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *Score) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*s = unknown
		return nil
	}
	return json.Unmarshal(data, (*float64)(s))
}

// String gives three digits, or a dash.
func (s Score) String() string {
	if !s.Known() {
		return "-"
	}
	return fmt.Sprintf("%.3f", float64(s))
}

// better says which way a figure should go.
type better int

const (
	higher better = iota
	lower
	neither // it describes, and judges nothing
)

// figure is one of the numbers that are averaged over sets, compared between runs and, where of is not nil, have an interval.
type figure struct {
	name   string // path in the JSON of a set
	better better
	at     func(*Result) Score
	of     func(*sums) float64 // the same from sums; NaN: unknown
}

// ofLists reports whether the figure depends on which articles were asked about.
func (f figure) ofLists() bool {
	return strings.HasPrefix(f.name, "related.") || strings.HasPrefix(f.name, "reliability.")
}

var figures = []figure{
	{"stories.precision", higher, func(r *Result) Score { return r.Stories.Precision }, func(s *sums) float64 { return s.precision / s.articles }},
	{"stories.recall", higher, func(r *Result) Score { return r.Stories.Recall }, func(s *sums) float64 { return s.recall / s.articles }},
	{"stories.f1", higher, func(r *Result) Score { return r.Stories.F1 }, func(s *sums) float64 {
		return harmonic(s.precision/s.articles, s.recall/s.articles)
	}},
	{"stories.pair_precision", higher, func(r *Result) Score { return r.Stories.PairPrecision }, (*sums).pairPrecision},
	{"stories.pair_recall", higher, func(r *Result) Score { return r.Stories.PairRecall }, (*sums).pairRecall},
	{"stories.pair_f1", higher, func(r *Result) Score { return r.Stories.PairF1 }, func(s *sums) float64 {
		return harmonic(s.pairPrecision(), s.pairRecall())
	}},
	{"stories.ami", higher, func(r *Result) Score { return r.Stories.AMI }, nil},
	{"stories.ari", higher, func(r *Result) Score { return r.Stories.ARI }, nil},
	{"stories.in_stories", neither, func(r *Result) Score { return r.Stories.InStories }, nil},
	{"stories.largest_share", neither, func(r *Result) Score { return r.Stories.LargestShare }, nil},
	{"related.ndcg10", higher, func(r *Result) Score { return r.Related.NDCG10 }, func(s *sums) float64 { return s.ndcg / s.asked }},
	{"related.p5", higher, func(r *Result) Score { return r.Related.P5 }, func(s *sums) float64 { return s.p5 / s.asked }},
	{"related.mrr", higher, func(r *Result) Score { return r.Related.MRR }, func(s *sums) float64 { return s.mrr / s.asked }},
	{"reliability.ece", lower, func(r *Result) Score { return r.Reliability.ECE }, func(s *sums) float64 { return s.bins.ece() }},
	{"topics.ami", higher, func(r *Result) Score { return r.Topics.AMI }, nil},
	{"topics.ari", higher, func(r *Result) Score { return r.Topics.ARI }, nil},
}

// sums are what figures with an interval are made of: sums over articles, so that those of a set are the sum of those of
// its parts.
type sums struct {
	articles          float64 // with a label
	precision, recall float64 // B-cubed, of these articles
	// Pairs of articles: put into one story and of one, of one, put into one. Half of a pair belongs to either article.
	both, inGold, inFound float64
	asked, ndcg, p5, mrr  float64 // articles asked about, and the scores of their lists
	bins                  bins    // pairs by the probability presented; half of a pair belongs to either article
}

func (s *sums) add(t *sums) {
	s.articles += t.articles
	s.precision += t.precision
	s.recall += t.recall
	s.both += t.both
	s.inGold += t.inGold
	s.inFound += t.inFound
	s.asked += t.asked
	s.ndcg += t.ndcg
	s.p5 += t.p5
	s.mrr += t.mrr
	for i := range s.bins {
		s.bins[i].add(t.bins[i])
	}
}

// Where there are no pairs there was nothing to get wrong, as in cluster.PairF1.
func (s *sums) pairPrecision() float64 { return shareOr1(s.both, s.inFound) }
func (s *sums) pairRecall() float64    { return shareOr1(s.both, s.inGold) }

func shareOr1(part, whole float64) float64 {
	if whole == 0 {
		return 1
	}
	return part / whole
}

func harmonic(p, r float64) float64 {
	if p+r == 0 {
		return 0
	}
	return 2 * p * r / (p + r)
}
