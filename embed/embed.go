// Package embed defines what turns texts into vectors.
//
// It has the contract of embedders ([Embedder]), what makes two vectors comparable ([Space]), and
// an embedder that asks a server with OpenAI's embeddings API ([OpenAI]). Package embed/minilm has
// another one, a model in the binary.
//
// It does not know what an article is, where vectors are stored, or how similar texts should be.
//
// Vectors of different spaces cannot be compared: compare [Space.Fingerprint] first.
package embed

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Kind is what a text is for. Some models need a different prefix for each kind, and an embedder
// may prefer queries to queued documents, because somebody waits for them.
type Kind int

const (
	// Document is a text to be stored and found.
	Document Kind = iota
	// Query is a text to find documents with.
	Query
)

// String returns "document" or "query".
func (k Kind) String() string {
	if k == Query {
		return "query"
	}
	return "document"
}

// Space identifies what a vector means. Vectors can be compared when their spaces have the same
// fingerprint.
type Space struct {
	// Model is the canonical name of the model, see [CanonicalModel].
	Model string
	// Dimensions is the length of every vector.
	Dimensions int
	// DocumentPrefix and QueryPrefix are put before every text of that kind. They change the
	// vectors, so they are part of the fingerprint.
	DocumentPrefix, QueryPrefix string
	// MaxTokens is the length of the longest input that the model reads, including special tokens.
	// Text beyond it does not change the vector. It is not part of the fingerprint.
	MaxTokens int
}

// specialTokens is the number of tokens that a model adds to a text: two in every BERT descendant,
// at most one in others.
const specialTokens = 2

// TextTokens returns how many tokens of a text the model reads: MaxTokens without special tokens
// and without the longer of the two prefixes, at least 1.
func (s Space) TextTokens(count func(string) int) int {
	prefix := max(count(s.DocumentPrefix), count(s.QueryPrefix))
	return max(1, s.MaxTokens-specialTokens-prefix)
}

// Prefix returns what is put before a text of a kind.
func (s Space) Prefix(kind Kind) string {
	if kind == Query {
		return s.QueryPrefix
	}
	return s.DocumentPrefix
}

// Fingerprint returns 12 hexadecimal digits of a SHA-256 of model, dimensions and prefixes: short
// enough for the name of a collection, long enough (48 bits) that two spaces of an installation
// differ.
func (s Space) Fingerprint() string {
	// JSON separates the fields whatever they contain, and the order of an array is fixed.
	data, _ := json.Marshal([]any{CanonicalModel(s.Model), s.Dimensions, s.DocumentPrefix, s.QueryPrefix}) // always marshals
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:6])
}

// Embedder makes vectors of texts. Implementations are safe for concurrent use.
type Embedder interface {
	// Space identifies the vectors. It does not change during the life of an Embedder.
	Space() Space
	// Embed returns one finite unit vector of Space().Dimensions for each text, in the order of
	// texts, or only an error. The vector of a text does not depend on the other texts. Embed adds
	// the prefix of the kind and truncates texts to Space().MaxTokens. An empty text has a vector,
	// and no texts give no vectors. The vectors belong to the caller.
	Embed(ctx context.Context, kind Kind, texts []string) ([][]float32, error)
}
