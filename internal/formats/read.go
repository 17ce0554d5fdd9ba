package formats

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/text/encoding/unicode"

	"throughline/internal/news"
)

// Options for reading. The zero value is ready to use.
type Options struct {
	// MaxItem is the most bytes of source of one article: a JSONL line, an element of a JSON array,
	// an article of a plain-text file, an HTML or Markdown file. A feed may have eight times as
	// many. 0: 8 MiB. Reading takes a small multiple of MaxItem in memory, whatever the length of
	// the file.
	MaxItem int
	// Keep names fields of JSON objects and of Markdown front matter to copy into Article.Extra,
	// spelled as there: strings as they are, other values as JSON, without null.
	Keep []string
	// Stdin is read for the path "-". nil: os.Stdin.
	Stdin io.Reader
}

const defaultMaxItem = 8 << 20

func (o Options) withDefaults() Options {
	if o.MaxItem <= 0 {
		o.MaxItem = defaultMaxItem
	}
	if o.Stdin == nil {
		o.Stdin = os.Stdin
	}
	return o
}

// Read yields the valid articles of files and directories in order, and an *ItemError for each
// item, file or path without one. It continues after errors and ends after the last path, when the
// caller stops, or when ctx ends; the last error then wraps ctx.Err(). Files are streamed, so
// memory does not grow with their size.
func Read(ctx context.Context, paths []string, opts Options) iter.Seq2[news.Valid, error] {
	opts = opts.withDefaults()
	return func(yield func(news.Valid, error) bool) {
		for _, path := range paths {
			if err := ctx.Err(); err != nil {
				yield(news.Valid{}, &news.ItemError{Origin: news.Origin{Path: path}, Err: err})
				return
			}
			if !readPath(ctx, path, opts, yield) {
				return
			}
		}
	}
}

// ReadFrom is Read for one open stream. name replaces the path: in origins, for the extension, and
// for a title.
func ReadFrom(ctx context.Context, name string, r io.Reader, opts Options) iter.Seq2[news.Valid, error] {
	opts = opts.withDefaults()
	return func(yield func(news.Valid, error) bool) {
		readStream(ctx, name, r, opts, yield)
	}
}

// readPath reads one path and reports whether to continue with the next.
func readPath(ctx context.Context, path string, opts Options, yield func(news.Valid, error) bool) bool {
	if path == "-" {
		return readStream(ctx, path, opts.Stdin, opts, yield)
	}
	info, err := os.Stat(path)
	if err != nil {
		return yield(news.Valid{}, &news.ItemError{Origin: news.Origin{Path: path}, Err: err})
	}
	if !info.IsDir() {
		return readFile(ctx, path, opts, yield)
	}
	more, found := true, false
	// WalkDir returns no error of its own: every error is yielded with its path.
	_ = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			more = yield(news.Valid{}, &news.ItemError{Origin: news.Origin{Path: p}, Err: err})
		case p != path && (strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_")):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case isFile(p, d):
			found = true
			more = readFile(ctx, p, opts, yield)
		}
		if !more {
			return fs.SkipAll
		}
		return nil
	})
	if more && !found {
		more = yield(news.Valid{}, &news.ItemError{Origin: news.Origin{Path: path}, Err: news.Problem(news.ErrEmpty, "the directory has no files")})
	}
	return more
}

// isFile accepts regular files and links to them. Links to directories are not followed, because
// they may form cycles.
func isFile(path string, d fs.DirEntry) bool {
	if d.Type()&fs.ModeSymlink == 0 {
		return d.Type().IsRegular()
	}
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func readFile(ctx context.Context, path string, opts Options, yield func(news.Valid, error) bool) bool {
	f, err := os.Open(path)
	if err != nil {
		return yield(news.Valid{}, &news.ItemError{Origin: news.Origin{Path: path}, Err: err})
	}
	defer f.Close() // read only: nothing to lose
	return readStream(ctx, path, f, opts, yield)
}

// reading is one pass over one file.
type reading struct {
	path    string
	opts    Options
	yield   func(news.Valid, error) bool
	items   int  // articles and errors so far
	stopped bool // the caller has stopped the iteration
}

// emit validates an article and yields it. It reports whether to continue.
func (r *reading) emit(a *news.Article) bool {
	a.Origin.Path = r.path
	valid, err := news.Validate(*a)
	if err != nil {
		return r.fail(err)
	}
	r.items++
	r.stopped = !r.yield(valid, nil)
	return !r.stopped
}

// fail yields an error. It reports whether to continue.
func (r *reading) fail(err error) bool {
	if r.stopped {
		return false
	}
	r.items++
	r.stopped = !r.yield(news.Valid{}, news.At(news.Origin{Path: r.path}, err))
	return !r.stopped
}

// readStream reads one file of any format. It reports whether to continue with the next.
func readStream(ctx context.Context, path string, src io.Reader, opts Options, yield func(news.Valid, error) bool) bool {
	r := &reading{path: path, opts: opts, yield: yield}
	err := r.decode(&ctxReader{ctx, src})
	if err == nil && !r.stopped && r.items == 0 {
		err = news.ErrEmpty
	}
	if err != nil {
		r.fail(err)
	}
	return !r.stopped && ctx.Err() == nil
}

// decode removes compression and UTF-16, then reads by format. An error ends the file.
func (r *reading) decode(src io.Reader) error {
	br := buffered(src)
	head, err := peek(br)
	if err != nil {
		return err
	}
	if bytes.HasPrefix(head, []byte{0x1f, 0x8b}) {
		packed := &counter{r: br}
		z, err := gzip.NewReader(packed)
		if err != nil {
			return news.Problem(news.ErrSyntax, err.Error())
		}
		br = buffered(&inflation{packed: packed, z: z})
		if head, err = peek(br); err != nil {
			return err
		}
	}
	if bytes.HasPrefix(head, []byte{0xFE, 0xFF}) || bytes.HasPrefix(head, []byte{0xFF, 0xFE}) {
		// Unpaired surrogates become U+FFFD, as the Unicode standard says.
		br = buffered(unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewDecoder().Reader(br))
		if head, err = peek(br); err != nil {
			return err
		}
	}
	if mark := []byte("\uFEFF"); bytes.HasPrefix(head, mark) {
		if _, err := br.Discard(len(mark)); err != nil {
			return err
		}
		head = head[len(mark):]
	}
	if kind := binaryKind(head); kind != "" {
		return news.Problem(news.ErrBinary, kind)
	}
	switch f := recognise(r.path, head); f {
	case formatJSON:
		return r.readJSON(br)
	case formatJSONL:
		return r.readJSONL(br)
	case formatHTML:
		return r.readWhole(br, r.opts.MaxItem, r.html)
	case formatMarkdown:
		return r.readWhole(br, r.opts.MaxItem, r.markdown)
	case formatFeed:
		return r.readWhole(br, feedFactor*r.opts.MaxItem, r.feed)
	case formatXML:
		return news.Problem(news.ErrUnsupported, "XML that is neither a feed nor HTML")
	default:
		return r.readPlain(br)
	}
}

// feedFactor is the most articles of Options.MaxItem that a feed may take.
const feedFactor = 8

// readWhole reads formats that can only be parsed as a whole.
func (r *reading) readWhole(src io.Reader, limit int, parse func([]byte) error) error {
	data, err := io.ReadAll(io.LimitReader(src, int64(limit)+1))
	if err != nil {
		return err
	}
	if len(data) > limit {
		return tooLarge("a file", limit)
	}
	return parse(data)
}

func buffered(r io.Reader) *bufio.Reader {
	if br, ok := r.(*bufio.Reader); ok && br.Size() >= window {
		return br
	}
	return bufio.NewReaderSize(r, window)
}

// peek returns the first bytes of the stream; it fails only if nothing can be read.
func peek(br *bufio.Reader) ([]byte, error) {
	head, err := br.Peek(window)
	if len(head) == 0 && err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return head, nil
}

// counter counts the bytes read through it.
type counter struct {
	r *bufio.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// ReadByte keeps gzip from buffering beyond the counted bytes.
func (c *counter) ReadByte() (byte, error) {
	b, err := c.r.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}

// gzip makes text 3 to 20 times smaller; deflate can reach 1,032. A file that expands more than
// maxInflation fold is a decompression bomb, but harmless up to maxInflated bytes.
const (
	maxInflated  = 64 << 20
	maxInflation = 200
)

// inflation is a gzip stream that fails when it proves to be a decompression bomb.
type inflation struct {
	packed *counter
	z      *gzip.Reader
	n      int64
}

func (f *inflation) Read(p []byte) (int, error) {
	n, err := f.z.Read(p)
	f.n += int64(n)
	if f.n > maxInflated && f.n > maxInflation*f.packed.n {
		return n, news.Problem(news.ErrTooLarge, fmt.Sprintf("gzip data that expands more than %d fold", maxInflation))
	}
	var corrupt flate.CorruptInputError
	if errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &corrupt) {
		err = news.Problem(news.ErrSyntax, "gzip: "+err.Error())
	}
	return n, err
}
