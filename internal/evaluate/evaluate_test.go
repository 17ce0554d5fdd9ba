package evaluate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"throughline/internal/ingest"
	"throughline/internal/news"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scripted is a System whose answers are written down.
type scripted struct {
	refuse  string              // id of an article that cannot be stored
	places  map[string]Place    // where articles are filed
	related map[string][]string // rankings by article
	failing error               // of Related
	asked   chan string
}

func (s *scripted) Ingest(ctx context.Context, items iter.Seq2[news.Valid, error], each func(ingest.Report)) (ingest.Summary, error) {
	var sum ingest.Summary
	for valid, err := range items {
		a := valid.Article()
		r := ingest.Report{ID: a.ID, Outcome: ingest.New, Err: err}
		if err == nil && a.ID == s.refuse {
			r.Err = errors.New("no room for " + a.ID)
		}
		if r.Err != nil {
			r.Outcome = ingest.Rejected
			sum.Rejected = append(sum.Rejected, r)
		}
		each(r)
	}
	return sum, ctx.Err()
}

func (s *scripted) File(context.Context) (map[string]Place, error) { return s.places, nil }

func (s *scripted) Related(_ context.Context, id string) (List, error) {
	if s.failing != nil {
		return nil, s.failing
	}
	if s.asked != nil {
		s.asked <- id
	}
	return list(s.related[id]).hits, nil
}

// list is a ranking of ids, each with "=" and a probability if that matters.
type list []string

func (l list) hits(_ context.Context, offset, n int) ([]Hit, error) {
	from := min(offset, len(l))
	var hits []Hit
	for _, entry := range l[from:min(from+n, len(l))] {
		id, text, _ := strings.Cut(entry, "=")
		probability, err := strconv.ParseFloat(text, 64)
		if text != "" && err != nil {
			return nil, err
		}
		hits = append(hits, Hit{id, probability})
	}
	return hits, nil
}

// labelled makes articles of "id story topic", where - is an unknown label, and errors of
// "!message".
func labelled(lines ...string) iter.Seq2[Labelled, error] {
	return func(yield func(Labelled, error) bool) {
		for i, line := range lines {
			if message, bad := strings.CutPrefix(line, "!"); bad {
				if !yield(Labelled{}, &news.ItemError{Origin: news.Origin{Path: "set", Line: i + 1}, Err: errors.New(message)}) {
					return
				}
				continue
			}
			f := strings.Fields(line)
			for k := range f {
				if f[k] == "-" {
					f[k] = ""
				}
			}
			valid, err := news.Validate(news.Article{ID: f[0], Title: "Title of " + f[0], Origin: news.Origin{Path: "set", Line: i + 1}})
			if !yield(Labelled{ID: f[0], Valid: valid, Story: f[1], Topic: f[2]}, err) {
				return
			}
		}
	}
}

// clock moves on by a second with every look.
func clock() func() time.Time {
	t := time.Unix(1700000000, 0)
	return func() time.Time {
		t = t.Add(time.Second)
		return t
	}
}

func run(t *testing.T, sys System, items iter.Seq2[Labelled, error]) *Result {
	t.Helper()
	r, err := Run(context.Background(), sys, "set", items, Options{Now: clock(), Workers: 3})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func near(got Score, want float64) bool { return math.Abs(float64(got)-want) < 1e-12 }

func TestRelatedScores(t *testing.T) {
	far := make([]string, 24) // as many articles of nothing
	for i := range far {
		far[i] = fmt.Sprintf("x%d", i)
	}
	sys := &scripted{related: map[string][]string{
		"a1": {"a2", "a3", "b1"},              // perfect
		"a2": {"b1", "a1", "x1"},              // a1 at rank 2, a3 missing
		"a3": append(slices.Clone(far), "a1"), // first relevant at rank 25
		"b1": {"b1", "a1"},                    // the article itself is no coverage of itself; b2 missing
		"b2": nil,
	}, asked: make(chan string, 20)}
	lines := []string{"a1 a -", "a2 a -", "a3 a -", "b1 b -", "b2 b -", "one o -", "u - -"}
	for _, id := range far {
		lines = append(lines, id+" - -")
	}
	r := run(t, sys, labelled(lines...))
	close(sys.asked)
	var asked []string
	for id := range sys.asked {
		asked = append(asked, id)
	}
	if slices.Sort(asked); !slices.Equal(asked, []string{"a1", "a2", "a3", "b1", "b2", "one"}) {
		t.Errorf("asked about %v: of unlabelled articles nothing is known", asked)
	}
	second := 1 / math.Log2(3)
	if want := (1 + second/(1+second)) / 5; !near(r.Related.NDCG10, want) {
		t.Errorf("nDCG@10 %v, want %v", r.Related.NDCG10, want)
	}
	if want := (2.0/5 + 1.0/5) / 5; !near(r.Related.P5, want) {
		t.Errorf("P@5 %v, want %v", r.Related.P5, want)
	}
	if want := (1 + 1.0/2 + 1.0/25) / 5; !near(r.Related.MRR, want) {
		t.Errorf("MRR %v, want %v", r.Related.MRR, want)
	}
	if r.Unlabelled != 25 || r.Articles != 31 {
		t.Errorf("%d of %d articles without label", r.Unlabelled, r.Articles)
	}
}

// A story of more than eleven articles fills the list: then ten right ones are perfect.
func TestRelatedOfALargeStoryCanBePerfect(t *testing.T) {
	sys := &scripted{related: map[string][]string{}}
	var lines, ids []string
	for i := range 15 {
		ids = append(ids, fmt.Sprintf("a%d", i))
		lines = append(lines, ids[i]+" a -")
	}
	for _, id := range ids {
		sys.related[id] = slices.DeleteFunc(slices.Clone(ids), func(other string) bool { return other == id })[:10]
	}
	if r := run(t, sys, labelled(lines...)); r.Related.NDCG10 != 1 || r.Related.P5 != 1 || r.Related.MRR != 1 {
		t.Errorf("%+v", r.Related)
	}
}

func TestStoryAndTopicScores(t *testing.T) {
	sys := &scripted{places: map[string]Place{
		"a1": {"s1", "t1"}, "a2": {"s1", "t1"}, "a3": {"", "t1"}, // a lost one article
		"b1": {"s2", "t2"}, "b2": {"s2", "t2"}, "one": {"s2", "t2"}, // b swallowed a one-off
		"u1": {"s1", "t3"}, "u2": {"s3", "t3"}, "u3": {"s3", "t3"}, // unlabelled: not counted, whatever they join
	}}
	r := run(t, sys, labelled("a1 a x", "u1 - -", "a2 a x", "a3 a x", "b1 b y", "b2 b y", "u2 - -", "u3 - -", "one o y"))
	// By item: a1, a2: P 1, R 2/3; a3: P 1, R 1/3; b1, b2: P 2/3, R 1; one: P 1/3, R 1.
	p, rec := (3+2*2.0/3+1.0/3)/6, (2*2.0/3+1.0/3+2+1)/6
	s := r.Stories
	if !near(s.Precision, p) || !near(s.Recall, rec) || !near(s.F1, 2*p*rec/(p+rec)) {
		t.Errorf("B-cubed %v %v %v, want %v %v", s.Precision, s.Recall, s.F1, p, rec)
	}
	if s.Found != 2 || s.Gold != 2 {
		t.Errorf("%d stories found of %d: one-offs, and stories of unlabelled articles only, are none", s.Found, s.Gold)
	}
	if r.Topics != (Topics{AMI: 1, ARI: 1, Found: 2, Gold: 2}) {
		t.Errorf("topics %+v", r.Topics)
	}
	if r.Seconds != 1 {
		t.Errorf("%v seconds", r.Seconds)
	}
}

// Only one-offs: nobody can be asked about, and the right answer is no story at all.
func TestOnlyOneOffs(t *testing.T) {
	r := run(t, &scripted{places: map[string]Place{"a": {"s", ""}, "b": {"s", ""}}}, labelled("a x -", "b y -", "c z -"))
	if !math.IsNaN(float64(r.Related.NDCG10)) || !near(r.Stories.Precision, 2.0/3) || r.Stories.Recall != 1 || r.Stories.Gold != 0 || r.Stories.Found != 1 {
		t.Errorf("%+v", r)
	}
}

func TestWhatIsLeftOutIsReported(t *testing.T) {
	sys := &scripted{refuse: "full", related: map[string][]string{"a1": {"a2"}, "a2": {"a1"}}}
	r := run(t, sys, labelled("a1 a -", "!broken line", "full a -", "a2 a -", "a1 b -"))
	if r.Articles != 2 || len(r.Rejected) != 2 || len(r.Duplicates) != 1 {
		t.Fatalf("%+v", r)
	}
	// The refused article is no relevant one, and the second a1 does not change the label of the
	// first.
	if r.Related.NDCG10 != 1 || r.Stories.Gold != 1 {
		t.Errorf("%+v", r)
	}
	var notes bytes.Buffer
	if err := WriteNotes(&notes, []*Result{r}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"set: 1 articles left out", `set:5: an article with the id "a1"`, "set: 2 items left out", "set:2: broken line", "no room for full"} {
		if !strings.Contains(notes.String(), want) {
			t.Errorf("no %q in the notes:\n%s", want, notes.String())
		}
	}
}

func TestNothingToEvaluate(t *testing.T) {
	for name, items := range map[string]iter.Seq2[Labelled, error]{"empty": labelled(), "all broken": labelled("!no article here", "!nor here")} {
		_, err := Run(context.Background(), &scripted{}, "set", items, Options{Now: clock()})
		if !errors.Is(err, ErrNothing) || !strings.HasPrefix(err.Error(), "set: ") || name == "all broken" && !strings.Contains(err.Error(), "no article here") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFailuresSayWhere(t *testing.T) {
	broken := errors.New("broken")
	_, err := Run(context.Background(), &scripted{failing: broken}, "set", labelled("a1 a -", "a2 a -"), Options{Now: clock()})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), `related to "a`) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, &scripted{}, "set", labelled("a1 a -", "a2 a -"), Options{Now: clock()}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestProgressTellsOfEveryStage(t *testing.T) {
	told := map[string]int{}
	sys := &scripted{related: map[string][]string{}}
	_, err := Run(context.Background(), sys, "set", labelled("a1 a -", "a2 a -", "c c -"), Options{Now: clock(), Progress: func(stage string) { told[stage]++ }})
	if err != nil || told["reading"] != 3 || told["finding stories"] != 1 || told["relating"] != 3 {
		t.Errorf("%v, %v", told, err)
	}
}
