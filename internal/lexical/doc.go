// Package lexical turns the words of an article into sparse term vectors.
//
// It knows how text is split into terms (words in lower case without accents, numbers in one
// spelling, a light plural stemmer, pairs of characters for scripts without spaces), which terms
// are names, and how common a term is in a corpus and in English. It does not compare articles:
// vectors hold term frequencies, [Frequencies] weights them for a corpus, and other packages
// compare them.
//
// Terms are 32-bit hashes, so no dictionary is stored or shared between machines. In a vocabulary
// of V terms about V*V/2^33 pairs share an id: one pair of 93,000 distinct terms, a hundred of
// 930,000. A collision makes two words count as one; it cannot make a vector invalid.
package lexical
