package server

import (
	"container/list"
	"fmt"
	"sync"
	"time"

	"throughline/internal/related"
)

// resultCache keeps ranked lists between their pages. A list that was ranked again for its next
// page could be another one, and articles would be shown twice or not at all. Lists are dropped
// when they expire, and the least recently used ones earlier when they hold too many results
// together.
//
// The lists are this process's own: their tokens mean nothing to another server or after a restart.
type resultCache struct {
	now     func() time.Time
	keep    time.Duration // since last use
	results int           // limit of all lists together

	mu     sync.Mutex
	lastID uint64
	held   int // results of all lists
	byID   map[uint64]*list.Element
	recent *list.List // of *cachedList, most recently used first
}

type cachedList struct {
	id      uint64
	list    *related.List
	expires time.Time
}

func newResultCache(now func() time.Time, keep time.Duration, results int) *resultCache {
	// Ids start from the time, so that a token from before a restart finds no list from after it.
	// Page tokens are authenticated, so ids may be guessed.
	return &resultCache{now: now, keep: keep, results: results, lastID: uint64(now().UnixNano()),
		byID: map[uint64]*list.Element{}, recent: list.New()}
}

// position is a place in a cached list.
type position struct {
	id     uint64
	offset int
}

const positionFormat = "%x.%d"

func (p position) cursor() string { return fmt.Sprintf(positionFormat, p.id, p.offset) }

// put caches a list and returns its id.
func (c *resultCache) put(l *related.List) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastID++
	c.byID[c.lastID] = c.recent.PushFront(&cachedList{id: c.lastID, list: l, expires: c.now().Add(c.keep)})
	c.held += l.Len()
	for last := c.recent.Back(); last != nil && (c.held > c.results || c.expired(last)); last = c.recent.Back() {
		c.drop(last)
	}
	return c.lastID
}

// get returns the list and the position that a cursor names.
func (c *resultCache) get(cursor string) (*related.List, position, error) {
	var at position
	if _, err := fmt.Sscanf(cursor, positionFormat, &at.id, &at.offset); err != nil {
		return nil, at, badToken("is not a token that this server gave out")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	element := c.byID[at.id]
	if element == nil || c.expired(element) {
		return nil, at, expiredToken()
	}
	entry := element.Value.(*cachedList)
	entry.expires = c.now().Add(c.keep)
	c.recent.MoveToFront(element)
	return entry.list, at, nil
}

// expired needs c.mu, as drop does.
func (c *resultCache) expired(element *list.Element) bool {
	return !c.now().Before(element.Value.(*cachedList).expires)
}

func (c *resultCache) drop(element *list.Element) {
	entry := c.recent.Remove(element).(*cachedList)
	delete(c.byID, entry.id)
	c.held -= entry.list.Len()
}
