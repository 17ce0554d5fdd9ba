package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"throughline/internal/store"
)

// Files of the data directory.
const (
	storeFile = "store.db"
	// addrFile has the address of the server that has the store open.
	addrFile = "server.addr"
)

// lockWait is how long a command waits for another one to close the store.
const lockWait = 2 * time.Second

// openLocal opens the store in the data directory. A reader creates nothing.
func (p *program) openLocal(ctx context.Context, readOnly bool) (*store.Conn, error) {
	dir := p.cli.Data
	path := filepath.Join(dir, storeFile)
	if readOnly {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, &store.NotFoundError{Kind: "store", ID: p.cli.Prefix}
		}
	} else if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("--data %s: cannot create the directory: %w", dir, err)
	}
	conn, err := backoff.Retry(ctx, func() (*store.Conn, error) {
		conn, err := store.Local(path, p.logger())
		if err != nil && (!errors.Is(err, store.ErrLocked) || runningServer(dir) != "") {
			err = backoff.Permanent(err)
		}
		return conn, err
	}, backoff.WithBackOff(backoff.NewConstantBackOff(lockWait/20)), backoff.WithMaxElapsedTime(lockWait))
	if err != nil {
		return nil, fmt.Errorf("--data %s: %w", dir, err)
	}
	// A server that left its address has ended, since the store was free. Another may listen there
	// by now.
	if err := os.Remove(filepath.Join(dir, addrFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// publishAddr writes the address of the server that has the store open, until withdraw is called.
func publishAddr(data, addr string) (withdraw func(), err error) {
	file := filepath.Join(data, addrFile)
	err = writeOutput(file, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, addr)
		return err
	})
	return func() { os.Remove(file) }, err
}

// runningServer returns the address of the server that has the store in the data directory open, or
// "". It is valid only while the store is locked.
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

// serverInstead returns the address of the server that has the store open, when opening it failed
// for that reason; else "".
func (p *program) serverInstead(err error) string {
	if !errors.Is(err, store.ErrLocked) {
		return ""
	}
	return runningServer(p.cli.Data)
}
