package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"throughline/internal/qdrantlite"
	"throughline/internal/store"
)

// What lies in the data directory.
const (
	storeFile = "store.db"
	// addrFile says where the server that has the store open listens.
	addrFile = "server.addr"
	// unfiledPrefix and the prefix of the collections name a file that is there while articles are stored whose stories are
	// still to be found, and is left by a process that was killed meanwhile.
	unfiledPrefix = "unfiled-"
)

// lockWait is how long a command waits for another to be done with the store.
const lockWait = 2 * time.Second

// openLocal opens the store in the data directory. For reading, nothing is created.
func (p *program) openLocal(ctx context.Context, readOnly bool) (*store.Conn, error) {
	dir := p.cli.Data
	path := filepath.Join(dir, storeFile)
	if readOnly {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, &store.NotFoundError{Kind: "store", ID: p.cli.Prefix}
		}
	} else if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("--data %s: cannot make this directory: %w", dir, err)
	}
	for giveUp := time.Now().Add(lockWait); ; {
		conn, err := store.Local(path, p.logger())
		switch {
		case err == nil:
			// Whoever left an address is gone, since the store was free. Another server may listen there by now.
			if err := removeIfThere(filepath.Join(dir, addrFile)); err != nil {
				return nil, errors.Join(err, conn.Close())
			}
			return conn, nil
		case !errors.Is(err, qdrantlite.ErrLocked):
			return nil, fmt.Errorf("--data %s: %w", dir, err)
		case runningServer(dir) != "" || time.Now().After(giveUp):
			return nil, err
		}
		timer := time.NewTimer(lockWait / 20)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
	}
}

// publishAddr says where the server that has the store open listens, until withdraw is called. Who reads the file meanwhile
// finds all of it or none.
func publishAddr(data, addr string) (withdraw func(), err error) {
	file := filepath.Join(data, addrFile)
	draft := file + ".new"
	if err := os.WriteFile(draft, []byte(addr+"\n"), 0o600); err != nil {
		return nil, err
	}
	if err := os.Rename(draft, file); err != nil {
		return nil, err
	}
	return func() { os.Remove(file) }, nil
}

// runningServer is the address of the server that has the store in the data directory open, or "". It means something only
// while the store is locked.
func runningServer(data string) string {
	text, err := os.ReadFile(filepath.Join(data, addrFile))
	if err != nil {
		return ""
	}
	addr := strings.TrimSpace(string(text))
	conn, err := net.DialTimeout("tcp", addr, dialTimeout)
	if err != nil {
		return ""
	}
	conn.Close()
	return addr
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// unfiled remembers beyond the end of this process that stories are still to be found. Without a data directory it forgets:
// see docs/operations.md for what to do after a crash of a bulk ingest into a Qdrant.
type unfiled struct {
	path   string // empty: none
	before bool   // an earlier process left articles unfiled
}

// markUnfiled is called before articles are stored, remove when all of them are filed.
func (p *program) markUnfiled() (*unfiled, error) {
	if p.cli.Qdrant != "" {
		return &unfiled{}, nil
	}
	u := &unfiled{path: p.unfiledPath(), before: p.leftUnfiled()}
	return u, os.WriteFile(u.path, nil, 0o600)
}

func (p *program) unfiledPath() string { return filepath.Join(p.cli.Data, unfiledPrefix+p.cli.Prefix) }

// leftUnfiled says that an earlier process was stopped before it had filed what it stored.
func (p *program) leftUnfiled() bool {
	if p.cli.Qdrant != "" {
		return false
	}
	_, err := os.Stat(p.unfiledPath())
	return err == nil
}

func (u *unfiled) remove() error {
	if u.path == "" {
		return nil
	}
	return removeIfThere(u.path)
}
