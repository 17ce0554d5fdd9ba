package evaluate

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
)

// Score is a figure, usually between 0 and 1. NaN, null in JSON, means that the labels do not
// suffice to measure it.
type Score float64

// unknown is the score of a figure that could not be measured.
var unknown = Score(math.NaN())

// Known reports whether the figure could be measured.
func (s Score) Known() bool { return !math.IsNaN(float64(s)) }

// MarshalJSON writes four digits: more would be noise.
func (s Score) MarshalJSON() ([]byte, error) {
	if !s.Known() {
		return []byte("null"), nil
	}
	return json.Marshal(float64(s.rounded()))
}

func (s Score) rounded() Score { return Score(math.Round(float64(s)*1e4) / 1e4) }

// UnmarshalJSON reads the output of MarshalJSON.
func (s *Score) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*s = unknown
		return nil
	}
	return json.Unmarshal(data, (*float64)(s))
}

// String returns three digits, or a dash.
func (s Score) String() string {
	if !s.Known() {
		return "-"
	}
	return fmt.Sprintf("%.3f", float64(s))
}

// Whether a greater or a smaller figure is better, or neither, as the sign of an improvement.
const higher, lower, neither = 1.0, -1.0, 0.0

// figure is a number that is averaged over sets, compared between runs and, if of is not nil, given
// an interval.
type figure struct {
	name   string // path in the JSON of a set
	better float64
	at     func(*Result) Score
	of     func(*sums) float64 // the figure from sums; NaN: unknown
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
	{"reliability.ece", lower, func(r *Result) Score { return r.Reliability.ECE }, func(s *sums) float64 { return s.bins.ECE() }},
	{"topics.ami", higher, func(r *Result) Score { return r.Topics.AMI }, nil},
	{"topics.ari", higher, func(r *Result) Score { return r.Topics.ARI }, nil},
}

// sums holds sums over articles, from which the figures with an interval follow. The sums of a set
// are the sum of those of its parts.
type sums struct {
	articles          float64 // with a label
	precision, recall float64 // B-cubed, of these articles
	// Pairs of articles: in one story both as found and by the labels, by the labels, as found.
	// Half of a pair counts for either article.
	both, inGold, inFound float64
	asked, ndcg, p5, mrr  float64 // articles asked about, and the scores of their lists
	bins                  Bins    // pairs by probability, counted likewise
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

// Without pairs the share is 1, as in cluster.PairF1.
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

// Reliability measures the probabilities that readers see: of the pairs presented with about 80 %,
// four in five should be of one story.
//
// The pairs are those of a labelled article and each labelled article among the first
// candidateDepth results of its list, each pair once. One-offs are asked about too: their lists
// should have low probabilities. Pairs that no list shows near its top are left out: nobody sees
// their probability, and there are so many that any model would look reliable.
type Reliability struct {
	Pairs     int   `json:"pairs"`
	Predicted Score `json:"predicted"` // mean probability
	Observed  Score `json:"observed"`  // share that is of one story
	ECE       Score `json:"ece"`       // expected calibration error
	Bins      []Bin `json:"bins"`      // of equal width, ascending, empty ones included
}

// Bin holds the pairs with a probability in [From, To); the last bin includes To.
type Bin struct {
	From      float64 `json:"from"`
	To        float64 `json:"to"`
	Predicted Score   `json:"predicted"`
	Observed  Score   `json:"observed"`
	Count     int     `json:"count"`
}

// candidateDepth is the number of results that count: about the first page of a reader.
const candidateDepth = 20

// binCount is the usual number of bins (Guo et al. 2017).
const binCount = 10

// Bins counts pairs by probability, in bins of equal width.
type Bins [binCount]binSum

// binSum holds sums over pairs: their number, their probabilities, and how many are of one story.
type binSum struct{ count, predicted, observed float64 }

func (b *binSum) add(c binSum) {
	b.count += c.count
	b.predicted += c.predicted
	b.observed += c.observed
}

// Note counts a pair with a weight.
func (b *Bins) Note(probability float64, same bool, weight float64) {
	at := min(max(int(probability*binCount), 0), binCount-1)
	s := binSum{count: weight, predicted: weight * probability}
	if same {
		s.observed = weight
	}
	b[at].add(s)
}

// ECE returns the expected calibration error (Naeini, Cooper and Hauskrecht 2015): the difference
// between mean probability and observed share of each bin, weighted by its pairs. NaN without
// pairs.
func (b *Bins) ECE() float64 {
	var gap, count float64
	for _, s := range b {
		gap += math.Abs(s.predicted - s.observed)
		count += s.count
	}
	return gap / count
}

func (b *Bins) reliability() Reliability {
	var all binSum
	r := Reliability{ECE: Score(b.ECE())}
	for i, s := range b {
		all.add(s)
		r.Bins = append(r.Bins, Bin{From: float64(i) / binCount, To: float64(i+1) / binCount,
			Predicted: Score(s.predicted / s.count), Observed: Score(s.observed / s.count), Count: int(math.Round(s.count))})
	}
	r.Pairs, r.Predicted, r.Observed = int(math.Round(all.count)), Score(all.predicted/all.count), Score(all.observed/all.count)
	return r
}
