// Package calibrate fits the model of internal/score on labelled articles.
//
// It knows how labelled sets become corpora, and how coefficients, the constants of the threshold
// and the reliability of probabilities follow from them. It reports how good they are on sets that
// they were not fitted on. It does not know what a signal is or how articles are linked: it calls
// internal/score and internal/hierarchy, so what is fitted is what runs.
//
// Corpora in use are of all kinds, and labelled ones are few. So a set gives several corpora, see
// variants: the set itself, and variants with less of the text, without dates, with fewer articles
// or smaller stories.
//
// A model is fitted in three steps:
//
//   - Coefficients: logistic regression on candidate pairs, see fit.
//   - Constants of the threshold: those with the best stories, where each set is linked with
//     coefficients fitted without it, see chooseRule. Constants in force change only if that
//     improves the stories beyond noise.
//   - Reliability: the probabilities of logits observed in these linkages, see reliability.
//
// The figures reported for a set are those of a model that was fitted without the set in every
// step. Because two of the steps themselves leave out a set, two sets are left out at a time.
//
// Results do not depend on the clock, on chance, on the number of cores, or on the order of files
// and articles: random draws use generators seeded with the names of sets.
package calibrate
