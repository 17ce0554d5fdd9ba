package stories

import (
	"context"
	"maps"
	"slices"
	"strings"

	"throughline/internal/store"
)

// titleKeywords is how many keywords name a topic.
const titleKeywords = 3

// fileTopics makes topics and themes of the ladder's labels, gives them the ids of those they overlap most with, and files
// every article and story. It needs the stories to be described.
func (r *run) fileTopics(ctx context.Context) error {
	topics, themes := byLabel(r.ladder.Topic), byLabel(r.ladder.Theme)
	topicIDs, themeIDs := r.carryTopics(topics, store.LevelTopic), r.carryTopics(themes, store.LevelTheme)
	topicWords, err := r.keywords(ctx, topics)
	if err != nil {
		return err
	}
	themeWords, err := r.keywords(ctx, themes)
	if err != nil {
		return err
	}
	of := func(i int) (topic, theme string) {
		if l := r.ladder.Topic[i]; l >= 0 {
			topic = topicIDs[l]
		}
		if l := r.ladder.Theme[i]; l >= 0 {
			theme = themeIDs[l]
		}
		return topic, theme
	}
	for t, indices := range themes {
		r.topics = append(r.topics, r.topic(themeIDs[t], store.LevelTheme, "", themeWords[t], indices))
	}
	for t, indices := range topics {
		_, theme := of(indices[0])
		r.topics = append(r.topics, r.topic(topicIDs[t], store.LevelTopic, theme, topicWords[t], indices))
	}
	r.summary.Topics, r.summary.Themes = len(topics), len(themes)

	for i, a := range r.articles {
		topic, theme := of(i)
		a.Article.TopicIDs = namedTopics(topic, theme)
		if g := r.ladder.Story[i]; g >= 0 {
			r.stories[g].TopicID, r.stories[g].ThemeID = topic, theme
		}
	}
	return nil
}

// carryTopics gives the groups the ids of the old topics of that level that they overlap most with.
func (r *run) carryTopics(groups [][]int, level store.Level) []string {
	old := make(map[string]group)
	for _, a := range r.was {
		for _, id := range a.TopicIDs {
			if t := r.oldTopics[id]; t != nil && t.Level == level {
				old[id] = append(old[id], a.ArticleID)
			}
		}
	}
	now := make([]group, len(groups))
	for g, indices := range groups {
		now[g] = r.ids(indices)
	}
	return carry(old, now, func() string { return r.cfg.NewID(string(level)) })
}

func (r *run) topic(id string, level store.Level, parent string, words []string, indices []int) store.Topic {
	members := r.stored(indices)
	t := store.Topic{ID: id, Level: level, ParentID: parent, Keywords: words, Articles: len(indices), Dense: meanDense(members)}
	t.First, t.Last = span(members)
	sizes := make(map[int32]int)
	for _, i := range indices {
		if g := r.ladder.Story[i]; g >= 0 {
			sizes[g]++
		}
	}
	t.Stories = len(sizes)
	largest := 0
	for _, g := range slices.Sorted(maps.Keys(sizes)) {
		if sizes[g] > largest {
			largest, t.Representative = sizes[g], r.stories[g].ID
		}
	}
	if old := r.oldTopics[id]; old != nil {
		if holds(old.Naming, members) {
			t.Title, t.Naming = old.Title, old.Naming
			return t
		}
		t.Naming = unnamed(old.Naming)
	}
	t.Title = strings.Join(words[:min(len(words), titleKeywords)], ", ")
	if t.Title == "" {
		t.Title = representative(members, t.Dense).Article.Title
	}
	return t
}
