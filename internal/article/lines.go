package article

import (
	"bufio"
	"context"
	"errors"
	"io"
)

// window is how much of a file is looked at to tell its format, and the size of the read buffer.
const window = 64 << 10

// lineReader reads lines of bounded length from a stream of any length.
type lineReader struct {
	r      *bufio.Reader
	limit  int // bytes of the longest line that is kept
	number int // of the line last returned, from 1
	buf    []byte
}

// next gives the next line without its "\n"; the slice is good until the following call. A line over the limit comes as tooLong,
// with its beginning, and is otherwise skipped. At the end of the stream err is io.EOF.
func (l *lineReader) next() (line []byte, tooLong bool, err error) {
	l.buf = l.buf[:0]
	for first := true; ; first = false {
		part, err := l.r.ReadSlice('\n')
		if first && err == nil {
			l.number++
			return part[:len(part)-1], len(part) > l.limit+1, nil
		}
		if !tooLong {
			l.buf = append(l.buf, part...)
		}
		if len(l.buf) > l.limit+1 {
			tooLong = true
			l.buf = l.buf[:0]
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err == nil:
			l.number++
			return trimNewline(l.buf), tooLong, nil
		case errors.Is(err, io.EOF) && (len(l.buf) > 0 || tooLong):
			l.number++
			return l.buf, tooLong, nil
		default:
			return nil, false, err
		}
	}
}

func trimNewline(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\n' {
		return b[:n-1]
	}
	return b
}

// ctxReader ends a stream when its context does, so that no file is too long to be interrupted.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *ctxReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
