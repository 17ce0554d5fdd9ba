package related

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"throughline/cluster/vector"
	"throughline/internal/lexical"
	"throughline/internal/news"
	"throughline/internal/score"
)

// logitTemperature divides the logit of the same story, so that the score still orders articles
// whose probability is nearly 0 or 1. relatednessWeight is the weight of relatedness beside it.
//
// Same-story nDCG@10 (up to 300 articles of each set, nothing left out of the lists) of newswcl50,
// basil, ecbplus, headlines, allsides and the sample articles, and its mean:
//
//	half probability, half relatedness   1.000 .999 .946 .965 .949 .978   .973
//	relatedness                           .999 .996 .939 .945 .857 .933   .945
//	probability                          1.000 1.000 .951 .970 .972 .982   .979
//	temperature 3, weight .2             1.000 1.000 .952 .966 .971 .980   .978
//
// Temperatures of 1 to 4 with weights of .05 to .3 give means of .976 to .979. A larger weight
// orders the articles of one topic that are certainly not of one story better, which no set can
// measure; these values cost least for it.
const (
	logitTemperature  = 3.0
	relatednessWeight = 0.2
)

// score scores each candidate by the query item with the largest logit: by the probability of the
// same story and by relatedness.
func (s *seed) score(found []candidate) {
	groups := make(map[string]bool) // copy groups of the seed
	for _, it := range s.items {
		if it.copyGroup != "" {
			groups[it.copyGroup] = true
		}
	}
	for i := range found {
		c := &found[i]
		s.scoreCandidate(c)
		if c.relation == score.RelationCopy {
			groups[c.stored.Article.CopyGroup()] = true
		}
	}
	for i := range found { // copies of a copy are copies of the seed
		if groups[found[i].stored.Article.CopyGroup()] {
			found[i].relation = score.RelationCopy
		}
	}
}

func (s *seed) scoreCandidate(c *candidate) {
	bestLogit, published := math.Inf(-1), c.stored.Article.Published
	for i := range s.items {
		it := &s.items[i]
		signals := score.Compare(it.weighted, c.weighted)
		signals.Section = c.section
		if it.story {
			signals.Verbatim, signals.Copy = 0, false // a story contains the words of each of its articles
			signals.Dated = !published.IsZero() && !it.first.IsZero()
			signals.Days = daysBetween(published, it.nearest(published))
		}
		if logit := s.state.Logit(signals); logit > bestLogit {
			bestLogit, c.item, c.signals = logit, i, signals
		}
	}
	c.score = (1-relatednessWeight)/(1+math.Exp(-bestLogit/logitTemperature)) + relatednessWeight*relatedness(c.signals)
	closest := 0.0
	for _, w := range s.disliked {
		closest = max(closest, relatedness(score.Compare(w, c.weighted)))
	}
	c.score = min(max(c.score*(1-dislikedWeight*closest), 0), 1)
	best := &s.items[c.item]
	filed, sameTopic := best.filed(&c.stored.Article)
	c.probability = s.state.Probability(c.signals, filed)
	sameTopic = sameTopic && c.score >= minRelated // most articles of a topic are not related to a given one
	c.relation = score.Relate(c.signals, c.probability, filed, sameTopic, best.nearest(published), published)
}

// filed reports whether the item and an article are in one story, and whether in one topic.
func (it *queryItem) filed(a *news.Article) (filed score.Filed, sameTopic bool) {
	switch {
	case it.storyID == "" || a.StoryID == "":
	case it.storyID == a.StoryID:
		filed = score.SameStory
	default:
		filed = score.DifferentStory
	}
	return filed, it.topicID != "" && a.TopicID == it.topicID
}

// nearest returns the time within the span of the item that is closest to t.
func (it *queryItem) nearest(t time.Time) time.Time {
	switch {
	case t.Before(it.first):
		return it.first
	case t.After(it.last):
		return it.last
	}
	return t
}

// daysBetween returns the number of calendar days in UTC between two times, as score.Signals counts
// them.
func daysBetween(a, b time.Time) float64 {
	day := func(t time.Time) float64 { return math.Floor(float64(t.Unix()) / 86400) }
	return math.Abs(day(a) - day(b))
}

// dislikedWeight is the share of the score that relatedness 1 to a disliked article takes away. An
// article that is as close to a liked one keeps half of its score, because a story that was both
// liked and disliked is still of interest.
const dislikedWeight = 0.5

// relatedness is 0 for unrelated articles and 1 for the same text: the mean of cosine and word
// overlap. The cosine is that of the articles or of their best sections, whichever is larger.
func relatedness(s score.Signals) float64 {
	return (max(s.Dense, s.Section, 0) + (s.Lexical+s.Lead)/2) / 2
}

// maxRefined is the number of candidates of a search whose sections are read and compared. Lower
// candidates would hardly rise above these.
const maxRefined = 60

// scoreQuery scores the candidates of a search: by the largest cosine of the query and a part of
// the article, and by the share of the words of the query that occur in it, weighted by rarity. A
// part is a section, or the title with the lede. All sections are compared for the best candidates
// and for the articles of byWords; for others, only those that the queries found.
func (e *Engine) scoreQuery(ctx context.Context, s *seed, found []candidate, byWords []string) error {
	query, weights := s.items[0].sections[0], s.queryWeights(s.terms)
	whole := 0.0
	for _, w := range weights {
		whole += w
	}
	words := make([]float64, len(found))
	update := func(i int) {
		c := &found[i]
		c.signals.Section, c.signals.Lexical = c.section, words[i]
		c.score = min(max((max(c.signals.Dense, c.section)+words[i])/2, 0), 1)
	}
	for i := range found {
		found[i].signals = score.Compare(s.items[0].weighted, found[i].weighted)
		words[i] = share(s.terms, weights, whole, found[i].stored.Vectors.Lex.Full)
		update(i)
	}
	best := upTo(len(found))
	slices.SortFunc(best, func(a, b int) int { return compareCandidates(&found[a], &found[b]) })
	at := make(map[string]int)
	for _, i := range best[:min(len(best), maxRefined)] {
		at[found[i].stored.Article.ID] = i
	}
	byWords = byWords[:min(len(byWords), maxRefined/2)]
	for i := range found {
		if id := found[i].stored.Article.ID; slices.Contains(byWords, id) {
			at[id] = i
		}
	}
	sections, err := e.cfg.Store.Sections(ctx, slices.Sorted(maps.Keys(at)), true)
	if err != nil {
		return err
	}
	for id, i := range at {
		for _, section := range sections[id] {
			if len(section.Dense) == len(query.Dense) {
				found[i].section = max(found[i].section, float64(vector.Dot(query.Dense, section.Dense)))
			}
			words[i] = max(words[i], share(s.terms, weights, whole, section.Lexical))
		}
		update(i)
	}
	return nil
}

// compareCandidates orders by score, best first, then by id.
func compareCandidates(a, b *candidate) int {
	return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.stored.Article.ID, b.stored.Article.ID))
}

// queryWeights returns the weight of each term of a query in this corpus: its own weight times its
// IDF.
func (s *seed) queryWeights(terms vector.Sparse) []float64 {
	weights := make([]float64, len(terms.Terms))
	for i, term := range terms.Terms {
		weights[i] = float64(terms.Weights[i]) * float64(s.state.Stats.Frequencies().IDF(lexical.Full, term))
	}
	return weights
}

// share returns the share, 0 to 1, of the weight of a query whose terms occur in a document. whole
// is the sum of weights.
func share(terms vector.Sparse, weights []float64, whole float64, document vector.Sparse) float64 {
	if whole == 0 {
		return 0
	}
	sum := 0.0
	for i, term := range terms.Terms {
		if _, ok := slices.BinarySearch(document.Terms, term); ok {
			sum += weights[i]
		}
	}
	return sum / whole
}
