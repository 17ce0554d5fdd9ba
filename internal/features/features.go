// Package features keeps in memory what stored articles are compared by.
//
// What is stored of an article beside its [store.Mark] never changes for one id and revision. So
// the cache needs no news of writes, of this process or another: a mark read from the store says
// which revision is current and where the article belongs, and the cache has the rest if it has
// that revision. A cache that is too small or empty makes reads slower and changes no answer.
package features

import (
	"container/list"
	"context"
	"sync"
	"unsafe"

	"throughline/cluster/vector"
	"throughline/internal/lexical"
	"throughline/internal/news"
	"throughline/internal/score"
	"throughline/internal/store"
)

// Articles are stored articles; *store.Store has them.
type Articles interface {
	Marks(ctx context.Context, ids []string) (map[string]*store.Mark, error)
	Get(ctx context.Context, ids []string, with store.With) ([]*store.Stored, error)
}

// Article is a stored article. Others share what it points to: nothing of it may be changed.
type Article struct {
	store.Mark
	Fields   *news.Article // without membership, FiledRevision and sections
	Vectors  *store.Vectors
	Weighted *score.Weighted
}

// CopyGroup returns the id of the copy group, as news.Article does.
func (a *Article) CopyGroup() string {
	if a.CopyOf != "" {
		return a.CopyOf
	}
	return a.ArticleID
}

// Cache reads articles, and keeps the features of those that were read last. It is safe for
// concurrent use.
type Cache struct {
	articles Articles
	most     int64 // bytes

	mu     sync.Mutex
	byID   map[string]*list.Element // of *entry
	recent *list.List               // the same, last used first
	size   int64                    // bytes of all entries
}

// entry holds one revision of an article. fields and vectors do not change.
type entry struct {
	fields   *news.Article
	vectors  *store.Vectors
	weighted *score.Weighted // by state; nil: not weighted yet
	state    *score.State
	size     int64
}

// New makes a cache of at most so many bytes; with 0 nothing is kept.
func New(articles Articles, most int64) *Cache {
	return &Cache{articles: articles, most: most, byID: make(map[string]*list.Element), recent: list.New()}
}

// Size returns an estimate of the bytes that the kept features take.
func (c *Cache) Size() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.size
}

// Read returns the articles in the order of ids, weighted by a State; nil for those not stored.
// marks are marks that the caller has just read, by id; the others are read.
func (c *Cache) Read(ctx context.Context, st *score.State, ids []string, marks map[string]*store.Mark) ([]*Article, error) {
	entries := make([]*entry, len(ids))
	var unmarked, missing []string
	c.mu.Lock()
	for i, id := range ids {
		at := c.byID[id]
		if at == nil {
			missing = append(missing, id)
			continue
		}
		entries[i] = at.Value.(*entry)
		c.recent.MoveToFront(at)
		if _, ok := marks[id]; !ok {
			unmarked = append(unmarked, id)
		}
	}
	c.mu.Unlock()

	var read map[string]*store.Mark
	if len(unmarked) > 0 {
		var err error
		if read, err = c.articles.Marks(ctx, unmarked); err != nil {
			return nil, err
		}
	}
	articles, out := make([]Article, len(ids)), make([]*Article, len(ids))
	for i, id := range ids {
		e := entries[i]
		if e == nil {
			continue
		}
		mark, ok := marks[id]
		if !ok {
			if mark, ok = read[id]; !ok {
				entries[i] = nil // deleted
				continue
			}
		}
		if mark.Revision != e.fields.Revision {
			entries[i] = nil
			missing = append(missing, id)
			continue
		}
		articles[i].Mark, out[i] = *mark, &articles[i]
	}
	if len(missing) > 0 {
		if err := c.fetch(ctx, ids, missing, entries, articles, out); err != nil {
			return nil, err
		}
	}
	c.weigh(st, ids, entries, articles)
	for i, e := range entries {
		if e != nil {
			articles[i].Fields, articles[i].Vectors = e.fields, e.vectors
		}
	}
	return out, nil
}

// fetch reads whole articles, and sets the entries and the marks of those that are stored.
func (c *Cache) fetch(ctx context.Context, ids, missing []string, entries []*entry, articles []Article, out []*Article) error {
	found, err := c.articles.Get(ctx, missing, store.WithVectors)
	if err != nil {
		return err
	}
	byID := make(map[string]*store.Stored, len(found))
	for _, s := range found {
		if s != nil {
			byID[s.Article.ID] = s
		}
	}
	made := make(map[string]*entry, len(byID))
	for i, id := range ids {
		s := byID[id]
		if s == nil {
			continue
		}
		if made[id] == nil {
			made[id] = newEntry(s)
		}
		a := &s.Article
		entries[i], out[i] = made[id], &articles[i]
		articles[i].Mark = store.Mark{ArticleID: id, Revision: a.Revision, Membership: a.Membership}
		articles[i].Probability = 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, e := range made {
		c.keep(id, e)
	}
	return nil
}

// keep adds an entry, in the place of an earlier revision. The caller holds mu.
func (c *Cache) keep(id string, e *entry) {
	if at := c.byID[id]; at != nil {
		old := at.Value.(*entry)
		if old.fields.Revision > e.fields.Revision {
			return // another reader was later
		}
		c.size += e.size - old.size
		at.Value = e
		c.recent.MoveToFront(at)
	} else {
		c.byID[id] = c.recent.PushFront(e)
		c.size += e.size
	}
	c.trim()
}

// trim forgets what was used least, down to the bound. The caller holds mu.
func (c *Cache) trim() {
	for c.size > c.most {
		e := c.recent.Remove(c.recent.Back()).(*entry)
		c.size -= e.size
		delete(c.byID, e.fields.ID)
	}
}

// weigh sets Weighted of the articles that have an entry. What it has to compute is kept until the
// next State.
func (c *Cache) weigh(st *score.State, ids []string, entries []*entry, articles []Article) {
	var todo []int
	c.mu.Lock()
	for i, e := range entries {
		switch {
		case e == nil:
		case e.state == st:
			articles[i].Weighted = e.weighted
		default:
			todo = append(todo, i)
		}
	}
	c.mu.Unlock()
	if len(todo) == 0 {
		return
	}
	for _, i := range todo {
		f := entries[i].features()
		articles[i].Weighted = st.Weigh(&f)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, i := range todo {
		e := entries[i]
		grown := int64(articles[i].Weighted.Size())
		if e.weighted != nil {
			grown -= int64(e.weighted.Size())
		}
		e.weighted, e.state = articles[i].Weighted, st
		e.size += grown
		if at := c.byID[ids[i]]; at != nil && at.Value == e {
			c.size += grown
		}
	}
	c.trim()
}

func (e *entry) features() score.Features {
	return score.Features{ID: e.fields.ID, Dense: e.vectors.Dense, Lex: e.vectors.Lex, Published: e.fields.Published, Source: e.fields.Source}
}

// perEntry is what an entry takes beside its strings and numbers: the structs, its element of the
// list, and its share of the map, whose key is the id of the article.
const perEntry = int64(unsafe.Sizeof(entry{})+unsafe.Sizeof(news.Article{})+unsafe.Sizeof(store.Vectors{})+unsafe.Sizeof(list.Element{})) + 64

// newEntry makes the entry of an article as it was read. The numbers lie in two blocks.
func newEntry(s *store.Stored) *entry {
	fields, v := s.Article, s.Vectors
	fields.Membership, fields.FiledRevision = news.Membership{}, 0
	lex := &v.Lex
	floats := make([]float32, 0, len(v.Dense)+len(lex.Full.Weights)+len(lex.Lead.Weights)+len(lex.Names.Weights))
	words := make([]uint32, 0, len(lex.Full.Terms)+len(lex.Lead.Terms)+len(lex.Names.Terms)+len(lex.Shingles))
	move(&floats, &v.Dense)
	for _, sparse := range []*vector.Sparse{&lex.Full, &lex.Lead, &lex.Names} {
		move(&words, &sparse.Terms)
		move(&floats, &sparse.Weights)
	}
	move(&words, (*[]uint32)(&lex.Shingles))
	size := perEntry + 4*int64(cap(floats)+cap(words)) + int64(len(lex.Phrases))*int64(unsafe.Sizeof(lexical.Phrase{}))
	for _, text := range fields.Texts() {
		size += int64(len(*text))
	}
	for _, author := range fields.Authors {
		size += int64(len(author)) + int64(unsafe.Sizeof(author))
	}
	size += int64(len(fields.ContentHash) + len(v.DenseOf))
	return &entry{fields: &fields, vectors: &v, size: size}
}

// move copies a slice to the end of a block that has room for it, and makes it that part.
func move[T any](block, slice *[]T) {
	if len(*slice) == 0 {
		return
	}
	from := len(*block)
	*block = append(*block, *slice...)
	*slice = (*block)[from:len(*block):len(*block)]
}
