package embed

import "strings"

// MiniLM is the canonical name of the model in package embed/minilm.
const MiniLM = "all-MiniLM-L6-v2"

// knownModels has the canonical names of models with several names, so that vectors of the built-in
// model and of a server of the same model share a space, and how many tokens they read. Keys are in
// lower case.
var knownModels = map[string]struct {
	name      string
	maxTokens int
}{
	"all-minilm-l6-v2":       {MiniLM, 256},
	"all-minilm":             {MiniLM, 256}, // Ollama's name of it
	"all-minilm:22m":         {MiniLM, 256},
	"all-minilm:l6-v2":       {MiniLM, 256},
	"all-minilm-l12-v2":      {"all-MiniLM-L12-v2", 128},
	"all-minilm:33m":         {"all-MiniLM-L12-v2", 128},
	"all-minilm:l12-v2":      {"all-MiniLM-L12-v2", 128},
	"text-embedding-ada-002": {"text-embedding-ada-002", 8191},
	"text-embedding-3-small": {"text-embedding-3-small", 8191},
	"text-embedding-3-large": {"text-embedding-3-large", 8191},
}

// defaultMaxTokens is the limit of unknown models: that of BERT and most of its descendants. Too
// small a number makes more and shorter sections; too large a number loses text silently.
const defaultMaxTokens = 512

// CanonicalModel returns the canonical name of a model: without the organisation
// "sentence-transformers/" and the tag ":latest", and the well-known name where servers use
// another. Other names are returned as they are. It is idempotent.
func CanonicalModel(name string) string {
	for {
		short := strings.TrimSpace(name)
		short = strings.TrimSuffix(strings.TrimPrefix(short, "sentence-transformers/"), ":latest")
		if short == name {
			break
		}
		name = short
	}
	if known, ok := knownModels[strings.ToLower(name)]; ok {
		return known.name
	}
	return name
}

// maxTokensOf returns how many tokens a model reads.
func maxTokensOf(model string) int {
	if known, ok := knownModels[strings.ToLower(CanonicalModel(model))]; ok {
		return known.maxTokens
	}
	return defaultMaxTokens
}
