package store

import (
	"time"

	"throughline/cluster/vector"
)

// MaxID is the longest article, story or topic id in bytes.
const MaxID = 512

// Article is what is stored of one article beside its sections and vectors.
type Article struct {
	ID           string // non-empty valid UTF-8 of at most MaxID bytes
	Title        string
	TitleDerived bool
	URL          string
	Source       string // outlet
	Language     string
	Authors      []string
	Published    time.Time // zero: unknown; kept to the millisecond, in UTC
	DateOnly     bool      // the time of day of Published is not known

	Sections int // how many; set by Put
	// Revision identifies what is stored; set by Put. It grows with every put of the article but not by one.
	Revision int64
	Hash     string // of the content; the same hash means there is nothing to write
	Words    int
	Ingested time.Time // kept to the millisecond, in UTC

	// The assignment: where the article is filed. Written by Assign; see Put for what becomes of it when an article is
	// put again.
	StoryID     string
	TopicIDs    []string // the topic, then its theme: a filter on either finds the article
	CopyOf      string   // id of the article this one is a copy of
	Probability float64  // that the article belongs to StoryID
}

// Vectors are what an article is compared by.
type Vectors struct {
	Dense             []float32 // unit length, as long as the space has dimensions
	DenseOf           string    // TextKey of the text that Dense was made of; may be empty: not known
	Full, Lead, Names vector.Sparse
	// Shingles are hashes of runs of words, by which copies are recognised, strictly ascending. They are read together with
	// Full. An article that was stored by a program that did not know them has none.
	Shingles []uint32
}

// Section is one section of an article: the unit that is embedded and cited.
type Section struct {
	ArticleID string // may be empty in a Put; otherwise the article's
	Index     int    // position in the article, from 0 without gaps
	Heading   string
	Text      string
	Dense     []float32 // unit length
	DenseOf   string    // as in Vectors
	Lexical   vector.Sparse
}

// Put is one article to store.
type Put struct {
	Article  Article
	Vectors  Vectors
	Sections []Section
}

// Known is what is stored of an article, in short.
type Known struct {
	Hash     string
	Revision int64
}

// Stored is an article as read. Vectors holds what was asked for; the rest is nil.
type Stored struct {
	Article Article
	Vectors Vectors
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

// Assignment files one article: it replaces the whole assignment of the article.
type Assignment struct {
	ArticleID   string
	StoryID     string   // empty: in no story
	TopicIDs    []string // as in Article
	CopyOf      string
	Probability float64
}

// Filter narrows a query or a listing. The zero Filter lets everything pass; every field that is set must hold. A list
// of values holds when one of them matches.
type Filter struct {
	Sources, ExcludeSources []string
	Languages               []string
	TopicIDs                []string // topics or themes
	StoryIDs                []string
	ExcludeStoryIDs         []string
	ExcludeArticleIDs       []string
	// After keeps what was published at that time or later, Before what was published earlier than that. Zero: no bound.
	// An article whose time is unknown passes neither: it cannot be said to be inside.
	After, Before time.Time
}

// Collection says what a query looks at.
type Collection int

// What can be queried.
const (
	Articles Collection = iota
	Sections
	Stories
)

// Names of the vectors, for Query.Using.
const (
	Dense   = "dense"   // articles, sections, stories
	Lexical = "lexical" // articles (Vectors.Full), sections, stories: searched with inverse document frequencies
	Lead    = "lead"    // articles, stories: raw weights
	Names   = "names"   // articles, stories: raw weights
)

// Query is one nearest-neighbour search. Exactly one of Dense and Sparse is set; a Sparse without terms finds nothing.
type Query struct {
	Of     Collection
	Dense  []float32     // finite, as long as the space has dimensions
	Sparse vector.Sparse // raw term weights
	Using  string        // name of the vector; "" is Dense or Lexical, whichever fits
	// Filter applies before the search, not after it. For Stories the only fields are TopicIDs, StoryIDs,
	// ExcludeStoryIDs, After and Before (stories whose span overlaps that time); another field is an error.
	Filter Filter
	Limit  int  // 1..MaxLimit
	Exact  bool // scan instead of an approximate index; the embedded server always does
}

// MaxLimit bounds Query.Limit and the pages of listings.
const MaxLimit = 10_000

// Hit is one answer of a query. Its higher Score is the better one.
type Hit struct {
	ArticleID string // of articles and sections
	Section   int    // index of the section; 0 for other collections
	StoryID   string // of stories
	Score     float32
}
