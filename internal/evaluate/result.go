package evaluate

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"text/tabwriter"
)

// Score is a figure, usually between 0 and 1. NaN means that the labels do not allow to measure it; in JSON that is null.
type Score float64

// MarshalJSON gives four digits: more would be noise.
func (s Score) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(s)) {
		return []byte("null"), nil
	}
	return json.Marshal(math.Round(float64(s)*1e4) / 1e4)
}

// String gives three digits, or a dash.
func (s Score) String() string {
	if math.IsNaN(float64(s)) {
		return "-"
	}
	return fmt.Sprintf("%.3f", float64(s))
}

// Related holds the scores of related coverage.
type Related struct {
	NDCG10 Score `json:"ndcg10"`
	P5     Score `json:"p5"`
	MRR    Score `json:"mrr"`
}

// Stories holds the scores of stories.
type Stories struct {
	Precision Score `json:"precision"`
	Recall    Score `json:"recall"`
	F1        Score `json:"f1"`
	Found     int   `json:"found"`
	Gold      int   `json:"gold"`
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
	File     string  `json:"file"`
	Articles int     `json:"articles"` // that were stored
	Related  Related `json:"related"`
	Stories  Stories `json:"stories"`
	Topics   Topics  `json:"topics"`
	Seconds  float64 `json:"seconds"` // from the first article read to the last score

	Unlabelled   int     `json:"-"` // stored articles without a story label
	Unidentified int     `json:"-"` // stored articles that came without an id and were given one
	Duplicates   []error `json:"-"` // left out, because an earlier article has the id: *DuplicateError
	Rejected     []error `json:"-"` // left out, because they cannot be read or stored
}

// Report is the JSON document of some results.
type Report struct {
	Sets []*Result `json:"sets"`
}

// WriteTable writes the results for people, with notes below on what is missing from them.
func WriteTable(w io.Writer, results []*Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FILE\tARTICLES\tnDCG@10\tP@5\tMRR\tSTORY P\tR\tF1\tFOUND/GOLD\tTOPIC AMI\tARI\tFOUND/GOLD\tSECONDS")
	for _, r := range results {
		fmt.Fprintf(t, "%s\t%d\t%v\t%v\t%v\t%v\t%v\t%v\t%d/%d\t%v\t%v\t%d/%d\t%.1f\n", r.File, r.Articles,
			r.Related.NDCG10, r.Related.P5, r.Related.MRR, r.Stories.Precision, r.Stories.Recall, r.Stories.F1, r.Stories.Found, r.Stories.Gold,
			r.Topics.AMI, r.Topics.ARI, r.Topics.Found, r.Topics.Gold, r.Seconds)
	}
	return t.Flush()
}

// maxListed is how many problems of one kind are listed.
const maxListed = 10

// WriteNotes says what of each file was not measured, or not as it stands in the file. It writes nothing where all was.
func WriteNotes(w io.Writer, results []*Result) error {
	var failed error
	note := func(format string, args ...any) {
		if _, err := fmt.Fprintf(w, format, args...); err != nil && failed == nil {
			failed = err
		}
	}
	list := func(problems []error) {
		for _, err := range problems[:min(len(problems), maxListed)] {
			note("  %v\n", err)
		}
		if len(problems) > maxListed {
			note("  and %d more\n", len(problems)-maxListed)
		}
	}
	for _, r := range results {
		if r.Unlabelled > 0 {
			note("%s: %d of %d articles have no story label: they are in the corpus, and not counted\n", r.File, r.Unlabelled, r.Articles)
		}
		if r.Unidentified > 0 {
			note("%s: %d articles have no id and were given one\n", r.File, r.Unidentified)
		}
		if n := len(r.Duplicates); n > 0 {
			note("%s: %d articles left out, whose id occurred before\n", r.File, n)
			list(r.Duplicates)
		}
		if n := len(r.Rejected); n > 0 {
			note("%s: %d items left out, which are no articles\n", r.File, n)
			list(r.Rejected)
		}
	}
	return failed
}
