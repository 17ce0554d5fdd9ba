package qdrantlite

import (
	"context"
	"encoding/binary"
	"fmt"
)

// Bounds of one commit, so that no caller waits for an endless batch.
const (
	maxBatchJobs   = 256
	maxBatchPoints = 20_000
)

// job is a request on its way to the committer: a change of points (stage), or a change of the
// collections (alone), which gets a commit of its own.
type job struct {
	ctx   context.Context
	c     *collection
	stage func(*txn) error
	alone func() error
	done  chan error
	op    uint64 // set before done: the number of the operation in its collection
}

// do hands a job to the committer and waits until it is durable or refused. Its errors have gRPC
// codes. When the context ends first, the job may still be done.
func (s *Server) do(j *job) error {
	j.done = make(chan error, 1)
	s.closing.RLock()
	if s.closed {
		s.closing.RUnlock()
		return asStatus(ErrClosed)
	}
	s.jobs <- j
	s.closing.RUnlock()
	select {
	case err := <-j.done:
		return asStatus(err)
	case <-j.ctx.Done():
		return asStatus(j.ctx.Err())
	}
}

// commitLoop is the only writer of the file and of the collections' memory. It ends when jobs is
// closed and empty.
func (s *Server) commitLoop() {
	defer close(s.stopped)
	var next *job
	for {
		j := next
		next = nil
		if j == nil {
			var ok bool
			if j, ok = <-s.jobs; !ok {
				return
			}
		}
		if j.alone != nil {
			err := s.failed
			if err == nil {
				err = j.alone()
			}
			j.done <- err
			continue
		}
		next = s.commitBatch(j)
	}
}

// commitBatch commits the job together with others that are waiting. It returns a waiting job that
// must be alone, if it took one.
func (s *Server) commitBatch(first *job) (next *job) {
	if s.failed != nil {
		first.done <- s.failed
		return nil
	}
	r, err := s.backend.read()
	if err != nil {
		first.done <- err
		return nil
	}
	b := &batch{r: r, changes: make(map[*collection]*changes)}
	var staged []*job
	for j := first; j != nil; {
		if err := b.stage(j); err != nil {
			j.done <- err
		} else {
			staged = append(staged, j)
		}
		j = nil
		if len(staged) < maxBatchJobs && b.points < maxBatchPoints {
			select {
			case waiting, ok := <-s.jobs:
				if ok && waiting.alone != nil {
					next = waiting
				} else if ok {
					j = waiting
				}
			default:
			}
		}
	}
	var all []mutation
	garbage := make(map[*collection][]mutation)
	for _, c := range b.order {
		if err != nil {
			break
		}
		var out []mutation
		out, garbage[c], err = b.mutations(c)
		all = append(append(all, out...), c.garbage...)
	}
	r.close() // bbolt may have to remap the file, which waits for readers
	if err == nil && len(all) > 0 {
		err = s.commit(all)
	}
	if err == nil {
		for _, c := range b.order {
			c.garbage = garbage[c]
			c.mu.Lock()
			c.apply(b.changes[c].list)
			c.mu.Unlock()
		}
	}
	for _, j := range staged {
		j.done <- err
	}
	return next
}

// stage runs one job on top of the batch.
func (b *batch) stage(j *job) error {
	if err := j.ctx.Err(); err != nil {
		return err
	}
	if j.c.dropped {
		return noCollection(j.c.name)
	}
	t := b.begin(j.ctx, j.c)
	if err := j.stage(t); err != nil {
		return err
	}
	j.op = t.op
	t.merge()
	return nil
}

// commit makes mutations durable. After a failure that leaves the file's state unknown, the server
// refuses every further write.
func (s *Server) commit(mutations []mutation) error {
	known, err := s.backend.commit(mutations)
	if err == nil {
		return nil
	}
	s.log.Error("commit failed", "error", err, "outcome_known", known)
	if !known {
		s.failed = fmt.Errorf("an earlier commit failed and the store must be opened again: %w", err)
	}
	return err
}

// collectionRecord is the record of a collection: its number and the request that created it.
func collectionRecord(number uint32, create []byte) []byte {
	return seal(append(binary.BigEndian.AppendUint32(nil, number), create...))
}
