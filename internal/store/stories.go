package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/qdrant/go-client/qdrant"

	"throughline/internal/news"
)

func encodeStory(s *Story) (*qdrant.PointStruct, error) {
	state := stateLive
	if s.MergedInto != "" {
		state = stateMerged
	}
	return newPoint(storyPoint(s.ID), storyFields(&s.Story), map[string]any{fieldState: state}, &s.Vectors)
}

func decodeStory(point *qdrant.RetrievedPoint) *Story {
	s := &Story{Vectors: decodeVectors(point.GetVectors())}
	decodeFields(storyFields(&s.Story), payload(point.GetPayload()))
	return s
}

func encodeTopic(t *Topic) (*qdrant.PointStruct, error) {
	return newPoint(topicPoint(t.ID), topicFields(&t.Topic), nil, &Vectors{Dense: t.Dense})
}

func decodeTopic(point *qdrant.RetrievedPoint) *Topic {
	t := &Topic{Dense: decodeVectors(point.GetVectors()).Dense}
	decodeFields(topicFields(&t.Topic), payload(point.GetPayload()))
	return t
}

// Stories returns stories in the order of ids, nil for those not stored. A story that was merged
// into another is returned as it is, with MergedInto; see ResolveStory.
func (s *Store) Stories(ctx context.Context, ids []string, with With) ([]*Story, error) {
	if err := s.readable(); err != nil {
		return nil, err
	}
	return byID(ctx, s, s.names.stories, ids, storyPoint, with, decodeStory, func(s *Story) string { return s.ID })
}

// Topics returns topics and themes in the order of ids, without vectors; nil for those not stored.
func (s *Store) Topics(ctx context.Context, ids []string) ([]*Topic, error) {
	if err := s.readable(); err != nil {
		return nil, err
	}
	return byID(ctx, s, s.names.topics, ids, topicPoint, WithNothing, decodeTopic, func(t *Topic) string { return t.ID })
}

// byID reads things in the order of their ids, nil for those not stored. An id that occurs twice
// gives the same pointer twice.
func byID[T any](ctx context.Context, s *Store, collection string, ids []string, point func(string) *qdrant.PointId, with With,
	decode func(*qdrant.RetrievedPoint) *T, id func(*T) string) ([]*T, error) {
	found := make(map[string]*T, len(ids))
	err := s.getAll(ctx, collection, pointIDs(ids, point), nil, with, func(p *qdrant.RetrievedPoint) {
		t := decode(p)
		found[id(t)] = t
	})
	if err != nil {
		return nil, err
	}
	out := make([]*T, len(ids))
	for i, id := range ids {
		out[i] = found[id]
	}
	return out, nil
}

// ScanStories calls fn for every story that passes the filter, as Scan does.
func (s *Store) ScanStories(ctx context.Context, filter news.StoryFilter, with With, fn func(*Story) error) error {
	if err := s.readable(); err != nil {
		return err
	}
	where, err := storyConditions(&filter)
	if err != nil {
		return err
	}
	return s.scan(ctx, s.names.stories, where, nil, with, func(p *qdrant.RetrievedPoint) error { return fn(decodeStory(p)) })
}

// ScanTopics calls fn for every topic that passes the filter, as Scan does. A topic has no other
// vector than the dense one.
func (s *Store) ScanTopics(ctx context.Context, filter news.TopicFilter, with With, fn func(*Topic) error) error {
	if err := s.readable(); err != nil {
		return err
	}
	where, err := topicConditions(&filter)
	if err != nil {
		return err
	}
	return s.scan(ctx, s.names.topics, where, nil, with&WithDense, func(p *qdrant.RetrievedPoint) error { return fn(decodeTopic(p)) })
}

// maxMerges bounds a chain of merges: longer ones are a cycle.
const maxMerges = 1000

// StoryReader reads stories by id; *Store is one.
type StoryReader interface {
	Stories(ctx context.Context, ids []string, with With) ([]*Story, error)
}

// ResolveStory returns a story, or the one that it was merged into, so the ID of the result may
// differ from id. An unknown id is a *NotFoundError.
func ResolveStory(ctx context.Context, r StoryReader, id string, with With) (*Story, error) {
	at := id
	for range maxMerges {
		found, err := r.Stories(ctx, []string{at}, with)
		if err != nil {
			return nil, err
		}
		if found[0] == nil {
			return nil, &NotFoundError{Kind: "story", ID: id}
		}
		if found[0].MergedInto == "" {
			return found[0], nil
		}
		at = found[0].MergedInto
	}
	return nil, fmt.Errorf("story %q: merged in a circle (got no end after %d merges)", id, maxMerges)
}

// MaxSampled is the largest number of articles of a story that another article is compared with.
const MaxSampled = 64

// Scanner reads articles; *Store is one.
type Scanner interface {
	Scan(ctx context.Context, filter news.Filter, with With, fn func(*Stored) error) error
}

// Members returns at most n articles of a story with vectors, ordered by id, without the article
// but; n 0 means all. Of a larger story they are arbitrary, but always the same.
func Members(ctx context.Context, r Scanner, storyID, but string, n int) ([]*Stored, error) {
	var members []*Stored
	err := r.Scan(ctx, news.Filter{StoryIDs: []string{storyID}}, WithVectors, func(s *Stored) error {
		if s.Article.ID != but {
			members = append(members, s)
		}
		if n > 0 && len(members) == n {
			return ErrStop
		}
		return nil
	})
	slices.SortFunc(members, func(a, b *Stored) int { return strings.Compare(a.Article.ID, b.Article.ID) })
	return members, err
}
