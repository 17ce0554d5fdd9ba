package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/qdrant/go-client/qdrant"
)

// Bounds of one request that changes payloads: points named in it, and changes.
const (
	maxAssignIDs     = 2000
	maxAssignChanges = 256
)

// Assign files articles, replacing their assignments, on the article and on its sections so that filters work on both. Ids
// that are not stored are skipped; of several assignments of one article the last counts. After an error some may be filed
// and some not; assigning again is safe.
func (s *Store) Assign(ctx context.Context, assignments []Assignment) error {
	last := make(map[string]*Assignment, len(assignments))
	ids := make([]string, 0, len(assignments))
	for i := range assignments {
		a := &assignments[i]
		if err := checkAssignment(a); err != nil {
			return err
		}
		if last[a.ArticleID] == nil {
			ids = append(ids, a.ArticleID)
		}
		last[a.ArticleID] = a
	}
	if len(ids) == 0 {
		return nil
	}
	end, err := s.begin()
	if err != nil {
		return err
	}
	defer end()
	slices.Sort(ids)
	for chunk := range slices.Chunk(ids, maxAssignIDs) {
		if err := s.assign(ctx, chunk, last); err != nil {
			s.soil(chunk...)
			return err
		}
	}
	return s.lease.held()
}

func (s *Store) assign(ctx context.Context, ids []string, to map[string]*Assignment) error {
	defer s.stripes.lock(ids)()
	// Sections first: the article is what counts, and it must not claim what its sections do not know yet.
	if err := s.fileSections(ctx, ids, to); err != nil {
		return err
	}
	return s.change(ctx, s.names.articles, ids, func(id string) string {
		return fmt.Sprintf("%s %q %v", filingKey(to[id]), to[id].CopyOf, to[id].Probability)
	}, func(id string, group []string) (setPayload, error) {
		a := to[id]
		fields, err := toPayload(map[string]any{fieldStory: a.StoryID, fieldTopics: a.TopicIDs, fieldCopyOf: a.CopyOf, fieldProbability: a.Probability})
		return setPayload{fields, hasIDs(group, articlePoint)}, err
	})
}

// fileSections writes the part of assignments that filters on sections use.
func (s *Store) fileSections(ctx context.Context, ids []string, to map[string]*Assignment) error {
	return s.change(ctx, s.names.sections, ids, func(id string) string { return filingKey(to[id]) },
		func(id string, group []string) (setPayload, error) {
			a := to[id]
			fields, err := toPayload(map[string]any{fieldStory: a.StoryID, fieldTopics: a.TopicIDs})
			return setPayload{fields, &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchKeywords(fieldArticle, group...)}}}, err
		})
}

// change sends one change for each group of ids with the same key, many to a request.
func (s *Store) change(ctx context.Context, collection string, ids []string, key func(string) string, make func(id string, group []string) (setPayload, error)) error {
	groups := map[string][]string{}
	var order []string
	for _, id := range ids {
		k := key(id)
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], id)
	}
	for keys := range slices.Chunk(order, maxAssignChanges) {
		changes := []setPayload{}
		for _, k := range keys {
			change, err := make(groups[k][0], groups[k])
			if err != nil {
				return &InvalidError{ID: groups[k][0], Field: "assignment", Reason: err.Error()}
			}
			changes = append(changes, change)
		}
		if err := s.conn.set(ctx, collection, changes); err != nil {
			return err
		}
	}
	return nil
}

// filingKey is equal for assignments to the same story and topics.
func filingKey(a *Assignment) string { return fmt.Sprintf("%q %q", a.StoryID, a.TopicIDs) }

// hasIDs selects points by id, skipping those that do not exist; a selector of ids would fail for them.
func hasIDs(ids []string, point func(string) *qdrant.PointId) *qdrant.Filter {
	return &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewHasID(pointIDs(ids, point)...)}}
}
