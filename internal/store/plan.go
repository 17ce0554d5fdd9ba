package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/qdrant/go-client/qdrant"

	"throughline/internal/news"
)

// Plan lists what one decision changes. It is a value: it can be printed, compared and refused, and
// nothing is written before Apply.
type Plan struct {
	Topics      []Topic      // topics and themes, new, changed, or merged into another
	NewStories  []Story      // that no article names yet
	Memberships []Membership // of articles
	Stories     []Story      // changed, or merged into another
	// DeletedStories and DeletedTopics are named by no article any more.
	DeletedStories, DeletedTopics []string
	Events                        []news.LedgerEvent // Apply sets Sequence, and Time when zero
}

// Membership is where one article belongs from now on.
type Membership struct {
	ArticleID string
	// Revision is the revision of the article for which this was decided. When it is still the
	// stored one, the article is no longer pending; when it is not, nothing of the article changes.
	// 0: the membership changes whatever the revision is, and a pending article stays pending.
	Revision int64
	news.Membership
}

// Empty reports whether the plan changes nothing.
func (p *Plan) Empty() bool {
	return len(p.Topics)+len(p.NewStories)+len(p.Memberships)+len(p.Stories)+len(p.DeletedStories)+len(p.DeletedTopics)+len(p.Events) == 0
}

// Then adds what a plan changes that was made for what p leads to. An article that p files is
// filed, whatever the other changes of its membership.
func (p *Plan) Then(next *Plan) {
	filed := make(map[string]int64, len(p.Memberships))
	for _, m := range p.Memberships {
		filed[m.ArticleID] = m.Revision
	}
	for _, m := range next.Memberships {
		m.Revision = cmp.Or(m.Revision, filed[m.ArticleID])
		p.Memberships = append(p.Memberships, m)
	}
	p.Topics = append(p.Topics, next.Topics...)
	p.NewStories = append(p.NewStories, next.NewStories...)
	p.Stories = append(p.Stories, next.Stories...)
	p.DeletedStories = append(p.DeletedStories, next.DeletedStories...)
	p.DeletedTopics = append(p.DeletedTopics, next.DeletedTopics...)
	p.Events = append(p.Events, next.Events...)
}

// String lists the changes, a line each, in the order in which they are written.
func (p *Plan) String() string {
	var b strings.Builder
	for _, t := range p.Topics {
		if t.MergedInto != "" {
			fmt.Fprintf(&b, "%s %s: merged into %s\n", t.Level, t.ID, t.MergedInto)
			continue
		}
		fmt.Fprintf(&b, "%s %s %q: %d stories, %d articles\n", t.Level, t.ID, t.Title, t.Stories, t.Articles)
	}
	for _, s := range p.NewStories {
		fmt.Fprintf(&b, "new story %s %q: %d articles\n", s.ID, s.Title, s.Articles)
	}
	for _, m := range p.Memberships {
		fmt.Fprintf(&b, "article %s: story %s, topic %s, theme %s, copy of %s, probability %.2f", m.ArticleID,
			cmp.Or(m.StoryID, "-"), cmp.Or(m.TopicID, "-"), cmp.Or(m.ThemeID, "-"), cmp.Or(m.CopyOf, "-"), m.Probability)
		if m.Revision != 0 {
			b.WriteString(", filed")
		}
		b.WriteByte('\n')
	}
	for _, s := range p.Stories {
		if s.MergedInto != "" {
			fmt.Fprintf(&b, "story %s: merged into %s\n", s.ID, s.MergedInto)
			continue
		}
		fmt.Fprintf(&b, "story %s %q: %d articles\n", s.ID, s.Title, s.Articles)
	}
	for _, id := range p.DeletedStories {
		fmt.Fprintf(&b, "delete story %s\n", id)
	}
	for _, id := range p.DeletedTopics {
		fmt.Fprintf(&b, "delete topic %s\n", id)
	}
	for _, e := range p.Events {
		fmt.Fprintf(&b, "ledger: %s %s", e.Kind, e.ID)
		for _, list := range [][]string{e.ArticleIDs, e.OtherIDs} {
			if len(list) > 0 {
				fmt.Fprintf(&b, " %s", strings.Join(list, " "))
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Apply writes a plan. It is the only way to change stories, topics, memberships and the ledger.
// The whole plan is checked before anything is written. Of several topics, stories or memberships
// of one id the last counts.
//
// The store has no transaction over several points, so the order matters: whenever a process dies,
// every article names a story and topics that exist, and only stories of the plan have other
// articles than the ledger lists. From that a repair finds what is left to do:
//
//  1. topics and new stories, before any article names them. Topics that were merged lead to others
//     from here on;
//  2. memberships, which are the truth about who belongs where;
//  3. stories described anew, those that ended, and topics that no article names any more;
//  4. the ledger: it lists what was done, not what was meant to be;
//  5. that articles are filed, last: one whose plan was written in part stays pending, and is
//     filed again.
//
// After an error some of it may be written, and the store is not clean, see Clean; after an
// *InvalidError nothing is written. Events that got a number are kept, and the next Apply writes
// them before its own, also when its plan is empty.
func (s *Store) Apply(ctx context.Context, p *Plan) error {
	points, err := s.encodePlan(p)
	if err != nil {
		return err
	}
	end, err := s.begin()
	if err != nil {
		return err
	}
	defer end()
	for _, write := range []func() error{
		func() error { return s.upsertAll(ctx, s.names.topics, points.topics) },
		func() error { return s.upsertAll(ctx, s.names.stories, points.newStories) },
		func() error { return s.setMemberships(ctx, p.Memberships) },
		func() error { return s.upsertAll(ctx, s.names.stories, points.stories) },
		func() error { return s.removeAll(ctx, s.names.stories, pointIDs(p.DeletedStories, storyPoint)) },
		func() error { return s.removeAll(ctx, s.names.topics, pointIDs(p.DeletedTopics, topicPoint)) },
		func() error { return s.append(ctx, p.Events) },
		func() error { return s.markFiled(ctx, p.Memberships) },
		s.lease.held,
	} {
		if err := write(); err != nil {
			s.clean.Store(false)
			return err
		}
	}
	return nil
}

// planPoints are the points of a plan.
type planPoints struct{ topics, newStories, stories []*qdrant.PointStruct }

// encodePlan checks a plan and makes points of it.
func (s *Store) encodePlan(p *Plan) (planPoints, error) {
	var out planPoints
	var err error
	dim := s.cfg.Space.Dimensions
	if out.topics, err = encodeAll(p.Topics, dim, checkTopic, encodeTopic); err != nil {
		return out, err
	}
	if out.newStories, err = encodeAll(p.NewStories, dim, checkStory, encodeStory); err != nil {
		return out, err
	}
	if out.stories, err = encodeAll(p.Stories, dim, checkStory, encodeStory); err != nil {
		return out, err
	}
	for i := range p.Memberships {
		if err := checkMembership(&p.Memberships[i]); err != nil {
			return out, err
		}
	}
	lastNumber := s.ledger.lastNumber()
	for i := range p.Events {
		if err := checkEvent(&p.Events[i], lastNumber); err != nil {
			return out, err
		}
	}
	return out, nil
}

func encodeAll[T any](list []T, dim int, check func(*T, int) error, encode func(*T) (*qdrant.PointStruct, error)) ([]*qdrant.PointStruct, error) {
	points := make([]*qdrant.PointStruct, len(list))
	for i := range list {
		err := check(&list[i], dim)
		if err == nil {
			points[i], err = encode(&list[i])
		}
		if err != nil {
			return nil, err
		}
	}
	return points, nil
}

// upsertAll writes points in requests of bounded size.
func (s *Store) upsertAll(ctx context.Context, collection string, points []*qdrant.PointStruct) error {
	points = lastOfEach(points)
	for from, to := range batches(points) {
		if err := s.conn.upsert(ctx, collection, points[from:to], upsertOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// lastOfEach drops points that a later one of the same id replaces: what a server does with both in
// one request is not specified.
func lastOfEach(points []*qdrant.PointStruct) []*qdrant.PointStruct {
	at := make(map[string]int, len(points))
	out := make([]*qdrant.PointStruct, 0, len(points))
	for _, p := range points {
		id := p.GetId().GetUuid()
		if i, ok := at[id]; ok {
			out[i] = p
			continue
		}
		at[id] = len(out)
		out = append(out, p)
	}
	return out
}

// removeAll deletes points by id in requests of bounded size. Ids that are not stored are ignored.
func (s *Store) removeAll(ctx context.Context, collection string, ids []*qdrant.PointId) error {
	for chunk := range slices.Chunk(ids, maxChangeIDs) {
		if err := s.conn.remove(ctx, collection, qdrant.NewPointsSelectorIDs(chunk)); err != nil {
			return err
		}
	}
	return nil
}

// Bounds of one request.
const (
	maxChangeIDs = 2000 // points that it names
	maxChanges   = 256  // changes of payloads
)

// setMemberships replaces the memberships of articles and of their sections. Ids that are not
// stored are skipped.
func (s *Store) setMemberships(ctx context.Context, memberships []Membership) error {
	last := make(map[string]*Membership, len(memberships))
	ids := make([]string, 0, len(memberships))
	for i := range memberships {
		m := &memberships[i]
		if last[m.ArticleID] == nil {
			ids = append(ids, m.ArticleID)
		}
		last[m.ArticleID] = m
	}
	slices.Sort(ids)
	for chunk := range slices.Chunk(ids, maxChangeIDs) {
		if err := s.setMembershipsOf(ctx, chunk, last); err != nil {
			s.markDirty(chunk...)
			return err
		}
	}
	return nil
}

func (s *Store) setMembershipsOf(ctx context.Context, ids []string, to map[string]*Membership) error {
	defer s.stripes.lock(ids)()
	// The article's point counts, so it is written last.
	if err := s.setSectionMemberships(ctx, ids, to); err != nil {
		return err
	}
	return s.change(ctx, s.names.articles, ids, func(id string) string {
		m := to[id]
		return fmt.Sprintf("%q %d", []string{m.StoryID, m.TopicID, m.ThemeID, m.CopyOf, fmt.Sprint(m.Probability)}, m.Revision)
	}, func(id string, group []string) (setPayload, error) {
		m := to[id]
		fields, err := encodeFields(membershipFields(&m.Membership), nil)
		return setPayload{fields, ofRevision(m.Revision, hasIDs(group, articlePoint))}, err
	})
}

// markFiled ends that filing is pending, for the articles whose revision the plan looked at.
func (s *Store) markFiled(ctx context.Context, memberships []Membership) error {
	revisions := make(map[string]int64, len(memberships))
	for _, m := range memberships {
		revisions[m.ArticleID] = m.Revision
	}
	maps.DeleteFunc(revisions, func(_ string, revision int64) bool { return revision == 0 })
	for chunk := range slices.Chunk(slices.Sorted(maps.Keys(revisions)), maxChangeIDs) {
		err := s.change(ctx, s.names.articles, chunk, func(id string) string { return fmt.Sprint(revisions[id]) },
			func(id string, group []string) (setPayload, error) {
				fields, err := toPayload(map[string]any{fieldFiled: revisions[id]})
				return setPayload{fields, ofRevision(revisions[id], hasIDs(group, articlePoint))}, err
			})
		if err != nil {
			return err
		}
	}
	return nil
}

// setSectionMemberships writes the part of memberships that filters on sections use.
func (s *Store) setSectionMemberships(ctx context.Context, ids []string, to map[string]*Membership) error {
	return s.change(ctx, s.names.sections, ids, func(id string) string {
		return fmt.Sprintf("%q %d", []string{to[id].StoryID, to[id].TopicID, to[id].ThemeID}, to[id].Revision)
	}, func(id string, group []string) (setPayload, error) {
		fields, err := encodeFields(sectionMemberships(&to[id].Membership), nil)
		where := must(qdrant.NewMatchKeywords(fieldArticle, group...))
		return setPayload{fields, ofRevision(to[id].Revision, where)}, err
	})
}

// ofRevision narrows a filter to points of one revision, or of any when revision is 0.
func ofRevision(revision int64, where *qdrant.Filter) *qdrant.Filter {
	if revision != 0 {
		where.Must = append(where.Must, qdrant.NewMatchInt(fieldRevision, revision))
	}
	return where
}

// change sends one change for each group of ids with the same key, many to a request.
func (s *Store) change(ctx context.Context, collection string, ids []string, key func(string) string,
	build func(id string, group []string) (setPayload, error)) error {
	groups := map[string][]string{}
	var order []string
	for _, id := range ids {
		k := key(id)
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], id)
	}
	for keys := range slices.Chunk(order, maxChanges) {
		changes := []setPayload{}
		for _, k := range keys {
			change, err := build(groups[k][0], groups[k])
			if err != nil {
				return err
			}
			changes = append(changes, change)
		}
		if err := s.conn.set(ctx, collection, changes); err != nil {
			return err
		}
	}
	return nil
}

// hasIDs selects points by id. A selector of ids would fail for one that does not exist; this skips
// it.
func hasIDs(ids []string, point func(string) *qdrant.PointId) *qdrant.Filter {
	return must(qdrant.NewHasID(pointIDs(ids, point)...))
}
