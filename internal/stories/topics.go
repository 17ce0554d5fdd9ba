package stories

import (
	"context"
	"maps"
	"slices"
	"strings"

	"throughline/internal/points"
)

// titleKeywords is how many keywords name a topic.
const titleKeywords = 3

// arrangeTopics makes topics and themes of the ladder's labels, gives them the ids of those they overlap most with, and
// files every article. It needs the stories to be described.
func (r *run) arrangeTopics(ctx context.Context, storyOf []int) error {
	topics, themes := byLabel(r.ladder.Topic), byLabel(r.ladder.Theme)
	topicIDs := r.carryTopics(topics, points.LevelTopic)
	themeIDs := r.carryTopics(themes, points.LevelTheme)
	topicWords, err := r.keywords(ctx, topics)
	if err != nil {
		return err
	}
	themeWords, err := r.keywords(ctx, themes)
	if err != nil {
		return err
	}
	themeOf := func(i int) string {
		if l := r.ladder.Theme[i]; l >= 0 {
			return themeIDs[l]
		}
		return ""
	}
	for t, indices := range themes {
		r.now.topics = append(r.now.topics, r.topic(themeIDs[t], points.LevelTheme, "", themeWords[t], indices, storyOf))
	}
	for t, indices := range topics {
		r.now.topics = append(r.now.topics, r.topic(topicIDs[t], points.LevelTopic, themeOf(indices[0]), topicWords[t], indices, storyOf))
	}
	for _, ids := range [][]string{topicIDs, themeIDs} {
		for _, id := range ids {
			delete(r.oldTopics, id)
		}
	}
	r.now.dropped = slices.Sorted(maps.Keys(r.oldTopics))
	r.summary.Topics, r.summary.Themes = len(topics), len(themes)

	for i, a := range r.articles {
		topic := ""
		if l := r.ladder.Topic[i]; l >= 0 {
			topic = topicIDs[l]
		}
		theme := themeOf(i)
		filed := points.Assignment{ArticleID: a.Article.ID, TopicIDs: nonEmpty(topic, theme), CopyOf: a.Article.CopyOf}
		if g := storyOf[i]; g >= 0 {
			story := &r.now.stories[g]
			story.TopicID, story.ThemeID = topic, theme
			filed.StoryID, filed.Probability = story.ID, float64(r.ladder.Strength[i])
		}
		r.now.of[a.Article.ID] = filed
	}
	return nil
}

// carryTopics gives the groups the ids of the old topics of that level that they overlap most with.
func (r *run) carryTopics(groups [][]int, level points.Level) []string {
	old := make(map[string]group)
	for _, a := range r.articles {
		for _, id := range a.Article.TopicIDs {
			if t := r.oldTopics[id]; t != nil && t.Level == level {
				old[id] = append(old[id], a.Article.ID)
			}
		}
	}
	now := make([]group, len(groups))
	for g, indices := range groups {
		now[g] = r.ids(indices)
	}
	return carry(old, now, func() string { return r.cfg.NewID(string(level)) }).ids
}

func (r *run) topic(id string, level points.Level, parent string, words []string, indices []int, storyOf []int) points.Topic {
	members := r.stored(indices)
	t := points.Topic{ID: id, Level: level, ParentID: parent, Keywords: words, Articles: len(indices), Dense: meanDense(members), Version: 1}
	t.First, t.Last = span(members)
	sizes := make(map[int]int)
	for _, i := range indices {
		if g := storyOf[i]; g >= 0 {
			sizes[g]++
		}
	}
	t.Stories = len(sizes)
	largest := 0
	for _, g := range slices.Sorted(maps.Keys(sizes)) {
		if sizes[g] > largest {
			largest, t.Representative = sizes[g], r.now.stories[g].ID
		}
	}
	t.Title = strings.Join(words[:min(len(words), titleKeywords)], ", ")
	if t.Title == "" {
		t.Title = representative(members, t.Dense).Article.Title
	}
	if before := r.oldTopics[id]; before != nil {
		t.Version = before.Version
		if before.Title != t.Title || before.Articles != t.Articles || before.Stories != t.Stories || before.ParentID != t.ParentID ||
			!slices.Equal(before.Keywords, t.Keywords) {
			t.Version++
		}
	}
	return t
}
