package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"throughline/cluster/vector"
	"throughline/embed"
	"throughline/embed/minilm"
	"throughline/internal/score"
)

const (
	// defaultPrefix is the prefix of collections.
	defaultPrefix = "throughline"
	// builtin is the --embedder that needs nothing else.
	builtin = "builtin"
)

// cli is the command line. Each command is a struct with a Run method; commands of a kind share a
// file.
type cli struct {
	Serve     serveCmd     `cmd:"" help:"Ingest the paths, then serve gRPC, JSON and the page."`
	Ingest    ingestCmd    `cmd:"" help:"Add articles to the store, or to a running server with --addr."`
	Related   relatedCmd   `cmd:"" help:"List articles related to an article, a text or a story."`
	Search    searchCmd    `cmd:"" help:"Search articles by words and meaning."`
	Article   articleCmd   `cmd:"" help:"Show an article with its sections."`
	Delete    deleteCmd    `cmd:"" help:"Delete articles, by id or by what they have in common."`
	Stories   storiesCmd   `cmd:"" help:"List stories, the largest first."`
	Story     storyCmd     `cmd:"" help:"Show a story with its articles."`
	Topics    topicsCmd    `cmd:"" help:"List topics and themes."`
	Topic     topicCmd     `cmd:"" help:"Show a topic with its stories."`
	Cluster   clusterCmd   `cmd:"" help:"Cluster vectors or articles from files, or the whole store."`
	Evaluate  evaluateCmd  `cmd:"" help:"Measure quality on labelled JSONL files."`
	Calibrate calibrateCmd `cmd:"" hidden:"" help:"Fit the model of scores on labelled JSONL files."`
	Chart     chartCmd     `cmd:"" hidden:"" help:"Draw the figures of derived corpora, before and after."`
	Embed     embedCmd     `cmd:"" help:"Turn lines of text into vectors."`
	Export    exportCmd    `cmd:"" help:"Write the stored articles as JSON lines."`
	Version   versionCmd   `cmd:"" help:"Print the version."`

	StoreFlags    `group:"Store"`
	EmbedderFlags `group:"Embedding"`
	StoryFlags    `group:"Stories"`
	ChatFlags     `group:"Titles"`
	LogLevel      string `enum:"debug,info,warn,error" default:"warn" help:"Least severe level that is logged to stderr: ${enum}."`
	JSON          bool   `name:"json" help:"Print the API's JSON instead of tables."`
}

// StoreFlags say where articles are stored.
type StoreFlags struct {
	Data             string        `type:"path" default:"${data}" help:"Directory of the embedded store."`
	Qdrant           string        `placeholder:"HOST:PORT" help:"Use this Qdrant (gRPC port) instead of the embedded store."`
	QdrantTLS        bool          `name:"qdrant-tls" help:"Connect to Qdrant with TLS."`
	QdrantAPIKeyFile string        `name:"qdrant-api-key-file" type:"path" placeholder:"FILE" help:"File with Qdrant's API key; or set QDRANT_API_KEY."`
	Prefix           string        `default:"${prefix}" help:"Prefix of the collections."`
	Timeout          time.Duration `default:"30s" help:"Timeout of one request."`
}

// EmbedderFlags say how text becomes vectors.
type EmbedderFlags struct {
	Embedder       string `enum:"builtin,openai" default:"builtin" help:"Built-in model or OpenAI-compatible endpoint: ${enum}."`
	BaseURL        string `name:"base-url" placeholder:"URL" help:"URL of the endpoint with /v1, e.g. http://127.0.0.1:11434/v1."`
	Model          string `placeholder:"NAME" help:"Model of the endpoint."`
	Dimensions     int    `help:"Length of the vectors; 0: ask the endpoint."`
	DocumentPrefix string `help:"Text to put before article texts, see the model's card."`
	QueryPrefix    string `help:"Text to put before queries."`
	MaxTokens      int    `help:"Longest input of the model, in tokens; 0: 256 if known, else 512."`
	MaxBatch       int    `help:"Most inputs in one request to the endpoint; 0: 32."`
	APIKeyFile     string `name:"api-key-file" type:"path" placeholder:"FILE" help:"File with the endpoint's API key; or set OPENAI_API_KEY."`
	Workers        int    `help:"Cores for the built-in model and for clustering; 0: all."`
}

// StoryFlags say what stories are to be like.
type StoryFlags struct {
	Precision   *float64     `placeholder:"SHARE" help:"Target pairwise precision of stories, e.g. 0.95; 0: balance with recall."`
	Granularity *granularity `placeholder:"STEPS" help:"Finer or coarser stories: finer (1), coarser (-1), or -4 to 4; 0: as found."`
	Background  string       `type:"path" placeholder:"FILE" help:"What is usual in a special field, as calibrate writes it. Default: general news."`
}

// background reads the file of --background; without one it returns what comes with the program.
func (f StoryFlags) background() (*score.Background, error) {
	if f.Background == "" {
		return score.DefaultBackground(), nil
	}
	data, err := os.ReadFile(f.Background)
	if err != nil {
		return nil, fmt.Errorf("--background: %w", err)
	}
	background, err := score.ParseBackground(data)
	if err != nil {
		return nil, fmt.Errorf("--background %s: %w", f.Background, err)
	}
	return background, nil
}

// granularity is a number of steps to finer stories; see score.Target.
type granularity int

// UnmarshalText reads finer, coarser, or a number of steps.
func (g *granularity) UnmarshalText(text []byte) error {
	switch word := string(text); word {
	case "finer":
		*g = 1
	case "coarser":
		*g = -1
	default:
		n, err := strconv.Atoi(word)
		if err != nil || n < -score.MaxGranularity || n > score.MaxGranularity {
			return fmt.Errorf("out of range (got %q, want finer, coarser, or %d to %d)", word, -score.MaxGranularity, score.MaxGranularity)
		}
		*g = granularity(n)
	}
	return nil
}

// target returns where stories should end.
func (f StoryFlags) target() score.Target {
	var t score.Target
	if f.Precision != nil {
		t.Precision = *f.Precision
	}
	if f.Granularity != nil {
		t.Granularity = int(*f.Granularity)
	}
	return t
}

// check finds values that are out of range or contradict each other.
func (f StoryFlags) check() error {
	t := f.target()
	switch {
	case !(t.Precision >= 0 && t.Precision < 1):
		return usageError{fmt.Errorf("--precision %v: must be at least 0 and below 1", t.Precision)}
	case t.Precision > 0 && t.Granularity != 0:
		return usageError{errors.New("--granularity does not go with --precision: give one of them")}
	}
	return nil
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
	if err := c.StoryFlags.check(); err != nil {
		return err
	}
	return c.ChatFlags.check(c.BaseURL)
}

// check finds flags that contradict each other.
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
		{"--base-url", f.BaseURL != ""}, {"--model", f.Model != "" && embed.CanonicalModel(f.Model) != embed.MiniLM},
		{"--dimensions", f.Dimensions != 0}, {"--max-tokens", f.MaxTokens != 0}, {"--max-batch", f.MaxBatch != 0},
		{"--document-prefix", f.DocumentPrefix != ""}, {"--query-prefix", f.QueryPrefix != ""}, {"--api-key-file", f.APIKeyFile != ""},
	} {
		if flag.given {
			return usageError{fmt.Errorf("%s is for --embedder openai", flag.name)}
		}
	}
	return nil
}

// checkLimit refuses a --limit that the API does not accept.
func checkLimit(n, most int32) error {
	if n < 1 || n > most {
		return usageError{fmt.Errorf("--limit %d: must be 1 to %d", n, most)}
	}
	return nil
}

// defaultDataDir is the conventional data directory of the user.
func defaultDataDir() string {
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "throughline")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "share", "throughline")
	}
	return "throughline-data"
}
