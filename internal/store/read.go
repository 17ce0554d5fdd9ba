package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
	"golang.org/x/sync/errgroup"

	"throughline/internal/news"
)

// Points in one read request: with vectors of 1,024 dimensions and a few hundred terms each, the
// answer has about 2 MiB.
const (
	pageBare    = 1000
	pageVectors = 256
)

func pageSize(with With) int {
	if with == WithNothing {
		return pageBare
	}
	return pageVectors
}

// distinct returns the valid ids, each once, in order. Nothing is stored under an invalid one.
func distinct(ids []string) []string {
	seen := make(map[string]bool, len(ids))
	var out []string
	for _, id := range ids {
		if checkID(id) == "" && !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out
}

// A page with vectors is read by up to mostParts requests at once, of leastPart points or more:
// decoding vectors is most of the work, and each answer is decoded on a core of its own.
const (
	mostParts = 4
	leastPart = 64
)

// getAll reads points by id in pages. It calls each from one goroutine, and not at all for a page
// of which a request failed.
func (s *Store) getAll(ctx context.Context, collection string, ids []*qdrant.PointId, fields []string, with With, each func(*qdrant.RetrievedPoint)) error {
	vectors := with.names()
	for page := range slices.Chunk(ids, pageSize(with)) {
		n := min(max(1, len(page)/leastPart), mostParts)
		if with == WithNothing {
			n = 1
		}
		parts := slices.Collect(slices.Chunk(page, (len(page)+n-1)/n))
		points := make([][]*qdrant.RetrievedPoint, len(parts))
		g, ctx := errgroup.WithContext(ctx)
		for i, part := range parts {
			g.Go(func() (err error) {
				points[i], err = s.conn.get(ctx, collection, part, fields, vectors)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		for _, p := range slices.Concat(points...) {
			each(p)
		}
	}
	return nil
}

func pointIDs(ids []string, point func(string) *qdrant.PointId) []*qdrant.PointId {
	ids = distinct(ids)
	out := make([]*qdrant.PointId, len(ids))
	for i, id := range ids {
		out[i] = point(id)
	}
	return out
}

// read reads fields of articles.
func (s *Store) read(ctx context.Context, ids []string, fields []string, each func(payload)) error {
	return s.getAll(ctx, s.names.articles, pointIDs(ids, articlePoint), fields, WithNothing,
		func(p *qdrant.RetrievedPoint) { each(payload(p.GetPayload())) })
}

// Known returns content hash and filing of articles, by which a caller decides what it need not
// write. Ids that are not stored are absent.
func (s *Store) Known(ctx context.Context, ids []string) (map[string]Known, error) {
	if err := s.readable(); err != nil {
		return nil, err
	}
	out := make(map[string]Known, len(ids))
	err := s.read(ctx, ids, knownFields, func(p payload) {
		out[p.text(fieldArticle)] = Known{Hash: p.text(fieldHash), Pending: p[fieldFiled] != nil && p.number(fieldFiled) == 0}
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Get returns the articles in the order of ids, nil for those not stored. An id that occurs twice
// gives the same pointer twice.
func (s *Store) Get(ctx context.Context, ids []string, with With) ([]*Stored, error) {
	if err := s.readable(); err != nil {
		return nil, err
	}
	return byID(ctx, s, s.names.articles, ids, articlePoint, with, decodeStored, func(s *Stored) string { return s.Article.ID })
}

// Marks returns the marks of articles by their ids. Ids that are not stored are absent.
func (s *Store) Marks(ctx context.Context, ids []string) (map[string]*Mark, error) {
	if err := s.readable(); err != nil {
		return nil, err
	}
	points := pointIDs(ids, articlePoint)
	out, marks := make(map[string]*Mark, len(points)), make([]Mark, 0, len(points))
	err := s.getAll(ctx, s.names.articles, points, markFields, WithNothing, func(p *qdrant.RetrievedPoint) {
		marks = append(marks, decodeMark(payload(p.GetPayload())))
		out[marks[len(marks)-1].ArticleID] = &marks[len(marks)-1]
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func decodeStored(p *qdrant.RetrievedPoint) *Stored {
	fields := payload(p.GetPayload())
	stored := &Stored{Article: decodeArticle(fields), Vectors: decodeVectors(p.GetVectors())}
	if len(stored.Vectors.Dense) > 0 {
		stored.Vectors.DenseOf = fields.text(fieldDenseOf)
	}
	if len(stored.Vectors.Lex.Full.Terms) > 0 {
		stored.Vectors.Lex.Shingles = decodeShingles(fields.text(fieldShingles))
		stored.Vectors.Lex.Phrases = decodePhrases(fields.text(fieldPhrases))
	}
	stored.Vectors.Lex.Words = stored.Article.Words
	return stored
}

// Sections returns the sections of the committed revision of each article, in order of index,
// without vectors unless asked for. Unknown articles are absent, those without sections have an
// empty list.
func (s *Store) Sections(ctx context.Context, articleIDs []string, vectors bool) (map[string][]Section, error) {
	if !vectors {
		return s.sections(ctx, articleIDs, nil, WithNothing)
	}
	return s.sections(ctx, articleIDs, nil, WithDense|WithFull)
}

// SectionVectors is Sections with the vectors and without the text.
func (s *Store) SectionVectors(ctx context.Context, articleIDs []string) (map[string][]Section, error) {
	return s.sections(ctx, articleIDs, hitFields, WithDense|WithFull)
}

// sections reads sections with fields of their payload; nil means all.
func (s *Store) sections(ctx context.Context, articleIDs []string, fields []string, with With) (map[string][]Section, error) {
	if err := s.readable(); err != nil {
		return nil, err
	}
	out := make(map[string][]Section, len(articleIDs))
	tried := map[string]int64{} // revision of which sections were missing
	for ids := distinct(articleIDs); len(ids) > 0; {
		incomplete, err := s.readSections(ctx, ids, fields, with, out)
		if err != nil {
			return nil, err
		}
		// An article whose sections are missing may have been put again between the two requests,
		// so it is read once more. Sections that are missing of the same revision twice are lost.
		ids = nil
		for id, revision := range incomplete {
			if tried[id] == revision {
				s.log.Error("an article lacks sections", "article", id)
				continue
			}
			tried[id] = revision
			ids = append(ids, id)
		}
	}
	return out, nil
}

// readSections reads the sections that the articles name now. It returns the articles of which
// sections are missing, with their revision.
func (s *Store) readSections(ctx context.Context, ids, fields []string, with With, out map[string][]Section) (map[string]int64, error) {
	marks := map[string]news.Article{}
	var points []*qdrant.PointId
	err := s.read(ctx, ids, commitFields, func(p payload) {
		a := decodeArticle(p)
		marks[a.ID] = a
		for i := range a.SectionCount {
			points = append(points, sectionPoint(a.ID, i, a.Revision))
		}
	})
	if err != nil {
		return nil, err
	}
	found := make(map[string][]*Section, len(marks))
	for id, a := range marks {
		found[id] = make([]*Section, a.SectionCount)
	}
	err = s.getAll(ctx, s.names.sections, points, fields, with, func(p *qdrant.RetrievedPoint) {
		section := decodeSection(p)
		if list := found[section.ArticleID]; section.Index >= 0 && section.Index < len(list) {
			list[section.Index] = &section
		}
	})
	if err != nil {
		return nil, err
	}
	incomplete := map[string]int64{}
	for _, id := range ids {
		if _, ok := marks[id]; !ok {
			delete(out, id) // deleted since it was first read
			continue
		}
		list := make([]Section, 0, len(found[id]))
		for _, section := range found[id] {
			if section != nil {
				list = append(list, *section)
			}
		}
		if len(list) < len(found[id]) {
			incomplete[id] = marks[id].Revision
		}
		out[id] = list
	}
	return incomplete, nil
}

// checkPage checks the arguments of a listing.
func checkPage(limit int, cursor string) (*qdrant.PointId, error) {
	if limit < 1 || limit > MaxLimit {
		return nil, &InvalidError{Field: "limit", Reason: fmt.Sprintf("out of range (got %d, want 1 to %d)", limit, MaxLimit)}
	}
	if cursor == "" {
		return nil, nil
	}
	id, err := uuid.Parse(cursor)
	if err != nil {
		return nil, &InvalidError{Field: "cursor", Reason: fmt.Sprintf("not of a listing (got %q)", cursor)}
	}
	return qdrant.NewIDUUID(id.String()), nil
}

// page reads up to limit points that match a filter, in requests of bounded size. It returns the
// cursor of the next page, empty after the last one and where point ids are numbers.
func (s *Store) page(ctx context.Context, collection string, filter *qdrant.Filter, from *qdrant.PointId, limit int, each func(*qdrant.RetrievedPoint)) (string, error) {
	for limit > 0 {
		points, next, err := s.conn.scroll(ctx, collection, filter, from, min(limit, pageBare), nil, nil)
		if err != nil {
			return "", err
		}
		for _, p := range points {
			each(p)
		}
		if next == nil {
			return "", nil
		}
		limit -= len(points)
		from = next
	}
	return from.GetUuid(), nil
}

// List returns one page of the articles that pass the filter, ordered by point id (which is a hash
// of the article id). limit is 1..MaxLimit. cursor is empty for the first page, and for the next
// ones as the last call returned it; the returned cursor is empty after the last page. An article
// that is put between two calls may appear or not; none appears twice. An invalid cursor gives an
// *InvalidError.
func (s *Store) List(ctx context.Context, filter news.Filter, limit int, cursor string) ([]news.Article, string, error) {
	if err := s.readable(); err != nil {
		return nil, "", err
	}
	from, err := checkPage(limit, cursor)
	if err != nil {
		return nil, "", err
	}
	where, err := s.conditions(ctx, filter)
	if err != nil {
		return nil, "", err
	}
	var out []news.Article
	next, err := s.page(ctx, s.names.articles, where, from, limit, func(p *qdrant.RetrievedPoint) {
		out = append(out, decodeArticle(payload(p.GetPayload())))
	})
	if err != nil {
		return nil, "", err
	}
	return out, next, nil
}

// pages calls each for every page of the points that match a filter, until it fails.
func (s *Store) pages(ctx context.Context, collection string, filter *qdrant.Filter, fields []string, with With, each func([]*qdrant.RetrievedPoint) error) error {
	var from *qdrant.PointId
	for {
		points, next, err := s.conn.scroll(ctx, collection, filter, from, pageSize(with), fields, with.names())
		if err == nil {
			err = each(points)
		}
		if err != nil || next == nil {
			return err
		}
		from = next
	}
}

// scan calls each for every point that matches a filter, a page at a time. An error of each ends
// the scan and is returned, but for ErrStop.
func (s *Store) scan(ctx context.Context, collection string, filter *qdrant.Filter, fields []string, with With, each func(*qdrant.RetrievedPoint) error) error {
	err := s.pages(ctx, collection, filter, fields, with, func(page []*qdrant.RetrievedPoint) error {
		for _, p := range page {
			if err := each(p); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, ErrStop) {
		return nil
	}
	return err
}

// Scan calls fn for every article that passes the filter, ordered by point id. It holds one page of
// articles in memory. An error of fn ends the scan and is returned as it is; ErrStop ends it
// without an error. An article that is put during the scan may be seen or not; none is seen twice.
// The Stored belongs to fn.
func (s *Store) Scan(ctx context.Context, filter news.Filter, with With, fn func(*Stored) error) error {
	if err := s.readable(); err != nil {
		return err
	}
	where, err := s.conditions(ctx, filter)
	if err != nil {
		return err
	}
	return s.scan(ctx, s.names.articles, where, nil, with, func(p *qdrant.RetrievedPoint) error { return fn(decodeStored(p)) })
}

// Counts is how much is stored.
type Counts struct{ Articles, Pending, Sections, Stories, Topics, Events int64 }

// Counts counts exactly. Stories and topics that were merged into others are not counted; sections
// that no article names are.
func (s *Store) Counts(ctx context.Context) (Counts, error) {
	if err := s.readable(); err != nil {
		return Counts{}, err
	}
	var out Counts
	for _, c := range []struct {
		collection string
		filter     *qdrant.Filter
		n          *int64
	}{
		{s.names.articles, nil, &out.Articles}, {s.names.articles, pending(), &out.Pending}, {s.names.sections, nil, &out.Sections}, {s.names.stories, live(), &out.Stories},
		{s.names.topics, liveTopics(), &out.Topics}, {s.names.ledger, nil, &out.Events},
	} {
		n, err := s.conn.count(ctx, c.collection, c.filter)
		if err != nil {
			return Counts{}, err
		}
		*c.n = n
	}
	return out, nil
}

// Extent identifies a set of stored articles: a put raises LastRevision, a deletion lowers
// Articles.
type Extent struct {
	Articles     int64
	LastRevision int64 // the highest of all articles; 0: none is stored
}

// Extent returns the extent of the stored articles.
func (s *Store) Extent(ctx context.Context) (Extent, error) {
	var e Extent
	if err := s.readable(); err != nil {
		return e, err
	}
	var err error
	if e.Articles, err = s.conn.count(ctx, s.names.articles, nil); err != nil {
		return e, err
	}
	e.LastRevision, err = highest(0, func(revision int64) (bool, error) { return s.anyRevisionFrom(ctx, revision) })
	return e, err
}

func (s *Store) anyRevisionFrom(ctx context.Context, revision int64) (bool, error) {
	from := qdrant.PtrOf(float64(revision))
	points, _, err := s.conn.scroll(ctx, s.names.articles,
		must(qdrant.NewRange(fieldRevision, &qdrant.Range{Gte: from})), nil, 1, noFields, nil)
	return len(points) > 0, err
}
