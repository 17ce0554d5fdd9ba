package coverage

import (
	"context"
	"errors"
	"math"

	"throughline/cluster/vector"
	"throughline/internal/corpus"
	"throughline/internal/evidence"
	"throughline/internal/lexical"
	"throughline/internal/points"
)

// candidate is an article that might be an answer.
type candidate struct {
	stored      *points.Stored
	weighed     *evidence.Weighed
	section     float64 // best similarity of a seed section and one of its sections, as far as the search saw it
	signals     evidence.Signals
	probability float64
	score       float64
	relation    evidence.Relation
	copyOf      string
	copyRoot    string
}

// perQuery is how many hits one nearest-neighbour query asks for: enough that what is cut off later (copies, caps,
// excluded relations) does not leave a short list.
const perQuery = 150

// maxCandidates bounds how many articles are fetched and compared for one question.
const maxCandidates = 500

// gather finds candidates by meaning and by words, among articles and among sections, and fetches their vectors. A store
// that does not answer for sections makes the answer partial; without articles there is none.
func (e *Engine) gather(ctx context.Context, s *seed, f Shape) ([]candidate, bool, error) {
	filter := f.Filter
	filter.ExcludeArticleIDs = concat(filter.ExcludeArticleIDs, f.ExcludeArticles, s.exclude)
	filter.ExcludeStoryIDs = concat(filter.ExcludeStoryIDs, f.ExcludeStories)

	limit := max(perQuery/len(s.stems), 20)
	var byArticle, bySection []points.Query
	for _, st := range s.stems {
		byArticle = append(byArticle, points.Query{Of: points.Articles, Dense: st.dense, Filter: filter, Limit: limit})
		if len(st.lexical.Terms) > 0 {
			byArticle = append(byArticle, points.Query{Of: points.Articles, Sparse: st.lexical, Using: points.Lexical, Filter: filter, Limit: limit})
		}
	}
	for _, section := range s.sections {
		bySection = append(bySection, points.Query{Of: points.Sections, Dense: section.Dense, Filter: filter, Limit: limit})
		if s.query && len(section.Lexical.Terms) > 0 {
			bySection = append(bySection, points.Query{Of: points.Sections, Sparse: section.Lexical, Using: points.Lexical, Filter: filter, Limit: limit})
		}
	}
	partial := false
	hits, err := e.cfg.Store.Query(ctx, byArticle)
	if err != nil {
		return nil, false, err
	}
	sectionHits, err := e.cfg.Store.Query(ctx, bySection)
	switch {
	case errors.Is(err, points.ErrUnavailable) || errors.Is(err, points.ErrOverloaded):
		e.cfg.Logger.WarnContext(ctx, "sections are not searched", "error", err)
		partial = true
	case err != nil:
		return nil, false, err
	}

	ids, best := ranked(hits, bySection, sectionHits)
	if len(ids) > maxCandidates {
		ids = ids[:maxCandidates]
	}
	stored, err := e.cfg.Store.Get(ctx, ids, points.WithVectors)
	if err != nil {
		return nil, false, err
	}
	out := make([]candidate, 0, len(stored))
	for i, st := range stored {
		if st == nil {
			continue // deleted since the query
		}
		root := st.Article.CopyOf
		if root == "" {
			root = st.Article.ID
		}
		out = append(out, candidate{
			stored: st, weighed: e.cfg.Corpus.Weigh(corpus.Profile(st)), section: best[ids[i]], copyOf: st.Article.CopyOf, copyRoot: root,
		})
	}
	return out, partial, nil
}

func concat(lists ...[]string) []string {
	var all []string
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// ranked merges the lists of all queries round robin, so that a cut takes the best of each, and notes the best dense
// similarity of a section of each article.
func ranked(hits [][]points.Hit, bySection []points.Query, sectionHits [][]points.Hit) ([]string, map[string]float64) {
	best := make(map[string]float64)
	for i, list := range sectionHits {
		if bySection[i].Dense == nil {
			continue
		}
		for _, h := range list {
			best[h.ArticleID] = max(best[h.ArticleID], float64(h.Score))
		}
	}
	lists := append(append([][]points.Hit(nil), hits...), sectionHits...)
	var ids []string
	seen := make(map[string]bool)
	for rank, more := 0, true; more; rank++ {
		more = false
		for _, list := range lists {
			if rank >= len(list) {
				continue
			}
			more = true
			if id := list[rank].ArticleID; !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	return ids, best
}

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

// score judges a candidate by the stem it is closest to: by how likely both tell one story, and by how related they are.
func (e *Engine) score(s *seed, c *candidate) {
	bestLogit := math.Inf(-1)
	var near stem
	for _, st := range s.stems {
		signals := evidence.Compare(st.weighed, c.weighed)
		signals.Section = c.section
		if logit := e.cfg.Model.Logit(signals); logit > bestLogit {
			bestLogit, near, c.signals = logit, st, signals
		}
	}
	c.probability = e.cfg.Model.Probability(c.signals)
	c.relation = evidence.Relate(c.signals, c.probability, near.published, c.stored.Article.Published)
	if near.copyRoot != "" && near.copyRoot == c.copyRoot {
		c.relation = evidence.RelationCopy
	}
	c.score = (1-likeness)/(1+math.Exp(-bestLogit/flatten)) + likeness*relatedness(c.signals)
	for _, w := range s.against {
		c.score -= max(0, relatedness(evidence.Compare(w, c.weighed))) * dislike
	}
	c.score = min(max(c.score, 0), 1)
}

// dislike is how much nearness to a disliked article takes away: less than what nearness to a liked one gives, so that a
// story which was liked and disliked is still seen as interesting.
const dislike = 0.5

// relatedness is 0 for unrelated articles and 1 for the same text: meaning and words in equal parts, of the whole articles
// or of their best sections, whichever is nearer.
func relatedness(s evidence.Signals) float64 {
	return (max(s.Dense, s.Section, 0) + (s.Lexical+s.Lead)/2) / 2
}

// scoreQuery judges candidates of a search: the meaning of the nearest part, and which share of the query's words occurs,
// rare words first.
func (e *Engine) scoreQuery(ctx context.Context, s *seed, found []candidate) error {
	ids := make([]string, len(found))
	for i := range found {
		ids[i] = found[i].stored.Article.ID
	}
	sections, err := e.cfg.Store.Sections(ctx, ids, true)
	if err != nil {
		return err
	}
	query := s.sections[0]
	weights, whole := e.queryWeights(s.terms)
	for i := range found {
		c := &found[i]
		c.signals = evidence.Compare(s.stems[0].weighed, c.weighed)
		all := share(s.terms, weights, whole, c.stored.Vectors.Full)
		for _, section := range sections[ids[i]] {
			c.section = max(c.section, float64(vector.Dot(query.Dense, section.Dense)))
			all = max(all, share(s.terms, weights, whole, section.Lexical))
		}
		c.signals.Section, c.signals.Lexical = c.section, all
		c.score = min(max((max(c.signals.Dense, c.section)+all)/2, 0), 1)
	}
	return nil
}

// queryWeights is the weight of each term of a query in this corpus, and their sum.
func (e *Engine) queryWeights(terms vector.Sparse) (weights []float64, sum float64) {
	weights = make([]float64, len(terms.Terms))
	for i, term := range terms.Terms {
		weights[i] = float64(terms.Weights[i]) * float64(e.cfg.Corpus.Frequencies().IDF(lexical.Full, term))
		sum += weights[i]
	}
	return weights, sum
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
