// Package store maps the product's nouns to points in Qdrant. It is the only importer of
// go-client's client: other packages see articles, stories and topics, never points.
//
// It knows collections and their schemas, ids, the order of writes, filters, retries, and the
// writer's lease. It does not know how text becomes sections or vectors, which articles make a
// story, or what a caller is shown. It talks to a real Qdrant ([Dial]) or to the embedded server
// ([Local], [Embedded]) through one code path.
//
// # Collections
//
// With prefix P, embedding space fingerprint F and chunker version C:
//
//	alias        collection           points
//	P_articles   P_articles_F_cC      dense, lexical, lead, names; the article's fields: the commit mark
//	P_sections   P_sections_F_cC      dense, lexical; heading, text, the fields that filters need
//	P_stories    P_stories_F_cC       mean vectors; title, keywords, span, counts, merged_into
//	P_topics     P_topics_F_cC        mean dense vector; title, level, keywords, counts
//	P_ledger     P_ledger_F_cC        no vectors; one event per point, the point id is its number
//	             P_vectors_F          cached embeddings of texts that are no longer stored
//	             P_state_F            the state record: a head that names its parts, and the parts
//	             P_meta               point 1 describes the embedding space, point 2 is the lease
//
// P_meta carries no fingerprint, because it says which fingerprint is in use. It holds the model's
// name, dimensions, prefixes and chunker, so that an [Open] with another space can say what is
// stored; the layout of memberships; and the lease: who writes, until when, and whether the last
// writer left the store clean.
//
// Vectors are compared by dot product. Those of articles and sections are unit vectors, so that is
// their cosine; those of stories are means, whose dot product is the mean similarity of their
// members. Sparse vectors are stored as raw term weights. Qdrant weighs the query's terms of
// "lexical" by inverse document frequency when it searches (the IDF modifier), which is good enough
// to find candidates; callers compute exact scores from the stored weights.
//
// Times are stored as whole milliseconds since 1970 UTC; an unknown time is an absent field, so no
// range of time contains it.
//
// # Commit protocol of an article
//
// Qdrant has no transaction over several points, so [Store.Put] writes in an order that makes the
// article point the commit mark: every section of the new revision, then the article point, which
// names the revision and the number of sections, then the deletion of the sections of older
// revisions. A section is visible only while its article names its revision; readers check that for
// all hits at once.
//
// The id of a section point is derived from article id, index and revision. Without the revision a
// put would overwrite the sections of the revision that readers still see, and a crash half way
// would leave a mix of both. Revisions are never reused, not even after a deletion or a failed
// attempt: a revision is the writer's epoch (how many leases were granted so far) and a counter
// within it. So a request that was given up on and arrives late can only add sections that nobody
// sees, and its article point is refused by the condition that a revision only grows. The same
// condition fences off a writer that lost its lease without noticing.
//
// A delete removes the commit mark first. What a crash leaves behind is invisible.
//
// # Memberships and plans
//
// The article point says where the article belongs, and for which revision that was decided
// (filed_revision). A put keeps the membership and sets filed_revision to 0: the article is
// pending, and a filter finds it, after a crash too. An article that was stored without the field
// is not pending. Sections repeat story, topic and theme, so that a search over sections is
// filtered before it ranks; the article's own are checked for every hit.
//
// Memberships, stories, topics and the ledger change only by a [Plan], which [Store.Apply] checks
// as a whole and writes in an order that a repair can complete.
//
// # State record
//
// What scoring depends on is stored as bytes under a number that grows. The parts are written first
// and the head last, so a record that was cut short is never read. One that is replaced while it is
// read may come back torn; its reader has a checksum.
//
// # Repair
//
// [Open] repairs nothing. The lease says whether the last writer closed the store and left nothing
// unfinished, see [Store.Clean]. A writer that finds it false calls [Store.RepairSections], repairs
// memberships, stories and the ledger by a plan, and calls [Store.SetClean].
package store
