package stories

import (
	"cmp"
	"slices"

	"throughline/internal/store"
)

// Copies are marked within a story: every article of a copy group but one, the original, names that one.

// original is the article of a copy group that the others are copies of: the earliest, those without a known time last,
// equals by id.
func original(group []*store.Article) *store.Article {
	return slices.MinFunc(group, earlier)
}

// earlier orders articles by publication, those without a known time last, equals by id.
func earlier(a, b *store.Article) int {
	if a.Published.IsZero() != b.Published.IsZero() {
		if a.Published.IsZero() {
			return 1
		}
		return -1
	}
	return cmp.Or(a.Published.Compare(b.Published), compare(a.ID, b.ID))
}

// markCopies makes articles one copy group.
func markCopies(group []*store.Article) {
	if len(group) == 0 {
		return
	}
	first := original(group)
	for _, a := range group {
		if a == first {
			a.CopyOf = ""
		} else {
			a.CopyOf = first.ID
		}
	}
}

// copyRoot is what the articles of a copy group have in common: the id of the original.
func copyRoot(a *store.Article) string { return cmp.Or(a.CopyOf, a.ID) }

// mendCopies finds, among the articles of one story, the copies of an article that is not among them, and gives them
// another original.
func mendCopies(members []*store.Article) {
	here := make(map[string]bool, len(members))
	for _, a := range members {
		here[a.ID] = true
	}
	orphans := make(map[string][]*store.Article)
	for _, a := range members {
		if a.CopyOf != "" && !here[a.CopyOf] {
			orphans[a.CopyOf] = append(orphans[a.CopyOf], a)
		}
	}
	for _, group := range orphans {
		markCopies(group)
	}
}
