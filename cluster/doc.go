// Package cluster groups vectors. It finds nearest neighbours, links items into a hierarchy, cuts
// the hierarchy at several levels, names groups of texts, and scores a grouping against another.
//
// It is pure: no files, no clock, no global randomness. It knows vectors and numbers, not what an
// article is. The same input gives the same result, bit for bit, with any number of goroutines.
// Functions that can take long accept a context and return its error when it ends; their goroutines
// end before they return.
//
// # From vectors to groups
//
// [Run] does everything for plain vectors. Its parts can be used alone:
//
//   - [KNN] and [KNNSparse] find the nearest neighbours of every row, [Merge] joins such graphs;
//   - [Link] builds a [Dendrogram] by average linkage over a graph of candidate pairs, for any
//     similarity that is bilinear in known vectors;
//   - [Dendrogram.Cut] and [Dendrogram.CutN] cut it, [Dendrogram.Choose] chooses where from its
//     shape;
//   - [Keywords] names groups of texts.
//
// Run reports its [Parts] when they are finished and accepts them later, so that a caller who
// stores them can resume an interrupted run. [Memory] estimates what Run will need.
//
// # Why average linkage, and why it is exact
//
// Single linkage chains stories into giants, complete linkage splits them, and centroids drift.
// Average linkage asks for agreement with all members at once. It usually takes quadratic time and
// memory, because everything is compared with everything. Here only candidate pairs are compared:
// clusters that an edge of a neighbour graph connects. A comparison is one dot product, because the
// mean similarity between the members of two clusters is the dot product of their sums over the
// product of their sizes. So every similarity that is computed is exact; the graph decides only
// which ones are computed.
//
// # Order of merging
//
// Each round joins all pairs of clusters that are each other's most similar candidate. When all
// pairs are candidates, average linkage is reducible: a third cluster is never more similar to the
// union of two than to the nearer of them. So joining one pair never affects another, and rounds
// give the same dendrogram as joining the most similar pair of all, one at a time.
//
// When pairs are missing, that does not hold: a cluster that was a candidate of one half only is
// compared with both halves for the first time when they are joined, and may turn out more similar
// than before. So a merge can be more similar than one inside of it. Rounds are well defined all
// the same: they depend on nothing but the clusters, candidates and similarities; ties go to the
// lower first member. The most similar pair of all always joins, so every round makes progress. The
// dendrogram records the similarities as they were, but orders and cuts merges by height, the least
// similarity inside a merge, so that cuts are nested.
//
// # Limits
//
// Rows are held in memory as float32: at most 2^30 rows of 65,536 dimensions. The package was built
// for a million rows of 256 dimensions.
package cluster
