package evaluate

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"throughline/internal/news"
	"throughline/internal/related"
	"throughline/internal/seedtest"
	"throughline/internal/store"
)

// goldenLists holds what the figures of the other golden file are made of: related articles and
// stories by name, so that a diff shows which article moved.
var goldenLists = filepath.Join("testdata", "seeds.txt")

// listed are the sample articles whose related articles are in the golden file, of ten topics.
var listed = []string{
	"crocus-breaking", "turkey-quake-wire", "baltimore-bridge-wire", "starliner-launch", "uk-election-result",
	"euro2024-final", "louvre-heist", "blackout-day", "fed-cut-wire", "openai-firing",
}

// listDepth is how many related articles of each are listed.
const listDepth = 8

// probabilityTolerance is by how much a probability may differ from the golden one: kernels of
// different processors give vectors with a cosine of .9999.
const probabilityTolerance = 0.021

// compareLists compares what a product that holds the sample articles answers with the golden file.
func compareLists(t *testing.T, e Engines) {
	t.Helper()
	now := relatedLists(t, e) + "\n" + storyMembers(t, e)
	if *update {
		if err := os.WriteFile(goldenLists, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(goldenLists)
	if err != nil {
		t.Fatal(err)
	}
	was := strings.Split(string(data), "\n")
	if diff := cmp.Diff(was, forgive(was, strings.Split(now, "\n"))); diff != "" {
		t.Errorf("%s (-was +now):\n%s", goldenLists, diff)
	}
}

// forgive replaces lines by those of a golden file where they differ by no more than kernels of
// different processors do: a probability by little, or the order of two neighbours of about the
// same probability.
func forgive(was, lines []string) []string {
	lines = slices.Clone(lines)
	for i := range min(len(was), len(lines)) {
		if i+1 < min(len(was), len(lines)) && sameResult(was[i], lines[i+1]) && sameResult(was[i+1], lines[i]) && sameScore(was[i], was[i+1]) {
			lines[i], lines[i+1] = lines[i+1], lines[i]
		}
		if sameResult(was[i], lines[i]) {
			lines[i] = was[i]
		}
	}
	return lines
}

// result reads a line of a list of related articles: "rank probability relation article".
func result(line string) (probability float64, rest string, ok bool) {
	fields := strings.Fields(line)
	if len(fields) < 4 {
		return 0, "", false
	}
	_, noRank := strconv.Atoi(fields[0])
	probability, err := strconv.ParseFloat(fields[1], 64)
	return probability, strings.Join(fields[2:], " "), noRank == nil && err == nil
}

func sameScore(a, b string) bool {
	p, _, isResult := result(a)
	q, _, too := result(b)
	return isResult && too && math.Abs(p-q) <= probabilityTolerance
}

func sameResult(a, b string) bool {
	_, r, _ := result(a)
	_, s, _ := result(b)
	return sameScore(a, b) && r == s
}

// relatedLists writes the lists of the listed articles: rank, probability, relation, article.
func relatedLists(t *testing.T, e Engines) string {
	t.Helper()
	expected, err := seedtest.Load()
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	var b strings.Builder
	for _, name := range listed {
		i := slices.IndexFunc(expected.Articles, func(a seedtest.Article) bool { return a.Handle() == name })
		if i < 0 {
			t.Fatalf("no sample article has the name %s", name)
		}
		list, err := e.Ranking.Related(ctx, related.Request{
			Seed: related.Seed{ArticleID: expected.Articles[i].ID}, ListOptions: related.ListOptions{IncludeCopies: true},
		})
		if err != nil {
			t.Fatal(err)
		}
		page, err := list.Page(ctx, 0, listDepth)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "related to %s\n", name)
		for rank, r := range page {
			fmt.Fprintf(&b, "%4d  %.2f  %-11s  %s\n", rank+1, r.Probability, r.Relation, handleOf(expected, r.Article.ID))
		}
	}
	return b.String()
}

// storyMembers writes the members of every story, and the articles that are in none. Stories are
// ordered by their first member, because their ids are random.
func storyMembers(t *testing.T, e Engines) string {
	t.Helper()
	expected, err := seedtest.Load()
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	members := map[string][]string{}
	if err := e.Store.Scan(ctx, news.Filter{}, store.WithNothing, func(s *store.Stored) error {
		members[s.Article.StoryID] = append(members[s.Article.StoryID], handleOf(expected, s.Article.ID))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	titles := map[string]string{"": "in no story"}
	if err := e.Store.ScanStories(ctx, news.StoryFilter{}, store.WithNothing, func(s *store.Story) error {
		titles[s.ID] = "story " + s.Title
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var parts []string
	for id, names := range members {
		slices.Sort(names)
		if id != "" { // those in no story come last
			parts = append(parts, names[0]+"\x00"+titles[id]+"\n      "+strings.Join(names, "\n      ")+"\n")
		}
	}
	slices.Sort(parts)
	for i := range parts {
		_, parts[i], _ = strings.Cut(parts[i], "\x00")
	}
	return strings.Join(parts, "") + titles[""] + "\n      " + strings.Join(members[""], "\n      ") + "\n"
}

// handleOf is the name by which people know a sample article.
func handleOf(e seedtest.Expected, id string) string {
	if a, ok := e.Article(id); ok {
		return a.Handle()
	}
	return id
}

func TestForgive(t *testing.T) {
	was := []string{"related to a", "   1  0.90  copy         b", "   2  0.80  same story   c", "   3  0.79  follow-up    d", "   4  0.10  none         e", "", "story 7 hurt", "      a"}
	for _, tt := range []struct {
		name string
		line int // the first of those that differ
		now  []string
		want bool
	}{
		{"nothing", 0, nil, true},
		{"a probability by little", 1, []string{"   1  0.92  copy         b"}, true},
		{"a probability", 1, []string{"   1  0.93  copy         b"}, false},
		{"a relation", 2, []string{"   2  0.80  follow-up    c"}, false},
		{"an article", 2, []string{"   2  0.80  same story   f"}, false},
		{"the order of two that are as likely", 2, []string{"   2  0.79  follow-up    d", "   3  0.80  same story   c"}, true},
		{"the order of two that are not", 3, []string{"   3  0.10  none         e", "   4  0.79  follow-up    d"}, false},
		{"a title", 6, []string{"story 8 hurt"}, false},
		{"a member", 7, []string{"      b"}, false},
	} {
		now := slices.Clone(was)
		copy(now[tt.line:], tt.now)
		if got := slices.Equal(forgive(was, now), was); got != tt.want {
			t.Errorf("%s changed: forgiven %v", tt.name, got)
		}
	}
	if slices.Equal(forgive(was, was[:7]), was) {
		t.Error("a missing line is forgiven")
	}
}
