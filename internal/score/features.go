package score

import (
	"math"
	"time"
	"unsafe"

	"throughline/cluster/vector"
	"throughline/internal/lexical"
	"throughline/internal/news"
)

// Features holds what scoring needs of one article.
type Features struct {
	ID        string
	Dense     []float32       // unit vector of title and lede in the corpus's embedding space
	Lex       lexical.Vectors // raw term weights
	Published time.Time       // zero: unknown
	Source    string
}

// FeaturesOf returns the features of an article with its dense vector. It is the only way from a
// text to features, so stored articles, drafts, texts of a seed, batch jobs and the articles that
// the model is fitted on are treated alike. The features of a placeholder have no words.
func FeaturesOf(a *news.Article, dense []float32) Features {
	f := Features{ID: a.ID, Dense: dense, Lex: lexical.Analyze(a.Title, a.Text()), Published: a.Published, Source: a.Source}
	if a.TitleDerived && f.Lex.Words <= placeholderWords && len(f.Lex.Names.Terms) <= placeholderNames {
		f.Lex = lexical.Vectors{}
	}
	return f
}

// placeholderWords and placeholderNames bound the words, with those of a derived title, and the
// names and numbers of a text that stands for one that could not be had, such as "No excerpt is
// available." (Its first word may look like a name.) What articles with such a text have in common
// says nothing about their events.
const placeholderWords, placeholderNames = 16, 1

// Weighted holds the features of an article, weighted by one State.
type Weighted struct {
	// Subject is the dense vector minus the mean of the corpus, at unit length; nil when the
	// difference is zero or there is no vector.
	Subject []float32
	// Centred is Subject as evidence of one event: nil of an article that was made by filling in a
	// form, because all of that form have nearly the same.
	Centred []float32
	// Full is the vector of all words, weighted by inverse document frequency, at unit length.
	Full vector.Sparse

	dense       []float32 // as embedded
	cosineScale float64   // multiplies centred cosines to make them comparable
	background  float64   // dot product with the mean vector of the corpus
	lead, names vector.Sparse
	own         vector.Sparse // names, weighted for copies; see lexical.Weighting.WeighOwn
	words       int
	length      float64 // see lengthOf
	dated       bool
	day         int
	shingles    lexical.Shingles
}

// fullWords is the number of words beyond which more text adds no evidence.
const fullWords = 300

// lengthOf maps a number of words to 0..1 on a logarithmic scale.
func lengthOf(words int) float64 {
	return math.Log1p(float64(min(words, fullWords))) / math.Log1p(fullWords)
}

// Size returns the bytes that w takes in memory beside the features that it was made of.
func (w *Weighted) Size() int {
	n := int(unsafe.Sizeof(*w)) + 4*len(w.Subject)
	for _, v := range []vector.Sparse{w.Full, w.lead, w.names, w.own} {
		n += 4 * len(v.Weights)
	}
	return n
}

// WordCount returns the number of words of the article, at most the 300 beyond which more text adds
// no evidence.
func (w *Weighted) WordCount() float64 { return float64(min(w.words, fullWords)) }

// farDay bounds days to 92,000 years around 1970, so that any date fits a sparse term.
const farDay = 1 << 25

// dayOf returns the calendar day in UTC as days since 1970. It counts days, not hours, because many
// articles have a date only, or a midnight that stands for one.
func dayOf(t time.Time) int {
	day := math.Floor(float64(t.Unix()) / 86400)
	return int(math.Min(math.Max(day, -farDay), farDay))
}
