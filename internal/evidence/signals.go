package evidence

// Signals is what is known about a pair of articles. It is symmetric: the order of the two says nothing.
type Signals struct {
	Dense      float64    // cosine of the dense vectors as embedded
	Centred    float64    // the same after removing what all articles of the corpus share
	Section    float64    // cosine of the best pair of sections, where the caller compared them; no part of the logit
	Lexical    float64    // cosine of the words of title and body, rare words first
	Lead       float64    // the same of the title and the first sentences
	Names      float64    // the same of names and numbers
	Length     float64    // of the shorter article: 0 for no words, 1 for 300 and more, logarithmic between
	Lengths    [2]float64 // of both
	Dated      bool       // both dates are known
	Days       float64    // calendar days between them, when Dated
	Verbatim   float64    // share of the runs of five words of the shorter article that the other has too; no part of the logit
	Copy       bool       // the two are one text, lightly edited, shortened or framed; no part of the logit
	Background float64    // how similar the two are to the corpus as a whole, on average
}
