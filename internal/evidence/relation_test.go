package evidence

import (
	"testing"
	"time"
)

func TestRelate(t *testing.T) {
	day := func(d int) time.Time { return time.Date(2024, 3, d, 12, 0, 0, 0, time.UTC) }
	near := Signals{Dated: true, Centred: .5, Names: .3}
	with := func(s Signals, days float64) Signals { s.Days = days; return s }
	for _, c := range []struct {
		name        string
		signals     Signals
		probability float64
		seed, other time.Time
		want        Relation
	}{
		{"a copy, however unlikely", Signals{Copy: true}, .1, day(1), day(9), RelationCopy},
		{"a quoted passage", Signals{Verbatim: .3}, .1, day(1), day(1), RelationNone},
		{"the same day", near, .9, day(1), day(1), RelationSameStory},
		{"the event four days later", with(near, 4), .9, day(1), day(5), RelationFollowUp},
		{"the event four days earlier", with(near, 4), .9, day(5), day(1), RelationSameStory},
		{"the same people later", with(near, 9), .2, day(1), day(10), RelationFollowUp},
		{"the same people earlier", with(near, 9), .2, day(10), day(1), RelationBackground},
		{"the same people, undated", Signals{Centred: .5, Names: .3}, .2, time.Time{}, day(1), RelationSameTopic},
		{"other people later", with(Signals{Dated: true, Centred: .5}, 9), .2, day(1), day(10), RelationSameTopic},
		{"unlike", Signals{Centred: .1, Names: .3}, .01, day(1), day(1), RelationNone},
	} {
		if got := Relate(c.signals, c.probability, c.seed, c.other); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
