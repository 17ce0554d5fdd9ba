package evaluate

import (
	"compress/gzip"
	"context"
	"iter"
	"os"
	"path/filepath"
	"testing"
	"time"

	"throughline/embed/minilm"
	"throughline/internal/formats"
	"throughline/internal/producttest"
	"throughline/internal/seedtest"
)

// engines is the product with the built-in model, on an empty store in memory.
func engines(t *testing.T) Engines {
	t.Helper()
	model, err := minilm.New(minilm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return enginesOf(t, producttest.Options{Embedder: model})
}

func enginesOf(t *testing.T, o producttest.Options) Engines {
	t.Helper()
	p := producttest.New(t, o)
	return Engines{Pipeline: p.Ingest, Ranking: p.Related, Stories: p.Stories, Store: p.Store}
}

// threeEvents is a labelled file: two events of two and three reports, a one-off, and two articles
// that nobody labelled, one of which lacks an id.
const threeEvents = `{"id":"q1","title":"Earthquake of magnitude 7.1 shakes Tarvale","text":"An earthquake of magnitude 7.1 struck the coastal city of Tarvale on Monday, bringing down the old town hall. Rescuers searched the rubble for survivors.","date":"2031-03-03","source":"North Post","story":"quake","topic":"disaster"}
{"id":"q2","title":"Tarvale counts its dead after 7.1 quake","text":"At least 40 people died when a magnitude 7.1 earthquake hit Tarvale, officials said. The old town hall collapsed and rescuers are digging in the rubble.","date":"2031-03-04","source":"South Times","story":"quake","topic":"disaster"}
{"id":"q3","title":"Rescuers in Tarvale find girl alive under town hall","text":"Rescuers pulled a girl alive from the rubble of the town hall in Tarvale, two days after the magnitude 7.1 earthquake.","date":"2031-03-05","source":"West News","story":"quake","topic":"disaster"}
{"id":"b1","title":"Norland central bank raises rate to 4.5 percent","text":"The central bank of Norland raised its key interest rate by a quarter point to 4.5 percent on Thursday, citing inflation. Governor Ilse Brandt said more increases may follow.","date":"2031-03-06","source":"North Post","story":"rate","topic":"economy"}
{"id":"b2","title":"Brandt lifts Norland's interest rate again","text":"Governor Ilse Brandt of Norland's central bank announced a rise of the key interest rate to 4.5 percent, a quarter point more, to fight inflation.","date":"2031-03-06","source":"West News","story":"rate","topic":"economy"}
{"id":"c1","title":"Violinist Mara Teel wins the Olden prize","text":"The violinist Mara Teel was given the Olden prize for young musicians in a ceremony with a concert of chamber music.","date":"2031-02-11","source":"South Times","story":"prize","topic":"culture"}
{"title":"How to grow tomatoes on a balcony","text":"Tomatoes need sun, water and a deep pot. Sow them in early spring and feed them every two weeks.","date":null,"story":null}
{"id":"u2","title":"Five walks along the old canal","text":"Bring good shoes: these five walks follow the old canal past mills, locks and quiet villages.","story":"","topic":null}
{"id":"q1","title":"A second article with a taken id","text":"It says something else altogether about something else.","story":"prize"}
{"id":"e1","title":"","text":"","story":"quake"}
`

func labelledFile(t *testing.T, content string, compressed bool) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "labelled.jsonl")
	if !compressed {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	f, err := os.Create(path + ".gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := gzip.NewWriter(f)
	if _, err := z.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// The events of this file are as clear as events get, so the product finds each and nothing else.
func TestEnginesOnClearEvents(t *testing.T) {
	for _, compressed := range []bool{false, true} {
		path := labelledFile(t, threeEvents, compressed)
		r, err := Run(context.Background(), engines(t), path, Read(context.Background(), path, formats.Options{}), Options{Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		if r.Articles != 8 || r.Unlabelled != 2 || r.Unidentified != 1 || len(r.Duplicates) != 1 || len(r.Rejected) != 1 {
			t.Errorf("%d articles, %d without label, %d without id, duplicates %v, rejected %v", r.Articles, r.Unlabelled, r.Unidentified, r.Duplicates, r.Rejected)
		}
		if r.Related.NDCG10 != 1 || r.Related.MRR != 1 || !near(r.Related.P5, (3*2.0/5+2*1.0/5)/5) {
			t.Errorf("related %+v", r.Related)
		}
		s := r.Stories
		if !near(s.AMI, 1) || !near(s.ARI, 1) {
			t.Errorf("AMI %v, ARI %v", s.AMI, s.ARI)
		}
		s.AMI, s.ARI = 0, 0
		if s != (Stories{Precision: 1, Recall: 1, F1: 1, PairPrecision: 1, PairRecall: 1, PairF1: 1, Found: 2, Gold: 2,
			InStories: 5.0 / 6, GoldInStories: 5.0 / 6, Largest: 3, LargestShare: 3.0 / 8}) {
			t.Errorf("stories %+v", s)
		}
		if r.Reliability.Pairs < 4 || r.Reliability.Observed < 0.5 { // three of the earthquake, one of the rate, whatever else
			t.Errorf("reliability %+v", r.Reliability)
		}
		if r.Topics.Gold != 3 || r.Topics.Found == 0 { // six articles are too few to say how good the topics are
			t.Errorf("topics %+v", r.Topics)
		}
	}
}

// seeds reads the sample articles with what a reader expects of them.
func seeds(t *testing.T) iter.Seq2[Labelled, error] {
	t.Helper()
	expected, err := seedtest.Load()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := seedtest.Dir()
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func(Labelled, error) bool) {
		for a, err := range formats.Read(context.Background(), []string{dir}, formats.Options{}) {
			l := Labelled{ID: a.Article().ID, Valid: a}
			if e, ok := expected.Article(l.ID); ok {
				l.Topic = expected.TopicOf(e)
				if l.Story = e.Story; l.Story == "" {
					l.Story = "one-off " + e.ID
				}
			}
			if !yield(l, err) {
				return
			}
		}
	}
}
