package score_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"testing"

	"throughline/internal/lexical"
	"throughline/internal/score"
	"throughline/internal/score/scoretest"
)

// backgroundOf makes a background of invented articles.
func backgroundOf(t testing.TB, seed uint64, n int) *score.Background {
	t.Helper()
	b := score.NewStatsBuilder()
	fs := scoretest.Features(seed, n)
	for i := range fs {
		b.Add(&fs[i])
	}
	bg, err := score.NewBackground(b)
	if err != nil {
		t.Fatal(err)
	}
	return bg
}

func TestBackgroundIsKept(t *testing.T) {
	made := backgroundOf(t, 1, 600)
	read, err := score.ParseBackground(made.AppendBinary(nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := made.Same(read); err != nil {
		t.Error(err)
	}
	if read.Articles() != 600 || read.Sum() != made.Sum() || !bytes.Equal(read.AppendBinary(nil), made.AppendBinary(nil)) {
		t.Errorf("%d articles, sum %x, want 600, %x", read.Articles(), read.Sum(), made.Sum())
	}
	other := backgroundOf(t, 2, 600)
	if made.Sum() == other.Sum() || made.Same(other) == nil {
		t.Error("two backgrounds are the same")
	}
}

func TestDamagedBackgrounds(t *testing.T) {
	good := backgroundOf(t, 1, 600).AppendBinary(nil)
	changed := func(change func(data []byte)) []byte {
		data := bytes.Clone(good)
		change(data)
		return data
	}
	few := lexical.NewFrequencies().AppendBinary(nil)
	few = append(few, 0)
	head := append(bytes.Clone(good[:12]), 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(head[12:], crc32.ChecksumIEEE(few))
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":            {nil, "unknown content"},
		"something else":   {[]byte(strings.Repeat("news", 20)), "unknown content"},
		"another format":   {changed(func(d []byte) { d[8] = 9 }), "unknown format (got 9, want 1)"},
		"a changed byte":   {changed(func(d []byte) { d[len(d)/2]++ }), "wrong checksum"},
		"cut":              {good[:len(good)-1], "wrong checksum"},
		"without articles": {append(head, few...), "too few articles (got 0, want at least 500)"},
	} {
		if _, err := score.ParseBackground(c.data); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	b := score.NewStatsBuilder()
	if _, err := score.NewBackground(b); err == nil || !strings.Contains(err.Error(), "too few articles (got 0") {
		t.Errorf("a background of nothing: %v", err)
	}
}

// The same pair has nearly the same logit in corpora of all sizes, and whatever they are about.
func TestLogitsHoldInAnyCorpus(t *testing.T) {
	bg := score.DefaultBackground()
	fs := scoretest.Features(5, 900)
	pair := [2]*score.Features{&fs[0], &fs[1]}
	var logits []float64
	for _, n := range []int{2, 30, 900} {
		st := score.NewState(score.Default(), score.StatsOf(fs[:n], bg))
		logits = append(logits, st.Logit(st.Compare(pair[0], pair[1])))
	}
	for i, z := range logits[1:] {
		if d := z - logits[i]; d < -1 || d > 1 {
			t.Errorf("logits %v", logits)
		}
	}
}

func FuzzParseBackground(f *testing.F) {
	f.Add(backgroundOf(f, 1, 500).AppendBinary(nil))
	f.Add([]byte("tlusual\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		read, err := score.ParseBackground(data)
		if err != nil {
			return
		}
		again, err := score.ParseBackground(read.AppendBinary(nil))
		if err != nil {
			t.Fatal(err)
		}
		if err := read.Same(again); err != nil {
			t.Fatal(err)
		}
	})
}
