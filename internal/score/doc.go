// Package score estimates how likely two articles are about the same event.
//
// A [State] holds all that the estimate depends on besides the articles: the statistics of the
// corpus ([Stats]), the cosine scale of the embedding space ([Scale]), the coefficients ([Model])
// and the [Threshold] at which stories end. It weights the [Features] of an article ([Weighted])
// and compares two of these ([Signals]). The model adds the signals up to log-odds, the logit, with
// coefficients from a file that says what they were fitted on.
//
// Every signal is a product of a property of one article with the same property of the other, most
// of them cosines. So the whole logit is one dot product of two vectors, the mean logit between two
// groups of articles is the dot product of their mean vectors, and average linkage on the logit
// costs no more than on plain cosines. This rules out signals such as "the length of the shorter
// text" and "the logarithm of the days between": lengths enter as one factor per article, and days
// as a sum of triangular kernels, each a dot product of interval indicators.
//
// The package is pure: it uses no files, no clock and no store, and no value changes after it was
// made, except a [StatsBuilder].
package score
