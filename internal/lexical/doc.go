// Package lexical turns the words of an article into sparse term vectors.
//
// It knows how text is cut into terms (words folded to lower case without accents, numbers in one spelling, a light
// plural stemmer, pairs of characters for scripts that put no spaces between words), which terms are names, and how
// common a term is in the corpus and in English at large. It does not know what makes two articles alike: vectors
// leave here as term frequencies, [Frequencies] weighs them for a corpus, and package evidence compares them.
//
// Terms are 32-bit hashes, so no dictionary is kept, stored or shared between machines. In a vocabulary of V terms
// about V*V/2^33 pairs share an id: one pair in a corpus of 93,000 distinct terms, a hundred in one of 930,000. A
// collision makes two unrelated words count as one; it cannot make a vector invalid.
package lexical
