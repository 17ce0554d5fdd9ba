// Package evidence says how likely two articles are about the same event, and arranges a set of articles by that.
//
// A [Corpus] knows what is usual: how common a term is and what the articles have in common. It turns a [Profile], the
// vectors of one article, into [Weighed] form, and two of those into [Signals]: what speaks for and against one event. A
// [Model] adds the signals up to a log-odds, the logit, with coefficients from a file that says what they were fitted on.
//
// Every signal is a product of something known of one article and the same thing known of the other, a cosine foremost.
// So the whole logit is one dot product of two vectors, the mean logit between two groups of articles is the dot product
// of their mean vectors, and average linkage on the calibrated logit costs what it costs on plain cosines. This rules out
// "the length of the shorter text" and "the logarithm of the days between": lengths enter as one factor per article, and
// days as a sum of hat functions, each a dot product of interval indicators.
//
// The package reads no files, keeps no clock and knows nothing of stores or requests.
package evidence
