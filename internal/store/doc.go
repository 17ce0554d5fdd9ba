// Package store keeps articles, their sections, stories, topics and the ledger in Qdrant. It is the only importer of
// go-client's client: everything else sees articles, never points.
//
// It knows collections and their schemas, ids, the commit protocol, filters, retries, and who may write. It does not know
// how text becomes sections or vectors, what makes two articles one story, or what a caller is shown. It talks to a real
// Qdrant ([Dial]) or to the embedded server ([Local], [Embedded]) through one code path.
//
// # Collections
//
// With prefix P, embedding space fingerprint F and chunker version C:
//
//	alias        collection           points
//	P_articles   P_articles_F_cC      dense, lexical, lead, names; the article's fields. The commit mark
//	P_sections   P_sections_F_cC      dense, lexical; heading, text, and what the filters need
//	P_stories    P_stories_F_cC       mean vectors; title, keywords, span, counts, merged_into
//	P_topics     P_topics_F_cC        dense mean; title, level, keywords, counts
//	P_ledger     P_ledger_F_cC        no vectors; one event per point, the point id is the sequence number
//	P_vectors_F  (a collection)       no vectors in an index; those of texts that are stored no more, for when they come again
//	P_meta       (a collection)       no vectors; point 1 describes the embedding space, point 2 is the writer's lease
//
// P_meta is not behind an alias and carries no fingerprint, because it is what says which fingerprint is in use. It holds
// the model's name, dimensions, prefixes and chunker, so that an [Open] with another space can say what is stored; and the
// lease: who writes, until when, and whether the last writer left cleanly.
//
// Vectors are compared by dot product. Those of articles and sections are unit vectors, so that is their cosine; those of
// stories are means, whose dot product is the mean similarity of their members. Sparse vectors are stored as raw term
// weights. Qdrant weighs the query's terms of "lexical" by inverse document frequency when it searches (the IDF modifier),
// which is good enough to find candidates; exact scores are the caller's, from the stored weights.
//
// Times are stored as whole milliseconds since 1970 UTC; an unknown time is an absent field, so no range of time contains
// it.
//
// # Commit protocol
//
// Qdrant has no transaction over several points, so a put writes in an order that makes the article point the commit mark:
// every section of the new revision, then the article point, which names the revision and the number of sections, then
// the deletion of the sections of older revisions. A section is visible only while its article names its revision; readers
// check that with one batched request, whatever the number of hits.
//
// The id of a section point is derived from article id, index and revision. Without the revision a put would overwrite the
// sections of the revision that readers still see, and a crash half way would leave a mix of both. Revisions are never
// reused, not even after a deletion or a failed attempt: a revision is the writer's epoch (how many leases were granted
// before) and a counter within it. So a request that was given up on and arrives late can only add sections that nobody
// sees, and its article point is refused by the condition that a revision only grows. The same condition fences off a
// writer that lost its lease without noticing.
//
// A delete removes the commit mark first. What a crash leaves behind is invisible, and [Open] removes it when the last
// writer did not close the store cleanly.
package store
