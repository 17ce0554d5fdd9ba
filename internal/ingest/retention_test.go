package ingest

import (
	"context"
	"testing"
	"time"

	"throughline/internal/news"
)

func TestRetention(t *testing.T) {
	now := time.Date(2031, 5, 1, 12, 0, 0, 0, time.UTC)
	ago := func(days int) time.Time { return now.AddDate(0, 0, -days) }
	article := func(published, ingested time.Time) *news.Article {
		return &news.Article{Published: published, Record: news.Record{Ingested: ingested}}
	}
	days := func(n int) time.Duration { return time.Duration(n) * 24 * time.Hour }
	for name, c := range map[string]struct {
		r    Retention
		a    *news.Article
		want bool
	}{
		"for ever":                       {Retention{}, article(ago(9999), ago(9999)), false},
		"young":                          {Retention{Keep: days(90)}, article(ago(90), ago(0)), false},
		"old":                            {Retention{Keep: days(90)}, article(ago(91), ago(0)), true},
		"old, has just arrived":          {Retention{Keep: days(90), ByArrival: true}, article(ago(91), ago(0)), false},
		"young, arrived long ago":        {Retention{Keep: days(90), ByArrival: true}, article(ago(1), ago(91)), true},
		"of unknown time":                {Retention{Keep: days(90)}, article(time.Time{}, ago(91)), true},
		"of unknown time, young":         {Retention{Keep: days(90)}, article(time.Time{}, ago(9)), false},
		"nothing is known":               {Retention{Keep: days(90)}, article(time.Time{}, time.Time{}), false},
		"from the future":                {Retention{Keep: days(90)}, article(ago(-9), ago(0)), false},
		"published after it was stored?": {Retention{Keep: days(1)}, article(ago(-9), ago(5)), false},
	} {
		if got := c.r.Ended(c.a, now); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestArticlesAreKeptForAWhile(t *testing.T) {
	h := newHarness(t)
	old, young, undated := piece(1, 1), piece(2, 1), piece(3, 1)
	now := time.Now()
	old.Published, young.Published, undated.Published = now.AddDate(0, 0, -91), now.AddDate(0, 0, -1), time.Time{}
	if _, err := h.Run(t.Context(), sequence(old, young, undated), Options{}); err != nil {
		t.Fatal(err)
	}
	h.keepWithin(t.Context(), Retention{Keep: 90 * 24 * time.Hour, ByArrival: true})
	h.checkCounted(t, 3)
	h.keepWithin(t.Context(), Retention{Keep: 90 * 24 * time.Hour})
	h.checkCounted(t, 2)
	h.cfg.Now = func() time.Time { return now.AddDate(0, 0, 90).Add(-time.Hour) }
	h.keepWithin(t.Context(), Retention{Keep: 90 * 24 * time.Hour})
	h.checkCounted(t, 1) // the undated one has not been here for 90 days
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.cfg.Now = func() time.Time { return now.AddDate(0, 0, 91) }
	h.KeepWithin(ctx, Retention{Keep: 90 * 24 * time.Hour}) // ends with its context
	h.keepWithin(t.Context(), Retention{Keep: 90 * 24 * time.Hour})
	h.checkCounted(t, 0)
}
