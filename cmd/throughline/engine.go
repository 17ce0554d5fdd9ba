package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"throughline/embed"
	"throughline/embed/minilm"
	"throughline/internal/chunk"
	"throughline/internal/features"
	"throughline/internal/ingest"
	"throughline/internal/related"
	"throughline/internal/score"
	"throughline/internal/state"
	"throughline/internal/store"
	"throughline/internal/stories"
)

// engine is everything that works on one store. Commands use it in this process or, through the
// API, in that of a server.
type engine struct {
	conn     *store.Conn
	store    *store.Store
	embedder embed.Embedder
	states   *state.Owner
	ingest   *ingest.Pipeline
	related  *related.Engine
	stories  *stories.Engine
	namer    stories.Namer // writes titles; nil: none
}

// logger writes to stderr.
func (p *program) logger() *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(p.cli.LogLevel)) // kong has checked it
	return slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: level}))
}

// secret reads a key from a file or, without one, from the environment. The list of processes would
// show flags.
func secret(file, variable string) (string, error) {
	if file == "" {
		return os.Getenv(variable), nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(data)), nil
}

// embedder makes the embedder of the flags.
func (p *program) embedder(ctx context.Context) (embed.Embedder, error) {
	f := p.cli.EmbedderFlags
	if f.Embedder == builtin {
		return minilm.New(minilm.Options{Workers: f.Workers})
	}
	key, err := secret(f.APIKeyFile, "OPENAI_API_KEY")
	if err != nil {
		return nil, fmt.Errorf("--api-key-file: %w", err)
	}
	cfg := embed.OpenAIConfig{
		BaseURL: f.BaseURL, APIKey: key, Model: f.Model, Dimensions: f.Dimensions,
		DocumentPrefix: f.DocumentPrefix, QueryPrefix: f.QueryPrefix, MaxTokens: f.MaxTokens, MaxBatch: f.MaxBatch, Logger: p.logger(),
	}
	if embed.CanonicalModel(f.Model) == embed.MiniLM { // the built-in model has its tokenizer
		cfg.Count = minilm.CountTokens
	}
	model, err := embed.NewOpenAI(ctx, cfg)
	if err != nil {
		return nil, asUsage(err)
	}
	return model, nil
}

// connect connects to a Qdrant or to the embedded store.
func (p *program) connect(ctx context.Context, readOnly bool) (*store.Conn, error) {
	f := p.cli.StoreFlags
	if f.Qdrant == "" {
		return p.openLocal(ctx, readOnly)
	}
	key, err := secret(f.QdrantAPIKeyFile, "QDRANT_API_KEY")
	if err != nil {
		return nil, fmt.Errorf("--qdrant-api-key-file: %w", err)
	}
	cfg := store.DialConfig{Addr: f.Qdrant, APIKey: key, Timeout: f.Timeout, Logger: p.logger()}
	if f.QdrantTLS {
		host, _, err := net.SplitHostPort(f.Qdrant)
		if err != nil {
			host = f.Qdrant
		}
		cfg.TLS = &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	}
	return store.Dial(ctx, cfg)
}

// purpose is what an engine is opened for.
type purpose struct {
	readOnly bool
	scoring  bool  // articles are compared, which needs the State
	memory   int64 // bytes for the features of articles; 0: they are read again for every question
}

// openEngine opens the store of the flags. Close the result.
func (p *program) openEngine(ctx context.Context, why purpose) (*engine, error) {
	namer, err := p.namer()
	if err != nil {
		return nil, err
	}
	// The store first: that it is missing or in use shows at once.
	conn, err := p.connect(ctx, why.readOnly)
	if err != nil {
		return nil, err
	}
	embedder, err := p.embedder(ctx)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	background, err := p.cli.background()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	e, err := assemble(ctx, conn, embedder, settings{
		background: background, purpose: why, prefix: p.cli.Prefix, workers: p.cli.Workers, target: p.cli.target(), logger: p.logger(),
	})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	e.namer = namer
	return e, nil
}

// settings of an engine.
type settings struct {
	purpose
	background *score.Background
	prefix     string
	workers    int
	target     score.Target
	logger     *slog.Logger
	fixed      bool // vectors are given: no text can be embedded to calibrate
}

// assemble makes an engine on a connection, which the engine then owns. It loads the State for
// scoring, and a writer repairs what the last one left.
func assemble(ctx context.Context, conn *store.Conn, embedder embed.Embedder, s settings) (_ *engine, err error) {
	opened, err := store.Open(ctx, conn, store.Config{
		Prefix: s.prefix, Space: embedder.Space(), Chunker: chunk.Version, ReadOnly: s.readOnly, Logger: s.logger, Now: time.Now,
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, opened.Close())
		}
	}()
	e := &engine{conn: conn, store: opened, embedder: embedder}
	model := score.Default()
	var reference embed.Embedder
	if !s.fixed {
		if reference, err = referenceFor(embedder, model, s.workers); err != nil {
			return nil, err
		}
	}
	if e.states, err = state.New(state.Config{
		Store: opened, Model: model, Embedder: embedder, Reference: reference, Background: s.background, ReadOnly: s.readOnly,
		Logger: s.logger, Now: time.Now, Workers: s.workers, Target: s.target,
	}); err != nil {
		return nil, err
	}
	cfg := stories.Config{
		Articles: opened, Stories: opened, States: e.states, Embedder: embedder, Logger: s.logger, NewID: newID, Now: time.Now,
		Workers: s.workers, Target: s.target,
	}
	if !s.readOnly {
		cfg.Writer = opened
	}
	if e.stories, err = stories.New(cfg); err != nil {
		return nil, err
	}
	if e.related, err = related.New(related.Config{
		Store: opened, Features: features.New(opened, s.memory), States: e.states, Embedder: embedder, Logger: s.logger, Now: time.Now,
	}); err != nil {
		return nil, err
	}
	if e.ingest, err = ingest.NewPipeline(ingest.Config{
		Store: opened, Lister: opened, Embedder: embedder, States: e.states, Filer: e.stories, Logger: s.logger, Now: time.Now, EmbedWhole: s.fixed,
	}); err != nil {
		return nil, err
	}
	if s.scoring {
		if err := e.states.Load(ctx); err != nil {
			return nil, err
		}
	}
	return e, e.stories.Start(ctx)
}

// referenceFor returns an embedder of the space that the coefficients of a model are for; nil: the
// embedder is one.
func referenceFor(embedder embed.Embedder, model *score.Model, workers int) (embed.Embedder, error) {
	if embedder.Space().Model == model.Provenance.Space {
		return nil, nil
	}
	return minilm.New(minilm.Options{Workers: workers})
}

// Close ends filing, saves the State and closes the store.
func (e *engine) Close() error {
	e.stories.Close()
	return errors.Join(e.states.Close(), e.store.Close(), e.conn.Close())
}

var idLetters = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// newID makes an id that is easy to read and to type: the kind and 80 random bits.
func newID(kind string) string {
	var random [10]byte
	rand.Read(random[:]) // never fails, as documented
	return kind + "-" + idLetters.EncodeToString(random[:])
}
