package store

import (
	"context"
	"fmt"

	"github.com/qdrant/go-client/qdrant"
)

// maxMerges bounds a chain of merges: longer ones are a cycle.
const maxMerges = 1000

func encodeStory(s *Story) (*qdrant.PointStruct, error) {
	state := stateLive
	if s.MergedInto != "" {
		state = stateMerged
	}
	fields, err := toPayload(map[string]any{
		fieldStory: s.ID, fieldTitle: s.Title, fieldKeywords: s.Keywords, fieldFirst: s.First, fieldLast: s.Last,
		fieldArticles: s.Articles, fieldSources: s.Sources, fieldRepresentative: s.Representative, fieldTopic: s.TopicID,
		fieldTheme: s.ThemeID, fieldMergedInto: s.MergedInto, fieldState: state, fieldVersion: s.Version,
		fieldReports: s.IndependentReports, fieldOwnSources: s.IndependentSources,
		fieldTitleModel: s.TitleModel, fieldTitleArticles: s.TitleArticles, fieldTitleKey: s.TitleKey,
	})
	if err != nil {
		return nil, err
	}
	return &qdrant.PointStruct{Id: storyPoint(s.ID), Payload: fields, Vectors: encodeVectors(s.Dense, s.Full, s.Lead, s.Names)}, nil
}

func decodeStory(point *qdrant.RetrievedPoint) *Story {
	p := payload(point.GetPayload())
	v := decodeVectors(point.GetVectors())
	return &Story{ID: p.text(fieldStory), Title: p.text(fieldTitle), Keywords: p.texts(fieldKeywords), First: p.time(fieldFirst),
		Last: p.time(fieldLast), Articles: int(p.number(fieldArticles)), Sources: p.texts(fieldSources),
		Representative: p.text(fieldRepresentative), TopicID: p.text(fieldTopic), ThemeID: p.text(fieldTheme),
		MergedInto: p.text(fieldMergedInto), Version: p.number(fieldVersion), Naming: decodeNaming(p),
		IndependentReports: int(p.number(fieldReports)), IndependentSources: int(p.number(fieldOwnSources)),
		Dense: v.Dense, Full: v.Full, Lead: v.Lead, Names: v.Names}
}

func decodeNaming(p payload) Naming {
	return Naming{TitleModel: p.text(fieldTitleModel), TitleArticles: p.texts(fieldTitleArticles), TitleKey: p.text(fieldTitleKey)}
}

// PutStories stores stories, replacing those of the same id; of several with one id the last wins. A story with MergedInto
// set resolves to that one for ever. All are checked before any is written; after another error some may be stored and
// some not.
func (s *Store) PutStories(ctx context.Context, stories []Story) error {
	points := make([]*qdrant.PointStruct, 0, len(stories))
	for i := range stories {
		if err := checkStory(&stories[i], s.cfg.Space.Dimensions); err != nil {
			return err
		}
		point, err := encodeStory(&stories[i])
		if err != nil {
			return &InvalidError{ID: stories[i].ID, Field: "story", Reason: err.Error()}
		}
		points = append(points, point)
	}
	return s.write(ctx, s.names.stories, points)
}

// write upserts points in requests of bounded size.
func (s *Store) write(ctx context.Context, collection string, points []*qdrant.PointStruct) error {
	if len(points) == 0 {
		return nil
	}
	end, err := s.begin()
	if err != nil {
		return err
	}
	defer end()
	points = lastOfEach(points)
	from := 0
	for _, to := range batches(points) {
		if err := s.conn.upsert(ctx, collection, points[from:to], upsertOptions{}); err != nil {
			return err
		}
		from = to
	}
	return s.lease.held()
}

// lastOfEach drops points that a later one of the same id replaces: what a server makes of both in one request is its own
// affair.
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

// Story returns a story without vectors. An id that was merged away gives the story it is part of now, so the ID of the
// result may differ from the one asked for.
func (s *Store) Story(ctx context.Context, id string) (*Story, error) {
	asked := id
	for range maxMerges {
		found, err := s.GetStories(ctx, []string{id}, WithNothing)
		if err != nil {
			return nil, err
		}
		if found[0] == nil {
			return nil, &NotFoundError{Kind: "story", ID: asked}
		}
		if found[0].MergedInto == "" {
			return found[0], nil
		}
		id = found[0].MergedInto
	}
	return nil, fmt.Errorf("story %q was merged in a circle", asked)
}

// GetStories returns stories in the order of ids, nil for those not stored; ids that were merged away are returned as
// they are, with MergedInto.
func (s *Store) GetStories(ctx context.Context, ids []string, with With) ([]*Story, error) {
	if err := s.readable(); err != nil {
		return nil, err
	}
	found := make(map[string]*Story, len(ids))
	err := s.getAll(ctx, s.names.stories, pointIDs(ids, storyPoint), nil, with, func(p *qdrant.RetrievedPoint) {
		story := decodeStory(p)
		found[story.ID] = story
	})
	if err != nil {
		return nil, err
	}
	out := make([]*Story, len(ids))
	for i, id := range ids {
		out[i] = found[id]
	}
	return out, nil
}

// Stories pages through the stories that pass the filter like List, without vectors.
func (s *Store) Stories(ctx context.Context, filter StoryFilter, limit int, cursor string) ([]Story, string, error) {
	if err := s.readable(); err != nil {
		return nil, "", err
	}
	from, err := checkPage(limit, cursor)
	if err != nil {
		return nil, "", err
	}
	b, err := filter.builder()
	if err != nil {
		return nil, "", err
	}
	var out []Story
	next, err := s.page(ctx, s.names.stories, b.filter(), from, limit, func(p *qdrant.RetrievedPoint) {
		out = append(out, *decodeStory(p))
	})
	if err != nil {
		return nil, "", err
	}
	return out, next, nil
}

// ScanStories calls fn for every story that passes the filter, like Scan.
func (s *Store) ScanStories(ctx context.Context, filter StoryFilter, with With, fn func(*Story) error) error {
	if err := s.readable(); err != nil {
		return err
	}
	b, err := filter.builder()
	if err != nil {
		return err
	}
	return s.scan(ctx, s.names.stories, b.filter(), nil, with, func(p *qdrant.RetrievedPoint) error {
		return fn(decodeStory(p))
	})
}

// DeleteStories removes stories. Ids that are not stored are ignored. It does not touch the articles in them.
func (s *Store) DeleteStories(ctx context.Context, ids []string) error {
	return s.removeIDs(ctx, s.names.stories, pointIDs(ids, storyPoint))
}

func (s *Store) removeIDs(ctx context.Context, collection string, ids []*qdrant.PointId) error {
	if len(ids) == 0 {
		return nil
	}
	end, err := s.begin()
	if err != nil {
		return err
	}
	defer end()
	if err := s.removeAll(ctx, collection, ids); err != nil {
		return err
	}
	return s.lease.held()
}

// removeAll deletes points by id in requests of bounded size.
func (s *Store) removeAll(ctx context.Context, collection string, ids []*qdrant.PointId) error {
	for len(ids) > 0 {
		n := min(maxAssignIDs, len(ids))
		if err := s.conn.remove(ctx, collection, qdrant.NewPointsSelectorIDs(ids[:n])); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}
