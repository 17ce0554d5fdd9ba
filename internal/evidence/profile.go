package evidence

import (
	"math"
	"time"

	"throughline/cluster/vector"
	"throughline/internal/lexical"
)

// Profile is what scoring needs of one article.
type Profile struct {
	ID        string
	Dense     []float32       // unit vector of title and lede in the corpus's embedding space
	Lex       lexical.Vectors // raw term weights
	Published time.Time       // zero: unknown
	Source    string
}

// Weighed is a profile as one corpus sees it. It stays valid while the corpus changes, and then describes the past.
type Weighed struct {
	dense             []float32 // as embedded
	centred           []float32 // without what the corpus has in common, unit length; nil when nothing is left
	stretch           float64   // of centred cosines, to the spread that coefficients are for
	background        float64   // cosine with what the corpus has in common
	full, lead, names vector.Sparse
	length            float64 // 0 for no words to 1 for fullWords
	dated             bool
	day               int
	shingles          lexical.Shingles
}

// fullWords is the number of words beyond which more text adds no evidence.
const fullWords = 300

// lengthOf maps a number of words to 0..1 on a logarithmic scale.
func lengthOf(words int) float64 {
	return math.Log1p(float64(min(words, fullWords))) / math.Log1p(fullWords)
}

// farDay bounds days, 92,000 years around 1970, so that any date has room in a sparse term.
const farDay = 1 << 25

// dayOf returns the calendar day in UTC as days since 1970. Days rather than hours: many articles carry a date only, or
// a midnight that stands for one.
func dayOf(t time.Time) int {
	day := math.Floor(float64(t.Unix()) / 86400)
	return int(math.Min(math.Max(day, -farDay), farDay))
}
