// Package related ranks the articles that are related to a seed or that match a query.
//
// It gathers candidates (by vector and by words, among articles and among sections, in one round
// trip), scores them (a calibrated probability of the same story, and a separate score of
// relatedness), names the relation between two articles, removes copies, applies caps, age and
// diversity, and finds the sections that are the evidence. It does not know gRPC or page tokens: it
// returns a [List], which the server caches and reads page by page.
package related

import (
	"errors"
	"fmt"
	"time"

	"throughline/internal/news"
	"throughline/internal/score"
)

// Depth is the largest number of results in a list, and so of those that paging can reach. More
// would be a scan of the corpus, for which a batch job is better.
const Depth = 200

// Seed is what a question of related coverage starts from. Exactly one of ArticleID, Draft, StoryID
// and Liked is set.
type Seed struct {
	ArticleID string
	Draft     *news.Valid // an article that need not be stored
	StoryID   string
	// Liked are articles that results should be close to; Disliked lower the score of articles
	// close to them.
	Liked, Disliked []string
	// Section limits the candidates, the order and the evidence of an ArticleID seed to one of its
	// sections, counted from 0; nil: all of them. Probability and relation are of the article.
	Section *int
}

// ListOptions filter and order a list. The zero value restricts nothing.
type ListOptions struct {
	Filter                          news.Filter
	ExcludeArticles, ExcludeStories []string
	// MaxPerSource and MaxPerStory cap the results of one source and of one story; 0: no cap.
	// Articles without a source or story are not capped.
	MaxPerSource, MaxPerStory int
	// Diversity is the weight, 0 to 1, of the similarity of a result to those above it, which
	// lowers its score (maximal marginal relevance).
	Diversity float64
	// HalfLife is the age at which a score is halved; 0: age does not count. An unknown time of
	// publication does not count either.
	HalfLife      time.Duration
	IncludeCopies bool // keep copies of the seed and of other results
	Explain       bool // set Result.Signals and Result.Contributions
	Limit         int  // number of results, at most Depth; 0: Depth
}

// Request is a question of related coverage.
type Request struct {
	Seed
	ListOptions
	MinProbability float64          // of the same story, 0 to 1
	Relations      []score.Relation // only results with one of these; empty: all
}

// SearchRequest is a question in words.
type SearchRequest struct {
	Query string
	ListOptions
}

// Result is one article of a list.
type Result struct {
	Article news.Article
	// Score is what the list is ordered by, 0 to 1: how related the article is, whatever the
	// relation. Age and diversity have lowered it.
	Score float64
	// Probability is that of seed and article being about one event, 0 to 1. For two articles it
	// is the same, whether the seed is one of them, its text, one of its sections, or liked
	// articles: of these the one counts that the result is closest to. For a story it follows from
	// the mean logit to its articles, as that of a membership does. It is 0 in a search, which has
	// no seed article.
	Probability float64
	Relation    score.Relation     // RelationNone in a search
	Evidence    []Evidence         // best section pairs first, at most MaxEvidence
	Signals     map[string]float64 // with Explain: the measurements, by name
	// Contributions is, with Explain, what each signal gave to the log-odds of one event. With
	// score.Prior they sum to Signals["logit"]. Probability follows from how far that is above
	// Signals["cut"], the break-even of this corpus, and from how the two articles are filed. Of a
	// story they are means over its articles. Nil in a search.
	Contributions map[string]float64
}

// MaxEvidence is the largest number of pairs of sections that explain one result.
const MaxEvidence = 3

// Evidence is a pair of matching sections.
type Evidence struct {
	// SeedSection is a section of the seed article or text, counted from 0; of a story, of its
	// representative. It is -1 if the seed has no sections: a query, a headline without text, a
	// liked article.
	SeedSection int
	Section     int // of the result, counted from 0
	Heading     string
	Snippet     string  // whole sentences of the section of the result around the best match, at most SnippetRunes long
	Similarity  float64 // cosine of the two sections
}

// SnippetRunes is the largest length of a snippet, in runes.
const SnippetRunes = 280

// FieldError reports an invalid field of a request.
type FieldError struct{ Field, Reason string }

func (e *FieldError) Error() string { return fmt.Sprintf("%s: %s", e.Field, e.Reason) }

// ErrNoVectors reports that a seed or query has no words to compare with.
var ErrNoVectors = errors.New("the seed has no words to compare with")
