package evaluate

import (
	"context"
	"iter"

	"throughline/internal/article"
)

// Fields of a line that hold the labels.
const (
	storyField = "story"
	topicField = "topic"
)

// Read reads labelled articles: any of the formats with named fields, usually one JSON object a line. The label of the story
// is the field "story", that of the topic "topic"; a missing, null or empty one is unknown.
func Read(ctx context.Context, path string, opts article.Options) iter.Seq2[Labelled, error] {
	opts.Keep = []string{storyField, topicField}
	return func(yield func(Labelled, error) bool) {
		for a, err := range article.Read(ctx, []string{path}, opts) {
			if !yield(Labelled{Article: a, Story: a.Extra[storyField], Topic: a.Extra[topicField]}, err) {
				return
			}
		}
	}
}
