package embed

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestTruncate(t *testing.T) {
	words := func(s string) int { return len(strings.Fields(s)) }
	for _, test := range []struct {
		text  string
		limit int
		want  string
	}{
		{"", 1, ""},
		{"one two three", 3, "one two three"},
		{"one two three", 2, "one two"},
		{strings.Repeat("word ", 100), 3, "word word word"},
		{strings.Repeat(" ", 1000) + "end", 2, strings.Repeat(" ", 1000) + "end"},
	} {
		if got, n := truncate(test.text, test.limit, words); got != test.want && strings.TrimSpace(got) != test.want || n != words(got) {
			t.Errorf("truncate(%.40q, %d) = %.40q, %d; want %.40q", test.text, test.limit, got, n, test.want)
		}
	}
}

// What is cut is a valid beginning within the limit, and one more word would not have been.
func TestTruncateIsTheLongest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`([a-zé東🙂]{1,12}[ \n]{1,3}){0,30}`).Draw(t, "text")
		limit := rapid.IntRange(3, 40).Draw(t, "limit")
		got, n := truncate(text, limit, EstimateTokens)
		if !strings.HasPrefix(text, got) || n != EstimateTokens(got) || n > limit {
			t.Fatalf("cut to %q with %d tokens", got, n)
		}
		if rest := text[len(got):]; rest != "" {
			if strings.ToValidUTF8(got, "") != got {
				t.Fatalf("cut inside a character: %q", got)
			}
			word := strings.IndexAny(strings.TrimLeft(rest, " \n")+" ", " \n") + len(rest) - len(strings.TrimLeft(rest, " \n"))
			if more := EstimateTokens(text[:len(got)+word]); strings.TrimSpace(rest) != "" && more <= limit {
				t.Fatalf("%q could have been longer: %d tokens with the next word, limit %d", got, more, limit)
			}
		}
	})
}
