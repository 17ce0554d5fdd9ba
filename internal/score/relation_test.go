package score

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestRelate(t *testing.T) {
	day := func(d int) time.Time { return time.Date(2024, 3, d, 12, 0, 0, 0, time.UTC) }
	near := Signals{Dated: true, Centred: .5, Names: .3}
	with := func(s Signals, days float64) Signals { s.Days = days; return s }
	for _, c := range []struct {
		name        string
		signals     Signals
		probability float64
		filed       Filed
		topic       bool
		seed, other time.Time
		want        Relation
	}{
		{"a copy, however unlikely", Signals{Copy: true}, .1, Unfiled, false, day(1), day(9), RelationCopy},
		{"a quoted passage", Signals{Verbatim: .3}, .1, Unfiled, false, day(1), day(1), RelationNone},
		{"the same day", near, .9, Unfiled, false, day(1), day(1), RelationSameStory},
		{"the event four days later", with(near, 4), .9, Unfiled, false, day(1), day(5), RelationFollowUp},
		{"the event four days earlier", with(near, 4), .9, Unfiled, false, day(5), day(1), RelationSameStory},
		{"the same people later", with(near, 9), .2, Unfiled, false, day(1), day(10), RelationFollowUp},
		{"the same people earlier", with(near, 9), .2, Unfiled, false, day(10), day(1), RelationBackground},
		{"the same people, undated", Signals{Centred: .5, Names: .3}, .2, Unfiled, false, time.Time{}, day(1), RelationSameTopic},
		{"other people later", with(Signals{Dated: true, Centred: .5}, 9), .2, Unfiled, false, day(1), day(10), RelationSameTopic},
		{"unlike, in one story", Signals{Centred: .1}, .01, SameStory, false, day(1), day(1), RelationSameStory},
		{"unlike, in one story, later", with(Signals{Dated: true}, 3), .01, SameStory, false, day(1), day(4), RelationFollowUp},
		{"unlike, in one story, earlier", with(Signals{Dated: true}, 3), .01, SameStory, false, day(4), day(1), RelationSameStory},
		{"alike, in two stories", near, .9, DifferentStory, false, day(1), day(1), RelationSameTopic},
		{"alike, in two stories, later", with(near, 5), .9, DifferentStory, false, day(1), day(6), RelationFollowUp},
		{"alike, in two stories, earlier", with(near, 5), .9, DifferentStory, false, day(6), day(1), RelationBackground},
		{"a copy in two stories", Signals{Copy: true}, .9, DifferentStory, false, day(1), day(1), RelationCopy},
		{"unlike, of one topic", Signals{Centred: .1}, .01, Unfiled, true, day(1), day(1), RelationNone},
		{"somewhat alike, of one topic", Signals{Centred: .2}, .01, Unfiled, true, day(1), day(1), RelationSameTopic},
		{"somewhat alike, of two topics", Signals{Centred: .2}, .01, Unfiled, false, day(1), day(1), RelationNone},
		{"perhaps the same event", Signals{Centred: .2}, .39, Unfiled, false, day(1), day(1), RelationSameTopic},
		{"perhaps the same event, the same people later", with(Signals{Dated: true, Centred: .2, Names: .2}, 5), .39, Unfiled, false, day(1), day(6), RelationFollowUp},
		{"perhaps the same event, the same people earlier", with(Signals{Dated: true, Centred: .2, Names: .2}, 5), .39, Unfiled, false, day(6), day(1), RelationBackground},
		{"perhaps the same event, other people later", with(Signals{Dated: true, Centred: .2}, 5), .39, Unfiled, false, day(1), day(6), RelationSameTopic},
		{"the same people later, of one topic", with(near, 9), .2, DifferentStory, true, day(1), day(10), RelationFollowUp},
		{"unlike, in two stories", Signals{Centred: .1, Names: .3}, .01, DifferentStory, false, day(1), day(1), RelationNone},
		{"unlike", Signals{Centred: .1, Names: .3}, .01, Unfiled, false, day(1), day(1), RelationNone},
	} {
		if got := Relate(c.signals, c.probability, c.filed, c.topic, c.seed, c.other); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// The order of two articles says nothing but which came first, and what is not known to be later is
// no follow-up.
func TestRelateBothWays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySignals(t)
		filed := rapid.SampledFrom([]Filed{Unfiled, SameStory, DifferentStory}).Draw(t, "filed")
		topic := rapid.Bool().Draw(t, "topic")
		probability := rapid.Float64Range(0, 1).Draw(t, "probability")
		when := func(name string) time.Time {
			days := rapid.IntRange(-1, 20).Draw(t, name)
			if days < 0 {
				return time.Time{}
			}
			return time.Date(2024, 3, 1+days, 12, 0, 0, 0, time.UTC)
		}
		seed, other := when("seed"), when("other")
		if s.Dated = !seed.IsZero() && !other.IsZero(); s.Dated {
			s.Days = math.Abs(other.Sub(seed).Hours() / 24)
		}
		there, back := Relate(s, probability, filed, topic, seed, other), Relate(s, probability, filed, topic, other, seed)
		switch there {
		case RelationFollowUp:
			if !s.Dated || !other.After(seed) {
				t.Fatalf("a follow-up from %v to %v", seed, other)
			}
			if back != RelationBackground && back != RelationSameStory {
				t.Fatalf("the reverse of a follow-up is %s", back)
			}
		case RelationBackground:
			if !s.Dated || !other.Before(seed) || back != RelationFollowUp {
				t.Fatalf("a background from %v to %v, its reverse is %s", seed, other, back)
			}
		case RelationSameStory:
			if back != RelationSameStory && back != RelationFollowUp {
				t.Fatalf("the reverse of the same story is %s", back)
			}
		default:
			if back != there {
				t.Fatalf("%s one way, %s the other", there, back)
			}
		}
		if filed == SameStory && there != RelationCopy && there != RelationSameStory && there != RelationFollowUp {
			t.Fatalf("in one story, and %s", there)
		}
		if filed == DifferentStory && there == RelationSameStory {
			t.Fatal("in two stories, and the same")
		}
	})
}

// With all else equal, more evidence never gives a weaker relation.
func TestRelateIsMonotone(t *testing.T) {
	strength := map[Relation]int{RelationNone: 0, RelationSameTopic: 1, RelationBackground: 2, RelationFollowUp: 2, RelationSameStory: 3, RelationCopy: 4}
	rapid.Check(t, func(t *rapid.T) {
		s := anySignals(t)
		filed := rapid.SampledFrom([]Filed{Unfiled, SameStory, DifferentStory}).Draw(t, "filed")
		topic := rapid.Bool().Draw(t, "topic")
		share := rapid.Float64Range(0, 1)
		probability := share.Draw(t, "probability")
		seed := time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)
		other := seed.AddDate(0, 0, rapid.SampledFrom([]int{-1, 1}).Draw(t, "order")*int(s.Days))
		before := Relate(s, probability, filed, topic, seed, other)
		more, moreProbability, moreTopic := s, probability, topic
		switch rapid.SampledFrom([]string{"probability", "centred", "names", "topic", "copy"}).Draw(t, "more of") {
		case "probability":
			moreProbability += (1 - probability) * share.Draw(t, "more")
		case "centred":
			more.Centred += (1 - s.Centred) * share.Draw(t, "more")
		case "names":
			more.Names += (1 - s.Names) * share.Draw(t, "more")
		case "topic":
			moreTopic = true
		case "copy":
			more.Copy = true
		}
		after := Relate(more, moreProbability, filed, moreTopic, seed, other)
		if strength[after] < strength[before] {
			t.Fatalf("%s, and with more evidence %s", before, after)
		}
	})
}
