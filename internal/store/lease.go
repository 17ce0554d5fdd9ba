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

// process identifies this process in lease records. It is an identity, not a source of behaviour.
var process = uuid.NewString()

const (
	defaultLeaseTTL = 20 * time.Second
	minLeaseTTL     = time.Second
	// leaseBeats is how many heartbeats fit into a lease: two may be missed.
	leaseBeats = 3
	// leasePoll is how often a waiting Open looks whether the lease has ended.
	leasePoll = 200 * time.Millisecond
)

// The lease record, as stored.
const (
	fieldOwner   = "owner"
	fieldToken   = "token"   // of one Store
	fieldProcess = "process" // of its process
	fieldEpoch   = "epoch"   // how many leases were granted, this one included
	fieldExpires = "expires" // milliseconds; 0: given back
	fieldClean   = "clean"   // the holder left nothing to repair
)

// record is a lease as read.
type record struct {
	exists         bool
	owner, token   string
	process        string
	epoch          int64
	expires        time.Time
	released, good bool
}

// lease is the right to write to one prefix. Qdrant has no locks, but an upsert can carry a condition on what it replaces,
// so of two writers that want the lease at once one finds its condition false; reading back says which.
//
// Validity is judged by the clock of the holder, from the moment before a renewal was sent, so a holder stops writing
// before others may start, up to the difference of their clocks. What that leaves open is closed by revisions: see the
// package comment.
type lease struct {
	conn   *Conn
	meta   string
	prefix string
	owner  string
	token  string
	ttl    time.Duration
	now    func() time.Time

	epoch int64
	first bool // there was no record of a writer before
	clean bool // the writer before left cleanly

	mu    sync.Mutex
	until time.Time
	lost  error // another writer took it: for good

	stop context.CancelFunc // ends the heartbeat; nil before keep
	done chan struct{}      // closed when it has ended
}

func (l *lease) read(ctx context.Context) (record, error) {
	points, err := l.conn.get(ctx, l.meta, []*qdrant.PointId{qdrant.NewIDNum(leasePoint)}, nil, nil)
	if err != nil || len(points) == 0 {
		return record{}, err
	}
	p := payload(points[0].GetPayload())
	return record{exists: true, owner: p.text(fieldOwner), token: p.text(fieldToken), process: p.text(fieldProcess),
		epoch: p.number(fieldEpoch), expires: time.UnixMilli(p.number(fieldExpires)),
		released: p.number(fieldExpires) == 0, good: p.yes(fieldClean)}, nil
}

// free reports whether the lease can be taken from whoever is in the record.
func (l *lease) free(r record) bool {
	if !r.exists || r.released || !l.now().Before(r.expires) {
		return true
	}
	// The server of this process is reached by nobody else, so whoever wrote from another process is gone: a start
	// right after a crash need not wait.
	return l.conn.ownProcess && r.process != process
}

// acquire takes the lease, waiting up to wait for another writer's to end.
func (l *lease) acquire(ctx context.Context, wait time.Duration) error {
	giveUp := l.now().Add(wait)
	for {
		held, err := l.try(ctx)
		if err == nil || !errors.Is(err, ErrLeaseHeld) {
			return err
		}
		if pause := min(leasePoll, giveUp.Sub(l.now())); pause > 0 {
			timer := time.NewTimer(pause)
			select {
			case <-timer.C:
				continue
			case <-ctx.Done():
				timer.Stop()
				return fmt.Errorf("waiting for the lease of %s: %w", held.owner, ctx.Err())
			}
		}
		return err
	}
}

func (l *lease) try(ctx context.Context) (record, error) {
	before, err := l.read(ctx)
	if err != nil {
		return before, fmt.Errorf("reading the writer's lease: %w", err)
	}
	if !l.free(before) {
		return before, &LeaseHeldError{Prefix: l.prefix, Owner: before.owner, Expires: before.expires}
	}
	from := l.now()
	fields, err := toPayload(map[string]any{fieldOwner: l.owner, fieldToken: l.token, fieldProcess: process,
		fieldEpoch: before.epoch + 1, fieldExpires: from.Add(l.ttl), fieldClean: false})
	if err != nil {
		return before, &InvalidError{Field: "owner", Reason: err.Error()}
	}
	opts := upsertOptions{insertOnly: !before.exists}
	if before.exists {
		opts.onlyIf = &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchInt(fieldEpoch, before.epoch)}}
	}
	point := &qdrant.PointStruct{Id: qdrant.NewIDNum(leasePoint), Payload: fields, Vectors: encodeVectors(nil, none, none, none)}
	if err := l.conn.upsert(ctx, l.meta, []*qdrant.PointStruct{point}, opts); err != nil {
		return before, fmt.Errorf("taking the writer's lease: %w", err)
	}
	after, err := l.read(ctx)
	if err != nil {
		return after, fmt.Errorf("reading the writer's lease: %w", err)
	}
	if after.token != l.token {
		return after, &LeaseHeldError{Prefix: l.prefix, Owner: after.owner, Expires: after.expires}
	}
	l.epoch, l.first = after.epoch, !before.exists
	l.clean = l.first || before.released && before.good
	l.mu.Lock()
	l.until = from.Add(l.ttl)
	l.mu.Unlock()
	return after, nil
}

// own selects the record while it is this writer's.
func (l *lease) own() *qdrant.Filter {
	return &qdrant.Filter{Must: []*qdrant.Condition{
		qdrant.NewHasID(qdrant.NewIDNum(leasePoint)), qdrant.NewMatchKeyword(fieldToken, l.token)}}
}

// renew extends the lease. Being unable to is no loss yet: as long as the record is its own, a later renewal succeeds.
func (l *lease) renew(ctx context.Context) error {
	from := l.now()
	fields, err := toPayload(map[string]any{fieldExpires: from.Add(l.ttl)})
	if err != nil {
		return err
	}
	if err := l.conn.set(ctx, l.meta, []setPayload{{fields, l.own()}}); err != nil {
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

// validUntil is when the right to write ends unless renewed.
func (l *lease) validUntil() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.until
}

// lose gives the lease up for good: something shows that another writer has it.
func (l *lease) lose() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost == nil {
		l.lost = &LeaseLostError{Prefix: l.prefix, Owner: "another writer"}
	}
	return l.lost
}

// raise moves the epoch above one that is in use without a record of it: the meta collection was removed by hand.
func (l *lease) raise(ctx context.Context, above int64) error {
	if l.epoch > above {
		return nil
	}
	fields, err := toPayload(map[string]any{fieldEpoch: above + 1})
	if err != nil {
		return err
	}
	if err := l.conn.set(ctx, l.meta, []setPayload{{fields, l.own()}}); err != nil {
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
			// A renewal that takes longer than a beat is given up, so that the next one has its chance.
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
	fields, err := toPayload(map[string]any{fieldExpires: int64(0), fieldClean: clean})
	if err != nil {
		return err
	}
	if err := l.conn.set(ctx, l.meta, []setPayload{{fields, l.own()}}); err != nil {
		return fmt.Errorf("giving the writer's lease back: %w", err)
	}
	return nil
}
