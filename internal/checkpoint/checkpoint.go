// Package checkpoint stores the results of the finished stages of a job, so that an interrupted job
// can resume.
//
// It knows files, keys and checksums, not what a stage computes. A job has a name, under which Open
// finds and removes the checkpoints of earlier runs, and a key, a hash of everything that its
// result depends on: input, options, version. Checkpoints of another key are never loaded. A stage
// is stored completely or not at all: it is written to a temporary file, synced and renamed, and it
// has a checksum.
package checkpoint

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Errors of Load.
var (
	ErrNone    = errors.New("no such checkpoint")
	ErrDamaged = errors.New("damaged checkpoint")
)

// Key identifies the input and the options of a job.
type Key [sha256.Size]byte

// KeyHash computes a key.
type KeyHash struct{ h hash.Hash }

// NewKey starts a key.
func NewKey() *KeyHash { return &KeyHash{sha256.New()} }

// Add adds a value, formatted with %v. Lengths separate names and values.
func (k *KeyHash) Add(name string, value any) {
	text := fmt.Sprintf("%v", value)
	fmt.Fprintf(k.h, "%d:%s%d:%s", len(name), name, len(text), text)
}

// Sum returns the key.
func (k *KeyHash) Sum() Key { return Key(k.h.Sum(nil)) }

// Dir is the directory of the stages of a job with one key.
type Dir struct {
	path string
	job  string // the parent directory, which is for this job only
	key  Key
}

// Open opens the checkpoints of a job in the directory root and removes those with other keys. It
// does not create a directory; Save does.
func Open(root, job string, key Key) (*Dir, error) {
	name := sha256.Sum256([]byte(job))
	d := &Dir{job: filepath.Join(root, hex.EncodeToString(name[:8])), key: key}
	own := hex.EncodeToString(key[:8])
	d.path = filepath.Join(d.job, own)
	entries, err := os.ReadDir(d.job)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if e.Name() != own {
			if err := os.RemoveAll(filepath.Join(d.job, e.Name())); err != nil {
				return nil, err
			}
		}
	}
	return d, nil
}

// Remove removes all checkpoints of the job.
func (d *Dir) Remove() error { return os.RemoveAll(d.job) }

// A file has the magic, the key, the data of the stage, and the SHA-256 of all that.
const magic = "throughline checkpoint 1\n"

const headSize = len(magic) + len(Key{})

func (d *Dir) file(stage string) string { return filepath.Join(d.path, stage) }

// Save stores a stage. When it is interrupted or fails, an earlier file of the stage stays.
func (d *Dir) Save(stage string, write func(*Writer) error) (err error) {
	if err := os.MkdirAll(d.path, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(d.path, stage+".part-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close() // unless it is closed
			err = errors.Join(fmt.Errorf("saving stage %s: %w", stage, err), os.Remove(f.Name()))
		}
	}()
	sum := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(f, sum), bufferSize)
	w := &Writer{out: out}
	w.raw([]byte(magic))
	w.raw(d.key[:])
	if err := write(w); err != nil {
		return err
	}
	if err := errors.Join(w.err, out.Flush()); err != nil {
		return err
	}
	if _, err := f.Write(sum.Sum(nil)); err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), d.file(stage))
}

// bufferSize is the size in bytes of the buffers for reading and writing.
const bufferSize = 256 << 10

// Load reads a stage after checking its checksum. Its error is ErrNone if there is no such stage,
// and ErrDamaged if the file cannot be used.
func (d *Dir) Load(stage string, read func(*Reader) error) error {
	f, err := os.Open(d.file(stage))
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNone
	}
	if err != nil {
		return err
	}
	defer f.Close() // read from only
	info, err := f.Stat()
	if err != nil {
		return err
	}
	size := info.Size() - int64(headSize) - sha256.Size
	if size < 0 {
		return fmt.Errorf("%w: stage %s: file too short (got %d bytes, want at least %d)", ErrDamaged, stage, info.Size(), headSize+sha256.Size)
	}
	sum := sha256.New()
	head := make([]byte, headSize)
	if _, err := io.ReadFull(io.TeeReader(f, sum), head); err != nil {
		return err
	}
	if !bytes.Equal(head[:len(magic)], []byte(magic)) || !bytes.Equal(head[len(magic):], d.key[:]) {
		return fmt.Errorf("%w: stage %s: the file is of another job", ErrDamaged, stage)
	}
	if _, err := io.CopyN(sum, f, size); err != nil {
		return err
	}
	var want [sha256.Size]byte
	if _, err := io.ReadFull(f, want[:]); err != nil {
		return err
	}
	if !bytes.Equal(sum.Sum(nil), want[:]) {
		return fmt.Errorf("%w: stage %s: wrong checksum", ErrDamaged, stage)
	}
	if _, err := f.Seek(int64(headSize), io.SeekStart); err != nil {
		return err
	}
	r := &Reader{in: bufio.NewReaderSize(io.LimitReader(f, size), bufferSize), left: size}
	if err := errors.Join(read(r), r.err); err != nil {
		return fmt.Errorf("%w: stage %s: %w", ErrDamaged, stage, err)
	}
	if r.left != 0 {
		return fmt.Errorf("%w: stage %s: file too long (got %d unread bytes, want 0)", ErrDamaged, stage, r.left)
	}
	return nil
}
