package server

import (
	"container/list"
	"context"
	"encoding/binary"
	"sync"
	"time"

	"throughline/internal/related"
)

// frozen keeps ranked lists between their pages. A ranking is computed as a whole; computed again for the next page it
// could differ, and articles would be shown twice or not at all. Lists are dropped when they expire, and the least recently
// used ones earlier when there are too many results, so memory is bounded whatever clients do.
//
// Lists are this process's own: their tokens mean nothing to another replica or after a restart, which say so.
type frozen struct {
	now     func() time.Time
	keep    time.Duration // since last use
	results int           // bound over all lists

	mu     sync.Mutex
	next   uint64
	held   int
	byID   map[uint64]*list.Element
	recent *list.List // of *frozenList, most recently used first
}

type frozenList struct {
	id      uint64
	list    Ranking
	expires time.Time
}

func newFrozen(now func() time.Time, keep time.Duration, results int) *frozen {
	// The first id is the time, so that a token from before a restart does not hit a list of after it. Tokens are under a
	// MAC: ids need not be hard to guess.
	return &frozen{now: now, keep: keep, results: results, next: uint64(now().UnixNano()),
		byID: map[uint64]*list.Element{}, recent: list.New()}
}

// position is a place in a frozen list, as it travels in a cursor.
type position struct {
	id     uint64
	offset uint32
}

func (p position) cursor() string {
	var b [12]byte
	binary.BigEndian.PutUint64(b[:8], p.id)
	binary.BigEndian.PutUint32(b[8:], p.offset)
	return string(b[:])
}

// put keeps a list and returns its id.
func (f *frozen) put(l Ranking) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next++
	entry := &frozenList{id: f.next, list: l, expires: f.now().Add(f.keep)}
	f.byID[entry.id] = f.recent.PushFront(entry)
	f.held += l.Len()
	for last := f.recent.Back(); last != nil; last = f.recent.Back() {
		if f.held <= f.results && f.now().Before(last.Value.(*frozenList).expires) {
			break
		}
		f.drop(last)
	}
	return entry.id
}

// get returns the list and offset of a cursor, or says that the list is gone.
func (f *frozen) get(cursor string) (Ranking, position, error) {
	if len(cursor) != 12 {
		return nil, position{}, badToken("is not a token that this server gave out")
	}
	at := position{binary.BigEndian.Uint64([]byte(cursor[:8])), binary.BigEndian.Uint32([]byte(cursor[8:]))}
	f.mu.Lock()
	defer f.mu.Unlock()
	element, ok := f.byID[at.id]
	if ok && !f.now().Before(element.Value.(*frozenList).expires) {
		f.drop(element)
		ok = false
	}
	if !ok {
		e := badToken("has expired: ask for the first page again")
		e.reason = "PAGE_TOKEN_EXPIRED"
		return nil, position{}, e
	}
	entry := element.Value.(*frozenList)
	entry.expires = f.now().Add(f.keep)
	f.recent.MoveToFront(element)
	return entry.list, at, nil
}

// drop needs f.mu.
func (f *frozen) drop(element *list.Element) {
	entry := f.recent.Remove(element).(*frozenList)
	delete(f.byID, entry.id)
	f.held -= entry.list.Len()
}

// slice cuts one page out of a ranking, which it freezes if there is more after the page.
func (f *frozen) slice(ctx context.Context, p page, token string, size int, rank func() (Ranking, error)) (sliced, error) {
	cursor, err := p.cursor(token)
	if err != nil {
		return sliced{}, err
	}
	var whole Ranking
	var at position
	if cursor == "" {
		whole, err = rank()
	} else {
		whole, at, err = f.get(cursor)
	}
	if err != nil {
		return sliced{}, err
	}
	from := min(int(at.offset), whole.Len())
	to := min(from+size, whole.Len())
	results, err := whole.Page(ctx, from, to-from)
	if err != nil {
		return sliced{}, err
	}
	out := sliced{results: results, partial: whole.Partial()}
	if to < whole.Len() {
		if cursor == "" {
			at.id = f.put(whole)
		}
		out.next = p.token(position{at.id, uint32(to)}.cursor())
	}
	return out, nil
}

// sliced is one page of a ranking.
type sliced struct {
	results []related.Result
	next    string // page token; empty on the last page
	partial bool
}
