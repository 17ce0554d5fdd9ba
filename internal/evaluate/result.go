package evaluate

// Stories holds the scores of stories.
type Stories struct {
	Precision     Score `json:"precision"` // B-cubed
	Recall        Score `json:"recall"`
	F1            Score `json:"f1"`
	PairPrecision Score `json:"pair_precision"`
	PairRecall    Score `json:"pair_recall"`
	PairF1        Score `json:"pair_f1"`
	AMI           Score `json:"ami"`
	ARI           Score `json:"ari"`
	Found         int   `json:"found"`
	Gold          int   `json:"gold"`
	InStories     Score `json:"in_stories"`      // share of the labelled articles that are in a story that counts as found
	GoldInStories Score `json:"gold_in_stories"` // and in one that counts as gold
	Largest       int   `json:"largest"`         // articles of the largest story, labelled or not
	LargestShare  Score `json:"largest_share"`   // of all articles
}

// Related holds the scores of related coverage.
type Related struct {
	Articles int   `json:"articles"` // asked about and scored
	NDCG10   Score `json:"ndcg10"`
	P5       Score `json:"p5"`
	MRR      Score `json:"mrr"`
}

// Topics holds the scores of topics.
type Topics struct {
	AMI   Score `json:"ami"`
	ARI   Score `json:"ari"`
	Found int   `json:"found"`
	Gold  int   `json:"gold"`
}

// Result is what was measured on one file. What is not part of the JSON is for people.
type Result struct {
	File        string      `json:"file"`
	Labels      string      `json:"labels"`     // fingerprint of ids and labels: two runs with the same one measured the same
	Articles    int         `json:"articles"`   // that were stored
	Unlabelled  int         `json:"unlabelled"` // of them, without a story label
	Stories     Stories     `json:"stories"`
	Related     Related     `json:"related"`
	Reliability Reliability `json:"reliability"`
	Topics      Topics      `json:"topics"`
	// Intervals of figures by their path in this object, e.g. stories.f1.
	Intervals map[string]Interval `json:"intervals,omitempty"`
	Seconds   float64             `json:"seconds"` // from the first article read to the last score

	WithoutVector int     `json:"-"` // left out, because they are beyond the vectors given
	Unidentified  int     `json:"-"` // stored articles that came without an id and were given one
	Duplicates    []error `json:"-"` // left out, because an earlier article has the id: *DuplicateError
	Rejected      []error `json:"-"` // left out, because they cannot be read or stored

	replicates [][]float64 // see bootstrap
}

// format is the version of a Report and of what its figures mean. Reports of different versions cannot be compared.
const format = 1

// Report is the JSON document of a run.
type Report struct {
	Format    int                 `json:"format"`
	Model     string              `json:"model"` // that made the vectors
	Sets      []*Result           `json:"sets"`
	Mean      map[string]Score    `json:"mean"` // of each figure over the sets that have it, by its path in a set
	Intervals map[string]Interval `json:"mean_intervals,omitempty"`
	// Comparison with an earlier run, when that was asked for.
	Comparison *Comparison `json:"comparison,omitempty"`
}

// NewReport adds up the results of a run.
func NewReport(model string, results []*Result) *Report {
	r := &Report{Format: format, Model: model, Sets: results, Mean: make(map[string]Score), Intervals: intervals(averaged(results))}
	for _, f := range figures {
		sum, count := 0.0, 0
		for _, result := range results {
			if x := f.at(result); x.Known() {
				sum, count = sum+float64(x), count+1
			}
		}
		r.Mean[f.name] = unknown
		if count > 0 {
			r.Mean[f.name] = Score(sum / float64(count))
		}
	}
	return r
}
