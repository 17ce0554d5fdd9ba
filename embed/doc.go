// Package embed turns texts into vectors.
//
// It knows the contract between those who need vectors and those who make them ([Embedder]), what makes two vectors
// comparable ([Space]), and one implementation that asks a server speaking OpenAI's embeddings API ([OpenAI]). The other
// implementation, a model inside the binary, is package embed/minilm.
//
// It does not know what an article is, where vectors are stored, or how similar two texts have to be for anything.
//
// Vectors of two spaces must never meet: compare [Space.Fingerprint] before comparing vectors.
package embed
