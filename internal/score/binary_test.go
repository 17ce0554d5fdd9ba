package score_test

import (
	"encoding/binary"
	"reflect"
	"runtime"
	"testing"

	"pgregory.net/rapid"

	"throughline/internal/news"
	"throughline/internal/score"
	"throughline/internal/score/scoretest"
)

// TestDecodedStatsCompareAlike counts articles, writes the counts and reads them: what follows from
// both is the same to the last bit, then and after more articles came and went.
func TestDecodedStatsCompareAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fs := scoretest.Features(rapid.Uint64().Draw(t, "seed"), rapid.IntRange(2, 300).Draw(t, "articles"))
		counted := rapid.IntRange(0, len(fs)).Draw(t, "counted")
		kept := score.NewStatsBuilder()
		for i := range fs[:counted] {
			kept.Add(&fs[i])
		}
		data := kept.AppendBinary(nil)
		read, err := score.DecodeStats(data)
		if err != nil {
			t.Fatal(err)
		}
		if string(read.AppendBinary(nil)) != string(data) {
			t.Fatal("what was read is written as other bytes")
		}
		compare := func(when string) {
			a, b := score.NewState(score.Default(), kept.Stats(score.DefaultBackground())), score.NewState(score.Default(), read.Stats(score.DefaultBackground()))
			if a.Stats.Articles() != b.Stats.Articles() {
				t.Fatalf("%s: %d articles, want %d", when, b.Stats.Articles(), a.Stats.Articles())
			}
			for i := range fs[:min(len(fs), 12)] {
				want, got := a.Weigh(&fs[i]), b.Weigh(&fs[i])
				if !reflect.DeepEqual(got, want) {
					t.Fatalf("%s: article %d is weighed as %+v, want %+v", when, i, got, want)
				}
				if got, want := b.Compare(&fs[i], &fs[0]), a.Compare(&fs[i], &fs[0]); got != want {
					t.Fatalf("%s: signals %+v, want %+v", when, got, want)
				}
			}
		}
		compare("as read")
		for i := range fs[counted:] {
			kept.Add(&fs[counted+i])
			read.Add(&fs[counted+i])
		}
		compare("after more were added")
		for i := range fs[:counted] {
			kept.Remove(&fs[i])
			read.Remove(&fs[i])
		}
		compare("after the first were removed")
	})
}

func TestCutStatsAreCorrupt(t *testing.T) {
	b := score.NewStatsBuilder()
	fs := scoretest.Features(3, 4)
	for i := range fs {
		b.Add(&fs[i])
	}
	data := b.AppendBinary(nil)
	for cut := range data {
		if _, err := score.DecodeStats(data[:cut]); err == nil {
			t.Errorf("%d of %d bytes were read as statistics", cut, len(data))
		}
	}
	if _, err := score.DecodeStats(append(data, 0)); err == nil {
		t.Error("a byte behind the statistics was ignored")
	}
}

// statsHead is the encoding of an empty corpus's document frequencies, followed by numbers.
func statsHead(xs ...uint64) []byte {
	data := []byte{0, 0, 0, 0}
	for _, x := range xs {
		data = binary.AppendUvarint(data, x)
	}
	return data
}

func TestDecodeStatsBelievesNoNumber(t *testing.T) {
	for name, data := range map[string][]byte{
		"too many vectors":             statsHead(1<<31, 0, 0),
		"vectors longer than the data": statsHead(1, 1<<40),
		"a sample larger than any":     statsHead(0, 0, 129),
		"an id longer than the data":   statsHead(0, 0, 1, 1<<40),
		"a sample out of order":        append(statsHead(0, 0, 2), 1, 'b', 1, 'a'),
		"an article sampled twice":     append(statsHead(0, 0, 2), 1, 'a', 1, 'a'),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := score.DecodeStats(data)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 64<<10 {
			t.Errorf("%s: allocated %d bytes for %d", name, got, len(data))
		}
	}
	if b, err := score.DecodeStats(statsHead(0, 0, 0)); err != nil || b.Articles() != 0 {
		t.Errorf("an empty corpus: %v", err)
	}
}

// FuzzDecodeStats checks that bytes are refused, or are statistics that can be used.
func FuzzDecodeStats(f *testing.F) {
	fs := []score.Features{
		score.FeaturesOf(&news.Article{ID: "a", Title: "Ferry aground"}, []float32{.6, .8}),
		score.FeaturesOf(&news.Article{ID: "b", Title: "Storm"}, []float32{.8, -.6}),
	}
	b := score.NewStatsBuilder()
	f.Add(b.AppendBinary(nil))
	for i := range fs {
		b.Add(&fs[i])
	}
	f.Add(b.AppendBinary(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		read, err := score.DecodeStats(data)
		if err != nil {
			return
		}
		again, err := score.DecodeStats(read.AppendBinary(nil))
		if err != nil || string(again.AppendBinary(nil)) != string(read.AppendBinary(nil)) {
			t.Fatalf("written and read: error %v", err)
		}
		score.NewState(score.Default(), read.Stats(score.DefaultBackground())).Compare(&fs[0], &fs[1])
		read.Add(&fs[0])
		read.Remove(&fs[0])
		read.Stats(score.DefaultBackground())
	})
}
