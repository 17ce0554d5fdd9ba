package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"throughline/cluster/vector"
	"throughline/embed"
	"throughline/embed/minilm"
)

const (
	// defaultPrefix is the prefix of collections.
	defaultPrefix = "throughline"
	// builtin is the --embedder that needs nothing else.
	builtin = "builtin"
)

// cli is the command line. A file per command holds its struct and its Run method.
type cli struct {
	Serve     serveCmd     `cmd:"" help:"Ingest the paths, then serve gRPC, JSON and the page."`
	Ingest    ingestCmd    `cmd:"" help:"Read articles into the store, or into a running server with --addr."`
	Related   relatedCmd   `cmd:"" help:"What else was written about an article, a text or a story."`
	Search    searchCmd    `cmd:"" help:"Articles about some words."`
	Article   articleCmd   `cmd:"" help:"Show one article with its sections."`
	Stories   storiesCmd   `cmd:"" help:"List stories, the most covered first."`
	Story     storyCmd     `cmd:"" help:"Show one story with its articles."`
	Topics    topicsCmd    `cmd:"" help:"List topics and themes."`
	Topic     topicCmd     `cmd:"" help:"Show one topic with its stories."`
	Cluster   clusterCmd   `cmd:"" help:"Batch job: cluster vectors or articles from files, or the whole store."`
	Evaluate  evaluateCmd  `cmd:"" help:"Measure quality on labelled JSONL files."`
	Calibrate calibrateCmd `cmd:"" help:"Fit the evidence model on labelled JSONL files, and report what it is worth on others."`
	Embed     embedCmd     `cmd:"" help:"Turn lines of text into vectors."`
	Export    exportCmd    `cmd:"" help:"Write the stored articles as JSON lines."`
	Version   versionCmd   `cmd:"" help:"Print the version."`

	StoreFlags    `group:"Store"`
	EmbedderFlags `group:"Embedding"`
	StoryFlags    `group:"Stories"`
	ChatFlags     `group:"Titles"`
	LogLevel      string `enum:"debug,info,warn,error" default:"warn" help:"The least that is logged to stderr: ${enum}."`
	JSON          bool   `name:"json" help:"Print the API's JSON instead of tables."`
}

// StoreFlags say where articles are kept.
type StoreFlags struct {
	Data             string        `type:"path" default:"${data}" help:"Directory of the embedded store."`
	Qdrant           string        `placeholder:"HOST:PORT" help:"Use this Qdrant (gRPC port) instead of the embedded store."`
	QdrantTLS        bool          `name:"qdrant-tls" help:"Speak TLS to Qdrant."`
	QdrantAPIKeyFile string        `name:"qdrant-api-key-file" type:"path" placeholder:"FILE" help:"File with Qdrant's API key; or set QDRANT_API_KEY."`
	Prefix           string        `default:"${prefix}" help:"Prefix of the collections."`
	Timeout          time.Duration `default:"30s" help:"How long one request may take."`
}

// EmbedderFlags say how text becomes vectors.
type EmbedderFlags struct {
	Embedder       string `enum:"builtin,openai" default:"builtin" help:"The built-in model or an OpenAI-compatible endpoint: ${enum}."`
	BaseURL        string `name:"base-url" placeholder:"URL" help:"Endpoint up to and with /v1, e.g. http://127.0.0.1:11434/v1."`
	Model          string `placeholder:"NAME" help:"Model that the endpoint serves."`
	Dimensions     int    `help:"Dimensions to expect; 0 asks the endpoint."`
	DocumentPrefix string `help:"Text put before every article text, as the model's card says."`
	QueryPrefix    string `help:"Text put before every query."`
	MaxTokens      int    `help:"Longest input that the endpoint's model reads, in tokens; 0: 256 for known models, else 512."`
	MaxBatch       int    `help:"Most inputs in one request to the endpoint; 0: 32."`
	APIKeyFile     string `name:"api-key-file" type:"path" placeholder:"FILE" help:"File with the endpoint's API key; or set OPENAI_API_KEY."`
	Workers        int    `help:"Cores that the built-in model and clustering use; 0: all."`
}

// StoryFlags say what stories are to be like.
type StoryFlags struct {
	Precision float64 `placeholder:"SHARE" help:"Share of pairs of articles of one story that are to be about one event, such as .95; 0: as many found as possible without putting together more than is missed."`
}

// check finds mistakes in the environment and in the flags of all commands.
func (c *cli) check() error {
	if err := cmp.Or(vector.PathError(), minilm.EnvironmentError()); err != nil {
		return usageError{err}
	}
	switch {
	case c.Timeout <= 0:
		return usageError{fmt.Errorf("--timeout %s: must be more than 0", c.Timeout)}
	case c.Workers < 0:
		return usageError{fmt.Errorf("--workers %d: must not be negative", c.Workers)}
	case c.Data == "":
		return usageError{errors.New("--data: names no directory")}
	}
	if err := c.EmbedderFlags.check(); err != nil {
		return err
	}
	if !(c.Precision >= 0 && c.Precision < 1) {
		return usageError{fmt.Errorf("--precision %v: must be at least 0 and below 1", c.Precision)}
	}
	return c.ChatFlags.check(c.BaseURL)
}

// check finds flags that do not go together.
func (f EmbedderFlags) check() error {
	if f.Embedder != builtin {
		if f.BaseURL == "" || f.Model == "" {
			return usageError{fmt.Errorf("--embedder %s needs --base-url and --model", f.Embedder)}
		}
		return nil
	}
	for _, flag := range []struct {
		name  string
		given bool
	}{
		{"--base-url", f.BaseURL != ""}, {"--model", f.Model != "" && embed.CanonicalModel(f.Model) != builtinModel},
		{"--dimensions", f.Dimensions != 0}, {"--max-tokens", f.MaxTokens != 0}, {"--max-batch", f.MaxBatch != 0},
		{"--document-prefix", f.DocumentPrefix != ""}, {"--query-prefix", f.QueryPrefix != ""}, {"--api-key-file", f.APIKeyFile != ""},
	} {
		if flag.given {
			return usageError{fmt.Errorf("%s is for --embedder openai", flag.name)}
		}
	}
	return nil
}

// checkLimit refuses a --limit beyond what the API gives at once.
func checkLimit(n, most int32) error {
	if n < 1 || n > most {
		return usageError{fmt.Errorf("--limit %d: must be 1 to %d", n, most)}
	}
	return nil
}

// defaultDataDir is the user's data directory by the habits of the platform.
func defaultDataDir() string {
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "throughline")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "share", "throughline")
	}
	return "throughline-data"
}
