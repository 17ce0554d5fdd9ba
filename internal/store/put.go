package store

import (
	"context"
	"errors"
	"time"

	"github.com/qdrant/go-client/qdrant"

	"throughline/internal/news"
)

// maxPutArticles is how many articles at most share the requests of one commit. It bounds the
// memory of a Put beyond its arguments.
const maxPutArticles = 256

// Put stores articles with their vectors and sections, replacing earlier revisions. It returns one
// error per item, nil for one that is durable and visible. Items are independent of each other: one
// that is invalid or fails does not affect the others. An item whose error is not an *InvalidError
// may be stored or not; putting it again is safe.
//
// The stored record is written back to Article of the items that succeed: the store sets all of
// Record except ContentHash, and Ingested only when it is zero. A stored Membership stays unless
// the item has one of its own; in both cases the article is pending afterwards. Of several items
// with one id the last one wins.
func (s *Store) Put(ctx context.Context, items []Put) []error {
	errs := make([]error, len(items))
	end, err := s.begin()
	if err != nil {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	defer end()

	// A commit holds each article once, because its sections are all written before the first
	// commit mark.
	var commit []*putting
	seen := map[string]bool{}
	flush := func() {
		s.commit(ctx, commit)
		for _, p := range commit {
			if errs[p.at] = p.err; p.err == nil {
				p.item.Article = p.article
			}
		}
		commit = commit[:0]
		clear(seen)
	}
	for i := range items {
		if errs[i] = checkPut(&items[i], s.cfg.Space.Dimensions); errs[i] != nil {
			continue
		}
		if id := items[i].Article.ID; seen[id] || len(commit) == maxPutArticles {
			flush()
		}
		seen[items[i].Article.ID] = true
		commit = append(commit, &putting{at: i, item: &items[i], article: items[i].Article})
	}
	flush()
	return errs
}

// putting is one item on its way through a commit.
type putting struct {
	at      int          // in the arguments of Put
	item    *Put         // as given
	article news.Article // as it is stored
	err     error
	// replaces: an older revision is stored, or some of its sections may be.
	replaces bool
}

// commit writes distinct valid articles by the commit protocol. It sets err of each that fails.
func (s *Store) commit(ctx context.Context, all []*putting) {
	if len(all) == 0 {
		return
	}
	ids := make([]string, len(all))
	for i, p := range all {
		ids[i] = p.article.ID
	}
	defer s.stripes.lock(ids)()

	fail := func(list []*putting, err error) {
		for _, p := range list {
			p.err = err
		}
	}
	stored, err := s.stored(ctx, ids)
	if err != nil {
		fail(all, err)
		return
	}
	for id, old := range stored {
		// A revision of a later epoch was written by a later holder of the lease, whose put must
		// stay.
		if old.Revision>>revisionBits > s.lease.epoch {
			s.log.Error("another writer replaced an article", "article", id)
			fail(all, s.lease.lose())
			return
		}
	}
	revision := s.revision.Add(1)
	for _, p := range all {
		old, ok := stored[p.article.ID]
		p.replaces = ok || s.isDirty(p.article.ID)
		a := &p.article
		a.Revision, a.FiledRevision, a.SectionCount, a.Words = revision, 0, len(p.item.Sections), p.item.Vectors.Lex.Words
		if a.Membership == (news.Membership{}) {
			a.Membership = old.Membership
		}
		if a.Ingested.IsZero() {
			a.Ingested = s.cfg.Now().UTC().Truncate(time.Millisecond) // as it is read back
		}
	}

	s.writeSections(ctx, all)
	s.writeMarks(ctx, succeeded(all), revision)
	committed := succeeded(all)
	if err := s.lease.held(); err != nil {
		fail(committed, err)
	} else {
		s.removeOlder(ctx, committed, revision)
	}
	for _, p := range all {
		if p.err != nil {
			s.markDirty(p.article.ID)
		}
	}
}

// succeeded returns the items without an error.
func succeeded(all []*putting) []*putting {
	var out []*putting
	for _, p := range all {
		if p.err == nil {
			out = append(out, p)
		}
	}
	return out
}

// writeSections writes the sections of all articles. When a request fails, the articles with a
// section in it fail.
func (s *Store) writeSections(ctx context.Context, all []*putting) {
	var points []*qdrant.PointStruct
	var owners []*putting
	var down error
	send := func() {
		down = s.send(ctx, s.names.sections, points, owners, upsertOptions{}, down)
		points, owners = points[:0], owners[:0]
	}
	for _, p := range all {
		for i := range p.item.Sections {
			point, err := encodeSection(&p.article, &p.item.Sections[i])
			if err != nil {
				p.err = err
				break
			}
			points, owners = append(points, point), append(owners, p)
		}
		if len(points) >= maxBatchPoints {
			send()
		}
	}
	send()
}

// writeMarks writes the article points. They replace lower revisions only, so that a request that
// was given up on does not undo a later one, and a writer that lost its lease is fenced off.
func (s *Store) writeMarks(ctx context.Context, all []*putting, revision int64) {
	var points []*qdrant.PointStruct
	var owners []*putting
	for _, p := range all {
		point, err := encodeArticle(&p.article, &p.item.Vectors)
		if err != nil {
			p.err = err
			continue
		}
		points, owners = append(points, point), append(owners, p)
	}
	older := must(qdrant.NewRange(fieldRevision, &qdrant.Range{Lt: qdrant.PtrOf(float64(revision))}))
	s.send(ctx, s.names.articles, points, owners, upsertOptions{onlyIf: older}, nil)
}

// send upserts points in requests of bounded size; owners[i] owns points[i], and the owners of the
// points of a request that fails get its error. After a request that the server did not answer no
// more are sent, because each would wait for its retries: down is the error of such a request in an
// earlier send, nil for none; send returns the one for the next.
func (s *Store) send(ctx context.Context, collection string, points []*qdrant.PointStruct, owners []*putting, opts upsertOptions, down error) error {
	for from, to := range batches(points) {
		err := down
		if err == nil {
			err = s.conn.upsert(ctx, collection, points[from:to], opts)
		}
		if errors.Is(err, ErrUnavailable) || ctx.Err() != nil {
			down = err
		}
		if err != nil {
			for _, p := range owners[from:to] {
				p.err = err
			}
		}
	}
	return down
}

// removeOlder deletes the sections of other revisions than the committed one. Its failure is none
// of the put, because nobody sees those sections; the next put of the article, or the next repair,
// deletes them.
func (s *Store) removeOlder(ctx context.Context, committed []*putting, revision int64) {
	var ids []string
	for _, p := range committed {
		if p.replaces {
			ids = append(ids, p.article.ID)
		}
	}
	if len(ids) == 0 {
		return
	}
	older := must(qdrant.NewMatchKeywords(fieldArticle, ids...))
	older.MustNot = []*qdrant.Condition{qdrant.NewMatchInt(fieldRevision, revision)}
	if err := s.conn.remove(ctx, s.names.sections, qdrant.NewPointsSelectorFilter(older)); err != nil {
		s.log.Warn("sections of older revisions were not deleted", "articles", len(ids), "error", err)
		s.markDirty(ids...)
		return
	}
	s.clearDirty(ids...)
}

// Delete removes an article and its sections. An id that is not stored gives a *NotFoundError. When
// the article is gone but its sections could not be deleted, Delete fails, and a second Delete
// completes it.
func (s *Store) Delete(ctx context.Context, id string) error {
	if reason := checkID(id); reason != "" {
		return &InvalidError{ID: id, Field: "id", Reason: reason}
	}
	end, err := s.begin()
	if err != nil {
		return err
	}
	defer end()
	defer s.stripes.lock([]string{id})()

	stored, err := s.stored(ctx, []string{id})
	if err != nil {
		return err
	}
	if _, ok := stored[id]; !ok && !s.isDirty(id) {
		return &NotFoundError{Kind: "article", ID: id}
	}
	if err := s.erase(ctx, id); err != nil {
		s.markDirty(id)
		return err
	}
	s.clearDirty(id)
	return nil
}

// erase removes the commit mark, then the sections.
func (s *Store) erase(ctx context.Context, id string) error {
	if err := s.conn.remove(ctx, s.names.articles, qdrant.NewPointsSelector(articlePoint(id))); err != nil {
		return err
	}
	all := must(qdrant.NewMatchKeyword(fieldArticle, id))
	if err := s.conn.remove(ctx, s.names.sections, qdrant.NewPointsSelectorFilter(all)); err != nil {
		return err
	}
	return s.lease.held()
}

// stored reads revision, section count and membership of articles by id; those not stored are
// absent.
func (s *Store) stored(ctx context.Context, ids []string) (map[string]news.Article, error) {
	out := make(map[string]news.Article, len(ids))
	err := s.read(ctx, ids, membershipReadFields, func(p payload) {
		a := decodeArticle(p)
		out[a.ID] = a
	})
	return out, err
}
