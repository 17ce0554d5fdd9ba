package evaluate

import (
	"context"
	"fmt"
	"iter"

	"throughline/internal/article"
	"throughline/internal/ingest"
	"throughline/internal/related"
	"throughline/internal/store"
	"throughline/internal/stories"
)

// System is what is evaluated: something that takes articles in and answers the two questions. It is empty at first.
type System interface {
	// Ingest stores articles, each once, and tells each the fate of every item. It returns when nothing is in flight.
	Ingest(ctx context.Context, items iter.Seq2[article.Article, error], each func(ingest.Report)) (ingest.Summary, error)
	// File makes stories and topics of all that is stored and says where each article is. An article that is in no story,
	// or no topic, has an empty one.
	File(ctx context.Context) (map[string]Place, error)
	// Related ranks what was written about the same thing as an article. It is called concurrently.
	Related(ctx context.Context, id string) (List, error)
}

// Place says where an article is filed.
type Place struct{ Story, Topic string }

// List is a ranked list of articles, which are read a stretch at a time because each costs something to show.
type List interface {
	// Hits returns at most n results from offset on.
	Hits(ctx context.Context, offset, n int) ([]Hit, error)
}

// Hit is one result of a list, with the probability that it is of the same story as what the list is about.
type Hit struct {
	ID          string
	Probability float64
}

// Engines is the product itself as a System. All are needed, and work on one store.
type Engines struct {
	Pipeline *ingest.Pipeline
	Coverage *related.Engine
	Stories  *stories.Engine
	Store    *store.Store
}

// Ingest stores articles without filing them: File does that for all of them at once, as the program does after a large ingest.
func (e Engines) Ingest(ctx context.Context, items iter.Seq2[article.Article, error], each func(ingest.Report)) (ingest.Summary, error) {
	return e.Pipeline.Run(ctx, items, ingest.Options{Each: each})
}

// File reclusters the store.
func (e Engines) File(ctx context.Context) (map[string]Place, error) {
	if _, err := e.Stories.Recluster(ctx, stories.ReclusterOptions{}, nil); err != nil {
		return nil, err
	}
	level := make(map[string]store.Level)
	for _, l := range []store.Level{store.LevelTopic, store.LevelTheme} {
		topics, err := e.Stories.Topics(ctx, stories.TopicsRequest{Level: l})
		if err != nil {
			return nil, err
		}
		for _, t := range topics {
			level[t.ID] = l
		}
	}
	places := make(map[string]Place)
	err := e.Store.Scan(ctx, store.WithNothing, func(s *store.Stored) error {
		place := Place{Story: s.Article.StoryID}
		for _, id := range s.Article.TopicIDs {
			if level[id] == store.LevelTopic {
				place.Topic = id
			}
		}
		places[s.Article.ID] = place
		return nil
	})
	return places, err
}

// Related asks with default settings, except that copies are kept: a copy is coverage of the same story.
func (e Engines) Related(ctx context.Context, id string) (List, error) {
	found, err := e.Coverage.Related(ctx, related.Request{
		Seed: related.Seed{ArticleID: id}, Shape: related.Shape{IncludeCopies: true},
	})
	if err != nil {
		return nil, err
	}
	if found.Partial() {
		return nil, fmt.Errorf("part of the store did not answer")
	}
	return rankedList{found}, nil
}

type rankedList struct{ found *related.List }

func (r rankedList) Hits(ctx context.Context, offset, n int) ([]Hit, error) {
	page, err := r.found.Page(ctx, offset, n)
	if err != nil {
		return nil, err
	}
	hits := make([]Hit, len(page))
	for i, result := range page {
		hits[i] = Hit{result.Article.ID, result.Probability}
	}
	return hits, nil
}
