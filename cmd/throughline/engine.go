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
	"sync"
	"time"

	"throughline/embed"
	"throughline/embed/minilm"
	"throughline/internal/article"
	"throughline/internal/corpus"
	"throughline/internal/evidence"
	"throughline/internal/ingest"
	"throughline/internal/related"
	"throughline/internal/store"
	"throughline/internal/stories"
)

// engine is everything that works on one store. Every command that needs articles has one, in this process or, through the
// API, in a server's.
type engine struct {
	conn     *store.Conn
	store    *store.Store
	embedder embed.Embedder
	// reference embeds in the space that the coefficients of scores are for; nil where embedder does.
	reference embed.Embedder
	ingest    *ingest.Pipeline
	coverage  *related.Engine
	stories   *stories.Engine
	namer     stories.Namer // who writes titles; nil: nobody
}

// logger writes to stderr at the level asked for.
func (p *program) logger() *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(p.cli.LogLevel)) // kong has checked it
	return slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: level}))
}

// secret reads a key from a file, or else from the environment. Keys are never flags: the process list would show them.
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

// The built-in model, whose tokenizer also counts for an endpoint that serves the same model.
const (
	builtinModel  = embed.MiniLM
	builtinTokens = 256
)

// embedder makes the embedder that the flags ask for.
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
	if embed.CanonicalModel(f.Model) == builtinModel {
		cfg.Count = minilm.CountTokens // the endpoint serves the model whose tokenizer is in this binary
		if cfg.MaxTokens == 0 {
			cfg.MaxTokens = builtinTokens
		}
	}
	model, err := embed.NewOpenAI(ctx, cfg)
	if err != nil {
		return nil, asUsage(err)
	}
	return model, nil
}

// connect reaches the storage: a Qdrant, or the file in the data directory.
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

// openEngine opens the store that the flags name. Close it.
func (p *program) openEngine(ctx context.Context, readOnly bool) (*engine, error) {
	namer, err := p.namer()
	if err != nil {
		return nil, err
	}
	// The store first: whether it is there and free is known at once, and a server may have it.
	conn, err := p.connect(ctx, readOnly)
	if err != nil {
		return nil, err
	}
	embedder, err := p.embedder(ctx)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	e, err := assemble(ctx, conn, embedder, settings{
		prefix: p.cli.Prefix, readOnly: readOnly, workers: p.cli.Workers, precision: p.cli.Precision, logger: p.logger(),
	})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	e.namer = namer
	return e, nil
}

// settings are what an engine is told by flags.
type settings struct {
	prefix    string
	readOnly  bool
	workers   int
	precision float64
	logger    *slog.Logger
	fixed     bool // vectors were made before: no text can be embedded to calibrate on
}

// assemble wires the packages together on a connection, which the engine then owns.
func assemble(ctx context.Context, conn *store.Conn, embedder embed.Embedder, s settings) (_ *engine, err error) {
	store, err := store.Open(ctx, conn, store.Config{
		Prefix: s.prefix, Space: embedder.Space(), Chunker: article.Chunker, ReadOnly: s.readOnly, Logger: s.logger, Now: time.Now, Owner: owner(),
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, store.Close())
		}
	}()
	known, err := corpus.Load(ctx, store)
	if err != nil {
		return nil, err
	}
	e := &engine{conn: conn, store: store, embedder: embedder}
	model := evidence.Default()
	if !s.fixed {
		if e.reference, err = referenceFor(embedder, model, s.workers); err != nil {
			return nil, err
		}
	}
	if e.stories, err = stories.New(stories.Config{
		Store: store, Embedder: embedder, Reference: e.reference, Corpus: known, Model: model, Logger: s.logger, Now: time.Now, NewID: newID, Workers: s.workers, Precision: s.precision,
	}); err != nil {
		return nil, err
	}
	if e.coverage, err = related.New(related.Config{
		Store: store, Embedder: embedder, Corpus: known, Model: model, Logger: s.logger, Now: time.Now, Ready: e.stories.Ready,
	}); err != nil {
		return nil, err
	}
	e.ingest, err = ingest.NewPipeline(ingest.Config{Store: store, Embedder: embedder, Corpus: known, Filer: e.stories, Logger: s.logger, Now: time.Now})
	return e, err
}

// referenceFor returns an embedder of the space that a model's coefficients are for, nil when the embedder's is that one.
func referenceFor(embedder embed.Embedder, model *evidence.Model, workers int) (embed.Embedder, error) {
	if embedder.Space().Model == model.Provenance.Space {
		return nil, nil
	}
	return minilm.New(minilm.Options{Workers: workers})
}

// Close gives the store back.
func (e *engine) Close() error { return errors.Join(e.store.Close(), e.conn.Close()) }

// owner names this process in the writer's lease, so that people can find who holds it.
func owner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return fmt.Sprintf("throughline (process %d on %s)", os.Getpid(), host)
}

var idLetters = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// newID makes an id that is easy to tell apart and to type: the kind and 80 random bits.
func newID(kind string) string {
	var random [10]byte
	rand.Read(random[:]) // never fails, as documented
	return kind + "-" + idLetters.EncodeToString(random[:])
}

// once closes something once and remembers how that went.
type once struct {
	do  func() error
	one sync.Once
	err error
}

func (o *once) Close() error {
	o.one.Do(func() { o.err = o.do() })
	return o.err
}
