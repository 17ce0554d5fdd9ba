// Package qdrantlite is an embedded vector store that serves the part of Qdrant 1.17's gRPC API
// that this project's store calls.
//
// It serves Qdrant's own services to clients in its process, whose calls need no connection and are
// not encoded ([Server.DialOptions]), or on any listener ([Server.Register]). So the program has
// one storage code path: the same client calls reach a file on a laptop and a production cluster.
// The methods are
//
//	qdrant.Qdrant       HealthCheck
//	qdrant.Collections  Create, Delete, Get, List, CollectionExists, UpdateAliases, ListAliases
//	qdrant.Points       Upsert, Delete, UpdateBatch, Get, Scroll, Count, QueryBatch, CreateFieldIndex
//
// and TestSurface fails when one of them is called by nobody. Collections have named dense vectors,
// compared by dot product, and sparse vectors, with IDF or without. Indexes of payload fields are
// of keywords or integers. Filters nest must, should and must_not over match (keyword, any of
// several keywords, integer), range and has_id. A batch of updates may upsert, delete and set
// payloads. Anything else, in a method or an option, is refused with Unimplemented and its name,
// before anything is written; nothing is ignored.
//
// # Storage
//
// Everything lives in one bbolt file, or in memory only. A point is three records: its id, which
// names a vectors record and a payload record by slot number. A slot is never overwritten. A change
// writes new slots and points the id at them in one transaction; the next transaction deletes the
// slots that no id names any more. A crash therefore leaves whole requests only. Slots that it
// leaves and no id names are deleted when the file is next opened.
//
// One goroutine commits. It takes every write that is waiting, applies them in order to one
// transaction, makes that durable with one sync, changes the memory of the collections, and then
// answers, so concurrent writers share the cost of the disk. A refused write changes nothing.
//
// In memory a collection has, for each point, its id, its slots, its dense vectors in eight bits
// with one scale per vector, its sparse vectors as postings, and its indexed payload fields as
// columns. Full vectors and payloads stay in the file.
//
// # Search
//
// The filter is evaluated first, by columns where its fields are indexed and by payloads read from
// the file where not. A dense query scores the remaining rows in eight bits, and the best of them
// again in float32 from the file. As long as a row behind these could, by the error of eight bits,
// belong among the results, it takes more of them, up to 10,000. A sparse query sums postings in
// float32. Equal scores are ordered by point id, so two runs agree.
//
// A reader holds its collection's lock from its first look at memory to its last look at the file,
// so it sees all of a request or none of it. The file may be one transaction ahead of the memory
// that it sees; the records that this memory names are still there, because they are deleted one
// transaction later.
//
// # Tests
//
// Package conformance states what this project relies on of any server of this API. It runs against
// this server, through go-client and through Qdrant's official Python client, and against a real
// Qdrant where QDRANT_ADDR names one; then random points and queries are also given to both
// (TestAgainstQdrant). In this package a map, loops over all vectors and a plain evaluation of
// filters are the oracles. Commits fail, bytes of the file are overwritten, and writing processes
// are killed.
//
// # Limits
//
// It knows nothing of this project's articles, stories or schemas. It is no client: from the
// go-client module it takes the generated messages and server stubs only, which share a Go package
// with the client. It does not shard, replicate, authenticate or make snapshots.
package qdrantlite
