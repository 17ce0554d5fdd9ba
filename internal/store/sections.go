package store

import (
	"context"
	"log/slog"
	"maps"
	"slices"

	"github.com/qdrant/go-client/qdrant"

	"throughline/internal/news"
)

// SectionRepair counts what RepairSections repaired.
type SectionRepair struct {
	Removed int // sections whose article is gone or names another revision
	Damaged int // articles that lack sections, see markDamaged
	Refiled int // articles whose sections had another membership
}

// LogValue shows the counts that are not zero.
func (r SectionRepair) LogValue() slog.Value {
	var attrs []slog.Attr
	for _, f := range []struct {
		name string
		n    int
	}{{"sections_removed", r.Removed}, {"articles_damaged", r.Damaged}, {"articles_refiled", r.Refiled}} {
		if f.n != 0 {
			attrs = append(attrs, slog.Int(f.name, f.n))
		}
	}
	return slog.GroupValue(attrs...)
}

// RepairSections makes the sections agree with their articles, after writes that did not get to
// their end. No reader ever saw the sections that it removes. It excludes writes while it runs, and
// reads the payload of all articles and sections once, in pages.
func (s *Store) RepairSections(ctx context.Context) (SectionRepair, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	var r SectionRepair
	if err := s.writable(); err != nil {
		return r, err
	}
	if err := s.repairSections(ctx, &r); err != nil {
		return r, err
	}
	if err := s.lease.held(); err != nil {
		return r, err
	}
	s.mu.Lock()
	clear(s.dirty)
	s.mu.Unlock()
	return r, nil
}

// repairSections goes through the articles, some of them with all their sections at a time, and
// then through the sections, for those whose article does not exist.
func (s *Store) repairSections(ctx context.Context, r *SectionRepair) error {
	err := s.pages(ctx, s.names.articles, nil, membershipReadFields, WithNothing, func(page []*qdrant.RetrievedPoint) error {
		for some := range slices.Chunk(page, maxPutArticles) {
			articles := make([]news.Article, len(some))
			for i, point := range some {
				articles[i] = decodeArticle(payload(point.GetPayload()))
			}
			if err := s.repairPage(ctx, articles, r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.pages(ctx, s.names.sections, nil, []string{fieldArticle}, WithNothing, func(page []*qdrant.RetrievedPoint) error {
		return s.removeOrphans(ctx, page, r)
	})
}

// sectionFields are the fields of a section that a repair reads.
var sectionFields = []string{fieldArticle, fieldRevision, fieldIndex, fieldStory, fieldTopic, fieldTheme}

// repairPage compares the sections of some articles with the revision, section count and membership
// of the articles.
func (s *Store) repairPage(ctx context.Context, articles []news.Article, r *SectionRepair) error {
	byID := make(map[string]*news.Article, len(articles))
	ids := make([]string, len(articles))
	for i := range articles {
		byID[articles[i].ID], ids[i] = &articles[i], articles[i].ID
	}
	have := map[string]int{}
	refile := map[string]*Membership{}
	var stale []*qdrant.PointId
	where := must(qdrant.NewMatchKeywords(fieldArticle, ids...))
	err := s.scan(ctx, s.names.sections, where, sectionFields, WithNothing, func(point *qdrant.RetrievedPoint) error {
		p := payload(point.GetPayload())
		a := byID[p.text(fieldArticle)]
		if a == nil || p.number(fieldRevision) != a.Revision || int(p.number(fieldIndex)) >= a.SectionCount {
			stale = append(stale, point.GetId())
			return nil
		}
		have[a.ID]++
		if p.text(fieldStory) != a.StoryID || p.text(fieldTopic) != a.TopicID || p.text(fieldTheme) != a.ThemeID {
			refile[a.ID] = &Membership{ArticleID: a.ID, Membership: a.Membership}
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.Removed += len(stale)
	if err := s.removeAll(ctx, s.names.sections, stale); err != nil {
		return err
	}
	if len(refile) > 0 {
		r.Refiled += len(refile)
		if err := s.setSectionMemberships(ctx, slices.Sorted(maps.Keys(refile)), refile); err != nil {
			return err
		}
	}
	var damaged []string
	for _, a := range articles {
		if have[a.ID] < a.SectionCount {
			damaged = append(damaged, a.ID)
		}
	}
	return s.markDamaged(ctx, damaged, r)
}

// markDamaged empties the content hash of articles that lack sections, so that the next ingest does
// not take them for unchanged. The commit protocol never leaves such an article; a server that lost
// a confirmed write does.
func (s *Store) markDamaged(ctx context.Context, ids []string, r *SectionRepair) error {
	if len(ids) == 0 {
		return nil
	}
	r.Damaged += len(ids)
	s.log.Error("articles lack sections that were confirmed as stored; ingest them again", "articles", ids)
	fields, err := toPayload(map[string]any{fieldHash: ""})
	if err != nil {
		return err
	}
	return s.conn.set(ctx, s.names.articles, []setPayload{{fields, hasIDs(ids, articlePoint)}})
}

// removeOrphans deletes the sections of a page whose articles do not exist.
func (s *Store) removeOrphans(ctx context.Context, page []*qdrant.RetrievedPoint, r *SectionRepair) error {
	ids := make([]string, len(page))
	for i, p := range page {
		ids[i] = payload(p.GetPayload()).text(fieldArticle)
	}
	exists := map[string]bool{}
	err := s.read(ctx, ids, []string{fieldArticle}, func(p payload) { exists[p.text(fieldArticle)] = true })
	if err != nil {
		return err
	}
	var orphans []*qdrant.PointId
	for i, p := range page {
		if !exists[ids[i]] {
			orphans = append(orphans, p.GetId())
		}
	}
	r.Removed += len(orphans)
	return s.removeAll(ctx, s.names.sections, orphans)
}
