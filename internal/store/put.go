package store

import (
	"context"
	"errors"

	"github.com/qdrant/go-client/qdrant"
)

// maxPutArticles bounds how many articles share the requests of one commit, and with it the memory of a Put beyond its
// arguments.
const maxPutArticles = 256

// Put stores articles with their vectors and sections, replacing earlier revisions. It returns one error per item, nil for
// what is durable and visible; items are independent of each other, so one that is invalid or fails leaves the others
// alone. An item whose error is not an *InvalidError may have been stored or not; putting it again is safe.
//
// Article.Sections and Revision are set by the store and not read from the item, and so is Ingested when it is zero. The
// assignment (StoryID, TopicIDs, CopyOf, Probability) that is already stored survives, unless the item brings one of its
// own. An id that occurs twice is stored in order: the last one wins.
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

	// A commit holds each article once, because its sections are all written before the first commit mark.
	var commit []*putting
	seen := map[string]bool{}
	flush := func() {
		s.commit(ctx, commit)
		for _, p := range commit {
			errs[p.at] = p.err
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
	at      int     // in the arguments of Put
	item    *Put    // as given
	article Article // as stored
	err     error
	// replaces: an older revision is stored, or may be.
	replaces bool
}

// commit writes distinct valid articles by the commit protocol. It sets err of each.
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
	stored, err := s.filed(ctx, ids)
	if err != nil {
		fail(all, err)
		return
	}
	for id, old := range stored {
		// A revision of a later epoch was written by a later holder of the lease. Going above it would undo that put.
		if old.Revision>>revisionBits > s.lease.epoch {
			s.log.Error("another writer replaced an article", "article", id)
			fail(all, s.lease.lose())
			return
		}
	}
	revision := s.revision.next()
	for _, p := range all {
		old, ok := stored[p.article.ID]
		p.replaces = ok || s.isDirty(p.article.ID)
		p.prepare(revision, old)
		if p.article.Ingested.IsZero() {
			p.article.Ingested = s.cfg.Now()
		}
	}

	s.writeSections(ctx, all)
	s.writeMarks(ctx, alive(all), revision)
	committed := alive(all)
	if err := s.lease.held(); err != nil {
		fail(committed, err)
	} else {
		s.removeOlder(ctx, committed, revision)
	}
	for _, p := range all {
		if p.err != nil {
			s.soil(p.article.ID)
		}
	}
}

func alive(all []*putting) []*putting {
	var out []*putting
	for _, p := range all {
		if p.err == nil {
			out = append(out, p)
		}
	}
	return out
}

// prepare sets what the store decides. old is what is stored, zero for nothing.
func (p *putting) prepare(revision int64, old Article) {
	a := &p.article
	a.Revision, a.Sections = revision, len(p.item.Sections)
	if a.StoryID == "" && len(a.TopicIDs) == 0 && a.CopyOf == "" {
		a.StoryID, a.TopicIDs, a.CopyOf, a.Probability = old.StoryID, old.TopicIDs, old.CopyOf, old.Probability
	}
}

// writeSections writes the sections of all articles. When a request fails, the articles with a section in it fail.
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
				p.err = &InvalidError{ID: p.article.ID, Field: "sections", Reason: err.Error()}
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

// writeMarks writes the article points. The condition on what is replaced keeps a request that was given up on from undoing
// a later one, and fences off a writer that lost its lease.
func (s *Store) writeMarks(ctx context.Context, all []*putting, revision int64) {
	var points []*qdrant.PointStruct
	var owners []*putting
	for _, p := range all {
		point, err := encodeArticle(&p.article, &p.item.Vectors)
		if err != nil {
			p.err = &InvalidError{ID: p.article.ID, Field: "article", Reason: err.Error()}
			continue
		}
		points, owners = append(points, point), append(owners, p)
	}
	older := &qdrant.Filter{Must: []*qdrant.Condition{
		qdrant.NewRange(fieldRevision, &qdrant.Range{Lt: qdrant.PtrOf(float64(revision))})}}
	s.send(ctx, s.names.articles, points, owners, upsertOptions{onlyIf: older}, nil)
}

// send upserts points in requests of bounded size; the owners of the points of a request that fails get its error. A
// server that does not answer is not asked again: every request would wait for its retries. down is the error of an
// earlier send that met such a server; what is returned is that for the next.
func (s *Store) send(ctx context.Context, collection string, points []*qdrant.PointStruct, owners []*putting, opts upsertOptions, down error) error {
	from := 0
	for _, to := range batches(points) {
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
		from = to
	}
	return down
}

// removeOlder deletes the sections of other revisions than the one just committed. That it fails is no failure of the put:
// nobody sees those sections. The next put of the article, or the next start, tries again.
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
	older := &qdrant.Filter{
		Must:    []*qdrant.Condition{qdrant.NewMatchKeywords(fieldArticle, ids...)},
		MustNot: []*qdrant.Condition{qdrant.NewMatchInt(fieldRevision, revision)}}
	if err := s.conn.remove(ctx, s.names.sections, qdrant.NewPointsSelectorFilter(older)); err != nil {
		s.log.Warn("sections of older revisions were not deleted", "articles", len(ids), "error", err)
		s.soil(ids...)
		return
	}
	s.clean(ids...)
}

// Delete removes an article and its sections. It is invisible once its point is gone; deleting again, or an id that is not
// stored, gives a *NotFoundError. When only the sections could not be deleted, Delete fails, and deleting again completes
// it.
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

	stored, err := s.filed(ctx, []string{id})
	if err != nil {
		return err
	}
	if _, ok := stored[id]; !ok && !s.isDirty(id) {
		return &NotFoundError{Kind: "article", ID: id}
	}
	if err := s.erase(ctx, id); err != nil {
		s.soil(id)
		return err
	}
	s.clean(id)
	return nil
}

// erase removes the commit mark, then the sections.
func (s *Store) erase(ctx context.Context, id string) error {
	if err := s.conn.remove(ctx, s.names.articles, qdrant.NewPointsSelector(articlePoint(id))); err != nil {
		return err
	}
	all := &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchKeyword(fieldArticle, id)}}
	if err := s.conn.remove(ctx, s.names.sections, qdrant.NewPointsSelectorFilter(all)); err != nil {
		return err
	}
	return s.lease.held()
}

// filed reads revision, section count and assignment of articles; those not stored are absent.
func (s *Store) filed(ctx context.Context, ids []string) (map[string]Article, error) {
	out := make(map[string]Article, len(ids))
	err := s.read(ctx, ids, filingFields, func(p payload) {
		a := decodeArticle(p)
		out[a.ID] = a
	})
	return out, err
}
