// Package calibrate makes the file of coefficients that internal/evidence judges with, from articles of which somebody has said what
// belongs together, and says how good they are on sets that they were not made from.
//
// It knows how labelled sets become corpora, how coefficients, the constants of the cut and the reliability of probabilities follow
// from them, and how the result is told apart from luck. It does not know what a signal is or how articles are linked: it asks
// internal/evidence, so what is fitted is what runs.
//
// From a set come several corpora, see copies: the set itself, and copies with less of the text, without dates, with fewer articles or thinner
// stories. Corpora in use are of all kinds, and labelled ones are few.
//
// A model is made in three steps, each with the sets that it may see.
//
//   - Coefficients: logistic regression on candidate pairs, see fit.
//   - Constants of the cut: those with which stories come out best, where the trees of each set are linked with coefficients fitted without
//     it, see chooseRule. What is in force changes as little as noise allows.
//   - Reliability: what logits turned out to be worth in those trees, see reliability.
//
// The figures reported for a set are of a model none of whose steps has seen it. For the steps that need trees of sets left out, that
// means two sets are left out at a time.
//
// Nothing depends on the clock, on chance, on the number of cores or on the order of files and articles: what is drawn is drawn by generators
// seeded with the names of sets.
package calibrate
