package main

import (
	"context"
	"io"
)

// interruptible is a reader whose Read ends with its context. A read from a terminal or a pipe
// cannot be cancelled, so a waiting one is abandoned: the process is about to end, and nothing else
// reads there.
type interruptible struct {
	ctx  context.Context
	from io.Reader
	buf  []byte
	rest []byte // of buf: read, but not returned yet
	err  error
}

type readResult struct {
	n   int
	err error
}

// Read is not safe for concurrent use, as usual.
func (r *interruptible) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(r.rest) == 0 {
		if r.err == nil {
			r.fill()
		}
		if len(r.rest) == 0 {
			return 0, r.err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// fill reads into a buffer of its own, because an abandoned read may still write there.
func (r *interruptible) fill() {
	if r.err = r.ctx.Err(); r.err != nil {
		return
	}
	if r.buf == nil {
		r.buf = make([]byte, 64<<10)
	}
	result := make(chan readResult, 1)
	go func() {
		n, err := r.from.Read(r.buf)
		result <- readResult{n, err}
	}()
	select {
	case got := <-result:
		r.rest, r.err = r.buf[:got.n], got.err
	case <-r.ctx.Done():
		r.err = r.ctx.Err()
	}
}
