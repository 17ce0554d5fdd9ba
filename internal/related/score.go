package related

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"throughline/cluster/vector"
	"throughline/internal/evidence"
	"throughline/internal/lexical"
	"throughline/internal/store"
)

// flatten divides the logit of the same story, so that it still tells articles apart where the probability is all but 0
// or 1; likeness is what relatedness counts for beside it.
//
// Same-story nDCG@10 (up to 300 articles a set asked about, nothing left out of the lists) of newswcl50, basil, ecbplus,
// headlines, allsides and the seeds, and its mean:
//
//	half probability, half relatedness   1.000 .999 .946 .965 .949 .978   .973
//	relatedness                           .999 .996 .939 .945 .857 .933   .945
//	probability                          1.000 1.000 .951 .970 .972 .982   .979
//	flatten 3, likeness .2               1.000 1.000 .952 .966 .971 .980   .978
//
// Flattening by 1 to 4 with a likeness of .05 to .3 gives means of .976 to .979. Among these, a larger likeness is what
// orders articles of one topic that are certainly not of one story, which no set can measure; this one costs least for it.
const (
	flatten  = 3.0
	likeness = 0.2
)

// score judges candidates, each by the stem it is closest to: by how likely both tell one story, and by how related they are.
func (e *Engine) score(s *seed, found []candidate) {
	roots := make(map[string]bool) // of copies of the seed
	for _, st := range s.stems {
		if st.copyRoot != "" {
			roots[st.copyRoot] = true
		}
	}
	for i := range found {
		c := &found[i]
		e.judge(s, c)
		if c.relation == evidence.RelationCopy {
			roots[c.copyRoot] = true
		}
	}
	for i := range found { // the copies of a copy are copies, edited as they may be
		if roots[found[i].copyRoot] {
			found[i].relation = evidence.RelationCopy
		}
	}
}

func (e *Engine) judge(s *seed, c *candidate) {
	bestLogit, published := math.Inf(-1), c.stored.Article.Published
	for i := range s.stems {
		st := &s.stems[i]
		signals := evidence.Compare(st.weighed, c.weighed)
		signals.Section = c.section
		if st.story {
			signals.Verbatim, signals.Copy = 0, false // of course its words are among those of the whole story
			signals.Dated = !published.IsZero() && !st.first.IsZero()
			signals.Days = daysBetween(published, st.nearest(published))
		}
		if logit := e.cfg.Model.Logit(signals); logit > bestLogit {
			bestLogit, c.near, c.signals = logit, i, signals
		}
	}
	c.score = (1-likeness)/(1+math.Exp(-bestLogit/flatten)) + likeness*relatedness(c.signals)
	closest := 0.0
	for _, w := range s.against {
		closest = max(closest, relatedness(evidence.Compare(w, c.weighed)))
	}
	c.score = min(max(c.score*(1-dislike*closest), 0), 1)
	near := &s.stems[c.near]
	filed := near.filed(&c.stored.Article)
	c.probability = e.cfg.Model.Probability(c.signals, e.cut(), filed.Story)
	filed.SameTopic = filed.SameTopic && c.score >= related // a topic has far more articles than are related to one of them
	c.relation = evidence.Relate(c.signals, c.probability, filed, near.nearest(published), published)
}

// cut is where stories end in this corpus, or in one that shows nothing yet.
func (e *Engine) cut() float64 {
	if cut, known := e.cfg.Corpus.Cut(); known {
		return cut
	}
	return e.cfg.Model.StartCut().Even
}

// filed says how the stem and an article are filed.
func (st *stem) filed(a *store.Article) evidence.Filed {
	var f evidence.Filed
	switch {
	case st.storyID == "" || a.StoryID == "":
	case st.storyID == a.StoryID:
		f.Story = evidence.Together
	default:
		f.Story = evidence.Apart
	}
	f.SameTopic = st.topicID != "" && len(a.TopicIDs) > 0 && a.TopicIDs[0] == st.topicID // the first is the narrowest
	return f
}

// nearest is the time within the stem's span that is closest to another.
func (st *stem) nearest(t time.Time) time.Time {
	switch {
	case t.Before(st.first):
		return st.first
	case t.After(st.last):
		return st.last
	}
	return t
}

// daysBetween counts calendar days in UTC, as the signals do.
func daysBetween(a, b time.Time) float64 {
	day := func(t time.Time) float64 { return math.Floor(float64(t.Unix()) / 86400) }
	return math.Abs(day(a) - day(b))
}

// dislike is how much of the score nearness to a disliked article takes away. What is as near to a liked one keeps half: a
// story that was liked and disliked is still interesting.
const dislike = 0.5

// relatedness is 0 for unrelated articles and 1 for the same text: meaning and words in equal parts, of the whole articles
// or of their best sections, whichever is nearer.
func relatedness(s evidence.Signals) float64 {
	return (max(s.Dense, s.Section, 0) + (s.Lexical+s.Lead)/2) / 2
}

// refined is how many candidates of a search are looked at section by section. What reading sections adds to the score of
// the others would hardly bring them before these.
const refined = 60

// scoreQuery judges candidates of a search: the meaning of the nearest part, and which share of the query's words occurs,
// rare words first. The part is a section, or the title with the lede. Of the best candidates, and the articles of
// byWords, all sections are compared; of the others those that the search met.
func (e *Engine) scoreQuery(ctx context.Context, s *seed, found []candidate, byWords []string) error {
	query, weights := s.stems[0].sections[0], e.queryWeights(s.terms)
	whole := 0.0
	for _, w := range weights {
		whole += w
	}
	words := make([]float64, len(found))
	judge := func(i int) {
		c := &found[i]
		c.signals.Section, c.signals.Lexical = c.section, words[i]
		c.score = min(max((max(c.signals.Dense, c.section)+words[i])/2, 0), 1)
	}
	for i := range found {
		found[i].signals = evidence.Compare(s.stems[0].weighed, found[i].weighed)
		words[i] = share(s.terms, weights, whole, found[i].stored.Vectors.Full)
		judge(i)
	}
	best := make([]int, len(found))
	for i := range best {
		best[i] = i
	}
	slices.SortFunc(best, func(a, b int) int { return compareCandidates(&found[a], &found[b]) })
	at := make(map[string]int)
	for _, i := range best[:min(len(best), refined)] {
		at[found[i].stored.Article.ID] = i
	}
	byWords = byWords[:min(len(byWords), refined/2)]
	for i := range found {
		if id := found[i].stored.Article.ID; slices.Contains(byWords, id) {
			at[id] = i
		}
	}
	ids := make([]string, 0, len(at))
	for id := range at {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	sections, err := e.cfg.Store.Sections(ctx, ids, true)
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
		judge(i)
	}
	return nil
}

// compareCandidates orders by score, best first; equals by id.
func compareCandidates(a, b *candidate) int {
	return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.stored.Article.ID, b.stored.Article.ID))
}

// queryWeights is the weight of each term of a query in this corpus.
func (e *Engine) queryWeights(terms vector.Sparse) []float64 {
	weights := make([]float64, len(terms.Terms))
	for i, term := range terms.Terms {
		weights[i] = float64(terms.Weights[i]) * float64(e.cfg.Corpus.Frequencies().IDF(lexical.Full, term))
	}
	return weights
}

// share is which part of the query's weight occurs in a document, 0..1.
func share(terms vector.Sparse, weights []float64, whole float64, document vector.Sparse) float64 {
	if whole == 0 {
		return 0
	}
	sum, j := 0.0, 0
	for i, term := range terms.Terms {
		for j < len(document.Terms) && document.Terms[j] < term {
			j++
		}
		if j < len(document.Terms) && document.Terms[j] == term {
			sum += weights[i]
		}
	}
	return sum / whole
}
