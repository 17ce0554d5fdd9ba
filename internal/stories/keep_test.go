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
	for name, c := range map[string]struct {
		u    unarranged
		want bool
	}{
		"nothing has changed":          {unarranged{last: now.Add(-time.Hour)}, false},
		"quiet":                        {unarranged{articles: 1, last: now.Add(-arrangeQuiet)}, true},
		"not quiet":                    {unarranged{articles: 9, last: now.Add(-time.Second)}, false},
		"not quiet, a tenth":           {unarranged{articles: 10, last: now}, true},
		"rests, though quiet":          {unarranged{articles: 1, last: now.Add(-time.Hour), rest: now.Add(1)}, false},
		"rests, though all is changed": {unarranged{articles: 100, last: now, rest: now.Add(1)}, false},
		"has rested":                   {unarranged{articles: 1, last: now.Add(-time.Hour), rest: now}, true},
	} {
		if got := c.u.due(now, 100); got != c.want {
			t.Errorf("%s: due %v", name, got)
		}
	}
	quiet := unarranged{articles: 1, last: now.Add(-time.Hour)}
	if !quiet.due(now, arrangeMost) || quiet.due(now, arrangeMost+1) {
		t.Error("the number of articles does not matter")
	}
	var u unarranged
	u.ended(now, 3*time.Second, nil)
	if want := now.Add(12 * time.Second); u.rest != want {
		t.Errorf("rests until %v, want %v", u.rest, want)
	}
	var rests []string
	for range 9 {
		u.ended(now, time.Second, errors.New("no"))
		rests = append(rests, u.rest.Sub(now).String())
	}
	if got := strings.Join(rests, " "); got != "30s 1m0s 2m0s 4m0s 8m0s 16m0s 32m0s 1h0m0s 1h0m0s" {
		t.Errorf("after failures it rests %s", got)
	}
}

// Articles that were filed are arranged when it has become quiet, once, as the last request wanted.
func TestArticlesAreKeptArranged(t *testing.T) {
	h := setUp(t)
	h.fill()
	keep := func() (writes int) {
		return h.writes(func() { h.must(h.keepArranged(t.Context())) })
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
	h.later += arrangeQuiet
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
	h.later += arrangeQuiet
	if n := keep(); n != 0 {
		t.Errorf("nothing has changed, and there were %d writes", n)
	}
	if err := h.Delete(t.Context(), "nobody", func() (*store.Stored, error) { return nil, store.ErrNotFound }); !errors.Is(err, store.ErrNotFound) || h.unarranged.articles != 0 {
		t.Errorf("an unknown article: %v, %d articles to arrange", err, h.unarranged.articles)
	}
	h.must(h.delete("m9"))
	h.later += arrangeQuiet
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
			h.KeepArranged(ctx)
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

// Articles arrive, change and go while others are arranged. In the end the stories are those of a
// store in which everything was arranged at once.
func TestArrangingWhileArticlesArrive(t *testing.T) {
	h, calm := setUp(t), setUp(t)
	ctx, stop := context.WithCancel(t.Context())
	var arranging sync.WaitGroup
	arranging.Go(func() {
		for ctx.Err() == nil {
			if _, err := h.Recluster(ctx, ReclusterOptions{}, nil); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	})
	for i := range 60 {
		id, event := fmt.Sprintf("a%02d", i), fmt.Sprintf("event%d", i*i%7)
		h.put(id, event, i)
		h.file(id)
		calm.put(id, event, i)
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

// Calls that wait for their turn are filed together, by whichever has it first. One that nobody
// waits for any more leaves its articles pending, or filed.
func TestCallsAreFiledTogether(t *testing.T) {
	h := setUp(t)
	unlock, err := h.write(t.Context())
	h.must(err)
	gone, leave := context.WithCancel(t.Context())
	var calls sync.WaitGroup
	ids := make([]string, 12)
	for i := range ids {
		ids[i] = fmt.Sprintf("a%02d", i)
		h.put(ids[i], fmt.Sprintf("event%d", i/4), i)
		calls.Go(func() {
			ctx := t.Context()
			if i == 5 {
				ctx = gone
			}
			if err := h.File(ctx, []string{ids[i]}); (err != nil) != (i == 5) {
				t.Errorf("%s: %v", ids[i], err)
			}
		})
	}
	waiting := func() int {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.requests)
	}
	for waiting() < 12 {
		time.Sleep(time.Millisecond)
	}
	leave()
	for waiting() == 12 {
		time.Sleep(time.Millisecond)
	}
	writes := h.writes(func() {
		unlock()
		calls.Wait()
	})
	if writes > 12 {
		t.Errorf("12 calls took %d writes", writes)
	}
	h.check()
	if got := h.pending(); got != 1 || waiting() != 0 {
		t.Errorf("%d articles are pending, %d calls wait", got, waiting())
	}
	h.file("a05")
	for i := 0; i < 12; i += 4 {
		h.together(ids[i : i+4]...)
	}
	h.check()
}
