package hierarchy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"throughline/internal/lexical"
	"throughline/internal/score"
)

const report = `The harbour bridge at Lindholm was closed to lorries on Tuesday after inspectors found cracks in two of its girders. ` +
	`Engineers from the transport agency said repairs would take at least six weeks and cost nine million crowns. Ferry operators ` +
	`added four sailings a day, and hauliers warned of shortages on the northern islands. Mayor Ingrid Solberg asked for patience.`

// Texts of which each shares half with the next do not chain into one.
func TestCopiesDoNotChain(t *testing.T) {
	words := make([]string, 600)
	for i := range words {
		words[i] = fmt.Sprintf("w%sx%s", string(rune('a'+i%26)), strings.Repeat(string(rune('a'+i/26%26)), 2+i%3))
	}
	var ps []score.Features
	for k := range 10 {
		ps = append(ps, score.Features{ID: fmt.Sprint(k), Lex: lexical.Analyze("", strings.Join(words[k*50:k*50+100], " "))})
	}
	for k := range 4 { // and one text four times
		ps = append(ps, score.Features{ID: fmt.Sprint("copy", k), Lex: lexical.Analyze(fmt.Sprint("Title ", k), report)})
	}
	ws := stateOf(ps).WeighAll(ps, 2)
	graph, err := candidates(t.Context(), ws, Options{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	story := make([]int32, len(ps))
	for i := range 10 - 1 {
		if s := score.Compare(ws[i], ws[i+1]); !s.Copy {
			t.Fatalf("texts %d and %d are no copies: %.2f", i, i+1, s.Verbatim)
		}
	}
	sizes := make(map[int32]int)
	labels := copies(ws, graph, story)
	for _, l := range labels {
		sizes[l]++
	}
	delete(sizes, -1)
	if sizes[labels[10]] != 4 || labels[10] != labels[13] {
		t.Errorf("one text four times: %v", labels[10:])
	}
	for l, n := range sizes {
		if l != labels[10] && n > 4 {
			t.Errorf("%d texts that hardly have anything in common are one: %v", n, labels)
		}
	}
	for i := range story { // copies lie within a story
		story[i] = int32(i)
	}
	if slices.ContainsFunc(copies(ws, graph, story), func(l int32) bool { return l >= 0 }) {
		t.Error("there are copies across stories")
	}
}
