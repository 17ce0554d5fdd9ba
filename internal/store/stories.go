package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/qdrant/go-client/qdrant"

	"throughline/internal/news"
)

// stateOf is the state of a story or topic.
func stateOf(mergedInto string) map[string]any {
	if mergedInto != "" {
		return map[string]any{fieldState: stateMerged}
	}
	return map[string]any{fieldState: stateLive}
}

func encodeStory(s *Story) (*qdrant.PointStruct, error) {
	return newPoint(storyPoint(s.ID), storyFields(&s.Story), stateOf(s.MergedInto), &s.Vectors)
}

func decodeStory(point *qdrant.RetrievedPoint) *Story {
	s := &Story{Vectors: decodeVectors(point.GetVectors())}
	decodeFields(storyFields(&s.Story), payload(point.GetPayload()))
	return s
}

func encodeTopic(t *Topic) (*qdrant.PointStruct, error) {
	return newPoint(topicPoint(t.ID), topicFields(&t.Topic), stateOf(t.MergedInto), &Vectors{Dense: t.Dense})
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
// One that was merged into another is returned as it is, with MergedInto; see ResolveTopic.
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
	var err error
	if filter.TopicIDs, err = s.topicHeirs(ctx, filter.TopicIDs); err != nil {
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
	var parents []string
	if filter.ParentID != "" {
		var err error
		if parents, err = s.topicHeirs(ctx, []string{filter.ParentID}); err != nil {
			return err
		}
	}
	where, err := topicConditions(&filter, parents)
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
	return resolve("story", id, func(id string) (*Story, string, error) {
		found, err := r.Stories(ctx, []string{id}, with)
		if err != nil || found[0] == nil {
			return nil, "", err
		}
		return found[0], found[0].MergedInto, nil
	})
}

// TopicReader reads topics by id; *Store is one.
type TopicReader interface {
	Topics(ctx context.Context, ids []string) ([]*Topic, error)
}

// ResolveTopic returns a topic or theme as ResolveStory does a story.
func ResolveTopic(ctx context.Context, r TopicReader, id string) (*Topic, error) {
	return resolve("topic", id, func(id string) (*Topic, string, error) {
		found, err := r.Topics(ctx, []string{id})
		if err != nil || found[0] == nil {
			return nil, "", err
		}
		return found[0], found[0].MergedInto, nil
	})
}

// resolve follows merges. read returns what has an id, nil for nothing, and the id of what it was
// merged into.
func resolve[T any](kind, id string, read func(id string) (*T, string, error)) (*T, error) {
	at := id
	for range maxMerges {
		found, into, err := read(at)
		switch {
		case err != nil:
			return nil, err
		case found == nil:
			return nil, &NotFoundError{Kind: kind, ID: id}
		case into == "":
			return found, nil
		}
		at = into
	}
	return nil, fmt.Errorf("%s %q: merged in a circle (got no end after %d merges)", kind, id, maxMerges)
}

// topicHeirs adds to the ids of topics those of the topics that these were merged into, so that a
// filter by a merged topic finds what is in its heir, at any point of the merge.
func (s *Store) topicHeirs(ctx context.Context, ids []string) ([]string, error) {
	return s.withHeirs(ctx, s.names.topics, topicPoint, ids)
}

// storyHeirs is topicHeirs for stories.
func (s *Store) storyHeirs(ctx context.Context, ids []string) ([]string, error) {
	return s.withHeirs(ctx, s.names.stories, storyPoint, ids)
}

func (s *Store) withHeirs(ctx context.Context, collection string, point func(id string) *qdrant.PointId, ids []string) ([]string, error) {
	all := slices.Clone(ids)
	for last := ids; len(last) > 0; {
		var next []string
		err := s.getAll(ctx, collection, pointIDs(last, point), []string{fieldMergedInto}, WithNothing, func(p *qdrant.RetrievedPoint) {
			if into := payload(p.GetPayload()).text(fieldMergedInto); into != "" && !slices.Contains(all, into) {
				all, next = append(all, into), append(next, into)
			}
		})
		if err != nil {
			return nil, err
		}
		last = next
	}
	return all, nil
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
