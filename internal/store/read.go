package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
)

// Bounds of one read request: an answer with vectors of 1,024 dimensions and a few hundred terms stays around 2 MiB.
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

// distinct returns the ids that can be stored, each once, in order. Others name nothing, so they are not asked for.
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

// getAll reads points by id in pages.
func (s *Store) getAll(ctx context.Context, collection string, ids []*qdrant.PointId, fields []string, with With, each func(*qdrant.RetrievedPoint)) error {
	page, vectors := pageSize(with), with.names()
	for len(ids) > 0 {
		n := min(page, len(ids))
		points, err := s.conn.get(ctx, collection, ids[:n], fields, vectors)
		if err != nil {
			return err
		}
		for _, p := range points {
			each(p)
		}
		ids = ids[n:]
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

// Known returns what is stored of the given ids, for deciding what need not be written. Unknown ids are absent.
func (s *Store) Known(ctx context.Context, ids []string) (map[string]Known, error) {
	if err := s.readable(); err != nil {
		return nil, err
	}
	out := make(map[string]Known, len(ids))
	err := s.read(ctx, ids, knownFields, func(p payload) {
		out[p.text(fieldArticle)] = Known{Hash: p.text(fieldHash), Revision: p.number(fieldRevision)}
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Get returns the articles in the order of ids, nil for those not stored. An id that occurs twice gives the same pointer
// twice.
func (s *Store) Get(ctx context.Context, ids []string, with With) ([]*Stored, error) {
	if err := s.readable(); err != nil {
		return nil, err
	}
	found := make(map[string]*Stored, len(ids))
	err := s.getAll(ctx, s.names.articles, pointIDs(ids, articlePoint), nil, with, func(p *qdrant.RetrievedPoint) {
		stored := decodeStored(p)
		found[stored.Article.ID] = stored
	})
	if err != nil {
		return nil, err
	}
	out := make([]*Stored, len(ids))
	for i, id := range ids {
		out[i] = found[id]
	}
	return out, nil
}

func decodeStored(p *qdrant.RetrievedPoint) *Stored {
	fields := payload(p.GetPayload())
	stored := &Stored{Article: decodeArticle(fields), Vectors: decodeVectors(p.GetVectors())}
	if len(stored.Vectors.Dense) > 0 {
		stored.Vectors.DenseOf = fields.text(fieldDenseOf)
	}
	if len(stored.Vectors.Full.Terms) > 0 {
		stored.Vectors.Shingles = decodeShingles(fields.text(fieldShingles))
	}
	return stored
}

// Sections returns the sections of the committed revision of each article, in order of index, without vectors unless asked
// for. Unknown articles are absent, those without sections have an empty list.
func (s *Store) Sections(ctx context.Context, articleIDs []string, vectors bool) (map[string][]Section, error) {
	if err := s.readable(); err != nil {
		return nil, err
	}
	with := WithNothing
	if vectors {
		with = WithDense | WithFull
	}
	out := make(map[string][]Section, len(articleIDs))
	tried := map[string]int64{} // revision of which sections were missing
	for pending := distinct(articleIDs); len(pending) > 0; {
		incomplete, err := s.readSections(ctx, pending, with, out)
		if err != nil {
			return nil, err
		}
		// Missing sections of a revision that is still named when it is looked at again are lost. Otherwise the article was
		// put again between the two requests: read what it names now.
		pending = nil
		for id, revision := range incomplete {
			if tried[id] == revision {
				s.log.Error("an article lacks sections", "article", id)
				continue
			}
			tried[id] = revision
			pending = append(pending, id)
		}
	}
	return out, nil
}

// readSections reads what the articles name now. It returns the articles some of whose sections are gone, with the revision
// that was looked for.
func (s *Store) readSections(ctx context.Context, ids []string, with With, out map[string][]Section) (map[string]int64, error) {
	marks := map[string]Article{}
	var points []*qdrant.PointId
	err := s.read(ctx, ids, commitFields, func(p payload) {
		a := decodeArticle(p)
		marks[a.ID] = a
		for i := range a.Sections {
			points = append(points, sectionPoint(a.ID, i, a.Revision))
		}
	})
	if err != nil {
		return nil, err
	}
	// A point's id says which section it is, so nothing needs sorting: each goes to its index.
	found := make(map[string][]*Section, len(marks))
	for id, a := range marks {
		found[id] = make([]*Section, a.Sections)
	}
	err = s.getAll(ctx, s.names.sections, points, nil, with, func(p *qdrant.RetrievedPoint) {
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
			delete(out, id) // deleted since it was first looked at
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

// checkPage validates the arguments of a listing.
func checkPage(limit int, cursor string) (*qdrant.PointId, error) {
	if limit < 1 || limit > MaxLimit {
		return nil, &InvalidError{Field: "limit", Reason: fmt.Sprintf("%d; 1 to %d", limit, MaxLimit)}
	}
	if cursor == "" {
		return nil, nil
	}
	id, err := uuid.Parse(cursor)
	if err != nil {
		return nil, &InvalidError{Field: "cursor", Reason: "not one that was returned by a listing"}
	}
	return qdrant.NewIDUUID(id.String()), nil
}

// page reads up to limit points that match a filter, in requests of bounded size.
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

// List pages through the articles that pass the filter, in a fixed order that means nothing (by point id). limit is
// 1..MaxLimit. cursor is empty for the first page and what the last call returned after that; the returned cursor is empty
// after the last page. An article put while listing may or may not appear; none appears twice. A cursor that is not one
// gives an *InvalidError.
func (s *Store) List(ctx context.Context, filter Filter, limit int, cursor string) ([]Article, string, error) {
	if err := s.readable(); err != nil {
		return nil, "", err
	}
	from, err := checkPage(limit, cursor)
	if err != nil {
		return nil, "", err
	}
	conditions, err := filter.conditions()
	if err != nil {
		return nil, "", err
	}
	var out []Article
	next, err := s.page(ctx, s.names.articles, conditions, from, limit, func(p *qdrant.RetrievedPoint) {
		out = append(out, decodeArticle(payload(p.GetPayload())))
	})
	if err != nil {
		return nil, "", err
	}
	return out, next, nil
}

// scan reads every point that matches a filter, a page at a time.
func (s *Store) scan(ctx context.Context, collection string, filter *qdrant.Filter, fields []string, with With, each func(*qdrant.RetrievedPoint) error) error {
	var from *qdrant.PointId
	for {
		points, next, err := s.conn.scroll(ctx, collection, filter, from, pageSize(with), fields, with.names())
		if err != nil {
			return err
		}
		for _, p := range points {
			if err := each(p); err != nil {
				return err
			}
		}
		if next == nil {
			return nil
		}
		from = next
	}
}

// Scan calls fn for every article, in a fixed order that means nothing. It holds one page of articles at a time. An error
// from fn ends the scan and is returned as it is. An article put during the scan may or may not be seen; none is seen
// twice. The Stored belongs to fn.
func (s *Store) Scan(ctx context.Context, with With, fn func(*Stored) error) error {
	return s.ScanWhere(ctx, Filter{}, with, fn)
}

// ScanWhere is Scan over the articles that pass the filter.
func (s *Store) ScanWhere(ctx context.Context, filter Filter, with With, fn func(*Stored) error) error {
	if err := s.readable(); err != nil {
		return err
	}
	conditions, err := filter.conditions()
	if err != nil {
		return err
	}
	return s.scan(ctx, s.names.articles, conditions, nil, with, func(p *qdrant.RetrievedPoint) error {
		return fn(decodeStored(p))
	})
}

// Counts is how much is stored.
type Counts struct{ Articles, Sections, Stories, Topics, Events int64 }

// Counts counts exactly. Stories that were merged away are not counted; sections that no article names may be.
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
		{s.names.articles, nil, &out.Articles}, {s.names.sections, nil, &out.Sections}, {s.names.stories, live(), &out.Stories},
		{s.names.topics, nil, &out.Topics}, {s.names.ledger, nil, &out.Events},
	} {
		n, err := s.conn.count(ctx, c.collection, c.filter)
		if err != nil {
			return Counts{}, err
		}
		*c.n = n
	}
	return out, nil
}
