package evaluate

import "math"

// Reliability says how far the probabilities that readers are shown can be taken at their word: of the pairs presented at
// about 80 %, four in five should be of one story.
//
// The pairs are those of labelled articles and the first candidateDepth results of their lists of related coverage, labelled
// ones, each pair once. One-offs are asked about too: a list of theirs should hold small probabilities. A pair that no list
// shows near its top has no probability that anybody sees, and the very many of them would make any model look reliable.
type Reliability struct {
	Pairs     int   `json:"pairs"`
	Predicted Score `json:"predicted"` // mean probability
	Observed  Score `json:"observed"`  // share that is of one story
	ECE       Score `json:"ece"`       // expected calibration error
	Bins      []Bin `json:"bins"`      // of equal width, ascending, the empty ones as well
}

// Bin holds the pairs whose probability is at least From and below To; the last one holds those at To too.
type Bin struct {
	From      float64 `json:"from"`
	To        float64 `json:"to"`
	Predicted Score   `json:"predicted"`
	Observed  Score   `json:"observed"`
	Count     int     `json:"count"`
}

// candidateDepth is how much of a list counts: what fits the first page of most readers.
const candidateDepth = 20

// binCount is the usual number (Guo et al. 2017).
const binCount = 10

type bins [binCount]binSum

// binSum sums over pairs: their number, probabilities, and how many are of one story.
type binSum struct{ count, predicted, observed float64 }

func (b *binSum) add(c binSum) {
	b.count += c.count
	b.predicted += c.predicted
	b.observed += c.observed
}

// note counts a pair with some weight.
func (b *bins) note(probability float64, same bool, weight float64) {
	at := min(max(int(probability*binCount), 0), binCount-1)
	s := binSum{count: weight, predicted: weight * probability}
	if same {
		s.observed = weight
	}
	b[at].add(s)
}

// ece is the expected calibration error (Naeini, Cooper and Hauskrecht 2015): the difference between mean probability and
// observed share of each bin, weighted by the pairs in it. NaN without pairs.
func (b *bins) ece() float64 {
	var gap, count float64
	for _, s := range b {
		gap += math.Abs(s.predicted - s.observed)
		count += s.count
	}
	return gap / count
}

func (b *bins) reliability() Reliability {
	var all binSum
	r := Reliability{ECE: Score(b.ece())}
	for i, s := range b {
		all.add(s)
		r.Bins = append(r.Bins, Bin{From: float64(i) / binCount, To: float64(i+1) / binCount,
			Predicted: Score(s.predicted / s.count), Observed: Score(s.observed / s.count), Count: int(math.Round(s.count))})
	}
	r.Pairs, r.Predicted, r.Observed = int(math.Round(all.count)), Score(all.predicted/all.count), Score(all.observed/all.count)
	return r
}
