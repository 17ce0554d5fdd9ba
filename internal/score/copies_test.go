package score

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"throughline/internal/evaltest"
	"throughline/internal/lexical"
)

const harbour = `The harbour bridge at Lindholm was closed to lorries on Tuesday after inspectors found cracks in two of its steel girders. ` +
	`Engineers from the transport agency said repairs would take at least six weeks and cost nine million crowns. Ferry operators added ` +
	`four sailings a day, and hauliers warned of shortages on the northern islands. Mayor Ingrid Solberg called the closure unavoidable ` +
	`and asked commuters to share cars. The bridge opened in 1968 and carries eleven thousand vehicles on a normal day.`

// frame is what an outlet prints around every report.
const frame = `Follow us on all channels for more stories from around the region. Sign up to the newsletter and get the best of ` +
	`the week in your inbox every Friday. This material may not be published, broadcast, rewritten or redistributed without permission. ` +
	`Reporting by our correspondents, editing by the night desk. Have a tip? Write to the newsroom, we read every message.`

func TestCopies(t *testing.T) {
	edited := strings.NewReplacer("at least six weeks", "six weeks or more", "unavoidable", "necessary", "Tuesday", "Wednesday").Replace(harbour)
	other := `Cracks have shut the Lindholm crossing to heavy traffic. The agency in charge expects the work to last until May. Shops on the
islands fear empty shelves; Solberg, the mayor, urged patience. A ferry company will sail more often. Built in the sixties, the bridge was due
for replacement, according to a report that the council received last autumn and never discussed in public.`
	quoting := other + ` "Engineers from the transport agency said repairs would take at least six weeks and cost nine million crowns," she told the council.`
	elsewhere := `A freight train left the rails near Osterby early on Sunday and spilled grain across both tracks. Nobody was hurt.`
	another := `Voters in Sundvik rejected a plan for a swimming hall by 812 votes to 790 on Saturday, the clerk Per Nyman said.`
	// A form that is filled in with other places and figures.
	form := func(place, chief, figures string) string {
		return fmt.Sprintf(`Officers were called to a home in %s shortly after midnight following reports of shots, according to a statement by the
sheriff's office. One person was taken to a nearby hospital with injuries that are not believed to be life-threatening. No arrests have been
made and the investigation is ongoing, Sheriff %s said. Anyone with information is asked to call %s or to leave a message.`, place, chief, figures)
	}
	for _, tt := range []struct {
		name  string
		a, b  string
		want  bool
		words bool // whether words alone, which is all that is known of articles stored earlier, say so
	}{
		{"the same text", harbour, harbour, true, true},
		{"a few words edited", harbour, edited, true, true},
		{"the first half", harbour, harbour[:len(harbour)/2], true, true},
		{"in a frame as long as the text", frame + "\n\n" + harbour, edited, true, true},
		{"the first half with a paragraph before it", harbour, elsewhere + "\n\n" + harbour[:len(harbour)*2/3], true, false},
		{"another report", harbour, other, false, false},
		{"another report that quotes a sentence", harbour, quoting, false, false},
		{"one sentence", harbour, harbour[:100], false, false},
		{"two reports in one frame", elsewhere + " " + frame, another + " " + frame, false, false},
		{"one form, two incidents", form("Oakdale", "Dana Whitfield", "555-0142"), form("Marrow Creek", "Luis Ortega", "555-0177"), false, false},
	} {
		for _, words := range []bool{false, true} {
			// A corpus of both, so that what both have is not rare, and some others.
			texts := []string{tt.a, tt.b, form("Little Harbour", "Ann Bell", "555-0101")}
			for i := range 30 { // the frame is around every report of its outlet
				texts = append(texts, fmt.Sprintf("Report %d of the day. %s", i, frame))
			}
			fs := make([]Features, len(texts))
			for i, text := range texts {
				if fs[i].Lex = lexical.Analyze("", text); words {
					fs[i].Lex.Shingles = nil
				}
			}
			st := stateOf(fs)
			s, back := st.Compare(&fs[0], &fs[1]), st.Compare(&fs[1], &fs[0])
			want := tt.want
			if words {
				want = tt.words
			}
			if s.Copy != want {
				t.Errorf("%s (words alone: %v): copy = %v at %.2f, want %v", tt.name, words, s.Copy, s.Verbatim, want)
			}
			if back.Copy != s.Copy || back.Verbatim != s.Verbatim {
				t.Errorf("%s: %v %v one way, %v %v the other", tt.name, s.Copy, s.Verbatim, back.Copy, back.Verbatim)
			}
		}
	}
}

// Cutting a text short, framing it, and adding to it leaves it a copy, whatever the text.
func TestCopiesOfAnyText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.StringMatching(`[a-z]{3,9}`), 80, 160).Draw(t, "words")
		names := rapid.SliceOfN(rapid.StringMatching(`[A-Z][a-z]{4,9}`), 5, 9).Draw(t, "names")
		for i, n := range names {
			words[7+i*8] = n
		}
		keep := rapid.IntRange(60, len(words)).Draw(t, "keep")
		copied := words[:keep]
		if rapid.Bool().Draw(t, "framed") {
			copied = append(strings.Fields(frame), copied...)
		}
		s := stateOf(nil).Compare(&Features{Lex: lexical.Analyze("", strings.Join(words, " "))}, &Features{Lex: lexical.Analyze("Title", strings.Join(copied, " "))})
		if !s.Copy {
			t.Fatalf("no copy: %.2f of the runs are shared", s.Verbatim)
		}
	})
}

// edits are what becomes of the text of an agency on its way into another outlet.
var edits = []struct {
	name string
	of   func(r *rand.Rand, text string) string
	min  float64 // share that must be recognised, of every set
}{
	{"as it is", func(_ *rand.Rand, text string) string { return text }, 1},
	{"first 40 %", func(_ *rand.Rand, text string) string { return firstWords(text, .4) }, .93},
	{"in a frame of 65 words", func(_ *rand.Rand, text string) string { return frame + "\n\n" + text }, .97},
	{"every 20th word replaced", func(r *rand.Rand, text string) string { return replaced(r, text, .05) }, .99},
	{"every 10th word replaced", func(r *rand.Rand, text string) string { return replaced(r, text, .1) }, .85},
	{"a third of the sentences dropped", func(r *rand.Rand, text string) string {
		return sentences(text, func(s string) string {
			if r.Float64() < 1./3 {
				return ""
			}
			return s
		})
	}, .75}, // of four sentences one may be left
	{"a paragraph put in after every third sentence", func(r *rand.Rand, text string) string {
		n := 0
		return sentences(text, func(s string) string {
			if n++; n%3 == 0 {
				return s + " In other news, " + replaced(r, "the council met again on the question of who should pay for it and agreed to meet once more", .8) + "."
			}
			return s
		})
	}, .93},
	{"first 40 %, every 20th word replaced, in a frame", func(r *rand.Rand, text string) string {
		return replaced(r, firstWords(text, .4), .05) + "\n\n" + frame
	}, 0},
}

func firstWords(text string, share float64) string {
	w := strings.Fields(text)
	return strings.Join(w[:int(share*float64(len(w)))], " ")
}

func replaced(r *rand.Rand, text string, share float64) string {
	w := strings.Fields(text)
	for i := range w {
		if r.Float64() < share && !strings.ContainsAny(w[i], "\"“”") { // whoever edits closes what is open
			w[i] = string([]byte{'q', byte('a' + r.IntN(26)), byte('a' + r.IntN(26)), 'x', byte('a' + r.IntN(26))})
		}
	}
	return strings.Join(w, " ")
}

func sentences(text string, each func(string) string) string {
	var out []string
	for s := range strings.SplitSeq(text, ". ") {
		out = append(out, each(s))
	}
	return strings.Join(out, ". ")
}

// TestCopyQuality edits the articles of labelled sets and compares them with what they were; and
// compares all pairs of articles of two events, and those of one event in sets whose reports are
// independent.
func TestCopyQuality(t *testing.T) {
	if testing.Short() {
		t.Skip("compares two million pairs: run without -short")
	}
	for _, c := range []struct {
		set         string
		independent bool    // the reports of one event are
		mistaken    float64 // share of pairs of two events that may be called copies
	}{
		{"basil", true, 0}, {"newswcl50", true, 0}, {"allsides", true, 0}, {"ecbplus", false, 0},
		// Two of its events are one, a vote and the law it passed, which an agency's report of 25
		// outlets is about. The rest of what is found here and in the next set are pages of one
		// outlet that consist of frame; vectors, which this test does without, tell most of these
		// apart.
		{"groundnews", false, 1e-4}, {"gunviolence", false, 1e-5},
	} {
		t.Run(c.set, func(t *testing.T) {
			type row struct{ Title, Text, Story string }
			var rows []row
			evaltest.Lines(t, c.set, func(line []byte) error {
				var r row
				err := json.Unmarshal(line, &r)
				rows = append(rows, r)
				return err
			})
			fs := make([]Features, len(rows))
			for i, r := range rows {
				fs[i] = Features{Lex: lexical.Analyze(r.Title, r.Text)}
			}
			st := stateOf(fs)
			ws := make([]*Weighted, len(fs))
			for i := range fs {
				ws[i] = st.Weigh(&fs[i])
			}
			random := rand.New(rand.NewPCG(1, 2))
			for _, e := range edits {
				found, all := 0, 0
				for i := 0; i < len(rows); i += 1 + len(rows)/300 {
					if len(strings.Fields(rows[i].Text)) < 60 {
						continue // a few sentences, of which 40 % prove nothing
					}
					edited := st.Weigh(&Features{Lex: lexical.Analyze("Another title altogether", e.of(random, rows[i].Text))})
					if all++; Compare(ws[i], edited).Copy {
						found++
					}
				}
				share := float64(found) / float64(all)
				t.Logf("%-48s %5.1f %% of %d", e.name, 100*share, all)
				if share < e.min {
					t.Errorf("%s: %.3f are recognised, at least %.2f were", e.name, share, e.min)
				}
			}
			var copies, pairs [2]int // of two events, of one
			for i := range rows {
				for j := range i {
					same := 0
					if rows[i].Story == rows[j].Story {
						same = 1
					}
					pairs[same]++
					if _, copied := SameText(ws[i], ws[j]); copied {
						copies[same]++
					}
				}
			}
			t.Logf("copies: %d of %d pairs of one event, %d of %d pairs of two", copies[1], pairs[1], copies[0], pairs[0])
			if float64(copies[0]) > c.mistaken*float64(pairs[0]) || c.independent && copies[1]*500 > pairs[1] {
				t.Error("too many are called copies")
			}
		})
	}
}
