// Package checkpoint keeps what the finished stages of a job have made, so that the job can go on
// from there when it was interrupted.
//
// It knows files, keys and checksums, not what a stage is or makes. A job names itself, so that
// what an earlier run of it left is found and cleared away, and gives a key that stands for
// everything its outcome depends on: input, options, version. Under another key nothing is ever
// found. A stage is there whole or not at all: it is written beside its place, synced and renamed,
// and what fails its checksum counts as damaged.
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

// What Load finds instead of a stage.
var (
	ErrNone    = errors.New("no such checkpoint")
	ErrDamaged = errors.New("damaged checkpoint")
)

// Key identifies what a job works on and how.
type Key [sha256.Size]byte

// KeyHash gathers what a key stands for. Parts are told apart by their lengths.
type KeyHash struct{ h hash.Hash }

// NewKey begins a key.
func NewKey() *KeyHash { return &KeyHash{sha256.New()} }

// Add adds a value by its formatting with %v.
func (k *KeyHash) Add(name string, value any) {
	text := fmt.Sprintf("%v", value)
	fmt.Fprintf(k.h, "%d:%s%d:%s", len(name), name, len(text), text)
}

// Sum returns the key.
func (k *KeyHash) Sum() Key { return Key(k.h.Sum(nil)) }

// Dir is where the stages of a job with one key are kept.
type Dir struct {
	path string
	job  string // the directory above, which holds this job only
	key  Key
}

// Open opens the checkpoints of a job under the directory root, and removes those that the job left
// under other keys. It makes no directory: Save does.
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

// Remove removes everything the job has kept: it is done.
func (d *Dir) Remove() error { return os.RemoveAll(d.job) }

// A file is the magic, the key, what the stage wrote, and the SHA-256 of all that.
const magic = "throughline checkpoint 1\n"

const headSize = len(magic) + len(Key{})

func (d *Dir) file(stage string) string { return filepath.Join(d.path, stage) }

// Save keeps a stage. Who is interrupted in between leaves what was there before.
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
			err = errors.Join(fmt.Errorf("keeping stage %s: %w", stage, err), os.Remove(f.Name()))
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

// bufferSize is what reading and writing a stage holds of it.
const bufferSize = 256 << 10

// Load reads a stage, after comparing its checksum. An ErrNone says that it is not there, an
// ErrDamaged that it cannot be used.
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
		return fmt.Errorf("%w: stage %s: too short", ErrDamaged, stage)
	}
	sum := sha256.New()
	head := make([]byte, headSize)
	if _, err := io.ReadFull(io.TeeReader(f, sum), head); err != nil {
		return err
	}
	if !bytes.Equal(head[:len(magic)], []byte(magic)) || !bytes.Equal(head[len(magic):], d.key[:]) {
		return fmt.Errorf("%w: stage %s: of another job", ErrDamaged, stage)
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
		return fmt.Errorf("%w: stage %s: %d bytes too long", ErrDamaged, stage, r.left)
	}
	return nil
}
