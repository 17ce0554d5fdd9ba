package store

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/qdrant/go-client/qdrant"

	"throughline/internal/news"
)

// conditions is conditions of a filter whose stories and topics may have been merged into others.
func (s *Store) conditions(ctx context.Context, f news.Filter) (*qdrant.Filter, error) {
	if err := s.resolve(ctx, &f); err != nil {
		return nil, err
	}
	return conditions(&f)
}

// resolve adds to the stories and topics of a filter those that they were merged into.
func (s *Store) resolve(ctx context.Context, f *news.Filter) error {
	for _, list := range []struct {
		ids  *[]string
		find func(context.Context, []string) ([]string, error)
	}{{&f.TopicIDs, s.topicHeirs}, {&f.StoryIDs, s.storyHeirs}, {&f.ExcludeStoryIDs, s.storyHeirs}} {
		heirs, err := list.find(ctx, *list.ids)
		if err != nil {
			return err
		}
		*list.ids = heirs
	}
	return nil
}

// conditions translates a filter of articles or sections; nil lets everything pass. Both
// collections have the same fields, but for Pending, which is only for articles.
func conditions(f *news.Filter) (*qdrant.Filter, error) {
	for _, list := range []struct {
		field  string
		values []string
	}{
		{"sources", f.Sources}, {"exclude_sources", f.ExcludeSources}, {"languages", f.Languages}, {"topic_ids", f.TopicIDs},
		{"story_ids", f.StoryIDs}, {"exclude_story_ids", f.ExcludeStoryIDs}, {"exclude_article_ids", f.ExcludeArticleIDs},
	} {
		if err := checkValues(list.field, list.values); err != nil {
			return nil, err
		}
	}
	var b builder
	b.any(fieldSource, f.Sources)
	b.any(fieldLanguage, f.Languages)
	b.either(f.TopicIDs, fieldTopic, fieldTheme)
	b.any(fieldStory, f.StoryIDs)
	b.between(fieldPublished, f.After, f.Before)
	b.none(fieldSource, f.ExcludeSources)
	b.none(fieldStory, f.ExcludeStoryIDs)
	b.none(fieldArticle, f.ExcludeArticleIDs)
	if f.Pending {
		b.must = append(b.must, pending().Must...)
	}
	return b.filter(), nil
}

// storyConditions translates a filter of stories.
func storyConditions(f *news.StoryFilter) (*qdrant.Filter, error) {
	if err := checkValues("topic_ids", f.TopicIDs); err != nil {
		return nil, err
	}
	var b builder
	if !f.Merged {
		b.any(fieldState, []string{stateLive})
	}
	b.either(f.TopicIDs, fieldTopic, fieldTheme)
	// Two spans overlap when each begins before the other ends.
	b.between(fieldLast, f.After, time.Time{})
	b.between(fieldFirst, time.Time{}, f.Before)
	if f.MinArticles > 0 {
		b.must = append(b.must, qdrant.NewRange(fieldArticles, &qdrant.Range{Gte: qdrant.PtrOf(float64(f.MinArticles))}))
	}
	return b.filter(), nil
}

// topicConditions translates a filter of topics, of which parents has the parents.
func topicConditions(f *news.TopicFilter, parents []string) (*qdrant.Filter, error) {
	var b builder
	if f.Level != "" {
		c := &checker{}
		if c.level(f.Level); c.err != nil {
			return nil, c.err
		}
		b.any(fieldLevel, []string{string(f.Level)})
	}
	if err := checkValues("parent_id", parents); err != nil {
		return nil, err
	}
	b.any(fieldParent, parents)
	if !f.Merged {
		b.mustNot = liveTopics().MustNot
	}
	return b.filter(), nil
}

// pending selects the articles whose membership is still to be decided.
func pending() *qdrant.Filter {
	return must(qdrant.NewMatchInt(fieldFiled, 0))
}

// live selects the stories that were not merged away.
func live() *qdrant.Filter {
	return must(qdrant.NewMatchKeyword(fieldState, stateLive))
}

// liveTopics selects the topics that were not merged away. Those of earlier versions have no state.
func liveTopics() *qdrant.Filter {
	return &qdrant.Filter{MustNot: []*qdrant.Condition{qdrant.NewMatchKeyword(fieldState, stateMerged)}}
}

// must selects what meets all conditions.
func must(conditions ...*qdrant.Condition) *qdrant.Filter { return &qdrant.Filter{Must: conditions} }

// builder collects conditions; empty lists and zero times add none.
type builder struct{ must, mustNot []*qdrant.Condition }

func (b *builder) any(field string, values []string) {
	if len(values) > 0 {
		b.must = append(b.must, qdrant.NewMatchKeywords(field, values...))
	}
}

func (b *builder) none(field string, values []string) {
	if len(values) > 0 {
		b.mustNot = append(b.mustNot, qdrant.NewMatchKeywords(field, values...))
	}
}

// either keeps what has one of the values in one of two fields.
func (b *builder) either(values []string, first, second string) {
	if len(values) > 0 {
		b.must = append(b.must, qdrant.NewFilterAsCondition(&qdrant.Filter{Should: []*qdrant.Condition{
			qdrant.NewMatchKeywords(first, values...), qdrant.NewMatchKeywords(second, values...)}}))
	}
}

// between keeps what has the field with a value in [after, before). Milliseconds are exact in a
// float64 for the next 280,000 years.
func (b *builder) between(field string, after, before time.Time) {
	if after.IsZero() && before.IsZero() {
		return
	}
	r := &qdrant.Range{}
	if !after.IsZero() {
		r.Gte = qdrant.PtrOf(float64(after.UnixMilli()))
	}
	if !before.IsZero() {
		r.Lt = qdrant.PtrOf(float64(before.UnixMilli()))
	}
	b.must = append(b.must, qdrant.NewRange(field, r))
}

func (b *builder) filter() *qdrant.Filter {
	if len(b.must) == 0 && len(b.mustNot) == 0 {
		return nil
	}
	return &qdrant.Filter{Must: b.must, MustNot: b.mustNot}
}

// checkValues fails for values that cannot be sent.
func checkValues(field string, values []string) error {
	for i, v := range values {
		if !utf8.ValidString(v) {
			return &InvalidError{Field: fmt.Sprintf("filter.%s[%d]", field, i), Reason: "not valid UTF-8"}
		}
	}
	return nil
}
