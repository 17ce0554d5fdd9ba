package article

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
)

// Options for reading. The zero value is ready to use.
type Options struct {
	// MaxItem is the most bytes of source that one article may take: a JSONL line, an element of a JSON array, an article of a
	// plain-text file, an HTML or Markdown file. A feed may take eight times that. 0: 8 MiB. Reading needs a small multiple of
	// it in memory, however long the file.
	MaxItem int
	// Keep names fields of JSON objects and of Markdown front matter to copy into Article.Extra, as they are spelt there: strings
	// as such, other values as JSON, null not at all.
	Keep []string
	// Stdin is what the path "-" reads. nil: os.Stdin.
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

// Read yields the articles of the given files and directories in order, each finished (see Finish), and an *ItemError for each
// item, file or path that gives none. Reading goes on after errors and ends with the paths, when the caller stops, or when
// ctx ends; the last error then wraps ctx.Err(). Files are streamed, so memory does not grow with their size.
func Read(ctx context.Context, paths []string, opts Options) iter.Seq2[Article, error] {
	opts = opts.withDefaults()
	return func(yield func(Article, error) bool) {
		for _, path := range paths {
			if err := ctx.Err(); err != nil {
				yield(Article{}, &ItemError{Origin: Origin{Path: path}, Err: err})
				return
			}
			if !readPath(ctx, path, opts, yield) {
				return
			}
		}
	}
}

// ReadFrom is Read for one open stream. The name stands for a path: in origins, for its extension, and for a title.
func ReadFrom(ctx context.Context, name string, r io.Reader, opts Options) iter.Seq2[Article, error] {
	opts = opts.withDefaults()
	return func(yield func(Article, error) bool) {
		readStream(ctx, name, r, opts, yield)
	}
}

// Parse is ReadFrom for data in memory. Errors are *ItemError.
func Parse(name string, data []byte, opts Options) ([]Article, []error) {
	var articles []Article
	var errs []error
	for a, err := range ReadFrom(context.Background(), name, bytes.NewReader(data), opts) {
		if err != nil {
			errs = append(errs, err)
		} else {
			articles = append(articles, a)
		}
	}
	return articles, errs
}

// readPath reports whether to go on with the next path.
func readPath(ctx context.Context, path string, opts Options, yield func(Article, error) bool) bool {
	if path == "-" {
		return readStream(ctx, path, opts.Stdin, opts, yield)
	}
	info, err := os.Stat(path)
	if err != nil {
		return yield(Article{}, &ItemError{Origin: Origin{Path: path}, Err: err})
	}
	if !info.IsDir() {
		return readFile(ctx, path, opts, yield)
	}
	more, found := true, false
	// The walk's own error is always nil: every error is yielded as that of a path.
	_ = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			more = yield(Article{}, &ItemError{Origin: Origin{Path: p}, Err: err})
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
		more = yield(Article{}, &ItemError{Origin: Origin{Path: path}, Err: &problem{ErrEmpty, "a directory without files"}})
	}
	return more
}

// isFile: a regular file or a link to one. Links to directories are not followed: they may lead in circles.
func isFile(path string, d fs.DirEntry) bool {
	if d.Type()&fs.ModeSymlink == 0 {
		return d.Type().IsRegular()
	}
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func readFile(ctx context.Context, path string, opts Options, yield func(Article, error) bool) bool {
	f, err := os.Open(path)
	if err != nil {
		return yield(Article{}, &ItemError{Origin: Origin{Path: path}, Err: err})
	}
	defer f.Close() // read only: nothing to lose
	return readStream(ctx, path, f, opts, yield)
}

// reading is one pass over one file.
type reading struct {
	path    string
	opts    Options
	yield   func(Article, error) bool
	items   int  // articles and errors so far
	stopped bool // the caller wants no more
}

// emit finishes an article and hands it on. It reports whether to go on.
func (r *reading) emit(a *Article) bool {
	a.Origin.Path = r.path
	if err := Finish(a); err != nil {
		return r.fail(err)
	}
	r.items++
	r.stopped = !r.yield(*a, nil)
	return !r.stopped
}

// fail hands on an error. It reports whether to go on.
func (r *reading) fail(err error) bool {
	if r.stopped {
		return false
	}
	r.items++
	r.stopped = !r.yield(Article{}, at(Origin{Path: r.path}, err))
	return !r.stopped
}

// readStream reads one file, whatever its format. It reports whether to go on with the next.
func readStream(ctx context.Context, path string, src io.Reader, opts Options, yield func(Article, error) bool) bool {
	r := &reading{path: path, opts: opts, yield: yield}
	err := ctx.Err()
	if err == nil {
		err = r.decode(&ctxReader{ctx, src})
	}
	if err == nil && !r.stopped && r.items == 0 {
		err = ErrEmpty
	}
	if err != nil {
		r.fail(err)
	}
	return !r.stopped && ctx.Err() == nil
}

// decode takes off compression and UTF-16, then reads by format. An error ends the file.
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
			return &problem{ErrSyntax, err.Error()}
		}
		br = buffered(&inflation{packed: packed, z: z})
		if head, err = peek(br); err != nil {
			return err
		}
	}
	if hasUTF16Mark(head) {
		br = buffered(utf16Reader(br))
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
		return &problem{ErrBinary, kind}
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
		return &problem{ErrUnsupported, "XML that is neither a feed nor HTML"}
	default:
		return r.readPlain(br)
	}
}

// feedFactor is how much more than one article a feed may take.
const feedFactor = 8

// readWhole reads what can only be parsed in one piece.
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

// peek gives the beginning of the stream; an error only when nothing can be read.
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

// ReadByte keeps gzip from buffering ahead of the count.
func (c *counter) ReadByte() (byte, error) {
	b, err := c.r.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}

// Text shrinks about 3 to 20 fold; deflate can do 1,032. Past maxInflated bytes a file that expands more than maxInflation fold is a
// bomb. Below that size it cannot hurt.
const (
	maxInflated  = 64 << 20
	maxInflation = 200
)

// inflation is a gzip stream that stops when it turns out to be a bomb.
type inflation struct {
	packed *counter
	z      *gzip.Reader
	n      int64
}

func (f *inflation) Read(p []byte) (int, error) {
	n, err := f.z.Read(p)
	f.n += int64(n)
	if f.n > maxInflated && f.n > maxInflation*f.packed.n {
		return n, &problem{ErrTooLarge, fmt.Sprintf("gzip data that expands more than %d fold", maxInflation)}
	}
	var corrupt flate.CorruptInputError
	if errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &corrupt) {
		err = &problem{ErrSyntax, "gzip: " + err.Error()}
	}
	return n, err
}
