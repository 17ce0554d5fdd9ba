package stories

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"throughline/internal/news"
	"throughline/internal/store"
	"throughline/internal/storetest"
	"throughline/internal/titles"
)

// chat is a model that names a subject after the first words of its articles. It keeps what it was
// asked.
type chat struct {
	mu     sync.Mutex
	asked  []titles.Subject
	answer func(titles.Subject) (titles.Title, error) // nil: the usual
}

func (*chat) Model() string { return "chat-model" }

func (*chat) Key(s titles.Subject) string { return fmt.Sprintf("%x", fmt.Sprint(s)) }

func (c *chat) Title(_ context.Context, s titles.Subject) (titles.Title, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, s)
	if c.answer != nil {
		return c.answer(s)
	}
	return titleOf(s), nil
}

func titleOf(s titles.Subject) titles.Title {
	var ids []string
	for _, a := range s.Articles {
		ids = append(ids, a.ID)
	}
	return titles.Title{Text: fmt.Sprintf("A %s of %s", s.Kind, strings.Join(ids, " and ")), Articles: ids}
}

// count says how many questions there were since the last time.
func (c *chat) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.asked)
	c.asked = nil
	return n
}

func (h *harness) name(c *chat) Named {
	h.Helper()
	named, err := h.Name(context.Background(), c)
	h.must(err)
	return named
}

func (h *harness) story(id string) store.Story {
	h.Helper()
	s, err := store.ResolveStory(context.Background(), h.store, id, store.WithNothing)
	h.must(err)
	return *s
}

func TestName(t *testing.T) {
	h := setUp(t)
	c := new(chat)
	if got := h.name(c); got != (Named{}) || c.count() != 0 {
		t.Errorf("an empty store: %+v", got)
	}
	h.fill()
	h.recluster()
	flood := h.together("f0", "f1")
	before := len(h.events())
	got := h.name(c)
	h.check()
	topics, err := h.Topics(context.Background(), TopicsRequest{})
	h.must(err)
	wide := 0 // topics and themes of several stories
	for _, topic := range topics {
		named := topic.TitleModel == "chat-model" && strings.HasPrefix(topic.Title, "A topic of ") && len(topic.TitleArticles) >= 2
		if topic.Stories >= 2 {
			wide++
		}
		if named != (topic.Stories >= 2) {
			t.Errorf("topic %s of %d stories is called %q", topic.ID, topic.Stories, topic.Title)
		}
	}
	if got.Titled != 5+wide || got.Failed != 0 || c.count() != 5+wide {
		t.Errorf("%+v, want 5 stories and %d topics", got, wide)
	}
	if s := h.story(flood); s.Title != "A story of f0 and f1" || s.TitleModel != "chat-model" || s.TitleKey == "" || fmt.Sprint(s.TitleArticles) != "[f0 f1]" {
		t.Errorf("the story is called %q, %+v", s.Title, s.Naming)
	}
	renamed := h.events()[before:]
	if len(renamed) != 5+wide {
		t.Errorf("%d events", len(renamed))
	}
	for _, e := range renamed {
		if e.Kind != news.Renamed || e.Level == "" && e.Title != h.story(e.ID).Title {
			t.Errorf("event %+v", e)
		}
	}

	// Nothing has changed: nothing is asked and nothing written, by this process, the next one, and
	// after reclustering.
	for _, again := range []func(){func() {}, h.restart, func() { h.recluster() }} {
		again()
		var got Named
		h.repairs()
		if writes := h.writes(func() { got = h.name(c) }); got != (Named{}) || c.count() != 0 || writes != 0 {
			t.Errorf("again: %+v and %d writes", got, writes)
		}
	}
	h.check()

	// One article more: one story is asked about again, and keeps its title while the model does
	// not answer.
	h.put("f2", "flood", 2)
	h.file("f2")
	h.check()
	if s := h.story(flood); s.Articles != 3 || s.Title != "A story of f0 and f1" {
		t.Errorf("joined by a third, the story of %d is called %q", s.Articles, s.Title)
	}
	c.answer = func(titles.Subject) (titles.Title, error) { return titles.Title{}, errors.New("no answer") }
	if got := h.name(c); got != (Named{Failed: 1}) || c.count() != 1 || h.story(flood).Title != "A story of f0 and f1" {
		t.Errorf("the model does not answer: %+v, %q", got, h.story(flood).Title)
	}
	c.answer = nil
	if got := h.name(c); got != (Named{Titled: 1}) || c.count() != 1 || h.story(flood).Title != "A story of f0 and f1 and f2" {
		t.Errorf("the model answers again: %+v, %q", got, h.story(flood).Title)
	}
	// Without most of the articles that the title cites it holds no longer.
	h.must(h.delete("f0"))
	if s := h.story(flood); s.TitleModel == "" {
		t.Errorf("with two of three cited articles the title is %q", s.Title)
	}
	h.put("f3", "flood", 3)
	h.file("f3")
	h.must(h.delete("f1"))
	if s := h.story(flood); s.Title != "On the flood" || s.TitleModel != "" || s.TitleArticles != nil {
		t.Errorf("with one of three cited articles the title is %q, %+v", s.Title, s.Naming)
	}
	h.check()
}

// A model that gives no good answer is not asked again, one that is down not for every story.
func TestNameWithoutAnswers(t *testing.T) {
	h := setUp(t)
	h.fill()
	h.recluster()
	n := len(h.events())
	c := &chat{answer: func(titles.Subject) (titles.Title, error) {
		return titles.Title{}, &titles.ReplyError{Reason: "nonsense"}
	}}
	got := h.name(c)
	asked := c.count()
	if got.Titled != 0 || got.Failed != asked || asked < 5 {
		t.Errorf("%+v after %d questions", got, asked)
	}
	if s := h.story(h.together("f0", "f1")); s.Title != "On the flood" || s.TitleModel != "" || s.Version != 1 {
		t.Errorf("without an answer a story is called %q, %+v", s.Title, s)
	}
	for _, again := range []func(){func() {}, h.restart, func() { h.recluster() }} {
		again()
		if got := h.name(c); got != (Named{}) || c.count() != 0 {
			t.Errorf("refused answers are asked for again: %+v", got)
		}
	}
	if len(h.events()) != n {
		t.Errorf("%d new events, and no title", len(h.events())-n)
	}
	h.check()
	h = setUp(t)
	h.fill()
	h.recluster()
	n = len(h.events())
	c.answer = func(titles.Subject) (titles.Title, error) { return titles.Title{}, errors.New("connection refused") }
	writes := h.writes(func() { h.name(c) })
	if n := c.count(); n < nameFailures || n > nameFailures+nameWidth {
		t.Errorf("an endpoint that is down was asked %d times", n)
	}
	if writes != 0 || len(h.events()) != n {
		t.Errorf("%d writes, %d new events, and no title", writes, len(h.events())-n)
	}
	h.check()
}

// A story that changes while the model thinks is left to the next round.
func TestNameWhatChanges(t *testing.T) {
	h := setUp(t)
	h.put("f0", "flood", 0)
	h.put("f1", "flood", 1)
	h.file("f0", "f1")
	flood := h.together("f0", "f1")
	c := new(chat)
	c.answer = func(s titles.Subject) (titles.Title, error) {
		if len(s.Articles) == 2 {
			h.put("f2", "flood", 2)
			h.file("f2")
		}
		return titleOf(s), nil
	}
	if got := h.name(c); got.Titled != 0 || h.story(flood).TitleModel != "" {
		t.Errorf("%+v: a story that has changed is called %q", got, h.story(flood).Title)
	}
	h.check()
	if got := h.name(c); got.Titled != 1 || h.story(flood).Title != "A story of f0 and f1 and f2" {
		t.Errorf("%+v: it is called %q", got, h.story(flood).Title)
	}
	h.check()
}

// Copies of one text are one article to the model, and one text alone needs no title.
func TestNameLeavesCopiesOut(t *testing.T) {
	h := setUp(t)
	h.putAll([]news.Article{h.on("f0", "flood"), h.on("f1", "flood"), h.on("v0", "vote"), h.on("v1", "vote"), h.on("v2", "vote")},
		[]string{told("flood", 0), told("flood", 0), told("vote", 0), told("vote", 0), told("vote", 1)})
	h.recluster()
	c := new(chat)
	h.name(c)
	for _, s := range c.asked {
		if s.Kind == titles.Story && (len(s.Articles) != 2 || s.Articles[1].ID != "v2" || s.Articles[0].Lede == "") {
			t.Errorf("asked about %+v", s)
		}
	}
	if h.story(h.together("f0", "f1")).TitleModel != "" || h.story(h.together("v0", "v1", "v2")).TitleModel == "" {
		t.Error("the story of two copies has a title of the model, or that of two texts has none")
	}
}

// Whichever write fails, the store stays whole, and the next round completes it.
func TestNameSurvivesFaults(t *testing.T) {
	for _, late := range []bool{false, true} {
		for failAt := 1; ; failAt++ {
			h := setUp(t)
			h.fill()
			h.recluster()
			h.faults.FailFrom(failAt, storetest.Writes, late, errInjected)
			_, err := h.Name(context.Background(), new(chat))
			done := h.faults.Stop() < failAt
			if done {
				h.must(err)
			} else if err == nil {
				t.Fatalf("write %d failed and nobody was told", failAt)
			}
			h.restart()
			h.name(new(chat))
			h.check()
			if s := h.story(h.together("f0", "f1")); s.Title != "A story of f0 and f1" {
				t.Errorf("after write %d failed the story is called %q", failAt, s.Title)
			}
			if done {
				if failAt < 3 {
					t.Fatalf("naming took %d writes", failAt-1)
				}
				break
			}
		}
	}
}

func TestKeepNaming(t *testing.T) {
	h := setUp(t)
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	c := new(chat)
	wait.Go(func() { h.keepNaming(ctx, c, time.Millisecond, time.Hour) })
	h.put("f0", "flood", 0)
	h.put("f1", "flood", 1)
	h.file("f0", "f1")
	flood := h.together("f0", "f1")
	for h.story(flood).TitleModel == "" {
		if t.Context().Err() != nil {
			t.Fatal("the story gets no title")
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	wait.Wait()
	h.check()
}
