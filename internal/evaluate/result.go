package evaluate

import "throughline/cluster"

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
	InStories     Score `json:"in_stories"`      // share of labelled articles that are in a story
	GoldInStories Score `json:"gold_in_stories"` // the same by the labels
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

// Result holds the measurements of one file. The fields outside the JSON are for the notes to the
// user.
type Result struct {
	File        string      `json:"file"`
	Labels      string      `json:"labels"`     // fingerprint of ids and labels
	Articles    int         `json:"articles"`   // that were stored
	Unlabelled  int         `json:"unlabelled"` // stored without a story label
	Stories     Stories     `json:"stories"`
	Related     Related     `json:"related"`
	Reliability Reliability `json:"reliability"`
	Topics      Topics      `json:"topics"`
	// Intervals holds the intervals by figure, named by its path in this object, such as
	// stories.f1.
	Intervals map[string]Interval `json:"intervals,omitempty"`
	Seconds   float64             `json:"seconds"` // from the first article read to the last score
	// Drawn says what the corpus was drawn from; nil: it is a file.
	Drawn *Drawn `json:"drawn,omitempty"`

	WithoutVector int     `json:"-"` // left out: no row of Options.Vectors
	Unidentified  int     `json:"-"` // stored articles that came without an id and were given one
	Duplicates    []error `json:"-"` // left out: with the id of an earlier article, which stays
	Rejected      []error `json:"-"` // left out: cannot be read or stored

	replicates [][]float64 // see bootstrap
}

// format is the version of a Report and of the meaning of its figures. Reports of different
// versions cannot be compared.
const format = 1

// Report is the JSON document of a run.
type Report struct {
	Format     int                 `json:"format"`
	Model      string              `json:"model"` // embedding model
	Sets       []*Result           `json:"sets"`
	Mean       map[string]Score    `json:"mean"` // by figure, over the sets that have it
	Intervals  map[string]Interval `json:"mean_intervals,omitempty"`
	Derived    *Derived            `json:"derived,omitempty"`    // nil: the sets are files
	Comparison *Comparison         `json:"comparison,omitempty"` // nil: not compared
}

// NewReport makes the report of some results, with their mean and its intervals.
func NewReport(model string, results []*Result) *Report {
	r := &Report{Format: format, Model: model, Sets: results, Mean: make(map[string]Score), Intervals: intervals(averaged(results))}
	for _, f := range figures {
		sum, count := 0.0, 0.0
		for _, result := range results {
			if x := f.at(result); x.Known() {
				sum, count = sum+float64(x), count+1
			}
		}
		r.Mean[f.name] = Score(sum / count)
	}
	return r
}

// scoreFiling compares the stories and topics found with the labels, and adds the sums of its
// articles to the unit of each labelled story.
func scoreFiling(g *gold, filed map[string]Place, units []sums) (Stories, Topics) {
	storyNumbers, topicNumbers := numbers{}, numbers{}
	foundStories, foundTopics := make([]int32, len(g.ids)), make([]int32, len(g.ids))
	for i, id := range g.ids {
		place := filed[id]
		foundStories[i], foundTopics[i] = storyNumbers.of(place.Story), topicNumbers.of(place.Topic)
	}
	for i, o := range cluster.Overlaps(g.stories, foundStories) {
		if g.stories[i] >= 0 {
			units[g.stories[i]].add(&sums{
				articles: 1, precision: float64(o.Both) / float64(o.Found), recall: float64(o.Both) / float64(o.Gold),
				both: float64(o.Both-1) / 2, inGold: float64(o.Gold-1) / 2, inFound: float64(o.Found-1) / 2,
			})
		}
	}
	return scoreStories(g, foundStories), scoreTopics(g.topics, foundTopics)
}

func scoreStories(g *gold, found []int32) Stories {
	s := Stories{
		Precision: unknown, Recall: unknown, F1: unknown, PairPrecision: unknown, PairRecall: unknown, PairF1: unknown, AMI: unknown, ARI: unknown,
		InStories: unknown, GoldInStories: unknown,
	}
	for _, size := range sizes(found) {
		s.Largest = max(s.Largest, size)
	}
	s.LargestShare = Score(float64(s.Largest) / float64(len(found)))
	labelled := len(known(found, g.stories))
	if labelled == 0 {
		return s
	}
	score := func(a, b, c float64) (Score, Score, Score) { return Score(a), Score(b), Score(c) }
	s.Precision, s.Recall, s.F1 = score(cluster.BCubed(g.stories, found))
	s.PairPrecision, s.PairRecall, s.PairF1 = score(cluster.PairF1(g.stories, found))
	s.AMI, s.ARI = Score(cluster.AMI(g.stories, found)), Score(cluster.ARI(g.stories, found))
	share := func(count, items int) (int, Score) { return count, Score(float64(items) / float64(labelled)) }
	s.Found, s.InStories = share(groups(known(found, g.stories), 2))
	s.Gold, s.GoldInStories = share(groups(g.stories, 2))
	return s
}

func scoreTopics(gold, found []int32) Topics {
	t := Topics{AMI: unknown, ARI: unknown}
	t.Found, _ = groups(known(found, gold), 1)
	t.Gold, _ = groups(gold, 1)
	if t.Gold > 1 { // with one topic AMI and ARI mean nothing
		t.AMI, t.ARI = Score(cluster.AMI(gold, found)), Score(cluster.ARI(gold, found))
	}
	return t
}
