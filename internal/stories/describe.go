package stories

import (
	"cmp"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"throughline/cluster/vector"
	"throughline/internal/lexical"
	"throughline/internal/news"
	"throughline/internal/store"
)

// meanTerms is the number of terms, those with the largest weights, that a sparse mean of a story
// keeps.
const meanTerms = 256

// describe sets the fields of a story that follow from its members: span, sources, means,
// representative, counts and, unless a language model wrote a title that still holds, the title. It
// does not set id, version, topics and keywords. members must not be empty.
func describe(s *store.Story, members []*store.Stored) {
	s.Articles = len(members)
	s.First, s.Last = span(members)
	s.Sources = sources(members)
	s.Dense = meanDense(members)
	some := sampled(members)
	s.Lex.Full = meanSparse(some, func(v *lexical.Vectors) vector.Sparse { return v.Full })
	s.Lex.Lead = meanSparse(some, func(v *lexical.Vectors) vector.Sparse { return v.Lead })
	s.Lex.Names = meanSparse(some, func(v *lexical.Vectors) vector.Sparse { return v.Names })
	r := representative(members, s.Dense, s.Representative)
	s.Representative = r.Article.ID
	s.IndependentReports, s.IndependentSources = independent(articles(members))
	if !titleHolds(s.Naming, members) {
		s.Title, s.Naming = r.Article.Title, withoutTitle(s.Naming)
	}
}

// withoutTitle returns the naming of a story whose title does not hold any more. It keeps the
// record that the model had no title for this question.
func withoutTitle(n news.Naming) news.Naming {
	if n.TitleModel != "" {
		return news.Naming{}
	}
	return n
}

// titleHolds reports whether a title that a model wrote still follows from these articles: more
// than half of the articles that it cites are among them.
func titleHolds(n news.Naming, members []*store.Stored) bool {
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

// independent counts the texts of some articles, each copy group once, and the known sources that
// have a text of their own.
func independent(members []*news.Article) (reports, outlets int) {
	texts, own := make(map[string]bool), make(map[string]bool)
	for _, a := range members {
		texts[a.CopyGroup()] = true
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

// representativeMargin is how much smaller than the largest cosine to the mean of the story the
// cosine of its representative may be. It is about the difference between two reports of one event
// on one day. With it an early article can stand for the story, so that the title is about the
// event and not about its aftermath.
const representativeMargin = 0.06

// keepMargin is representativeMargin for the representative that a story has: it stays unless it is
// clearly worse than others, so that a story does not get another title with every article.
const keepMargin = 0.2

// representative returns the earliest of the members whose cosine to the mean is within
// representativeMargin of the largest. Only the best rank of members is considered: first those in
// the most frequent language, then those with a title of their own, then those that are no copies.
// Unknown times come last; equal times are ordered by id. The member with the id was stays, unless
// its rank is worse by more than being a copy, or its cosine by more than keepMargin.
func representative(members []*store.Stored, mean []float32, was string) *store.Stored {
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
		if m.Article.ID == was && rank(m) <= best+1 && near(m) >= nearest-keepMargin {
			return m
		}
		if rank(m) == best && near(m) >= nearest-representativeMargin && (chosen == nil || earlier(&m.Article, &chosen.Article) < 0) {
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

// sampled returns the articles whose words stand for a story: all, or store.MaxSampled that hardly
// change as the story grows. Adding up the words of thousands takes longer than filing an article.
func sampled(members []*store.Stored) []*store.Stored {
	if len(members) <= store.MaxSampled {
		return members
	}
	keys := make(map[*store.Stored]string, len(members))
	for _, m := range members {
		keys[m] = store.ScanKey(m.Article.ID)
	}
	some := slices.SortedFunc(maps.Keys(keys), func(a, b *store.Stored) int { return strings.Compare(keys[a], keys[b]) })
	return some[:store.MaxSampled]
}

func meanSparse(members []*store.Stored, of func(*lexical.Vectors) vector.Sparse) vector.Sparse {
	type entry struct {
		term   uint32
		weight float32
	}
	var all []entry
	for _, m := range members {
		v := of(&m.Vectors.Lex)
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

// changedStory reports whether a field of a story other than its version differs, or the mean
// vector of its articles.
func changedStory(a, b *store.Story) bool {
	was, now := a.Story, b.Story
	was.Version, now.Version = 0, 0
	return fieldsDiffer(was, now) || vectorsDiffer(a.Dense, b.Dense)
}

// changedTopic is changedStory for topics.
func changedTopic(a, b *store.Topic) bool {
	was, now := a.Topic, b.Topic
	was.Version, now.Version = 0, 0
	return fieldsDiffer(was, now) || vectorsDiffer(a.Dense, b.Dense)
}

// fieldsDiffer reports whether two structs of one type differ in a field. An empty list equals no
// list, and times are compared as instants.
func fieldsDiffer(a, b any) bool {
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range x.NumField() {
		p, q := x.Field(i), y.Field(i)
		switch first := p.Interface().(type) {
		case time.Time:
			if !first.Equal(q.Interface().(time.Time)) {
				return true
			}
		case []string:
			if !slices.Equal(first, q.Interface().([]string)) {
				return true
			}
		default:
			if p.Kind() == reflect.Struct {
				if fieldsDiffer(first, q.Interface()) {
					return true
				}
			} else if !p.Equal(q) {
				return true
			}
		}
	}
	return false
}

// vectorsDiffer reports whether two vectors differ by more than a server may lose when it stores
// them.
func vectorsDiffer(a, b []float32) bool {
	if len(a) != len(b) {
		return true
	}
	for i := range a {
		if math.Abs(float64(a[i]-b[i])) > 1e-5 {
			return true
		}
	}
	return false
}
