package related_test

import (
	"fmt"

	"throughline/internal/related"
	"throughline/internal/score"
	"throughline/internal/seedtest"
)

// relationOf is how one article is related to another; RelationNone when it is not among what is
// related, too.
func (s samples) relationOf(seed, other string) score.Relation {
	s.Helper()
	for _, r := range s.ask(related.Request{Seed: related.Seed{ArticleID: seed}, ListOptions: related.ListOptions{IncludeCopies: true}}) {
		if r.Article.ID == other {
			return r.Relation
		}
	}
	return score.RelationNone
}

// kindsOfRelation holds, for every kind, pairs of sample articles of which a reader would say so,
// and pairs that come close.
func kindsOfRelation(s samples) {
	for _, c := range []struct {
		seed, other string
		want        score.Relation
		back        score.Relation // the other way
	}{
		// One wire report: whole, edited, and cut short; and another report of the same event,
		// which is none.
		{"turkey-quake-wire", "turkey-quake-harbour-copy", score.RelationCopy, score.RelationCopy},
		{"turkey-quake-wire", "turkey-quake-valley-copy", score.RelationCopy, score.RelationCopy},
		{"turkey-quake-harbour-copy", "turkey-quake-valley-copy", score.RelationCopy, score.RelationCopy},
		{"baltimore-bridge-wire", "baltimore-bridge-tidewater-copy", score.RelationCopy, score.RelationCopy},
		{"fed-cut-wire", "fed-cut-plains-copy", score.RelationCopy, score.RelationCopy},
		// One event, told on the same or the next day.
		{"crocus-mourning", "crocus-suspects", score.RelationSameStory, score.RelationSameStory},
		{"qatar-final-report", "qatar-final-mbappe", score.RelationSameStory, score.RelationSameStory},
		// What came of it.
		{"crocus-breaking", "crocus-anniversary", score.RelationFollowUp, score.RelationSameStory},
		{"crocus-breaking", "crocus-suspects", score.RelationFollowUp, score.RelationSameStory},
		{"turkey-quake-rescue", "turkey-quake-year", score.RelationFollowUp, score.RelationSameStory},
		// Another event that grew out of the first: what came before is its background.
		{"butler-breaking", "westpalm-breaking", score.RelationFollowUp, score.RelationBackground},
		// Look-alikes: much in common, and not the same.
		{"noto-quake-breaking", "morocco-quake-breaking", score.RelationSameTopic, score.RelationSameTopic},
		{"euro2024-final", "copa2024-final", score.RelationSameTopic, score.RelationSameTopic},
		{"fed-cut-wire", "ecb-cut-june-2024", score.RelationSameTopic, score.RelationSameTopic},
		// Nothing in common.
		{"crocus-breaking", "euro2024-final", score.RelationNone, score.RelationNone},
		{"fed-cut-wire", "starship5-catch", score.RelationNone, score.RelationNone},
	} {
		if got, back := s.relationOf(c.seed, c.other), s.relationOf(c.other, c.seed); got != c.want || back != c.back {
			s.Errorf("%s is %s of %s and the reverse %s; want %s and %s", c.other, got, c.seed, back, c.want, c.back)
		}
	}
}

// relationsOfSeeds asks about every sample article and counts the relations of what comes back, by
// what a reader would say.
func relationsOfSeeds(s samples, expected seedtest.Expected) {
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
	for _, later := range expected.Sequels {
		follows[[2]string{later.Follows, later.Story}] = true
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
	counts := make(map[string]map[score.Relation]int)
	for _, a := range expected.Articles {
		seed := s.stored(a.ID)
		for _, r := range s.ask(related.Request{Seed: related.Seed{ArticleID: a.ID}, ListOptions: related.ListOptions{IncludeCopies: true}}) {
			b := articles[r.Article.ID]
			k := kind(a, b)
			if counts[k] == nil {
				counts[k] = make(map[score.Relation]int)
			}
			counts[k][r.Relation]++
			days := r.Article.Published.Sub(seed.Published).Hours() / 24
			dated := !seed.Published.IsZero() && !r.Article.Published.IsZero()
			if r.Relation == score.RelationFollowUp && (!dated || days < 1) || r.Relation == score.RelationBackground && (!dated || days > -1) {
				s.Errorf("%s is %s of %s after %.1f days", b.Handle(), r.Relation, a.Handle(), days)
			}
			if seed.StoryID != "" && seed.StoryID == r.Article.StoryID && (r.Relation == score.RelationNone || r.Relation == score.RelationSameTopic) {
				s.Errorf("%s is %s of %s, with which it is filed", b.Handle(), r.Relation, a.Handle())
			}
			if (r.Relation == score.RelationCopy) != (k == "copy") {
				s.Errorf("%s is %s of %s, expected is %s", b.Handle(), r.Relation, a.Handle(), k)
			}
		}
	}
	in := func(relations []score.Relation, kinds ...string) (n int) {
		for _, k := range kinds {
			for _, r := range relations {
				n += counts[k][r]
			}
		}
		return n
	}
	for _, k := range []string{"copy", "same story", "sequel", "prequel", "look-alike", "same topic", "other"} {
		line := fmt.Sprintf("%-11s", k)
		for r := score.RelationNone; r < score.Relations; r++ {
			line += fmt.Sprintf("  %s %d", r, counts[k][r])
		}
		s.Log(line)
	}
	same := []score.Relation{score.RelationCopy, score.RelationSameStory}
	if wrong, right := in(same, "look-alike", "same topic", "other"), in(same, "copy", "same story"); wrong*50 > right || right < 120 {
		s.Errorf("%d are rightly of the same story, %d wrongly", right, wrong)
	}
	timed := []score.Relation{score.RelationFollowUp, score.RelationBackground}
	if wrong, right := in(timed, "look-alike", "same topic", "other"), in(timed, "same story", "sequel", "prequel"); wrong*8 > right || right < 120 {
		s.Errorf("%d are rightly follow-ups and backgrounds, %d wrongly", right, wrong)
	}
	if n := in(timed[:1], "prequel") + in(timed[1:], "sequel"); n > 0 {
		s.Errorf("%d are before what they follow up on, or after what they are the background of", n)
	}
	if none, all := in([]score.Relation{score.RelationNone}, "same story", "sequel", "prequel"), in([]score.Relation{0, 1, 2, 3, 4, 5}, "same story", "sequel", "prequel"); none*10 > all {
		s.Errorf("of %d of one thread %d have no relation", all, none)
	}
}
