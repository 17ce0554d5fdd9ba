package store

import (
	"throughline/cluster/vector"
	"throughline/internal/lexical"
	"throughline/internal/news"
	"throughline/internal/score"
)

// MaxID is the longest article, story or topic id in bytes.
const MaxID = 512

// Vectors are the vectors of an article, by which articles are compared. Those of a story are the
// means of its articles'.
type Vectors struct {
	Dense   []float32       // of an article: unit length, as long as the space has dimensions
	DenseOf string          // TextKey of the text that Dense was made of; empty: unknown
	Lex     lexical.Vectors // raw term weights; Shingles and Phrases are read together with Full
}

// Section is one section of an article: the unit that is embedded and cited.
type Section struct {
	ArticleID string // may be empty in a Put; otherwise the article's
	Index     int    // position in the article, from 0 without gaps
	news.Section
	Dense   []float32 // unit length
	DenseOf string    // as in Vectors
	Lexical vector.Sparse
}

// Put is one article to store.
type Put struct {
	Article  news.Article // its Sections do not count: those below are stored
	Vectors  Vectors
	Sections []Section
}

// Known is what an ingest needs to know of a stored article.
type Known struct {
	Hash    string // content hash
	Pending bool   // its membership is still to be decided
}

// Stored is an article as read. The vectors that were not asked for are nil.
type Stored struct {
	Article news.Article
	Vectors Vectors
}

// Features is the article as scoring sees it. It shares the slices of s.
func (s *Stored) Features() score.Features {
	return score.Features{ID: s.Article.ID, Dense: s.Vectors.Dense, Lex: s.Vectors.Lex, Published: s.Article.Published, Source: s.Article.Source}
}

// Story is a story with the means of its articles' vectors. Dense is not normalised; nil: not
// stored.
type Story struct {
	news.Story
	Vectors
}

// Topic is a topic or theme with the mean of its articles' dense vectors, not normalised.
type Topic struct {
	news.Topic
	Dense []float32 // nil: not stored
}

// With says which vectors to read beside the fields. Values are combined with |.
type With uint8

// What can be read beside the fields.
const (
	WithDense With = 1 << iota
	WithFull
	WithLead
	WithNames

	WithNothing With = 0 // fields only
	WithVectors      = WithDense | WithFull | WithLead | WithNames
)

// Collection is what a query searches.
type Collection int

// The collections that can be queried.
const (
	Articles Collection = iota
	Sections
)

// Query is one nearest-neighbour search. Exactly one of Dense and Sparse is set; a Sparse without
// terms finds nothing.
type Query struct {
	Of     Collection
	Dense  []float32     // finite, as long as the space has dimensions
	Sparse vector.Sparse // raw term weights, searched with inverse document frequencies
	Filter news.Filter   // applies before the search, not after it
	Limit  int           // 1..MaxLimit
}

// MaxLimit bounds Query.Limit and the pages of listings.
const MaxLimit = 10_000

// Hit is one answer of a query. A higher Score is better.
type Hit struct {
	ArticleID string
	Section   int // index of the section; 0 of an article
	Score     float32
}

// Mark is the part of a stored article that changes while its text stays: what else is stored of it
// is always the same for one ArticleID and Revision.
type Mark struct {
	ArticleID       string
	Revision        int64
	news.Membership // without Probability
}
