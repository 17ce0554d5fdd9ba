package stories

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"throughline/cluster/vector"
	"throughline/internal/store"
)

// meanTerms bounds the sparse means of a story: the heaviest terms, by which a story is found and compared.
const meanTerms = 256

// describe fills what follows from the members of a story: span, sources, means, representative and, unless it has one that
// a model wrote about these members, the title. It leaves id, version, topics and keywords alone. members is not empty.
func describe(s *store.Story, members []*store.Stored) {
	s.Articles = len(members)
	s.First, s.Last = span(members)
	s.Sources = sources(members)
	s.Dense = meanDense(members)
	s.Full = meanSparse(members, func(v store.Vectors) vector.Sparse { return v.Full })
	s.Lead = meanSparse(members, func(v store.Vectors) vector.Sparse { return v.Lead })
	s.Names = meanSparse(members, func(v store.Vectors) vector.Sparse { return v.Names })
	r := representative(members, s.Dense)
	s.Representative = r.Article.ID
	s.IndependentReports, s.IndependentSources = independent(articles(members))
	if !holds(s.Naming, members) {
		s.Title, s.Naming = r.Article.Title, unnamed(s.Naming)
	}
}

// unnamed is what is left when a title does not hold any more. That a model had no title for what it was shown is kept.
func unnamed(n store.Naming) store.Naming {
	if n.TitleModel != "" {
		return store.Naming{}
	}
	return n
}

// holds says whether a title that a model wrote still follows from these articles: most of those that it cites are among
// them.
func holds(n store.Naming, members []*store.Stored) bool {
	if n.TitleModel == "" {
		return false
	}
	cited := 0
	for _, m := range members {
		if slices.Contains(n.TitleArticles, m.Article.ID) {
			cited++
		}
	}
	return 2*cited > len(n.TitleArticles)
}

// independent counts the texts among articles, copies of one once, and the known outlets that have a text of their own.
func independent(members []*store.Article) (reports, outlets int) {
	texts, own := make(map[string]bool), make(map[string]bool)
	for _, a := range members {
		texts[copyRoot(a)] = true
		if a.CopyOf == "" && a.Source != "" {
			own[strings.ToLower(a.Source)] = true
		}
	}
	return len(texts), len(own)
}

func span(members []*store.Stored) (first, last time.Time) {
	for _, m := range members {
		p := m.Article.Published
		if p.IsZero() {
			continue
		}
		if first.IsZero() || p.Before(first) {
			first = p
		}
		if p.After(last) {
			last = p
		}
	}
	return first, last
}

func sources(members []*store.Stored) []string {
	var all []string
	for _, m := range members {
		if m.Article.Source != "" {
			all = append(all, m.Article.Source)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// typical is how much farther from the mean than the nearest member one may be to stand for a story all the same: the story is
// called what it was called first, and not after what came of it. It is about how much two reports of one event on one day
// differ.
const typical = 0.06

// representative is the earliest of the members that are nearly nearest to what all have in common. An article with a title
// of its own comes before one whose title was derived, one in the language of most before the others, an original before its
// copies; unknown times come last and equals are ordered by id.
func representative(members []*store.Stored, mean []float32) *store.Stored {
	languages := make(map[string]int)
	for _, m := range members {
		languages[m.Article.Language]++
	}
	most := 0
	for _, n := range languages {
		most = max(most, n)
	}
	rank := func(m *store.Stored) int {
		n := 0
		if languages[m.Article.Language] < most {
			n += 4
		}
		if m.Article.TitleDerived {
			n += 2
		}
		if m.Article.CopyOf != "" {
			n++
		}
		return n
	}
	direction := slices.Clone(mean)
	vector.Normalize(direction)
	near := func(m *store.Stored) float32 {
		if len(m.Vectors.Dense) != len(direction) {
			return -1
		}
		return vector.Dot(m.Vectors.Dense, direction)
	}
	best, nearest := math.MaxInt, float32(-1)
	for _, m := range members {
		if r := rank(m); r < best {
			best, nearest = r, near(m)
		} else if r == best {
			nearest = max(nearest, near(m))
		}
	}
	var chosen *store.Stored
	for _, m := range members {
		if rank(m) == best && near(m) >= nearest-typical && (chosen == nil || earlier(&m.Article, &chosen.Article) < 0) {
			chosen = m
		}
	}
	return chosen
}

func meanDense(members []*store.Stored) []float32 {
	var sum []float32
	for _, m := range members {
		if sum == nil {
			sum = make([]float32, len(m.Vectors.Dense))
		}
		if len(m.Vectors.Dense) != len(sum) {
			continue
		}
		for i, x := range m.Vectors.Dense {
			sum[i] += x
		}
	}
	for i := range sum {
		sum[i] /= float32(len(members))
	}
	return sum
}

func meanSparse(members []*store.Stored, of func(store.Vectors) vector.Sparse) vector.Sparse {
	type entry struct {
		term   uint32
		weight float32
	}
	var all []entry
	for _, m := range members {
		v := of(m.Vectors)
		for i, term := range v.Terms {
			all = append(all, entry{term, v.Weights[i] / float32(len(members))})
		}
	}
	slices.SortStableFunc(all, func(a, b entry) int { return cmp.Compare(a.term, b.term) })
	merged := all[:0]
	for _, x := range all {
		if n := len(merged); n > 0 && merged[n-1].term == x.term {
			merged[n-1].weight += x.weight
		} else {
			merged = append(merged, x)
		}
	}
	if len(merged) > meanTerms {
		slices.SortFunc(merged, func(a, b entry) int {
			return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(a.term, b.term))
		})
		merged = merged[:meanTerms]
		slices.SortFunc(merged, func(a, b entry) int { return cmp.Compare(a.term, b.term) })
	}
	out := vector.Sparse{Terms: make([]uint32, len(merged)), Weights: make([]float32, len(merged))}
	for i, x := range merged {
		out.Terms[i], out.Weights[i] = x.term, x.weight
	}
	return out
}
