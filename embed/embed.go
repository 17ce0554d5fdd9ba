package embed

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Kind says what a text is for. Some models want a different prefix for each kind, and a query is somebody waiting,
// so it may overtake documents that are queued.
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

// Space identifies what a vector means. Vectors can be compared when their spaces have the same fingerprint.
type Space struct {
	// Model is the canonical name of the model, see [CanonicalModel].
	Model string
	// Dimensions is the length of every vector.
	Dimensions int
	// DocumentPrefix and QueryPrefix are put before every text of that kind. They change the vectors, so they are part
	// of the identity.
	DocumentPrefix, QueryPrefix string
	// MaxTokens is the longest input the model reads, its own special tokens included. Text beyond it does not reach the
	// vector. It is a limit, not part of the identity.
	MaxTokens int
}

// specialTokens is how many tokens models add around a text: one before and one after in every BERT descendant, none or
// one elsewhere.
const specialTokens = 2

// TextTokens is how many tokens of a text the model reads when the prefix of its kind and the model's own special tokens
// are taken off MaxTokens. The longer prefix counts, so that a limit holds for both kinds. It is at least 1.
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

// Fingerprint is 12 hexadecimal digits of a SHA-256 over model, dimensions and prefixes: short enough for a collection's
// name, long enough (48 bits) that two spaces of one installation do not share it by chance.
func (s Space) Fingerprint() string {
	// JSON keeps the fields apart whatever they contain. The order of an array is fixed, so the bytes are.
	data, err := json.Marshal([]any{CanonicalModel(s.Model), s.Dimensions, s.DocumentPrefix, s.QueryPrefix})
	if err != nil {
		// Strings and an int always marshal; invalid UTF-8 is replaced, not refused.
		data = []byte(s.Model)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:6])
}

// Embedder makes vectors of texts. Implementations are safe for concurrent use.
type Embedder interface {
	// Space says what the vectors mean. It does not change during the life of an Embedder.
	Space() Space
	// Embed returns one finite unit vector of Space().Dimensions per text, in the order of texts, or an error and nothing.
	// The vector of a text does not depend on the texts beside it. The prefix of the kind is added by Embed; texts beyond
	// Space().MaxTokens are cut; an empty text has a vector too. No texts give no vectors and no error. The vectors belong
	// to the caller.
	Embed(ctx context.Context, kind Kind, texts []string) ([][]float32, error)
}
