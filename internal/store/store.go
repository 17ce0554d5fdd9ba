package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"

	"throughline/embed"
)

// Config says which store to open and how.
type Config struct {
	Prefix  string      // of every collection: letters, digits, - and _, at most 64; default "throughline"
	Space   embed.Space // the embedding space; Dimensions decides the schema
	Chunker string      // version of the section splitter: letters and digits; default "1"

	// ReadOnly opens without a lease: nothing is created, nothing repaired, and every write fails with ErrReadOnly.
	ReadOnly bool

	Logger *slog.Logger     // default: discard
	Now    func() time.Time // default time.Now

	// Owner names this writer to others that find the lease taken; default: host name and process id.
	Owner string
	// LeaseTTL is how long after its last heartbeat a writer counts as gone; default 20 s. It must be much longer than the
	// clocks of two writers' machines can differ, and at least a second.
	LeaseTTL time.Duration
	// LeaseWait is how long Open waits for another writer's lease to end before it fails; default 0.
	LeaseWait time.Duration
	// Reconcile repairs at start even when the last writer left cleanly.
	Reconcile bool
}

// Store reads and writes one prefix. It is safe for concurrent use.
//
// Every method takes a context and honours its deadline; each request to the server is bounded by the connection's too. Slices
// passed in are read only during the call; what is returned belongs to the caller. Order and ties are stated with each
// method. Errors are typed, see errors.go: a missing thing is a *NotFoundError (errors.Is ErrNotFound), a server that does
// not answer is ErrUnavailable after retries, and invalid input is an *InvalidError that names the field; invalid input
// changes nothing that is stored.
type Store struct {
	conn        *Conn
	cfg         Config
	log         *slog.Logger
	names       collectionNames
	fingerprint string
	lease       *lease // nil: read only

	// writing is held for reading by every write and for writing by what needs none to be under way.
	writing  sync.RWMutex
	stripes  stripes
	revision counter
	ledger   ledger
	kept     keeper

	mu     sync.Mutex
	closed bool
	// dirty are articles of which a write did not get to its end: something invisible may be left of them.
	dirty map[string]bool
}

// Open validates or creates the collections, takes the writer's lease and repairs what an unclean end left, unless
// cfg.ReadOnly. It fails with a *SpaceMismatchError when the prefix holds vectors of another embedding space or chunker, a
// *DimensionError when a collection has vectors of another length, and a *LeaseHeldError when another writer is alive. A
// reader of a prefix that nothing was ever written to gets a *NotFoundError. The Store does not close conn.
func Open(ctx context.Context, conn *Conn, cfg Config) (*Store, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	s := &Store{conn: conn, cfg: cfg, log: cfg.Logger, names: namesFor(cfg.Prefix), fingerprint: cfg.Space.Fingerprint(),
		dirty: map[string]bool{}}
	if cfg.ReadOnly {
		stored, err := s.checkSpace(ctx)
		if err == nil && !stored {
			err = &NotFoundError{Kind: "store", ID: cfg.Prefix}
		}
		if err == nil {
			err = s.inspect(ctx)
		}
		if err != nil {
			return nil, fmt.Errorf("opening the store %q for reading: %w", cfg.Prefix, err)
		}
		return s, nil
	}
	if err := s.openWriter(ctx); err != nil {
		return nil, fmt.Errorf("opening the store %q: %w", cfg.Prefix, err)
	}
	return s, nil
}

func (s *Store) openWriter(ctx context.Context) error {
	// Who asks for another space is told so, whoever holds the lease.
	if _, err := s.checkSpace(ctx); err != nil {
		return err
	}
	if err := s.conn.ensure(ctx, metaSchema, s.names.meta, 0); err != nil {
		return err
	}
	s.lease = &lease{conn: s.conn, meta: s.names.meta, prefix: s.cfg.Prefix, owner: s.cfg.Owner, token: uuid.NewString(),
		ttl: s.cfg.LeaseTTL, now: s.cfg.Now}
	if err := s.lease.acquire(ctx, s.cfg.LeaseWait); err != nil {
		return err
	}
	s.lease.keep(func(err error) {
		s.log.Warn("the writer's lease was not renewed", "prefix", s.cfg.Prefix, "error", err)
	})
	clean := s.lease.clean
	if err := s.startWriting(ctx, clean); err != nil {
		// The next writer has as much to repair as this one had.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
		defer cancel()
		return errors.Join(err, s.lease.release(ctx, false))
	}
	return nil
}

func (s *Store) startWriting(ctx context.Context, clean bool) error {
	// Again, now that nobody else can change it.
	if _, err := s.checkSpace(ctx); err != nil {
		return err
	}
	if err := s.setUp(ctx); err != nil {
		return err
	}
	if err := s.describeSpace(ctx); err != nil {
		return err
	}
	if s.lease.first {
		last, err := s.lastEpoch(ctx)
		if err != nil {
			return err
		}
		if err := s.lease.raise(ctx, last); err != nil {
			return err
		}
	}
	s.revision.last = s.lease.epoch << revisionBits
	if err := s.openLedger(ctx); err != nil {
		return err
	}
	if clean && !s.cfg.Reconcile {
		return nil
	}
	report, err := s.Reconcile(ctx)
	if err != nil {
		return fmt.Errorf("repairing what the last writer left: %w", err)
	}
	s.log.Info("the last writer did not close the store; it was checked", "prefix", s.cfg.Prefix, "report", report)
	return nil
}

// revisionBits is how many low bits of a revision count within an epoch.
const revisionBits = 32

// lastEpoch finds the highest epoch that an article's revision names, 0 when there is none.
func (s *Store) lastEpoch(ctx context.Context) (int64, error) {
	return highest(0, func(epoch int64) (bool, error) {
		from := qdrant.PtrOf(float64(epoch << revisionBits))
		points, _, err := s.conn.scroll(ctx, s.names.articles,
			&qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewRange(fieldRevision, &qdrant.Range{Gte: from})}}, nil, 1, noFields, nil)
		return len(points) > 0, err
	})
}

// highest returns the highest n for which reaches(n) holds, or guess when it does not hold above it. reaches must hold below
// guess and change once from true to false as n grows. It takes two steps for a good guess, and a logarithm of the
// distance for a bad one.
func highest(guess int64, reaches func(int64) (bool, error)) (int64, error) {
	low, high := guess, guess+1 // it holds at low, or low is guess; it will be found not to hold at high
	for step := int64(1); ; step *= 2 {
		more, err := reaches(high)
		if err != nil {
			return 0, err
		}
		if !more {
			break
		}
		low, high = high, high+step
	}
	for high-low > 1 {
		middle := low + (high-low)/2
		more, err := reaches(middle)
		if err != nil {
			return 0, err
		}
		if more {
			low = middle
		} else {
			high = middle
		}
	}
	return low, nil
}

// releaseTimeout bounds the last request of a closing store.
const releaseTimeout = 5 * time.Second

// complete fills defaults and refuses what cannot work.
func (cfg *Config) complete() error {
	if cfg.Prefix == "" {
		cfg.Prefix = "throughline"
	}
	if cfg.Chunker == "" {
		cfg.Chunker = "1"
	}
	cfg.Logger = orDiscard(cfg.Logger)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Owner == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "unknown host"
		}
		cfg.Owner = fmt.Sprintf("process %d on %s", os.Getpid(), host)
	}
	if cfg.LeaseTTL == 0 {
		cfg.LeaseTTL = defaultLeaseTTL
	}
	switch {
	case !prefixForm.MatchString(cfg.Prefix):
		return &InvalidError{Field: "prefix", Reason: fmt.Sprintf("%q; letters, digits, - and _, at most 64", cfg.Prefix)}
	case !chunkerForm.MatchString(cfg.Chunker):
		return &InvalidError{Field: "chunker", Reason: fmt.Sprintf("%q; letters and digits, at most 16", cfg.Chunker)}
	case cfg.Space.Model == "":
		return &InvalidError{Field: "space.model", Reason: "empty"}
	case cfg.Space.Dimensions < 1 || cfg.Space.Dimensions > maxDimensions:
		return &InvalidError{Field: "space.dimensions", Reason: fmt.Sprintf("%d; 1 to %d", cfg.Space.Dimensions, maxDimensions)}
	case cfg.LeaseTTL < minLeaseTTL:
		return &InvalidError{Field: "lease", Reason: fmt.Sprintf("%v; at least %v", cfg.LeaseTTL, minLeaseTTL)}
	}
	return nil
}

// maxDimensions is Qdrant's limit.
const maxDimensions = 65_536

// Close gives the lease back and stops the heartbeat. Methods fail with ErrClosed afterwards; Close waits for writes that
// are under way. A second Close does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	if s.lease == nil {
		return nil
	}
	s.writing.Lock() // waits for writes; no other begins, because they see closed
	defer s.writing.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
	defer cancel()
	s.mu.Lock()
	clean := len(s.dirty) == 0
	s.mu.Unlock()
	return s.lease.release(ctx, clean)
}

// Ready reports whether the store can serve: it makes an authenticated request for what it stores and, for a writer,
// checks that the lease is held.
func (s *Store) Ready(ctx context.Context) error {
	if err := s.readable(); err != nil {
		return err
	}
	stored, err := s.checkSpace(ctx)
	if err != nil {
		return err
	}
	if !stored {
		return &NotFoundError{Kind: "store", ID: s.cfg.Prefix}
	}
	if s.lease != nil {
		return s.lease.held()
	}
	return nil
}

// Space is the embedding space of the store.
func (s *Store) Space() embed.Space { return s.cfg.Space }

func (s *Store) readable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	return nil
}

// writable fails when this store may not write. It is asked before a write, so that none begins without the lease, and after
// it, so that none is acknowledged that a new holder of the lease may have undone.
func (s *Store) writable() error {
	if s.lease == nil {
		return ErrReadOnly
	}
	if err := s.readable(); err != nil {
		return err
	}
	return s.lease.held()
}

// begin starts a write; end must be called when it is over.
func (s *Store) begin() (end func(), err error) {
	s.writing.RLock()
	if err := s.writable(); err != nil {
		s.writing.RUnlock()
		return nil, err
	}
	return s.writing.RUnlock, nil
}

// soil remembers articles whose write did not get to its end; clean forgets them.
func (s *Store) soil(ids ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		s.dirty[id] = true
	}
}

func (s *Store) clean(ids ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		delete(s.dirty, id)
	}
}

func (s *Store) isDirty(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dirty[id]
}
