// Package qdrantlite is an embedded vector store that speaks the part of Qdrant 1.17's gRPC API that this project uses.
//
// It serves Qdrant's own services (qdrant.Qdrant, qdrant.Collections and qdrant.Points), in process over an in-memory
// connection ([Server.Dial]) or on any listener ([Server.Register]), so the program has one storage code path: the same
// client calls reach a laptop's file and a production cluster. A method, and an option inside a method, is either honoured or
// refused by name; nothing is silently ignored. What only tunes a real Qdrant (HNSW and optimizer settings, shards, replicas,
// quantization) is checked, stored and echoed back, because every search here is exact in what it returns.
//
// # How it is kept
//
// Everything lives in one bbolt file, or in memory only. A point is three records: its id, which names a vectors record and a
// payload record by slot number. Slots are never overwritten: a change writes new slots, repoints the id in the same
// transaction, and the slots that nobody names any more are deleted by the next transaction. A crash therefore leaves
// whole requests only, and what it leaves unnamed is swept when the file is next opened.
//
// One goroutine commits. It takes every write that is waiting, applies them to one transaction in order, makes the
// transaction durable with one sync, changes the memory of the collections, and only then answers, so concurrent writers
// share the cost of the disk. A refused write leaves nothing in the transaction.
//
// In memory a collection has, per point, its id, its slots, its dense vectors in eight bits with one scale per row, its sparse
// vectors as postings and its indexed payload fields as columns. Full vectors and payloads stay in the file.
//
// # How it is searched
//
// A filter is evaluated first, over the columns where its fields are indexed and over decoded payloads where not. Dense
// queries are scored in eight bits over the rows that are left, and the best of these again in float32 read from the file; when
// rows behind these are too close to be told apart in eight bits, more are read. Sparse queries sum postings in float32. Equal scores are ordered by point id, so two runs agree.
//
// A reader holds its collection's lock for reading from its first look at memory to its last look at the file, so it sees all
// of a request or none of it. A transaction that is already durable but not yet in memory cannot confuse it: the records that
// its memory names are deleted one transaction later at the earliest.
//
// # How it is tried
//
// Package conformance states what this project relies on of any server of this API, and runs against a real Qdrant too. Where
// QDRANT_ADDR names one, random points and questions are put to both as well (TestAgainstQdrant). Beside that a map, loops over
// all vectors and a plain evaluation of filters are the oracles; commits fail, bytes of the file are overwritten and writing
// processes are killed.
//
// # What it does not know
//
// It knows no articles, stories or schemas of this project, and it is no client: the only things it takes from the go-client
// module are the generated messages and server stubs, which live in one Go package with the client. It does not shard,
// replicate, authenticate or take snapshots.
package qdrantlite
