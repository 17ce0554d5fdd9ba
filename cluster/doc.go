// Package cluster groups vectors: which items are near which, which belong together, at several levels, and how well a grouping agrees with
// another.
//
// It is pure: no files, no clock, no global randomness, and nothing of this module but cluster/vector. It knows vectors and numbers, not what
// an article is. The same input gives the same result, bit for bit, with any number of goroutines. Every function that can take long
// takes a context and returns its error when it ends; goroutines end before the function that started them returns.
//
// # From vectors to groups
//
// [Run] does everything for plain vectors. It is made of parts that can be used alone:
//
//   - [KNN] and [KNNSparse] find the nearest neighbours of every row, [Merge] joins such graphs;
//   - [Link] builds a [Dendrogram] by average linkage over a graph of candidates, for any similarity that is bilinear in known vectors;
//   - [Dendrogram.Cut], [Dendrogram.CutN] and [Dendrogram.CutBy] cut it, [Dendrogram.Choose] finds where to, from its shape alone;
//   - [Keywords] names groups of texts.
//
// Run tells of its [Parts] as they are finished and takes them up again, so that who keeps them can go on after an interruption, and
// [Memory] says beforehand what it will need.
//
// # Why average linkage, and how it is exact
//
// Single linkage chains stories into giants, complete linkage splits them, and centroids drift. Average linkage asks for agreement with all
// members at once. Its usual cost, quadratic in time and memory, is for comparing everything with everything. Here only candidate pairs are
// compared, those that some edge of a neighbour graph leads between, and a comparison is one dot product: the mean similarity
// between the members of two clusters is the dot product of their sums over the product of their sizes. So every similarity
// that is looked at is exact, and the graph decides only which are looked at.
//
// # Order of merging
//
// Clusters that are each other's most similar candidate are joined, all such pairs of a round at once. Where all pairs are candidates, average
// linkage is reducible: a third cluster is never more similar to the union of two than to the nearer of them, so joining one pair never spoils
// another, and rounds give the same dendrogram as joining the most similar pair of all, one at a time. Where pairs are missing that does not hold:
// a cluster that was a candidate of one half only is compared with both for the first time when they are joined, and may turn out more
// similar than before. Then the order of merging matters, "the most similar pair first" is an order like any other, and merges can be
// more similar than merges inside of them. Rounds are well defined all the same: what a round joins depends on nothing but clusters,
// candidates and similarities, the best candidate of a cluster is unique since ties go to the lower first member, and the globally most
// similar pair, lowest first member among equals, always names each other, so rounds make progress until nothing similar enough is left.
// The dendrogram records the similarities as they were, orders merges by height, the least similarity inside, and cuts by height, so that cuts
// are nested.
//
// # Limits
//
// Rows are held in memory as float32. Up to 2^30 rows and 65,536 dimensions are accepted; a million rows of 256 dimensions are what
// it was built for.
package cluster
