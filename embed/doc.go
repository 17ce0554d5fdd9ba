// Package embed defines what turns texts into vectors.
//
// It has the contract of embedders ([Embedder]), what makes two vectors comparable ([Space]), and
// an embedder that asks a server with OpenAI's embeddings API ([OpenAI]). Package embed/minilm has
// another one, a model inside of the binary.
//
// It does not know what an article is, where vectors are stored, or how similar texts should be.
//
// Vectors of different spaces cannot be compared: compare [Space.Fingerprint] first.
package embed
