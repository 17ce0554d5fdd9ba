package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"throughline/embed"
)

// Config says which store to open and how.
type Config struct {
	Prefix  string      // of every collection: 1 to 64 letters, digits, - and _; default "throughline"
	Space   embed.Space // the embedding space; Dimensions decides the schema
	Chunker string      // version of the section splitter: letters and digits; default "1"

	// ReadOnly opens without a lease: nothing is created, nothing repaired, and every write fails
	// with ErrReadOnly.
	ReadOnly bool

	Logger *slog.Logger     // default: discard
	Now    func() time.Time // default time.Now

	// Owner names this writer to others that find the lease taken; default: host and process id.
	Owner string
}

// Store reads and writes one prefix. It is safe for concurrent use.
//
// Every method takes a context and honours its deadline; the connection's own limit bounds each
// request too. Slices passed in are used during the call alone; what is returned belongs to the
// caller. Order and ties are stated with each method. Errors are typed, see errors.go: a missing
// article, story or store is a *NotFoundError (errors.Is ErrNotFound), a server that does not
// answer is ErrUnavailable after retries, and invalid input is an *InvalidError that names the
// field; invalid input changes nothing that is stored.
type Store struct {
	conn        *Conn
	cfg         Config
	log         *slog.Logger
	names       collectionNames
	fingerprint string
	lease       *lease // nil: read only

	// writing is read-locked by every write, and locked by RepairSections and Close, which wait for
	// all writes to end.
	writing  sync.RWMutex
	stripes  stripes
	revision atomic.Int64 // the last one that was given
	ledger   ledger
	cache    embeddingCache

	closed atomic.Bool
	// clean: the last writer closed the store, or a repair ran, and nothing has failed since.
	clean atomic.Bool
	// storedLayout is how memberships are stored, see layout.
	storedLayout atomic.Int64

	// dirty are articles of which a write did not get to its end: something invisible may be left
	// of them. mu guards it.
	mu    sync.Mutex
	dirty map[string]bool
}

// Open creates or checks the collections and takes the writer's lease; with cfg.ReadOnly it only
// checks. It repairs nothing: see Clean. It fails with a *SpaceMismatchError when the prefix holds
// vectors of another embedding space or chunker, a *DimensionError when a collection has vectors of
// another length, a *LeaseHeldError when another writer is alive, and a *NotFoundError when a
// reader opens a prefix that nobody ever wrote to. The Store does not close conn.
func Open(ctx context.Context, conn *Conn, cfg Config) (*Store, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	s := &Store{conn: conn, cfg: cfg, log: cfg.Logger, names: namesFor(cfg.Prefix), fingerprint: cfg.Space.Fingerprint(),
		dirty: map[string]bool{}}
	if cfg.ReadOnly {
		stored, err := s.checkSpace(ctx)
		if err == nil && stored == 0 {
			err = &NotFoundError{Kind: "store", ID: cfg.Prefix}
		}
		if err == nil {
			err = s.inspect(ctx)
		}
		if err != nil {
			return nil, fmt.Errorf("opening the store %q for reading: %w", cfg.Prefix, err)
		}
		s.storedLayout.Store(stored)
		return s, nil
	}
	if err := s.openWriter(ctx); err != nil {
		return nil, fmt.Errorf("opening the store %q: %w", cfg.Prefix, err)
	}
	return s, nil
}

func (s *Store) openWriter(ctx context.Context) error {
	// Another space is an error even while another writer holds the lease.
	if _, err := s.checkSpace(ctx); err != nil {
		return err
	}
	if err := s.conn.ensure(ctx, metaSchema, s.names.meta, 0); err != nil {
		return err
	}
	s.lease = &lease{conn: s.conn, meta: s.names.meta, prefix: s.cfg.Prefix, owner: s.cfg.Owner, token: uuid.NewString(),
		ttl: leaseTTL, now: s.cfg.Now}
	if err := s.lease.acquire(ctx); err != nil {
		return err
	}
	s.lease.keep(func(err error) {
		s.log.Warn("the writer's lease was not renewed", "prefix", s.cfg.Prefix, "error", err)
	})
	s.clean.Store(s.lease.clean)
	if err := s.startWriting(ctx); err != nil {
		// Not clean, whatever it was before: this writer repaired nothing.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
		defer cancel()
		return errors.Join(err, s.lease.release(ctx, false))
	}
	return nil
}

func (s *Store) startWriting(ctx context.Context) error {
	// Again, now that nobody else can change it.
	stored, err := s.checkSpace(ctx)
	if err != nil {
		return err
	}
	if err := s.setUp(ctx); err != nil {
		return err
	}
	if err := s.describeSpace(ctx, cmp.Or(stored, layout)); err != nil {
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
	s.revision.Store(s.lease.epoch << revisionBits)
	return s.openLedger(ctx)
}

// Clean reports whether what is stored is consistent: the last writer closed the store or a repair
// ran, and nothing has failed since. A writer that finds it false repairs before anything else and
// calls SetClean.
func (s *Store) Clean() bool { return s.clean.Load() }

// SetClean records that a repair is done, or that one is needed.
func (s *Store) SetClean(clean bool) { s.clean.Store(clean) }

// Outdated reports whether memberships are stored in an earlier layout, which kept topic and theme
// in one list. A writer that finds it true clusters everything anew and calls MarkCurrent.
func (s *Store) Outdated() bool { return s.storedLayout.Load() < layout }

// MarkCurrent records that all memberships are stored in the layout of this program.
func (s *Store) MarkCurrent(ctx context.Context) error {
	end, err := s.begin()
	if err != nil {
		return err
	}
	defer end()
	return s.describeSpace(ctx, layout)
}

// revisionBits is how many low bits of a revision count within an epoch.
const revisionBits = 32

// lastEpoch finds the highest epoch that an article's revision names, 0 when there is none.
func (s *Store) lastEpoch(ctx context.Context) (int64, error) {
	return highest(0, func(epoch int64) (bool, error) { return s.anyRevisionFrom(ctx, epoch<<revisionBits) })
}

// highest returns the highest n above guess for which reaches(n) holds, or guess when there is
// none. As n grows from guess, reaches must change once at most, from true to false. It takes one
// call for a right guess, and else about twice the binary logarithm of the distance.
func highest(guess int64, reaches func(int64) (bool, error)) (int64, error) {
	low, high := guess, guess+1 // reaches(low) or low == guess; at the end !reaches(high)
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

// complete fills defaults and checks every field.
func (cfg *Config) complete() error {
	cfg.Prefix = cmp.Or(cfg.Prefix, "throughline")
	cfg.Chunker = cmp.Or(cfg.Chunker, "1")
	cfg.Logger = orDiscard(cfg.Logger)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Owner == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "unknown host"
		}
		cfg.Owner = fmt.Sprintf("throughline (process %d on %s)", os.Getpid(), host)
	}
	switch {
	case !prefixForm.MatchString(cfg.Prefix):
		return &InvalidError{Field: "prefix", Reason: fmt.Sprintf("invalid (got %q, want 1 to 64 letters, digits, - and _)", cfg.Prefix)}
	case !chunkerForm.MatchString(cfg.Chunker):
		return &InvalidError{Field: "chunker", Reason: fmt.Sprintf("invalid (got %q, want 1 to 16 letters and digits)", cfg.Chunker)}
	case cfg.Space.Model == "":
		return &InvalidError{Field: "space.model", Reason: "empty"}
	case cfg.Space.Dimensions < 1 || cfg.Space.Dimensions > maxDimensions:
		return &InvalidError{Field: "space.dimensions", Reason: fmt.Sprintf("out of range (got %d, want 1 to %d)", cfg.Space.Dimensions, maxDimensions)}
	}
	return nil
}

// maxDimensions is Qdrant's limit.
const maxDimensions = 65_536

// Close gives the lease back and stops the heartbeat. Methods fail with ErrClosed afterwards; Close
// waits for writes that are under way. A second Close does nothing.
func (s *Store) Close() error {
	if s.closed.Swap(true) || s.lease == nil {
		return nil
	}
	s.writing.Lock() // waits for writes under way; later ones fail with ErrClosed
	defer s.writing.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
	defer cancel()
	s.mu.Lock()
	clean := s.clean.Load() && len(s.dirty) == 0
	s.mu.Unlock()
	return s.lease.release(ctx, clean)
}

// Ready returns nil when the store can serve: it reads the description of the embedding space and,
// for a writer, checks that the lease is held.
func (s *Store) Ready(ctx context.Context) error {
	if err := s.readable(); err != nil {
		return err
	}
	stored, err := s.checkSpace(ctx)
	if err != nil {
		return err
	}
	if stored == 0 {
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
	if s.closed.Load() {
		return ErrClosed
	}
	return nil
}

// writable fails when this store may not write. It is called before a write, so that none begins
// without the lease. After a write the lease is checked once more, so that none is acknowledged
// that a new holder of the lease may have undone.
func (s *Store) writable() error {
	if s.lease == nil {
		return ErrReadOnly
	}
	if err := s.readable(); err != nil {
		return err
	}
	return s.lease.held()
}

// begin starts a write; the caller calls end after it.
func (s *Store) begin() (end func(), err error) {
	s.writing.RLock()
	if err := s.writable(); err != nil {
		s.writing.RUnlock()
		return nil, err
	}
	return s.writing.RUnlock, nil
}

// markDirty remembers articles whose write did not get to its end; clearDirty forgets them.
func (s *Store) markDirty(ids ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		s.dirty[id] = true
	}
}

func (s *Store) clearDirty(ids ...string) {
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
