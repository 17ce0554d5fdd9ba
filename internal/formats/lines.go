package formats

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
)

// window is the size in bytes of the read buffer, and of the sample from which a format is
// recognised.
const window = 64 << 10

// lineReader reads lines of bounded length from a stream of any length.
type lineReader struct {
	r      *bufio.Reader
	limit  int // bytes of the longest line that is kept
	number int // of the line last returned, from 1
	buf    []byte
}

// next returns the next line without its "\n"; the slice is valid until the following call. A line
// over the limit is skipped and reported as tooLong. At the end of the stream err is io.EOF.
func (l *lineReader) next() (line []byte, tooLong bool, err error) {
	l.buf = l.buf[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		if !tooLong {
			l.buf = append(l.buf, part...)
		}
		if len(l.buf) > l.limit+1 {
			tooLong = true
			l.buf = l.buf[:0]
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err == nil, errors.Is(err, io.EOF) && (len(l.buf) > 0 || tooLong):
			l.number++
			return bytes.TrimSuffix(l.buf, []byte{'\n'}), tooLong, nil
		default:
			return nil, false, err
		}
	}
}

// ctxReader ends a stream when its context ends, so that reading any file can be interrupted.
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
