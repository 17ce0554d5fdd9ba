package stories

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"throughline/internal/news"
	"throughline/internal/store"
)

// events is what TestRecluster and others fill a store with: five events of two to four articles,
// and two one-offs.
func (h *harness) fill() {
	h.Helper()
	articles := []news.Article{h.on("x0", "parade"), h.on("y0", "recipe")}
	texts := []string{told("parade", 0), told("recipe", 0)}
	for i, event := range []string{"flood", "vote", "match", "trial", "launch"} {
		for part := range 2 + i%3 {
			articles, texts = append(articles, h.on(fmt.Sprintf("%c%d", event[0], part), event)), append(texts, told(event, part))
		}
	}
	h.putAll(articles, texts)
}

func TestRecluster(t *testing.T) {
	h := setUp(t)
	if s := h.recluster(); s.Articles != 0 || s.Stories != 0 || len(h.events()) != 0 {
		t.Errorf("an empty store: %+v", s)
	}
	h.fill()
	s := h.recluster()
	h.check()
	if s.Articles != 16 || s.Stories != 5 || s.OneOffs != 2 || s.Largest != 4 || s.Created != 5 || s.Moved != 14 ||
		s.Merged+s.Split+s.Renamed+s.Deleted != 0 {
		t.Errorf("summary %+v", s)
	}
	match := h.together("m0", "m1", "m2", "m3")

	n := len(h.events())
	if writes := h.writes(func() { s = h.recluster() }); writes != 0 || len(h.events()) != n {
		t.Errorf("nothing has changed, and there were %d writes and %d events", writes, len(h.events())-n)
	}
	h.check()
	if s.Stories != 5 || s.Created+s.Moved != 0 {
		t.Errorf("summary of a run without changes %+v", s)
	}

	// The vote turns out to be part of the match but for one article, the trial falls apart, one
	// article is new, one is gone.
	h.put("v0", "match", 4)
	h.put("v1", "match", 5)
	h.put("v2", "chess", 0)
	vote := h.article("v0").StoryID
	trial := h.together("t0", "t1")
	h.put("t0", "theft", 0)
	launch := h.together("l0", "l1", "l2")
	h.put("l3", "launch", 3)
	h.must(h.delete("f0")) // of two
	s = h.recluster()
	h.check()
	if s.Merged != 1 || s.Deleted != 1 || s.Stories != 2 || s.OneOffs != 6 {
		t.Errorf("summary %+v", s)
	}
	if got := h.together("m0", "m1", "m2", "m3", "v0", "v1"); got != match {
		t.Errorf("the match is %s now, was %s", got, match)
	}
	if got := h.together("l0", "l1", "l2", "l3"); got != launch {
		t.Errorf("the launch is %s now, was %s", got, launch)
	}
	if d, err := h.Get(context.Background(), vote, 10); err != nil || d.Story.ID != match || len(d.Articles) != 6 {
		t.Errorf("the vote leads to %+v, %v", d, err)
	}
	if _, err := h.Get(context.Background(), trial, 10); err == nil {
		t.Error("the trial lives")
	}

	// The match merges into the launch, which has grown: the vote's id leads there.
	for part := 4; part < 8; part++ {
		h.put(fmt.Sprint("k", part), "launch", part)
		h.file(fmt.Sprint("k", part))
	}
	h.check()
	for part := range 4 {
		h.put(fmt.Sprint("m", part), "launch", part+8)
	}
	h.put("v0", "opera", 0)
	h.put("v1", "ballet", 1)
	h.recluster()
	h.check()
	for _, id := range []string{vote, match} {
		if d, err := h.Get(context.Background(), id, 100); err != nil || d.Story.ID != launch || len(d.Articles) != 12 {
			t.Errorf("%s leads to %+v, %v; want %s", id, d, err, launch)
		}
	}

	// And the launch splits: the part that goes gets a new id, not one it had once.
	for part := range 4 {
		h.put(fmt.Sprint("m", part), "match", part)
	}
	n = len(h.events())
	s = h.recluster()
	h.check()
	if s.Split != 1 || s.Created != 1 || h.together("m0", "m1", "m2", "m3") == match {
		t.Errorf("summary %+v, the match is %s", s, h.article("m0").StoryID)
	}
	if got := h.kinds(n); !slices.Contains(got, "split "+launch) {
		t.Errorf("events %q", got)
	}
}

// A dry run reports what a run would do, and does nothing: no write, no event, no other threshold.
func TestReclusterDryRun(t *testing.T) {
	h := setUp(t)
	h.fill()
	h.file("f0", "f1", "v0", "v1", "v2")
	before, st := h.events(), h.states.Publish()
	unlock, err := h.write(context.Background()) // it does not even wait for its turn
	h.must(err)
	var stages []string
	var dry *Arrangement
	writes := h.writes(func() {
		dry, err = h.Recluster(context.Background(), ReclusterOptions{DryRun: true}, func(stage string, done float64) {
			stages = append(stages, fmt.Sprint(stage, " ", done))
		})
	})
	h.must(err)
	unlock()
	if writes != 0 || len(h.events()) != len(before) || h.states.Current() != st {
		t.Errorf("%d writes, %d events more, State %+v, was %+v", writes, len(h.events())-len(before), h.states.Current(), st)
	}
	if got := strings.Join(stages, ", "); got != "reading 0, comparing 0.1, naming 0.7, done 1" {
		t.Errorf("stages %s", got)
	}
	if len(dry.Memberships) != 16 || dry.Plan.Empty() {
		t.Errorf("%d memberships, plan\n%s", len(dry.Memberships), &dry.Plan)
	}
	h.check()
	if wet := h.recluster(); wet != dry.Summary {
		t.Errorf("the dry run reported %+v, the run %+v", dry.Summary, wet)
	}
	h.check()
}

// Stories and topics keep their ids, whatever the topics are called.
func TestReclusterKeepsTopicIDs(t *testing.T) {
	h := setUp(t)
	// Three subjects, each of three events: events of a subject share a third of their words, too
	// few for one story.
	for s, subject := range []string{"storms", "courts", "sports"} {
		for e := range 3 {
			for part := range 3 {
				words := strings.Fields(told(fmt.Sprintf("%s%d", subject, e), part))
				for i := 1; i < len(words); i += 3 {
					words[i] = fmt.Sprintf("%scommon%d", subject, i)
				}
				h.putArticle(news.Article{ID: fmt.Sprintf("%s%d-%d", subject, e, part), Title: subject, Published: h.now}, strings.Join(words, " "))
			}
		}
		_ = s
	}
	found, err := h.Recluster(context.Background(), ReclusterOptions{Topics: 3}, nil)
	h.must(err)
	h.check()
	if s := found.Summary; s.Stories != 9 || s.Topics != 3 {
		t.Fatalf("summary %+v", s)
	}
	ids := func() map[string]string {
		out := make(map[string]string)
		h.must(h.store.Scan(context.Background(), news.Filter{}, store.WithNothing, func(s *store.Stored) error {
			out[s.Article.ID] = fmt.Sprint(s.Article.StoryID, s.Article.TopicIDs())
			return nil
		}))
		return out
	}
	before := ids()
	topics, err := h.Topics(context.Background(), TopicsRequest{Level: news.LevelTopic})
	h.must(err)
	for _, topic := range topics {
		d, err := h.Topic(context.Background(), topic.ID, 2)
		if err != nil || len(d.Stories) != 2 || !d.Truncated || topic.Stories != 3 || topic.Articles != 9 || topic.Title == "" {
			t.Errorf("topic %+v: %+v, %v", topic, d, err)
		}
	}
	h.put("storms0-9", "storms0", 9) // of other words: a one-off
	_, err = h.Recluster(context.Background(), ReclusterOptions{Topics: 3}, nil)
	h.must(err)
	h.check()
	after := ids()
	for id, was := range before {
		if after[id] != was {
			t.Errorf("%s was in %s, is in %s", id, was, after[id])
		}
	}
	// Articles that are gone take their topic with them.
	h.restart()
	for id := range after {
		h.drop(id)
	}
	h.recluster()
	h.check()
	if left, err := h.Topics(context.Background(), TopicsRequest{}); err != nil || len(left) > 0 {
		t.Errorf("%d topics without articles, %v", len(left), err)
	}
	if left, err := h.List(context.Background(), ListRequest{}); err != nil || len(left) > 0 {
		t.Errorf("%d stories without articles, %v", len(left), err)
	}
}

// Two runs over the same articles agree, whatever the order of arrival was.
func TestReclusterForgetsTheOrderOfArrival(t *testing.T) {
	partition := func(order func([]string)) string {
		h := setUp(t)
		h.fill()
		var all []string
		h.must(h.store.Scan(context.Background(), news.Filter{}, store.WithNothing, func(s *store.Stored) error {
			all = append(all, s.Article.ID)
			return nil
		}))
		slices.Sort(all)
		order(all)
		for _, id := range all {
			h.file(id)
		}
		h.recluster()
		h.check()
		groups := make(map[string][]string)
		slices.Sort(all)
		for _, id := range all {
			story := h.article(id).StoryID
			groups[story] = append(groups[story], id)
		}
		var lines []string
		for _, g := range groups {
			lines = append(lines, strings.Join(g, " "))
		}
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}
	forward, backward := partition(func([]string) {}), partition(slices.Reverse[[]string])
	if forward != backward {
		t.Errorf("forward:\n%s\nbackward:\n%s", forward, backward)
	}
}

// An article may be deleted while a run is under way.
func TestDeletionDuringRecluster(t *testing.T) {
	h := setUp(t)
	h.fill()
	forgotten := make(chan error, 1)
	_, err := h.Recluster(context.Background(), ReclusterOptions{}, func(stage string, _ float64) {
		switch stage {
		case "naming":
			go func() { forgotten <- h.delete("m0") }()
		}
	})
	h.must(err)
	h.must(<-forgotten)
	h.check()
	h.together("m1", "m2", "m3")
}

// An article that is stored while a run is under way waits for its turn and is filed into what the
// run made.
func TestArrivalDuringRecluster(t *testing.T) {
	h := setUp(t)
	h.fill()
	filed := make(chan error, 1)
	_, err := h.Recluster(context.Background(), ReclusterOptions{}, func(stage string, _ float64) {
		if stage == "naming" {
			h.put("m9", "match", 5)
			go func() { filed <- h.File(context.Background(), []string{"m9"}) }()
		}
	})
	h.must(err)
	h.must(<-filed)
	h.check()
	h.together("m0", "m1", "m2", "m3", "m9")
}

// A run that is cancelled before it writes changes nothing; once it writes it goes on.
func TestReclusterCancelled(t *testing.T) {
	for _, at := range []string{"reading", "comparing", "naming", "writing"} {
		h := setUp(t)
		h.fill()
		ctx, cancel := context.WithCancel(context.Background())
		_, err := h.Recluster(ctx, ReclusterOptions{}, func(stage string, _ float64) {
			if stage == at {
				cancel()
			}
		})
		cancel()
		if err == nil {
			t.Errorf("cancelled at %s: no error", at)
		}
		if n := len(h.events()); n > 0 {
			t.Errorf("cancelled at %s: %d events", at, n)
		}
		h.check()
	}
}
