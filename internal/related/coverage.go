// Package related answers "what else was written about this?" and "what was written about these words?".
//
// It knows how candidates are gathered (dense and lexical, over articles and over sections, in one round trip), how they
// are scored (one calibrated probability of the same story and a separate relatedness score), what the relation between
// two articles is called, how a list is shaped for a reader (copies, sources, stories, age, diversity), and which sections
// are the evidence. It does not know gRPC or page tokens: it returns a ranked list, which the server freezes, and explains
// one stretch of it at a time.
package related

import (
	"errors"
	"fmt"
	"time"

	"throughline/internal/evidence"
	"throughline/internal/store"
)

// Depth is how many results a list holds at most: what paging can reach. Candidates beyond it would be a scan of the
// corpus, which a batch job does better.
const Depth = 200

// Seed says what the coverage should be related to. Exactly one of ArticleID, Text, StoryID and Liked is set.
type Seed struct {
	ArticleID string
	// Text is an article's text that need not be stored; Title belongs to it and may be empty.
	Text, Title string
	Published   time.Time // of Text; zero: unknown
	StoryID     string
	// Liked are articles whose common ground is looked for; Disliked ones push away from theirs.
	Liked, Disliked []string
	// Section narrows an ArticleID seed to one of its sections; nil: all of them.
	Section *int
}

// Shape says what a list may hold and how it is ordered. The zero value restricts nothing.
type Shape struct {
	Filter                          store.Filter
	ExcludeArticles, ExcludeStories []string
	MaxPerSource, MaxPerStory       int           // 0: no cap; an article without a source or story is never capped
	Diversity                       float64       // 0..1: how much a result is marked down for resembling those above it (MMR)
	HalfLife                        time.Duration // the score halves with every HalfLife since publication; 0, or an unknown time: age does not count
	IncludeCopies                   bool          // keep copies of the seed and of other results
	Explain                         bool          // fill Result.Signals
	Limit                           int           // results wanted, at most Depth; 0: Depth
}

// Request is one question for related coverage.
type Request struct {
	Seed
	Shape
	MinProbability float64             // 0..1
	Relations      []evidence.Relation // only these; empty: all
}

// SearchRequest is one question in words.
type SearchRequest struct {
	Query string
	Shape
}

// Result is one article of a list.
type Result struct {
	Article store.Article
	// Score orders the list, in 0..1: how related, whatever the relation is. Decay and diversity are in it.
	Score float64
	// Probability that seed and article are about the same event; 0 in a search, where there is no seed article.
	Probability float64
	Relation    evidence.Relation  // RelationNone in a search
	CopyOf      string             // the article this one is a copy of, when it is one
	Evidence    []Evidence         // best section pairs first, at most MaxEvidence
	Signals     map[string]float64 // with Explain: what was measured
	// Contributions is, with Explain, what each signal gave to the log-odds of the same event: with evidence.Prior they sum to
	// Signals["logit"]. How far that is above Signals["cut"], where stories of this corpus end, gives Probability, together with
	// whether the two are in one story. Nil in a search.
	Contributions map[string]float64
}

// MaxEvidence is how many section pairs explain one result.
const MaxEvidence = 3

// Evidence is one pair of sections that match.
type Evidence struct {
	// SeedSection is a section of the article or text that was asked about; for a story, of its representative. It is -1
	// where the whole seed stands for its sections: a query, a headline without text, a liked article.
	SeedSection int
	Section     int // of the result
	Heading     string
	Snippet     string  // of the result's section: whole sentences around the best match, at most SnippetRunes
	Similarity  float64 // cosine of the two vectors
}

// SnippetRunes bounds a snippet.
const SnippetRunes = 280

// FieldError says which field of a request cannot be used and why.
type FieldError struct{ Field, Reason string }

func (e *FieldError) Error() string { return fmt.Sprintf("%s: %s", e.Field, e.Reason) }

// ErrNoVectors: the seed has nothing to compare with, e.g. a text without a single word.
var ErrNoVectors = errors.New("the seed has no words to compare with")
