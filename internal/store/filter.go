package store

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/qdrant/go-client/qdrant"
)

// conditions translates a filter of articles or sections; nil lets everything pass. Both collections carry the same fields,
// so one translation serves both.
func (f *Filter) conditions() (*qdrant.Filter, error) {
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
	b.any(fieldTopics, f.TopicIDs)
	b.any(fieldStory, f.StoryIDs)
	b.between(fieldPublished, f.After, f.Before)
	b.none(fieldSource, f.ExcludeSources)
	b.none(fieldStory, f.ExcludeStoryIDs)
	b.none(fieldArticle, f.ExcludeArticleIDs)
	return b.filter(), nil
}

// storyConditions translates a filter of a query over stories, which must not be merged away.
func (f *Filter) storyConditions() (*qdrant.Filter, error) {
	for _, list := range []struct {
		field  string
		values []string
	}{
		{"sources", f.Sources}, {"exclude_sources", f.ExcludeSources}, {"languages", f.Languages}, {"exclude_article_ids", f.ExcludeArticleIDs},
	} {
		if len(list.values) > 0 {
			return nil, &InvalidError{Field: "filter." + list.field, Reason: "does not apply to stories"}
		}
	}
	sf := StoryFilter{TopicIDs: f.TopicIDs, After: f.After, Before: f.Before}
	if err := checkValues("story_ids", f.StoryIDs); err != nil {
		return nil, err
	}
	if err := checkValues("exclude_story_ids", f.ExcludeStoryIDs); err != nil {
		return nil, err
	}
	b, err := sf.builder()
	if err != nil {
		return nil, err
	}
	b.any(fieldStory, f.StoryIDs)
	b.none(fieldStory, f.ExcludeStoryIDs)
	return b.filter(), nil
}

func (f *StoryFilter) builder() (*builder, error) {
	if err := checkValues("topic_ids", f.TopicIDs); err != nil {
		return nil, err
	}
	b := &builder{}
	if !f.Merged {
		b.any(fieldState, []string{stateLive})
	}
	if len(f.TopicIDs) > 0 {
		b.must = append(b.must, qdrant.NewFilterAsCondition(&qdrant.Filter{Should: []*qdrant.Condition{
			qdrant.NewMatchKeywords(fieldTopic, f.TopicIDs...), qdrant.NewMatchKeywords(fieldTheme, f.TopicIDs...)}}))
	}
	// Two spans overlap when each begins before the other ends.
	b.between(fieldLast, f.After, time.Time{})
	b.between(fieldFirst, time.Time{}, f.Before)
	if f.MinArticles > 0 {
		b.must = append(b.must, qdrant.NewRange(fieldArticles, &qdrant.Range{Gte: qdrant.PtrOf(float64(f.MinArticles))}))
	}
	return b, nil
}

// live selects the stories that were not merged away.
func live() *qdrant.Filter {
	return &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchKeyword(fieldState, stateLive)}}
}

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

// between keeps what has the field with a value in [after, before). Milliseconds are exact in a float64 for the next
// 280,000 years.
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

// checkValues refuses what cannot be sent.
func checkValues(field string, values []string) error {
	for i, v := range values {
		if !utf8.ValidString(v) {
			return &InvalidError{Field: fmt.Sprintf("filter.%s[%d]", field, i), Reason: "not valid UTF-8"}
		}
	}
	return nil
}
