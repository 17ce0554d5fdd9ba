package seedtest

import "fmt"

// check reports the first inconsistency.
func (e Expected) check() error {
	topics := map[string]bool{}
	for _, t := range e.Topics {
		if t.Slug == "" || t.Title == "" || topics[t.Slug] {
			return fmt.Errorf("topic %q: no slug, no title or listed twice", t.Slug)
		}
		topics[t.Slug] = true
	}
	themed := map[string]bool{}
	themes := map[string]bool{}
	for _, t := range e.Themes {
		if t.Slug == "" || t.Title == "" || themes[t.Slug] {
			return fmt.Errorf("theme %q: no slug, no title or listed twice", t.Slug)
		}
		themes[t.Slug] = true
		for _, topic := range t.Topics {
			if !topics[topic] || themed[topic] {
				return fmt.Errorf("theme %s: topic %q is unknown or has a theme already", t.Slug, topic)
			}
			themed[topic] = true
		}
	}
	if len(themed) != len(topics) {
		return fmt.Errorf("%d of %d topics have a theme", len(themed), len(topics))
	}
	stories := map[string]bool{}
	for _, s := range e.Stories {
		if s.Slug == "" || s.Title == "" || stories[s.Slug] {
			return fmt.Errorf("story %q: no slug, no title or listed twice", s.Slug)
		}
		if !topics[s.Topic] {
			return fmt.Errorf("story %s: unknown topic %q", s.Slug, s.Topic)
		}
		stories[s.Slug] = true
	}
	for _, l := range e.LookAlikes {
		seen := map[string]bool{}
		for _, s := range l.Stories {
			if !stories[s] || seen[s] {
				return fmt.Errorf("look-alikes %v: story %q is unknown or listed twice", l.Stories, s)
			}
			seen[s] = true
		}
		if len(seen) < 2 || l.Why == "" {
			return fmt.Errorf("look-alikes %v: need two stories and a reason", l.Stories)
		}
	}
	for _, s := range e.Sequels {
		if !stories[s.Story] || !stories[s.Follows] || s.Story == s.Follows {
			return fmt.Errorf("sequel %q of %q: not two known stories", s.Story, s.Follows)
		}
	}
	return e.checkArticles(topics, stories)
}

func (e Expected) checkArticles(topics, stories map[string]bool) error {
	byID := map[string]Article{}
	handles := map[string]bool{}
	members := map[string]int{}
	for _, a := range e.Articles {
		if _, twice := byID[a.ID]; a.ID == "" || twice || handles[a.Handle()] {
			return fmt.Errorf("article %q: no id, or id or name listed twice", a.Handle())
		}
		byID[a.ID] = a
		handles[a.Handle()] = true
		switch {
		case a.File == "":
			return fmt.Errorf("article %s: no file", a.Handle())
		case a.Story != "" && !stories[a.Story]:
			return fmt.Errorf("article %s: unknown story %q", a.Handle(), a.Story)
		case a.Topic != "" && !topics[a.Topic]:
			return fmt.Errorf("article %s: unknown topic %q", a.Handle(), a.Topic)
		case a.Story != "" && a.Topic != "":
			return fmt.Errorf("article %s: has the topic of its story and cannot have another", a.Handle())
		}
		switch a.Kind {
		case Report, Brief, FollowUp, Background:
		default:
			return fmt.Errorf("article %s: unknown kind %q", a.Handle(), a.Kind)
		}
		members[a.Story]++
	}
	for _, a := range e.Articles {
		if a.CopyOf == "" {
			if a.Truncated {
				return fmt.Errorf("article %s: truncated, but no copy", a.Handle())
			}
			continue
		}
		original, ok := byID[a.CopyOf]
		if !ok || original.CopyOf != "" || original.ID == a.ID || original.Story != a.Story {
			return fmt.Errorf("article %s: copy_of %q is not an original of the same story", a.Handle(), a.CopyOf)
		}
	}
	for _, s := range e.Stories {
		if members[s.Slug] < 2 {
			return fmt.Errorf("story %s: %d articles, a story needs two", s.Slug, members[s.Slug])
		}
	}
	return nil
}

// Article returns the expectations of one article by its id or its handle.
func (e Expected) Article(id string) (Article, bool) {
	for _, a := range e.Articles {
		if a.ID == id || a.Handle() == id {
			return a, true
		}
	}
	return Article{}, false
}

// Members returns the ids of the articles of a story, copies included, in the order of the list.
func (e Expected) Members(story string) []string {
	var ids []string
	for _, a := range e.Articles {
		if a.Story == story && story != "" {
			ids = append(ids, a.ID)
		}
	}
	return ids
}

// TopicOf returns the topic of an article: that of its story, or its own. Empty: none fits.
func (e Expected) TopicOf(a Article) string {
	for _, s := range e.Stories {
		if s.Slug == a.Story {
			return s.Topic
		}
	}
	return a.Topic
}

// ThemeOf returns the theme of a topic; empty for no topic.
func (e Expected) ThemeOf(topic string) string {
	for _, t := range e.Themes {
		for _, slug := range t.Topics {
			if slug == topic {
				return t.Slug
			}
		}
	}
	return ""
}

// StoryLabels returns one label per article id, equal for the articles of a story, for scoring. A
// one-off has a label of its own: to put it into a story is an error. -1: the id is not expected at
// all.
func (e Expected) StoryLabels(ids []string) []int32 {
	return e.labels(ids, func(a Article) string {
		if a.Story == "" {
			return "one-off " + a.ID
		}
		return "story " + a.Story
	})
}

// TopicLabels returns one label per article id, equal for the articles of a topic. -1: no topic is
// expected, or the id is not.
func (e Expected) TopicLabels(ids []string) []int32 { return e.labels(ids, e.TopicOf) }

// ThemeLabels is TopicLabels for themes.
func (e Expected) ThemeLabels(ids []string) []int32 {
	return e.labels(ids, func(a Article) string { return e.ThemeOf(e.TopicOf(a)) })
}

// labels numbers the classes by first appearance in ids.
func (e Expected) labels(ids []string, class func(Article) string) []int32 {
	byID := make(map[string]Article, len(e.Articles))
	for _, a := range e.Articles {
		byID[a.ID] = a
	}
	numbers := map[string]int32{}
	out := make([]int32, len(ids))
	for i, id := range ids {
		out[i] = -1
		a, ok := byID[id]
		if !ok {
			continue
		}
		name := class(a)
		if name == "" {
			continue
		}
		if _, ok := numbers[name]; !ok {
			numbers[name] = int32(len(numbers))
		}
		out[i] = numbers[name]
	}
	return out
}
