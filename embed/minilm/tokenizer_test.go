package minilm

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

func newTokenizer(t testing.TB) *tokenizer {
	t.Helper()
	v, err := loadVocabulary()
	if err != nil {
		t.Fatal(err)
	}
	return &tokenizer{vocabulary: v}
}

func TestLongTextsAreTokenizedInPieces(t *testing.T) {
	tok := newTokenizer(t)
	text := strings.Repeat("Überall [SEP] war es still; 東京 schlief.\n", 1000)
	one := tok.encode(nil, "Überall [SEP] war es still; 東京 schlief.", maxTokens)
	perLine := len(one) - 2
	if got := tok.count(text); got != 1000*perLine {
		t.Errorf("%d tokens, want %d", got, 1000*perLine)
	}
	if got := tok.encode(nil, text, maxTokens); len(got) != maxTokens || !slices.Equal(got[1:perLine+1], one[1:perLine+1]) || got[maxTokens-1] != endToken {
		t.Errorf("cut to %v", got)
	}
	if got := tok.count(strings.Repeat("x", 10*pieceBytes)); got != 1 {
		t.Errorf("one endless word has %d tokens", got)
	}
}

// Characters are decomposed piece by piece; together that is the normal form.
func TestTextIsDecomposed(t *testing.T) {
	tok := newTokenizer(t)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.OneOf(rapid.Rune(), rapid.SampledFrom([]rune("aéǖ각ΰﬁ\u0301\u0327\u0344\u1100\u1161")))).Draw(t, "text")
		if tok.decompose.InitString(norm.NFD, text); !slices.Equal(slices.Concat(pieces(&tok.decompose)...), norm.NFD.AppendString(nil, text)) {
			t.Fatalf("%q is not decomposed", text)
		}
	})
}

func pieces(i *norm.Iter) (all [][]byte) {
	for !i.Done() {
		all = append(all, slices.Clone(i.Next()))
	}
	return all
}

func TestEncodeAppends(t *testing.T) {
	tok := newTokenizer(t)
	first := tok.encode(nil, "one two", maxTokens)
	both := tok.encode(slices.Clone(first), strings.Repeat("three ", 300), maxTokens)
	if !slices.Equal(both[:len(first)], first) || len(both) != len(first)+maxTokens {
		t.Errorf("%d tokens after %d", len(both), len(first))
	}
}

// Whatever the text: the ids are tokens, the limit holds, cutting only cuts, and counting counts.
func FuzzTokenizer(f *testing.F) {
	for _, g := range readGoldens(f) {
		f.Add(g.Text)
	}
	f.Add("\xff\xfe invalid \xc3")
	f.Add("[SEP][CLS][[MASK]")
	f.Add(strings.Repeat("a\u0301", 3000) + " " + strings.Repeat("\u0300", 100))
	f.Fuzz(func(t *testing.T, text string) {
		tok := newTokenizer(t)
		all := tok.encode(nil, text, 1<<30)
		if all[0] != startToken || all[len(all)-1] != endToken {
			t.Fatalf("not between start and end: %v", all)
		}
		for _, id := range all {
			if id < 0 || id >= vocabularySize {
				t.Fatalf("token %d", id)
			}
		}
		if n := tok.count(text); n != len(all)-2 {
			t.Fatalf("%d tokens, counted %d", len(all)-2, n)
		}
		for _, limit := range []int{2, 3, 17} {
			got := tok.encode(nil, text, limit)
			if want := all[:min(len(all)-1, limit-1)]; !slices.Equal(got[:len(got)-1], want) || got[len(got)-1] != endToken {
				t.Fatalf("limit %d gave %v of %v", limit, got, all)
			}
		}
		if valid := strings.ToValidUTF8(text, "\uFFFD"); tok.count(valid) != len(all)-2 {
			t.Fatal("invalid UTF-8 counts")
		}
	})
}

// Words are tokenized one by one, so texts joined by a space have the tokens of both.
func TestTokensOfJoinedTexts(t *testing.T) {
	tok := newTokenizer(t)
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.String().Draw(t, "a"), rapid.String().Draw(t, "b")
		ab := tok.encode(nil, a+" "+b, 1<<30)
		as, bs := tok.encode(nil, a, 1<<30), tok.encode(nil, b, 1<<30)
		if want := slices.Concat(as[:len(as)-1], bs[1:]); !slices.Equal(ab, want) {
			t.Fatalf("%v, want %v", ab, want)
		}
	})
}

// The reference's tokens of every character there is are pinned by a checksum, since Go, x/text and
// the reference each have Unicode tables of their own age. When new tables of Go change what
// runes.go makes of a character, this shows it; weights/reference.py makes the checksum and can
// print what is under it.
func TestEveryRune(t *testing.T) {
	want, err := os.ReadFile("testdata/runes.sha256")
	if err != nil {
		t.Fatal(err)
	}
	tok := newTokenizer(t)
	digest := sha256.New()
	var ids []int32
	var line []byte
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		ids = tok.encode(ids[:0], "a"+string(r)+"b", maxTokens)
		line = line[:0]
		for _, id := range ids[1 : len(ids)-1] {
			line = append(strconv.AppendInt(line, int64(id), 10), ' ')
		}
		line[len(line)-1] = '\n'
		digest.Write(line)
	}
	if got := hex.EncodeToString(digest.Sum(nil)); got != strings.TrimSpace(string(want)) {
		t.Errorf("the tokens of some characters are not the reference's: checksum %s, want %s", got, want)
	}
}
