package qdrantlite

import (
	"errors"
	"log/slog"
	"sync"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Version is the release of Qdrant whose behaviour this server follows; health checks report it.
const Version = "1.17.1"

// MaxRequestSize is the largest request in bytes that a gRPC server of these services should
// accept. It is Qdrant's default.
const MaxRequestSize = 32 << 20

// Options say where a store lives.
type Options struct {
	// Path of the store's file, created when absent. Empty: in memory only, gone after Close.
	Path string
	// Logger gets failures and repairs; nil discards them.
	Logger *slog.Logger
}

// Server is an open store and the gRPC services on it. Its methods may be called from any
// goroutine.
type Server struct {
	log     *slog.Logger
	backend backend

	mu          sync.RWMutex // guards the maps and numbers below; taken before a collection's lock
	collections map[string]*collection
	aliases     map[string]string
	lastNumber  uint32 // of a collection

	jobs    chan *job
	stopped chan struct{} // closed when the committer has ended
	failed  error         // only the committer uses it

	closing sync.RWMutex // held for reading while a job is handed over
	closed  bool
	close   sync.Once
}

// Open opens the store at a path, or creates it. It reads the whole store once to build what is
// kept in memory. Errors: ErrLocked at once when another process has the file open, ErrForeign,
// ErrCorrupt, or what the file system says.
func Open(opts Options) (*Server, error) {
	s := &Server{
		log:         opts.Logger,
		collections: make(map[string]*collection),
		aliases:     make(map[string]string),
		jobs:        make(chan *job, maxBatchJobs),
		stopped:     make(chan struct{}),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if opts.Path == "" {
		s.backend = newMemoryBackend()
	} else {
		b, err := openBolt(opts.Path)
		if err != nil {
			return nil, err
		}
		s.backend = b
		if err := s.load(opts.Path); err != nil {
			return nil, errors.Join(err, b.close())
		}
	}
	go s.commitLoop()
	return s, nil
}

// Register adds Qdrant's services to a gRPC server, which the caller owns and must stop before
// Close.
func (s *Server) Register(gs grpc.ServiceRegistrar) {
	qdrant.RegisterQdrantServer(gs, &healthService{s: s})
	qdrant.RegisterCollectionsServer(gs, &collectionsService{s: s})
	qdrant.RegisterPointsServer(gs, &pointsService{s: s})
}

// Target is the address that goes with DialOptions, in the form of a host name: it needs no
// resolving.
const Target = "passthrough:///qdrantlite"

// DialOptions connect a client in this process, whatever address it is given; see Target. Its calls
// need no connection: an interceptor carries them out, so give these options after those with other
// interceptors. After Close they fail with Unavailable.
func (s *Server) DialOptions() []grpc.DialOption {
	return []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithChainUnaryInterceptor(s.direct())}
}

// Close waits for the requests that are under way, makes the last writes durable and closes the
// file. Requests that come later fail with Unavailable.
func (s *Server) Close() error {
	var err error
	s.close.Do(func() {
		s.closing.Lock()
		s.closed = true
		close(s.jobs)
		s.closing.Unlock()
		<-s.stopped
		err = s.backend.close()
	})
	return err
}

// find resolves a collection's name or alias.
func (s *Server) find(name string) (*collection, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if target, ok := s.aliases[name]; ok {
		name = target
	}
	c, ok := s.collections[name]
	if !ok {
		return nil, noCollection(name)
	}
	return c, nil
}

// view runs fn on a collection as it is between two commits. fn must not keep anything of it.
func (s *Server) view(name string, fn func(c *collection, r reader) error) error {
	c, err := s.find(name)
	if err != nil {
		return err
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.dropped {
		return noCollection(name)
	}
	r, err := s.backend.read()
	if err != nil {
		if s.isClosed() {
			err = ErrClosed
		}
		return asStatus(err)
	}
	defer r.close()
	return asStatus(fn(c, r))
}

func (s *Server) isClosed() bool {
	s.closing.RLock()
	defer s.closing.RUnlock()
	return s.closed
}
