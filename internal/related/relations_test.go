package related

import (
	"fmt"
	"testing"

	"throughline/internal/evidence"
	"throughline/internal/seedtest"
)

// relationOf is how one article is related to another; RelationNone when it is not among what is related, too.
func (h *harness) relationOf(seed, other string) evidence.Relation {
	h.Helper()
	for _, r := range h.related(Request{Seed: Seed{ArticleID: seed}, Shape: Shape{IncludeCopies: true}}) {
		if r.Article.ID == other {
			return r.Relation
		}
	}
	return evidence.RelationNone
}

// kindsOfRelation holds, for every kind, pairs of sample articles of which a reader would say so, and pairs that come close.
func kindsOfRelation(t *testing.T, h *harness) {
	for _, c := range []struct {
		seed, other string
		want        evidence.Relation
		back        evidence.Relation // the other way
	}{
		// One wire report: whole, edited, and cut short; and another report of the same event, which is none.
		{"turkey-quake-wire", "turkey-quake-harbour-copy", evidence.RelationCopy, evidence.RelationCopy},
		{"turkey-quake-wire", "turkey-quake-valley-copy", evidence.RelationCopy, evidence.RelationCopy},
		{"turkey-quake-harbour-copy", "turkey-quake-valley-copy", evidence.RelationCopy, evidence.RelationCopy},
		{"baltimore-bridge-wire", "baltimore-bridge-tidewater-copy", evidence.RelationCopy, evidence.RelationCopy},
		{"fed-cut-wire", "fed-cut-plains-copy", evidence.RelationCopy, evidence.RelationCopy},
		// One event, told on the same or the next day.
		{"crocus-mourning", "crocus-suspects", evidence.RelationSameStory, evidence.RelationSameStory},
		{"qatar-final-report", "qatar-final-mbappe", evidence.RelationSameStory, evidence.RelationSameStory},
		// What came of it.
		{"crocus-breaking", "crocus-anniversary", evidence.RelationFollowUp, evidence.RelationSameStory},
		{"crocus-breaking", "crocus-suspects", evidence.RelationFollowUp, evidence.RelationSameStory},
		{"turkey-quake-rescue", "turkey-quake-year", evidence.RelationFollowUp, evidence.RelationSameStory},
		// Another event that grew out of the first: what came before is its background.
		{"butler-breaking", "westpalm-breaking", evidence.RelationFollowUp, evidence.RelationBackground},
		// Look-alikes: much in common, and not the same.
		{"noto-quake-breaking", "morocco-quake-breaking", evidence.RelationSameTopic, evidence.RelationSameTopic},
		{"euro2024-final", "copa2024-final", evidence.RelationSameTopic, evidence.RelationSameTopic},
		{"fed-cut-wire", "boj-households", evidence.RelationSameTopic, evidence.RelationSameTopic},
		// Nothing in common.
		{"crocus-breaking", "euro2024-final", evidence.RelationNone, evidence.RelationNone},
		{"fed-cut-wire", "starship5-catch", evidence.RelationNone, evidence.RelationNone},
	} {
		if got, back := h.relationOf(c.seed, c.other), h.relationOf(c.other, c.seed); got != c.want || back != c.back {
			t.Errorf("%s is %s of %s and the reverse %s; want %s and %s", c.other, got, c.seed, back, c.want, c.back)
		}
	}
}

// relationsOfSeeds asks about every sample article and counts the relations of what comes back, by what a reader would say.
func relationsOfSeeds(t *testing.T, h *harness, expected seedtest.Expected) {
	articles := make(map[string]seedtest.Article)
	for _, a := range expected.Articles {
		articles[a.ID] = a
	}
	alike, follows := make(map[[2]string]bool), make(map[[2]string]bool)
	for _, l := range expected.LookAlikes {
		for _, a := range l.Stories {
			for _, b := range l.Stories {
				alike[[2]string{a, b}] = a != b
			}
		}
	}
	for _, s := range expected.Sequels {
		follows[[2]string{s.Follows, s.Story}] = true
	}
	text := func(a seedtest.Article) string {
		if a.CopyOf != "" {
			return a.CopyOf
		}
		return a.ID
	}
	kind := func(a, b seedtest.Article) string {
		pair := [2]string{a.Story, b.Story}
		switch topic := expected.TopicOf(a); {
		case text(a) == text(b):
			return "copy"
		case a.Story != "" && a.Story == b.Story:
			return "same story"
		case follows[pair]:
			return "sequel"
		case follows[[2]string{b.Story, a.Story}]:
			return "prequel"
		case alike[pair]:
			return "look-alike"
		case topic != "" && topic == expected.TopicOf(b):
			return "same topic"
		}
		return "other"
	}
	counts := make(map[string]map[evidence.Relation]int)
	for _, a := range expected.Articles {
		seed := h.published(a.ID)
		for _, r := range h.related(Request{Seed: Seed{ArticleID: a.ID}, Shape: Shape{IncludeCopies: true}}) {
			b := articles[r.Article.ID]
			k := kind(a, b)
			if counts[k] == nil {
				counts[k] = make(map[evidence.Relation]int)
			}
			counts[k][r.Relation]++
			days := r.Article.Published.Sub(seed.Published).Hours() / 24
			dated := !seed.Published.IsZero() && !r.Article.Published.IsZero()
			if r.Relation == evidence.RelationFollowUp && (!dated || days < 1) || r.Relation == evidence.RelationBackground && (!dated || days > -1) {
				t.Errorf("%s is %s of %s after %.1f days", b.Handle(), r.Relation, a.Handle(), days)
			}
			if seed.StoryID != "" && seed.StoryID == r.Article.StoryID && (r.Relation == evidence.RelationNone || r.Relation == evidence.RelationSameTopic) {
				t.Errorf("%s is %s of %s, with which it is filed", b.Handle(), r.Relation, a.Handle())
			}
			if (r.Relation == evidence.RelationCopy) != (k == "copy") {
				t.Errorf("%s is %s of %s, expected is %s", b.Handle(), r.Relation, a.Handle(), k)
			}
		}
	}
	in := func(relations []evidence.Relation, kinds ...string) (n int) {
		for _, k := range kinds {
			for _, r := range relations {
				n += counts[k][r]
			}
		}
		return n
	}
	for _, k := range []string{"copy", "same story", "sequel", "prequel", "look-alike", "same topic", "other"} {
		line := fmt.Sprintf("%-11s", k)
		for r := evidence.RelationNone; r <= evidence.RelationSameTopic; r++ {
			line += fmt.Sprintf("  %s %d", r, counts[k][r])
		}
		t.Log(line)
	}
	same := []evidence.Relation{evidence.RelationCopy, evidence.RelationSameStory}
	if wrong, right := in(same, "look-alike", "same topic", "other"), in(same, "copy", "same story"); wrong*50 > right || right < 120 {
		t.Errorf("%d are rightly of the same story, %d wrongly", right, wrong)
	}
	timed := []evidence.Relation{evidence.RelationFollowUp, evidence.RelationBackground}
	if wrong, right := in(timed, "look-alike", "same topic", "other"), in(timed, "same story", "sequel", "prequel"); wrong*8 > right || right < 120 {
		t.Errorf("%d are rightly follow-ups and backgrounds, %d wrongly", right, wrong)
	}
	if n := in(timed[:1], "prequel") + in(timed[1:], "sequel"); n > 0 {
		t.Errorf("%d are before what they follow up on, or after what they are the background of", n)
	}
	if none, all := in([]evidence.Relation{evidence.RelationNone}, "same story", "sequel", "prequel"), in([]evidence.Relation{0, 1, 2, 3, 4, 5}, "same story", "sequel", "prequel"); none*10 > all {
		t.Errorf("of %d of one thread %d have no relation", all, none)
	}
}
