package related

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"throughline/cluster/vector"
	"throughline/internal/features"
	"throughline/internal/lexical"
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

// scoreCandidate compares a candidate with the query items, and gives it the probability and the
// relation of the item that it is closest to, and a score.
func (s *seed) scoreCandidate(c *candidate) {
	var best candidate
	for i := range s.items {
		of := *c
		of.item = i
		s.items[i].compare(s.state, &of)
		s.relate(&of)
		if i == 0 || s.closeness(&of, &best) > 0 {
			best = of
		}
	}
	*c = best
	c.score = (1-relatednessWeight)/(1+math.Exp(-c.orderLogit/logitTemperature)) + relatednessWeight*relatedness(c.ordered)
	closest := 0.0
	for _, w := range s.disliked {
		closest = max(closest, relatedness(score.Compare(w, c.Weighted)))
	}
	c.score = min(max(c.score*(1-dislikedWeight*closest), 0), 1)
}

// closeness compares how close a candidate is to two items, which a and b were compared with. A
// copy is closest, then an article of the same story; otherwise the more probable is closer.
func (s *seed) closeness(a, b *candidate) int {
	kind := func(c *candidate) int {
		filed, _ := s.items[c.item].filed(c.Article)
		switch {
		case c.signals.Copy:
			return 2
		case filed == score.SameStory:
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(kind(a), kind(b)), cmp.Compare(a.probability, b.probability), cmp.Compare(a.logit, b.logit))
}

// others returns what an article is compared with: all articles of the item but itself.
func (it *queryItem) others(id string) []*score.Weighted {
	if at := slices.Index(it.members, id); at >= 0 && len(it.members) > 1 {
		return slices.Concat(it.articles[:at], it.articles[at+1:])
	}
	return it.articles
}

// compare measures a candidate against the item.
func (it *queryItem) compare(st *score.State, c *candidate) {
	if it.members == nil {
		c.signals = score.Compare(it.articles[0], c.Weighted)
		c.signals.Copy = c.signals.Copy || it.copyGroup == c.CopyGroup()
		c.logit = st.Logit(c.signals)
	} else {
		c.signals, c.logit = mean(st, it.others(c.ArticleID), c.Weighted)
		published := c.Fields.Published
		near := it.nearest(published)
		c.signals.Dated = !published.IsZero() && !near.IsZero()
		c.signals.Days = daysBetween(published, near)
	}
	c.signals.Section = c.section
	c.ordered, c.orderLogit = c.signals, c.logit
	if it.part != nil {
		c.ordered = score.Compare(it.part, c.Weighted)
		c.orderLogit, c.ordered.Section = st.Logit(c.ordered), c.section
	}
}

// mean returns the mean logit between an article and those of a story, and the means of cosines and
// lengths. The signals have no days, and are of no copy: an article is not a copy of a story.
func mean(st *score.State, of []*score.Weighted, w *score.Weighted) (m score.Signals, logit float64) {
	n := float64(len(of))
	for _, other := range of {
		s := score.Compare(other, w)
		logit += st.Logit(s) / n
		m.Dense += s.Dense / n
		m.Centred += s.Centred / n
		m.Lexical += s.Lexical / n
		m.Lead += s.Lead / n
		m.Names += s.Names / n
		m.Lengths[0] += s.Lengths[0] / n
		m.Lengths[1] += s.Lengths[1] / n
		m.Background += s.Background / n
	}
	return m, logit
}

// relate gives a candidate the probability and the relation that follow from its signals and its
// item. They depend on nothing else: not on how the item was asked for, and not on the score.
func (s *seed) relate(c *candidate) {
	it, published := &s.items[c.item], c.Fields.Published
	filed, sameTopic := it.filed(c.Article)
	switch {
	case it.members != nil:
		c.probability = s.state.StoryProbability(c.logit, filed)
	case it.two && filed == score.SameStory:
		c.probability = s.state.TwoProbability(c.signals)
	default:
		c.probability = s.state.Probability(c.signals, filed)
	}
	c.relation = score.Relate(c.signals, c.probability, filed, sameTopic, it.nearest(published), published)
}

// contributions returns what each signal gave to the logit, by name; of a story, means over its
// articles.
func (it *queryItem) contributions(st *score.State, c *candidate) map[string]float64 {
	sum := make(map[string]float64)
	others := it.others(c.ArticleID)
	for _, w := range others {
		for name, x := range st.Model.Contributions(score.Compare(w, c.Weighted)) {
			sum[name] += x / float64(len(others))
		}
	}
	return sum
}

// filed reports whether the item and an article are in one story, and whether in one topic.
func (it *queryItem) filed(a *features.Article) (filed score.Filed, sameTopic bool) {
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
		found[i].signals = score.Compare(s.items[0].articles[0], found[i].Weighted)
		words[i] = share(s.terms, weights, whole, found[i].Vectors.Lex.Full)
		update(i)
	}
	best := upTo(len(found))
	slices.SortFunc(best, func(a, b int) int { return compareCandidates(&found[a], &found[b]) })
	at := make(map[string]int)
	for _, i := range best[:min(len(best), maxRefined)] {
		at[found[i].ArticleID] = i
	}
	byWords = byWords[:min(len(byWords), maxRefined/2)]
	for i := range found {
		if id := found[i].ArticleID; slices.Contains(byWords, id) {
			at[id] = i
		}
	}
	sections, err := e.cfg.Store.SectionVectors(ctx, slices.Sorted(maps.Keys(at)))
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
	return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.ArticleID, b.ArticleID))
}

// queryWeights returns the weight of each term of a query in this corpus: its own weight times its
// IDF.
func (s *seed) queryWeights(terms vector.Sparse) []float64 {
	weights := make([]float64, len(terms.Terms))
	for i, term := range terms.Terms {
		weights[i] = float64(terms.Weights[i]) * float64(s.state.Stats.Weighting().IDF(lexical.Full, term))
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
