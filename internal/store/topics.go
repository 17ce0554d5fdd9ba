package store

import (
	"context"

	"github.com/qdrant/go-client/qdrant"
)

func encodeTopic(t *Topic) (*qdrant.PointStruct, error) {
	fields, err := toPayload(map[string]any{
		fieldTopic: t.ID, fieldTitle: t.Title, fieldParent: t.ParentID, fieldLevel: string(t.Level), fieldKeywords: t.Keywords,
		fieldStories: t.Stories, fieldArticles: t.Articles, fieldFirst: t.First, fieldLast: t.Last,
		fieldRepresentative: t.Representative, fieldVersion: t.Version,
		fieldTitleModel: t.TitleModel, fieldTitleArticles: t.TitleArticles, fieldTitleKey: t.TitleKey,
	})
	if err != nil {
		return nil, err
	}
	return &qdrant.PointStruct{Id: topicPoint(t.ID), Payload: fields, Vectors: encodeVectors(t.Dense, none, none, none)}, nil
}

func decodeTopic(point *qdrant.RetrievedPoint) *Topic {
	p := payload(point.GetPayload())
	return &Topic{ID: p.text(fieldTopic), Title: p.text(fieldTitle), ParentID: p.text(fieldParent), Level: Level(p.text(fieldLevel)),
		Keywords: p.texts(fieldKeywords), Stories: int(p.number(fieldStories)), Articles: int(p.number(fieldArticles)),
		First: p.time(fieldFirst), Last: p.time(fieldLast), Representative: p.text(fieldRepresentative),
		Naming: decodeNaming(p), Version: p.number(fieldVersion), Dense: decodeVectors(point.GetVectors()).Dense}
}

// PutTopics stores topics, replacing those of the same id; of several with one id the last wins. All are checked before
// any is written; after another error some may be stored and some not.
func (s *Store) PutTopics(ctx context.Context, topics []Topic) error {
	points := make([]*qdrant.PointStruct, 0, len(topics))
	for i := range topics {
		if err := checkTopic(&topics[i], s.cfg.Space.Dimensions); err != nil {
			return err
		}
		point, err := encodeTopic(&topics[i])
		if err != nil {
			return &InvalidError{ID: topics[i].ID, Field: "topic", Reason: err.Error()}
		}
		points = append(points, point)
	}
	return s.write(ctx, s.names.topics, points)
}

// Topic returns a topic or theme without its vector.
func (s *Store) Topic(ctx context.Context, id string) (*Topic, error) {
	found, err := s.GetTopics(ctx, []string{id})
	if err != nil {
		return nil, err
	}
	if found[0] == nil {
		return nil, &NotFoundError{Kind: "topic", ID: id}
	}
	return found[0], nil
}

// GetTopics returns topics in the order of ids, without vectors; nil for those not stored.
func (s *Store) GetTopics(ctx context.Context, ids []string) ([]*Topic, error) {
	if err := s.readable(); err != nil {
		return nil, err
	}
	found := make(map[string]*Topic, len(ids))
	err := s.getAll(ctx, s.names.topics, pointIDs(ids, topicPoint), nil, WithNothing, func(p *qdrant.RetrievedPoint) {
		topic := decodeTopic(p)
		found[topic.ID] = topic
	})
	if err != nil {
		return nil, err
	}
	out := make([]*Topic, len(ids))
	for i, id := range ids {
		out[i] = found[id]
	}
	return out, nil
}

func (f *TopicFilter) conditions() (*qdrant.Filter, error) {
	var b builder
	if f.Level != "" {
		if f.Level != LevelTopic && f.Level != LevelTheme {
			return nil, &InvalidError{Field: "filter.level", Reason: "neither topic nor theme"}
		}
		b.any(fieldLevel, []string{string(f.Level)})
	}
	if f.ParentID != "" {
		if err := checkValues("parent_id", []string{f.ParentID}); err != nil {
			return nil, err
		}
		b.any(fieldParent, []string{f.ParentID})
	}
	return b.filter(), nil
}

// Topics pages through the topics that pass the filter like List, without vectors.
func (s *Store) Topics(ctx context.Context, filter TopicFilter, limit int, cursor string) ([]Topic, string, error) {
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
	var out []Topic
	next, err := s.page(ctx, s.names.topics, conditions, from, limit, func(p *qdrant.RetrievedPoint) {
		out = append(out, *decodeTopic(p))
	})
	if err != nil {
		return nil, "", err
	}
	return out, next, nil
}

// ScanTopics calls fn for every topic that passes the filter, like Scan; WithDense reads the vector, which is the only one
// a topic has.
func (s *Store) ScanTopics(ctx context.Context, filter TopicFilter, with With, fn func(*Topic) error) error {
	if err := s.readable(); err != nil {
		return err
	}
	conditions, err := filter.conditions()
	if err != nil {
		return err
	}
	return s.scan(ctx, s.names.topics, conditions, nil, with&WithDense, func(p *qdrant.RetrievedPoint) error {
		return fn(decodeTopic(p))
	})
}

// DeleteTopics removes topics. Ids that are not stored are ignored. It does not touch the stories in them.
func (s *Store) DeleteTopics(ctx context.Context, ids []string) error {
	return s.removeIDs(ctx, s.names.topics, pointIDs(ids, topicPoint))
}
