package stories

import (
	"cmp"
	"slices"
	"strings"

	"throughline/internal/news"
)

// In a copy group, which lies in one story, every article but the original names the original in
// CopyOf.

// earlier orders articles by publication, those without a known time last, then by id.
func earlier(a, b *news.Article) int {
	if a.Published.IsZero() != b.Published.IsZero() {
		if a.Published.IsZero() {
			return 1
		}
		return -1
	}
	return cmp.Or(a.Published.Compare(b.Published), strings.Compare(a.ID, b.ID))
}

// markCopies makes articles one copy group. Its original is the earliest.
func markCopies(group []*news.Article) {
	if len(group) == 0 {
		return
	}
	original := slices.MinFunc(group, earlier)
	for _, a := range group {
		a.CopyOf = original.ID
	}
	original.CopyOf = ""
}

// reassignOriginals gives a new original to the copies, among the articles of one story, whose
// original is not in the story.
func reassignOriginals(members []*news.Article) {
	here := make(map[string]bool, len(members))
	for _, a := range members {
		here[a.ID] = true
	}
	orphans := make(map[string][]*news.Article)
	for _, a := range members {
		if a.CopyOf != "" && !here[a.CopyOf] {
			orphans[a.CopyOf] = append(orphans[a.CopyOf], a)
		}
	}
	for _, group := range orphans {
		markCopies(group)
	}
}
