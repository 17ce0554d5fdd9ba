// Package calibrate fits the model of internal/score on labelled articles.
//
// It knows how coefficients, the rule of the threshold and the reliability of probabilities follow
// from labelled corpora. It reports how good they are on corpora that they were not fitted on. It
// does not know what a signal is or how articles are linked: it calls internal/score and
// internal/hierarchy, so what is fitted is what runs.
//
// Corpora in use are of all kinds, and labelled ones are few. So many small odd corpora are drawn
// from the sets: by internal/derive, in all amounts of text.
//
// A model is fitted in three steps:
//
//   - Coefficients: logistic regression on candidate pairs, see fit.
//   - The rule of the threshold: the weights that lead to the best stories, where each corpus is
//     linked with coefficients that were fitted without the sets that it is drawn from, see fitRule.
//   - Reliability: the probabilities of logits observed in these linkages, see reliability.
//
// Each set counts the same, however many articles it has.
//
// The figures reported for a corpus are those of a model that was fitted, in every step, without
// the sets that the corpus is drawn from. Because two of the steps themselves leave sets out, a
// linkage behind such a model is made without the sets of two corpora. What is usual in general
// news is learnt from unlabelled news and from the sets; for each corpus, without the sets that it
// is drawn from.
//
// Results do not depend on the clock, on chance, on the number of cores, or on the order of files
// and articles.
package calibrate
