package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
)

// process identifies this process in lease records.
var process = uuid.NewString()

const (
	// leaseTTL is how long after its last heartbeat a writer counts as gone: much longer than the
	// clocks of two writers' machines can differ.
	leaseTTL = 20 * time.Second
	// leaseBeats is how many heartbeats fit into a lease: two may be missed.
	leaseBeats = 3
)

// The lease record, as stored.
const (
	fieldOwner   = "owner"
	fieldToken   = "token"   // of one Store
	fieldProcess = "process" // of its process
	fieldEpoch   = "epoch"   // how many leases were granted, this one included
	fieldExpires = "expires" // milliseconds; 0: given back
	fieldClean   = "clean"   // the holder closed the store and left it clean
)

// leaseRecord is a lease as stored.
type leaseRecord struct {
	exists          bool
	owner, token    string
	process         string
	epoch           int64
	expires         time.Time
	released, clean bool
}

// lease is the right to write to one prefix. Qdrant has no locks, but an upsert can carry a
// condition on the point that it replaces. So of two writers that take the lease at once, one does
// not write; both read the record to see which.
//
// A lease is valid by the clock of its holder, from the moment before a renewal was sent, so a
// holder stops writing before others may start, up to the difference of their clocks. Revisions
// cover that difference: see the package comment.
type lease struct {
	conn   *Conn
	meta   string
	prefix string
	owner  string
	token  string
	ttl    time.Duration
	now    func() time.Time

	epoch int64
	first bool // there was no lease record before
	clean bool // the last writer closed the store and left it clean

	mu    sync.Mutex
	until time.Time
	lost  error // another writer took it: for good

	stop context.CancelFunc // ends the heartbeat; nil before keep
	done chan struct{}      // closed when it has ended
}

func (l *lease) read(ctx context.Context) (leaseRecord, error) {
	p, err := l.conn.record(ctx, l.meta, leasePoint)
	return leaseRecord{exists: p != nil, owner: p.text(fieldOwner), token: p.text(fieldToken), process: p.text(fieldProcess),
		epoch: p.number(fieldEpoch), expires: time.UnixMilli(p.number(fieldExpires)),
		released: p.number(fieldExpires) == 0, clean: p.yes(fieldClean)}, err
}

// free reports whether the lease of the record has ended, so that it can be taken.
func (l *lease) free(r leaseRecord) bool {
	if !r.exists || r.released || !l.now().Before(r.expires) {
		return true
	}
	// No other process reaches a server of this one, so a holder in another process is dead: a
	// start right after a crash need not wait.
	return l.conn.ownProcess && r.process != process
}

// acquire takes the lease when it is free.
func (l *lease) acquire(ctx context.Context) error {
	before, err := l.read(ctx)
	if err != nil {
		return fmt.Errorf("reading the writer's lease: %w", err)
	}
	if !l.free(before) {
		return &LeaseHeldError{Prefix: l.prefix, Owner: before.owner, Expires: before.expires}
	}
	from := l.now()
	point, err := newPoint(qdrant.NewIDNum(leasePoint), nil, map[string]any{fieldOwner: l.owner, fieldToken: l.token,
		fieldProcess: process, fieldEpoch: before.epoch + 1, fieldExpires: from.Add(l.ttl), fieldClean: false}, nil)
	if err != nil {
		return &InvalidError{Field: "owner", Reason: err.Error()}
	}
	opts := upsertOptions{insertOnly: !before.exists}
	if before.exists {
		opts.onlyIf = must(qdrant.NewMatchInt(fieldEpoch, before.epoch))
	}
	if err := l.conn.upsert(ctx, l.meta, []*qdrant.PointStruct{point}, opts); err != nil {
		return fmt.Errorf("taking the writer's lease: %w", err)
	}
	after, err := l.read(ctx)
	if err != nil {
		return fmt.Errorf("reading the writer's lease: %w", err)
	}
	if after.token != l.token {
		return &LeaseHeldError{Prefix: l.prefix, Owner: after.owner, Expires: after.expires}
	}
	l.epoch, l.first = after.epoch, !before.exists
	l.clean = l.first || before.released && before.clean
	l.mu.Lock()
	l.until = from.Add(l.ttl)
	l.mu.Unlock()
	return nil
}

// own selects the lease record while this writer holds the lease.
func (l *lease) own() *qdrant.Filter {
	return must(qdrant.NewHasID(qdrant.NewIDNum(leasePoint)), qdrant.NewMatchKeyword(fieldToken, l.token))
}

// change sets fields of the lease record while this writer holds the lease.
func (l *lease) change(ctx context.Context, values map[string]any) error {
	fields, err := toPayload(values)
	if err != nil {
		return err
	}
	return l.conn.set(ctx, l.meta, []setPayload{{fields, l.own()}})
}

// renew extends the lease. When it fails the lease is not lost: while no other writer took it, a
// later renewal succeeds.
func (l *lease) renew(ctx context.Context) error {
	from := l.now()
	if err := l.change(ctx, map[string]any{fieldExpires: from.Add(l.ttl)}); err != nil {
		return err
	}
	r, err := l.read(ctx)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.token != l.token {
		l.lost = &LeaseLostError{Prefix: l.prefix, Owner: r.owner}
		return l.lost
	}
	l.until = from.Add(l.ttl)
	return nil
}

// held fails with a *LeaseLostError when this writer may not write.
func (l *lease) held() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost != nil {
		return l.lost
	}
	if !l.now().Before(l.until) {
		return &LeaseLostError{Prefix: l.prefix}
	}
	return nil
}

// lose gives the lease up for good, because another writer has it.
func (l *lease) lose() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost == nil {
		l.lost = &LeaseLostError{Prefix: l.prefix, Owner: "another writer"}
	}
	return l.lost
}

// raise moves the epoch above one that articles use although the lease record is new: somebody
// removed the meta collection.
func (l *lease) raise(ctx context.Context, above int64) error {
	if l.epoch > above {
		return nil
	}
	if err := l.change(ctx, map[string]any{fieldEpoch: above + 1}); err != nil {
		return err
	}
	l.epoch = above + 1
	return nil
}

// keep starts the heartbeat, which release ends.
func (l *lease) keep(report func(error)) {
	var ctx context.Context
	ctx, l.stop = context.WithCancel(context.Background())
	l.done = make(chan struct{})
	go func() {
		defer close(l.done)
		beat := l.ttl / leaseBeats
		ticker := time.NewTicker(beat)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			// A renewal that takes longer than a beat is given up and tried again with the next
			// one.
			one, cancel := context.WithTimeout(ctx, beat)
			err := l.renew(one)
			cancel()
			if err != nil && ctx.Err() == nil {
				report(err)
			}
			if errors.Is(err, ErrLeaseLost) {
				return
			}
		}
	}()
}

// release ends the heartbeat and gives the lease back.
func (l *lease) release(ctx context.Context, clean bool) error {
	if l.stop != nil {
		l.stop()
		<-l.done
	}
	if err := l.change(ctx, map[string]any{fieldExpires: int64(0), fieldClean: clean}); err != nil {
		return fmt.Errorf("giving the writer's lease back: %w", err)
	}
	return nil
}
