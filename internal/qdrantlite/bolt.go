package qdrantlite

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// formatName is the value of the record "format": what wrote the file, and the version of its
// records.
const formatName = "throughline qdrantlite 1"

var (
	infoTable   = table{kind: tableInfo}
	formatKey   = []byte("format")
	sequenceKey = []byte("sequence")
)

// boltBackend keeps each table in a bucket of one file. The record "sequence" counts commits; after
// a failure it shows whether the commit took place.
type boltBackend struct {
	db       *bolt.DB
	sequence uint64
}

// openBolt opens or creates the file. It never waits for a lock. It reads the file's header before
// bbolt maps the file, because to read a mapped page that is not there kills the process.
func openBolt(path string) (b *boltBackend, err error) {
	if err := checkFile(path); err != nil {
		return nil, err
	}
	_, statErr := os.Stat(path)
	db, err := openFile(path)
	if err != nil {
		return nil, err
	}
	b = &boltBackend{db: db}
	err = b.checkFormat(path)
	if err == nil && errors.Is(statErr, os.ErrNotExist) {
		err = syncFolder(path)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return b, nil
}

// syncFolder makes the name of a new file as durable as its contents. Windows has no such call and
// needs none.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("create %s: %w", path, err)
	}
	if err := errors.Join(folder.Sync(), folder.Close()); err != nil {
		return fmt.Errorf("create %s: %w", path, err)
	}
	return nil
}

// openFile opens the file with bbolt and gives its errors this package's types.
func openFile(path string) (db *bolt.DB, err error) {
	defer faultsAsErrors(path, &err)()
	db, err = bolt.Open(path, 0o600, &bolt.Options{
		Timeout:      time.Millisecond, // bbolt makes one attempt and does not wait for another
		FreelistType: bolt.FreelistMapType,
	})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("%w: %s", ErrLocked, path)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrVersionMismatch):
		return nil, fmt.Errorf("%w: %s: %w", ErrForeign, path, err)
	case errors.Is(err, bolterrors.ErrChecksum):
		return nil, fmt.Errorf("%w: %s: %w", ErrCorrupt, path, err)
	case err != nil:
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

// faultsAsErrors turns a panic of bbolt, or a fault on its mapped pages, into ErrCorrupt. Call what
// it returns with defer.
func faultsAsErrors(path string, err *error) func() {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		if cause := recover(); cause != nil {
			*err = fmt.Errorf("%w: %s: %v", ErrCorrupt, path, cause)
		}
	}
}

// checkFormat marks a new file as one of this package and refuses any other bbolt file.
func (b *boltBackend) checkFormat(path string) (err error) {
	defer faultsAsErrors(path, &err)()
	return b.db.Update(func(tx *bolt.Tx) error {
		info := tx.Bucket(bucketName(infoTable))
		if info == nil {
			if name, _ := tx.Cursor().First(); name != nil {
				return fmt.Errorf("%w: %s has no format record", ErrForeign, path)
			}
			created, err := tx.CreateBucket(bucketName(infoTable))
			if err != nil {
				return fmt.Errorf("create %s: %w", path, err)
			}
			return created.Put(formatKey, []byte(formatName))
		}
		if format := info.Get(formatKey); !bytes.Equal(format, []byte(formatName)) {
			return fmt.Errorf("%w: %s: unknown format (got %q, want %q)", ErrForeign, path, format, formatName)
		}
		if s := info.Get(sequenceKey); len(s) == 8 {
			b.sequence = binary.BigEndian.Uint64(s)
		}
		return nil
	})
}

func bucketName(t table) []byte {
	return binary.BigEndian.AppendUint32([]byte{byte(t.kind)}, t.collection)
}

func (b *boltBackend) close() error { return b.db.Close() }

func (b *boltBackend) commit(mutations []mutation) (known bool, err error) {
	defer faultsAsErrors(b.db.Path(), &err)() // a damaged list of free pages shows only here
	next := b.sequence + 1
	err = b.db.Update(func(tx *bolt.Tx) error {
		buckets := make(map[table]*bolt.Bucket)
		put := func(m mutation) error {
			if m.key == nil {
				delete(buckets, m.table)
				if err := tx.DeleteBucket(bucketName(m.table)); err != nil && !errors.Is(err, bolterrors.ErrBucketNotFound) {
					return err
				}
				return nil
			}
			bucket := buckets[m.table]
			if bucket == nil {
				var err error
				if bucket, err = tx.CreateBucketIfNotExists(bucketName(m.table)); err != nil {
					return err
				}
				if m.table.kind == tableVectors || m.table.kind == tablePayloads {
					bucket.FillPercent = 0.95 // slots only grow, so full pages are never split again
				}
				buckets[m.table] = bucket
			}
			if m.value == nil {
				return bucket.Delete(m.key)
			}
			return bucket.Put(m.key, m.value)
		}
		for _, m := range mutations {
			if err := put(m); err != nil {
				return err
			}
		}
		return put(mutation{infoTable, sequenceKey, binary.BigEndian.AppendUint64(nil, next)})
	})
	if err == nil {
		b.sequence = next
		return true, nil
	}
	readErr := b.db.View(func(tx *bolt.Tx) error {
		s := tx.Bucket(bucketName(infoTable)).Get(sequenceKey)
		known = len(s) == 8 && binary.BigEndian.Uint64(s) != next || s == nil
		return nil
	})
	return known && readErr == nil, fmt.Errorf("commit to %s: %w", b.db.Path(), err)
}

func (b *boltBackend) read() (reader, error) {
	tx, err := b.db.Begin(false)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", b.db.Path(), err)
	}
	return &boltReader{tx: tx, cursors: make(map[table]*bolt.Cursor, 4)}, nil
}

type boltReader struct {
	tx      *bolt.Tx
	cursors map[table]*bolt.Cursor // nil: there is no such bucket
}

// cursor returns the cursor of a table, which is used again so that a lookup allocates nothing.
func (r *boltReader) cursor(t table) *bolt.Cursor {
	cursor, ok := r.cursors[t]
	if !ok {
		if bucket := r.tx.Bucket(bucketName(t)); bucket != nil {
			cursor = bucket.Cursor()
		}
		r.cursors[t] = cursor
	}
	return cursor
}

func (r *boltReader) get(t table, key []byte) []byte {
	if cursor := r.cursor(t); cursor != nil {
		if found, value := cursor.Seek(key); bytes.Equal(found, key) {
			return value
		}
	}
	return nil
}

func (r *boltReader) scan(t table, fn func(key, value []byte) error) error {
	if bucket := r.tx.Bucket(bucketName(t)); bucket != nil {
		return bucket.ForEach(fn)
	}
	return nil
}

func (r *boltReader) close() {
	// The only failure of Rollback is a transaction that is closed already.
	_ = r.tx.Rollback()
}

// The head of a bbolt file: two pages that each begin with a 16-byte page header and a meta record,
// the younger one valid. See internal/common/meta.go of go.etcd.io/bbolt for the layout; the fields
// used here have not moved since its first version.
const (
	boltMagic      = 0xED0CDAED
	boltVersion    = 2
	boltHeader     = 16
	boltMetaSize   = 64 // see readMetas
	boltPagesAt    = 40
	boltChecksumAt = 56
)

// checkFile refuses a file that bbolt could not open safely: another program's, or one of ours that
// is shorter than its header says. A file that is absent or empty is fine.
func checkFile(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: %s is not a regular file", ErrForeign, path)
	}
	if info.Size() == 0 {
		return nil
	}
	pages, pageSize, err := readMetas(f)
	if err != nil {
		return fmt.Errorf("%w: %s", err, path)
	}
	if want := int64(pages * pageSize); info.Size() < want {
		return fmt.Errorf("%w: %s: file too short (got %d bytes, want %d)", ErrCorrupt, path, info.Size(), want)
	}
	return nil
}

// readMetas returns how many pages of which size the file should have, by the youngest valid meta
// record. The fields of one are magic, version, page size and flags, 4 bytes each; root (16 bytes),
// list of free pages, number of pages, transaction and checksum, 8 bytes each.
func readMetas(f io.ReaderAt) (pages, pageSize uint64, err error) {
	var seenMagic bool
	var youngest uint64
	for _, guess := range []int64{0, int64(os.Getpagesize()), 4096, 8192, 16384, 65536} {
		meta := make([]byte, boltMetaSize)
		if _, err := f.ReadAt(meta, guess+boltHeader); err != nil {
			continue
		}
		if binary.NativeEndian.Uint32(meta) != boltMagic || binary.NativeEndian.Uint32(meta[4:]) != boltVersion {
			continue
		}
		seenMagic = true
		sum := fnv.New64a()
		sum.Write(meta[:boltChecksumAt])
		if sum.Sum64() != binary.NativeEndian.Uint64(meta[boltChecksumAt:]) {
			continue
		}
		if transaction := binary.NativeEndian.Uint64(meta[48:]); transaction >= youngest {
			youngest = transaction
			pageSize = uint64(binary.NativeEndian.Uint32(meta[8:]))
			pages = binary.NativeEndian.Uint64(meta[boltPagesAt:])
		}
	}
	switch {
	case pageSize > 0 && pages < 1<<40:
		return pages, pageSize, nil
	case seenMagic:
		return 0, 0, ErrCorrupt
	}
	return 0, 0, ErrForeign
}
