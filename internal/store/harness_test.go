package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"throughline/cluster/vector"
	"throughline/embed"
	"throughline/internal/lexical"
	"throughline/internal/news"
	"throughline/internal/qdrantlite"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childFile); path != "" {
		os.Exit(runChild(path))
	}
	goleak.VerifyTestMain(m)
}

const testDim = 8

var testSpace = embed.Space{Model: "test", Dimensions: testDim, MaxTokens: 100}

// env is a back end to test on, with a prefix of its own and a clock that tests move.
type env struct {
	prefix string
	// connect makes a connection whose interceptors see every attempt of every request.
	connect func(t *testing.T, extra ...grpc.UnaryClientInterceptor) *Conn

	mu  sync.Mutex
	now time.Time
}

func (e *env) clock() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.now
}

func (e *env) advance(d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.now = e.now.Add(d)
}

func (e *env) config() Config {
	return Config{Prefix: e.prefix, Space: testSpace, Owner: "tester", Now: e.clock}
}

// open opens a store as a writer; the test's end closes it.
func (e *env) open(t *testing.T, extra ...grpc.UnaryClientInterceptor) *Store {
	t.Helper()
	return e.openWith(t, e.config(), extra...)
}

func (e *env) openWith(t *testing.T, cfg Config, extra ...grpc.UnaryClientInterceptor) *Store {
	t.Helper()
	conn := e.connect(t, extra...)
	s, err := Open(t.Context(), conn, cfg)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func newEnv() *env {
	return &env{prefix: "t" + strings.ReplaceAll(uuid.NewString(), "-", "")[:12], now: time.Date(2024, 4, 1, 12, 0, 0, 0, time.UTC)}
}

// embeddedEnv keeps everything in memory.
func embeddedEnv(t *testing.T) *env {
	t.Helper()
	return envOn(t, "")
}

func envOn(t *testing.T, path string) *env {
	t.Helper()
	srv, err := qdrantlite.Open(qdrantlite.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	e := newEnv()
	e.connect = func(t *testing.T, extra ...grpc.UnaryClientInterceptor) *Conn {
		conn, err := Embedded(srv, nil, extra...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	return e
}

// realEnv talks to the server named in the environment and removes what it made there.
func realEnv(t *testing.T) *env {
	t.Helper()
	addr := os.Getenv("QDRANT_ADDR")
	if addr == "" {
		t.Skip("set QDRANT_ADDR=host:6334 (and QDRANT_API_KEY) to run this on a real Qdrant; it uses collections with a prefix of its own")
	}
	host, port, err := splitAddr(addr)
	if err != nil {
		t.Fatal(err)
	}
	e := newEnv()
	e.connect = func(t *testing.T, extra ...grpc.UnaryClientInterceptor) *Conn {
		conn, err := newConn(qdrant.Config{Host: host, Port: port}, os.Getenv("QDRANT_API_KEY"), 0, orDiscard(nil), extra...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	conn := e.connect(t)
	t.Cleanup(func() {
		names, err := conn.client.ListCollections(context.Background())
		if err != nil {
			t.Error(err)
		}
		for _, name := range names {
			if strings.HasPrefix(name, e.prefix+"_") {
				if err := conn.client.DeleteCollection(context.Background(), name); err != nil {
					t.Error(err)
				}
			}
		}
	})
	return e
}

// eachBackend runs a test on the embedded server and on a real one.
func eachBackend(t *testing.T, test func(t *testing.T, e *env)) {
	t.Run("embedded", func(t *testing.T) { test(t, embeddedEnv(t)) })
	t.Run("qdrant", func(t *testing.T) { test(t, realEnv(t)) })
}

// maker makes test data that is the same on every run.
type maker struct{ r *rand.Rand }

func newMaker(seed uint64) *maker { return &maker{rand.New(rand.NewPCG(seed, 1))} }

func (m *maker) unit() []float32 {
	v := make([]float32, testDim)
	for i := range v {
		v[i] = float32(m.r.NormFloat64())
	}
	vector.Normalize(v)
	return v
}

func (m *maker) sparse() vector.Sparse {
	var s vector.Sparse
	term := uint32(0)
	for range 1 + m.r.IntN(6) {
		term += 1 + uint32(m.r.IntN(5))
		s.Terms = append(s.Terms, term)
		s.Weights = append(s.Weights, float32(1+m.r.IntN(8))/4)
	}
	return s
}

// put makes an article whose fields all follow from id and version, so that a mix of versions
// shows.
func (m *maker) put(id string, version, sections int) Put {
	tag := fmt.Sprintf("%s v%d", id, version)
	p := Put{
		Article: news.Article{ID: id, Title: tag, URL: "https://example.com/" + id, Source: fmt.Sprintf("source%d", version%3),
			Language: "en", Authors: []string{"A", "B"}, Published: time.Date(2024, 3, 1+version%28, 6, 0, 0, 123e6, time.UTC),
			Record: news.Record{ContentHash: tag}},
		Vectors: Vectors{Dense: m.unit(), Lex: lexical.Vectors{Full: m.sparse(), Lead: m.sparse(), Names: m.sparse(),
			Words: 100 + version, Shingles: []uint32{3, 1 << 20, 1<<32 - 1}, Phrases: []lexical.Phrase{{Form: 3, Whole: uint32(version)}, {Form: 1<<32 - 1}}}},
	}
	for i := range sections {
		p.Sections = append(p.Sections, Section{Index: i, Dense: m.unit(), Lexical: m.sparse(),
			Section: news.Section{Heading: fmt.Sprintf("H%d", i), Text: fmt.Sprintf("%s section %d", tag, i)}})
	}
	return p
}

// story makes a story that counts some articles.
func story(id string, articles int) Story {
	return Story{Story: news.Story{ID: id, Articles: articles}}
}

// topic makes a topic.
func topic(id string) Topic { return Topic{Topic: news.Topic{ID: id, Level: news.LevelTopic}} }

// mustPut puts articles and fails the test unless all are stored. Of a slice it sets what Put sets.
func mustPut(t *testing.T, s *Store, items ...Put) {
	t.Helper()
	for i, err := range s.Put(t.Context(), items) {
		if err != nil {
			t.Fatalf("put %q: %v", items[i].Article.ID, err)
		}
	}
}

func mustApply(t *testing.T, s *Store, p *Plan) {
	t.Helper()
	if err := s.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

// mustGet reads one article without vectors.
func mustGet(t *testing.T, s *Store, id string) news.Article {
	t.Helper()
	got, err := s.Get(t.Context(), []string{id}, WithNothing)
	if err != nil {
		t.Fatal(err)
	}
	if got[0] == nil {
		t.Fatalf("article %q is not stored", id)
	}
	return got[0].Article
}

// sectionsOf counts the sections that a search finds which is narrowed by a filter.
func sectionsOf(t *testing.T, s *Store, filter news.Filter) int {
	t.Helper()
	hits, err := s.Query(t.Context(), []Query{{Of: Sections, Dense: newMaker(1).unit(), Limit: 1000, Filter: filter}})
	if err != nil {
		t.Fatal(err)
	}
	return len(hits[0])
}

func dot(a, b []float32) float64 {
	var sum float64
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func near(a, b, tolerance float64) bool { return math.Abs(a-b) <= tolerance }

func nanValue() float64 { return math.NaN() }

// upsertPoint writes a point through the connection, past the store.
func upsertPoint(t *testing.T, s *Store, collection string, p *qdrant.PointStruct, err error) {
	t.Helper()
	if err == nil {
		err = s.conn.upsert(t.Context(), collection, []*qdrant.PointStruct{p}, upsertOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// counting counts requests.
type counting struct{ n atomic.Int64 }

func (c *counting) intercept(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	c.n.Add(1)
	return invoke(ctx, method, req, reply, cc, opts...)
}

func (c *counting) reset() int64 { return c.n.Swap(0) }

func isNotFound(err error) bool { return errors.Is(err, ErrNotFound) }
