package stories

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"throughline/internal/hierarchy"
	"throughline/internal/news"
	"throughline/internal/score"
	"throughline/internal/store"
)

func TestArrangementIsDue(t *testing.T) {
	now := time.Date(2031, 5, 1, 12, 0, 0, 0, time.UTC)
	long := now.Add(-time.Hour)
	for name, c := range map[string]struct {
		u    unarranged
		want bool
	}{
		"nothing has changed":          {unarranged{last: long}, false},
		"quiet":                        {unarranged{articles: 1, last: now.Add(-arrangeQuiet)}, true},
		"not quiet":                    {unarranged{articles: 99, last: now.Add(-time.Second)}, false},
		"not quiet, a tenth":           {unarranged{articles: 100, last: now}, true},
		"rests, though quiet":          {unarranged{articles: 10, last: long, ended: now.Add(-4*time.Second + 1), took: time.Second}, false},
		"rests, though all is changed": {unarranged{articles: 1000, last: now, ended: now.Add(-4*time.Second + 1), took: time.Second}, false},
		"has rested":                   {unarranged{articles: 10, last: long, ended: now.Add(-4 * time.Second), took: time.Second}, true},
		"few, has rested as for many":  {unarranged{articles: 9, last: long, ended: now.Add(-4 * time.Second), took: time.Second}, false},
		"few, has rested":              {unarranged{articles: 9, last: long, ended: now.Add(-20 * time.Second), took: time.Second}, true},
	} {
		if got := c.u.due(now, 1000); got != c.want {
			t.Errorf("%s: due %v", name, got)
		}
	}
	u := unarranged{articles: 1, last: long}
	var rests []string
	for range 9 {
		u.end(now, time.Second, errors.New("no"))
		for rest := arrangeRetry; ; rest *= 2 {
			if rest = min(rest, arrangeRetryMost); u.due(now.Add(rest), 1000) && !u.due(now.Add(rest-1), 1000) {
				rests = append(rests, rest.String())
				break
			}
		}
	}
	if got := strings.Join(rests, " "); got != "30s 1m0s 2m0s 4m0s 8m0s 16m0s 32m0s 1h0m0s 1h0m0s" {
		t.Errorf("after failures it rests %s", got)
	}
	if u.end(now, time.Second, nil); !u.due(now.Add(20*time.Second), 1000) {
		t.Error("after a success it rests as after a failure")
	}
}

// Articles that were filed are arranged when it has become quiet, once, as the last request wanted.
func TestArticlesAreKeptArranged(t *testing.T) {
	h := setUp(t)
	h.fill()
	keep := func() (writes int) {
		return h.writes(func() { h.must(h.keepArranged(t.Context(), DefaultWindow)) })
	}
	if n := keep(); n != 0 {
		t.Errorf("nothing was filed, and there were %d writes", n)
	}
	target := &score.Target{Granularity: 1}
	_, err := h.Recluster(t.Context(), ReclusterOptions{Target: target, Topics: 2}, nil)
	h.must(err)
	h.put("m9", "match", 5)
	h.file("m9")
	if n := keep(); n != 0 {
		t.Errorf("an article has just arrived, and there were %d writes", n)
	}
	before := h.article("m9")
	h.pass(arrangeQuiet)
	if n := keep(); n == 0 {
		t.Error("it is quiet, and nothing was written")
	}
	h.check()
	if now := h.article("m9"); now.StoryID != before.StoryID || now.Probability == before.Probability {
		t.Errorf("filed in %s with %v, arranged in %s with %v", before.StoryID, before.Probability, now.StoryID, now.Probability)
	}
	if last, all := h.states.Arranged(); last.Asked == nil || *last.Asked != *target || last.Topics != 2 || !all {
		t.Errorf("arranged by %+v, %d topics, all: %v", last.Asked, last.Topics, all)
	}
	h.pass(arrangeQuiet)
	if n := keep(); n != 0 {
		t.Errorf("nothing has changed, and there were %d writes", n)
	}
	if err := h.Delete(t.Context(), "nobody", func() (*store.Stored, error) { return nil, store.ErrNotFound }); !errors.Is(err, store.ErrNotFound) || h.unarranged.articles != 0 {
		t.Errorf("an unknown article: %v, %d articles to arrange", err, h.unarranged.articles)
	}
	h.must(h.delete("m9"))
	h.pass(arrangeQuiet)
	if keep(); h.unarranged.articles != 0 {
		t.Error("an article has gone, and the others were not arranged")
	}
}

// What an earlier process has not arranged is arranged by the next one.
func TestLeftArticlesAreArranged(t *testing.T) {
	for _, arranged := range []bool{true, false} {
		h := setUp(t)
		h.fill()
		h.file("f0", "f1")
		if arranged {
			h.recluster()
		}
		h.must(h.states.Close())
		h.restart()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			h.KeepArranged(ctx, DefaultWindow)
		}()
		looked := func() bool {
			_, all := h.states.Arranged()
			return all
		}
		for began := time.Now(); !looked() && time.Since(began) < 10*time.Second; {
			time.Sleep(time.Millisecond)
		}
		cancel()
		<-done
		if !looked() {
			t.Errorf("arranged before the end of the process: %v; not arranged after it", arranged)
		}
		h.check()
	}
}

// Articles arrive, change and go while others, or the latest, are arranged. In the end the stories
// are those of a store in which everything was arranged at once.
func TestArrangingWhileArticlesArrive(t *testing.T) {
	for name, w := range map[string]*Window{"all": nil, "the latest": {Most: 20, Age: 30 * 24 * time.Hour}} {
		t.Run(name, func(t *testing.T) { arrangeWhileArticlesArrive(t, w) })
	}
}

func arrangeWhileArticlesArrive(t *testing.T, w *Window) {
	h, calm := setUp(t), setUp(t)
	ctx, stop := context.WithCancel(t.Context())
	var arranging sync.WaitGroup
	arranging.Go(func() {
		for ctx.Err() == nil {
			if _, err := h.Recluster(ctx, ReclusterOptions{Window: w}, nil); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	})
	for i := range 60 {
		id, event := fmt.Sprintf("a%02d", i), fmt.Sprintf("event%d", i*i%7)
		a := h.on(id, event)
		a.Published = h.now.Add(time.Duration(i*7%60) * 24 * time.Hour)
		h.putArticle(a, told(event, i))
		h.file(id)
		calm.putArticle(a, told(event, i))
		switch i % 6 {
		case 3:
			id := fmt.Sprintf("a%02d", i/2)
			h.must(h.delete(id))
			calm.drop(id)
		case 5:
			id, event := fmt.Sprintf("a%02d", i-1), fmt.Sprintf("event%d", i%7)
			h.put(id, event, i+100)
			calm.put(id, event, i+100)
			h.file(id)
		}
	}
	stop()
	arranging.Wait()
	h.check()
	h.recluster()
	calm.recluster()
	h.check()
	if got, want := h.partition(), calm.partition(); got != want {
		t.Errorf("stories\n%s\nwant\n%s", got, want)
	}
}

// Of a large store the latest articles are arranged, with all articles of their stories. The others
// keep their stories and topics, which count them.
func TestTheLatestArticlesAreArranged(t *testing.T) {
	h := setUp(t)
	put := func(id, event string, part, day int) {
		a := h.on(id, event)
		a.Published = h.now.Add(time.Duration(day) * 24 * time.Hour)
		h.putArticle(a, told(event, part))
		h.file(id)
	}
	for i := range 3 {
		put(fmt.Sprint("old", i), "flood", i, i-90)
		put(fmt.Sprint("long", i), "vote", i, 40*i-90)
		put(fmt.Sprint("new", i), "match", i, i-10)
	}
	undated := h.on("undated", "trial") // as old as its arrival
	undated.Published = time.Time{}
	h.putArticle(undated, told("trial", 1))
	h.file("undated")
	h.pass(1)
	for _, id := range []string{"old0", "old1", "new0"} { // as if filing had not seen where they belong
		h.must(h.store.Apply(t.Context(), &store.Plan{Memberships: []store.Membership{{ArticleID: id, Membership: news.Membership{TopicID: h.article(id).TopicID}}}}))
	}
	h.store.SetClean(false)
	h.repairs()
	before := h.article("old0")
	a, err := h.Recluster(t.Context(), ReclusterOptions{Window: &Window{Most: 9, Age: 30 * 24 * time.Hour}}, nil)
	h.must(err)
	h.check()
	if want := h.now.Add(-30 * 24 * time.Hour); a.Summary.Since.Sub(want).Abs() > time.Hour || a.Summary.Articles != 7 || a.Summary.Stories != 2 {
		t.Errorf("arranged %d stories of %d articles since %v, want 2 of 7 since %v", a.Summary.Stories, a.Summary.Articles, a.Summary.Since, want)
	}
	h.together("new0", "new1", "new2")
	h.together("long0", "long1", "long2")
	if now := h.article("old0"); now.Membership != before.Membership || now.StoryID != "" {
		t.Errorf("the old article is filed as %+v, was %+v", now.Membership, before.Membership)
	}
	counts := make(map[string]int)
	h.must(h.store.Scan(t.Context(), news.Filter{}, store.WithNothing, func(s *store.Stored) error {
		for _, id := range s.Article.TopicIDs() {
			counts[id]++
		}
		return nil
	}))
	h.must(h.store.ScanTopics(t.Context(), news.TopicFilter{}, store.WithNothing, func(topic *store.Topic) error {
		if topic.Articles != counts[topic.ID] {
			t.Errorf("topic %s counts %d articles and has %d", topic.ID, topic.Articles, counts[topic.ID])
		}
		return nil
	}))
}

func TestWindow(t *testing.T) {
	now := time.Date(2031, 5, 1, 0, 0, 0, 0, time.UTC)
	day := func(n int) time.Time { return now.Add(time.Duration(n) * 24 * time.Hour) }
	all := []aged{{"a", day(-50), "s"}, {"b", day(-20), "s"}, {"c", day(-10), ""}, {"d", day(-1), "t"}, {"e", day(-40), "t"}, {"f", day(-60), ""}, {"g", day(900), ""}}
	for name, c := range map[string]struct {
		w    Window
		want time.Time
		in   string
	}{
		"by age":    {Window{Most: 9, Age: 30 * 24 * time.Hour}, day(-31), "a b c d e g"},
		"by number": {Window{Most: 3, Age: 30 * 24 * time.Hour}, day(-10), "c d e g"},
		"one day":   {Window{Most: 1, Age: time.Hour}, day(900), "g"},
	} {
		latest, got := c.w.latest(now, all)
		in := strings.Join(slices.Sorted(maps.Keys(withStories(latest, all))), " ")
		if !got.Equal(c.want) || in != c.in {
			t.Errorf("%s: since %v %s, want %v %s", name, got, in, c.want, c.in)
		}
	}
}

// TestCaughtUp checks, for random changes since an arrangement, what must hold of its labels.
func TestCaughtUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		label := rapid.Int32Range(-1, 4)
		id := func(prefix string, n int32) string {
			if n < 0 {
				return ""
			}
			return fmt.Sprint(prefix, n)
		}
		draw := func(name string, revision int64) *store.Stored {
			a := news.Article{ID: name, Record: news.Record{Revision: revision}, Membership: news.Membership{StoryID: id("s", label.Draw(t, "stored story"))}}
			if a.StoryID != "" && rapid.Bool().Draw(t, "is a copy") {
				a.CopyOf = fmt.Sprint("x", rapid.IntRange(0, 5).Draw(t, "of"))
			}
			return &store.Stored{Article: a}
		}
		topicOf, themeOf := map[int32]int32{-1: -1}, map[int32]int32{-1: -1}
		for s := range int32(5) {
			topicOf[s], themeOf[s] = label.Draw(t, "topic"), label.Draw(t, "theme")
		}
		var articles []*store.Stored
		labels := [][]int32{nil, nil, nil, nil}
		n := rapid.IntRange(0, 12).Draw(t, "articles")
		for i := range n {
			articles = append(articles, draw(fmt.Sprintf("a%02d", i), 1))
			s := label.Draw(t, "story")
			copied := int32(-1)
			if c := label.Draw(t, "copy"); s >= 0 && c >= 0 {
				copied = 5*s + c
			}
			for k, l := range []int32{copied, s, topicOf[s], themeOf[topicOf[s]]} {
				labels[k] = append(labels[k], l)
			}
		}
		first := catchingUp{}
		for i, a := range articles {
			first.places = append(first.places, place{a, true, labels[0][i], labels[1][i], labels[2][i], labels[3][i], .5})
		}
		articles, was := first.result(&hierarchy.Hierarchy{})
		now := make(map[string]*store.Stored)
		for range rapid.IntRange(0, 8).Draw(t, "changes") {
			name := fmt.Sprintf("a%02d", rapid.IntRange(0, 15).Draw(t, "article"))
			if now[name] = nil; rapid.IntRange(0, 3).Draw(t, "is stored") > 0 {
				now[name] = draw(name, int64(rapid.IntRange(1, 2).Draw(t, "revision")))
			}
		}
		got, h := caughtUp(articles, was, now)

		want := make(map[string]bool)
		before := make(map[string]int)
		for i, a := range articles {
			want[a.Article.ID], before[a.Article.ID] = true, i
		}
		for name, a := range now {
			if want[name] = true; a == nil {
				delete(want, name)
			}
		}
		if ids := idsOf(got); !slices.Equal(ids, slices.Sorted(maps.Keys(want))) {
			t.Fatalf("articles %v, want %v", ids, want)
		}
		counts := make(map[[2]int32]int)
		for i := range got {
			counts[[2]int32{0, h.Copy[i]}]++
			counts[[2]int32{1, h.Story[i]}]++
		}
		for i, a := range got {
			if c := now[a.Article.ID]; c != nil && c != a {
				t.Errorf("%s is not as it is stored", a.Article.ID)
			}
			if h.Copy[i] >= 0 && (h.Story[i] < 0 || counts[[2]int32{0, h.Copy[i]}] < 2) || h.Story[i] >= 0 && counts[[2]int32{1, h.Story[i]}] < 2 {
				t.Errorf("%s: copy group %d, story %d", a.Article.ID, h.Copy[i], h.Story[i])
			}
			if h.Story[i] < 0 && h.Membership[i] != 0 {
				t.Errorf("%s: in no story, membership %v", a.Article.ID, h.Membership[i])
			}
			for j, b := range got[:i] {
				k, known := before[a.Article.ID]
				l, also := before[b.Article.ID]
				if known && also && a.Article.Revision == 1 && b.Article.Revision == 1 && h.Story[i] >= 0 && h.Story[j] >= 0 &&
					was.Story[k] >= 0 && was.Story[l] >= 0 && (h.Story[i] == h.Story[j]) != (was.Story[k] == was.Story[l]) {
					t.Errorf("%s and %s: in one story %v, were %v", a.Article.ID, b.Article.ID, h.Story[i] == h.Story[j], was.Story[k] == was.Story[l])
				}
				if h.Copy[i] >= 0 && h.Copy[i] == h.Copy[j] && h.Story[i] != h.Story[j] || h.Story[i] >= 0 && h.Story[i] == h.Story[j] && h.Topic[i] != h.Topic[j] {
					t.Errorf("%s and %s: copy groups, stories, topics are not nested: %+v", a.Article.ID, b.Article.ID, h)
				}
			}
		}
	})
}

// What filing decides does not depend on how much it remembers.
func TestFilingWithALittleMemory(t *testing.T) {
	partition := func(most int) string {
		h := setUp(t)
		h.memory.most = most
		for i := range 60 {
			id := fmt.Sprintf("a%02d", i)
			h.put(id, fmt.Sprintf("event%d", i*i%7), i)
			h.file(id)
		}
		h.check()
		h.memory.trim()
		if n := h.memory.recent.Len(); n > most || n != len(h.memory.articles) {
			t.Errorf("%d articles are remembered, %d found, want at most %d", n, len(h.memory.articles), most)
		}
		return h.partition()
	}
	want := partition(mostRemembered)
	for _, most := range []int{0, 1, 7} {
		if got := partition(most); got != want {
			t.Errorf("with %d articles remembered:\n%s\nwith all\n%s", most, got, want)
		}
	}
}
