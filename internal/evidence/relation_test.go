package evidence

import (
	"strings"
	"testing"
	"time"

	"throughline/internal/lexical"
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
		{"a copy, however unlikely", Signals{Shared: .9, SharedOf: 80}, .1, day(1), day(9), RelationCopy},
		{"a headline within an article", Signals{Shared: 1, SharedOf: 6}, .1, day(1), day(1), RelationNone},
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

func TestCopies(t *testing.T) {
	text := strings.Join(strings.Fields(`The harbour bridge at Lindholm was closed to lorries on Tuesday after inspectors found cracks in two
of its steel girders. Engineers from the transport agency said repairs would take at least six weeks and cost nine million crowns.
Ferry operators added four sailings a day, and hauliers warned of shortages on the northern islands. Mayor Ingrid Solberg called the
closure unavoidable and asked commuters to share cars. The bridge opened in 1968 and carries eleven thousand vehicles on a normal day.`), " ")
	edited := strings.NewReplacer("at least six weeks", "six weeks or more", "unavoidable", "necessary").Replace(text)
	cut := text[:len(text)/2]
	other := `Cracks have shut the Lindholm crossing to heavy traffic. The agency in charge expects the work to last until May. Shops on the
islands fear empty shelves; Solberg, the mayor, urged patience. A ferry company will sail more often. Built in the sixties, the bridge was due
for replacement, according to a report that the council received last autumn and never discussed in public.`
	framed := "Follow us for more stories. " + text + " Reporting by our correspondents. Sign up to the newsletter."
	c := NewCorpus()
	profile := func(text string) *Profile {
		return &Profile{Lex: lexical.Analyze("", text)}
	}
	for _, tt := range []struct {
		name string
		a, b string
		want bool
	}{
		{"the same text", text, text, true},
		{"two words edited", text, edited, true},
		{"the first half", text, cut, true},
		{"with other frames", framed, edited, true},
		{"another report", text, other, false},
		{"one sentence", text, text[:100], false},
	} {
		s := c.Compare(profile(tt.a), profile(tt.b))
		if got := IsCopy(s); got != tt.want {
			t.Errorf("%s: copy = %v at a share of %.2f of %d words, want %v", tt.name, got, s.Shared, s.SharedOf, tt.want)
		}
		if back := c.Compare(profile(tt.b), profile(tt.a)); back.Shared != s.Shared {
			t.Errorf("%s: share %v one way, %v the other", tt.name, s.Shared, back.Shared)
		}
	}
}
