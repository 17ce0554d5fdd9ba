package evaluate

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/embed/minilm"
	"throughline/internal/news"
	"throughline/internal/producttest"
	"throughline/internal/stories"
)

// Of the seeds the streamed stories are the rebuilt ones when it is quiet, with topics.
func TestLive(t *testing.T) {
	model, err := minilm.New(minilm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := producttest.New(t, producttest.Options{Embedder: model})
	sys := LiveEngines{Engines: Engines{Pipeline: p.Ingest, Ranking: p.Related, Stories: p.Stories, Store: p.Store},
		Background: []func(context.Context){p.States.Run, p.Stories.KeepFiling, func(ctx context.Context) { p.Stories.KeepArranged(ctx, stories.DefaultWindow) }}}
	live, err := RunLive(t.Context(), sys, "seeds", seeds(t), Options{Now: time.Now, Rate: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if live.Articles < 100 || live.Streamed != live.Rebuilt || live.Moved != 0 || live.Streamed.F1 < .85 || live.WithTopic < .98 {
		t.Errorf("%+v", live)
	}
	var out strings.Builder
	if err := WriteLive(&out, NewLiveReport("model", []*Live{live})); err != nil || strings.Count(out.String(), "\n") != 3 {
		t.Errorf("%v, %q", err, out.String())
	}
}

func TestHistory(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(1000+s), 0) }
	event := func(s int, kind news.EventKind, story string, ids ...string) news.LedgerEvent {
		return news.LedgerEvent{Kind: kind, ID: story, ArticleIDs: ids, Time: at(s)}
	}
	var l Live
	l.history([]news.LedgerEvent{
		event(1, news.Created, "s", "a", "b"), event(2, news.Joined, "s", "c"), event(3, news.Renamed, "s"),
		event(10, news.Left, "s", "a"), event(10, news.Created, "t", "a", "d"), event(61, news.Left, "s", "b"),
	}, map[string]time.Time{"a": at(0), "b": at(0), "c": at(0), "d": at(9)})
	// a moved and b left; c was final after 2 seconds, a after 10, d after 1.
	if l.Changes != .5 || l.Late != .25 || l.Renames != .5 || l.Median != 2 || l.P95 != 10 {
		t.Errorf("%+v", l)
	}
}

func TestByDate(t *testing.T) {
	labelled := func(id string, day int) Labelled {
		a := news.Article{ID: id, Title: id}
		if day > 0 {
			a.Published = time.Date(2031, 5, day, 23-day, 0, 0, 0, time.UTC)
		}
		v, err := news.Validate(a)
		if err != nil {
			t.Fatal(err)
		}
		return Labelled{ID: id, Valid: v}
	}
	items := []Labelled{labelled("late", 9), labelled("none", 0), labelled("early", 2), labelled("b", 3), labelled("a", 3)}
	order := func(list []Labelled) string {
		var ids []string
		for l := range byDate(func(yield func(Labelled, error) bool) {
			for _, l := range list {
				if !yield(l, nil) {
					return
				}
			}
		}) {
			ids = append(ids, l.ID)
		}
		return strings.Join(ids, " ")
	}
	got := order(items)
	slices.Reverse(items)
	if again := order(items); got != again || !strings.HasPrefix(got, "none early ") || !strings.HasSuffix(got, " late") {
		t.Errorf("%s and %s", got, again)
	}
}
