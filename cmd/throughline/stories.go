package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	throughlinev1 "throughline/proto/throughline/v1"
)

type storiesCmd struct {
	Limit       int32    `short:"n" default:"20" help:"Most stories to list."`
	Order       string   `enum:"largest,latest" default:"largest" help:"${enum}."`
	Topic       []string `sep:"none" placeholder:"ID" help:"Only stories of this topic or theme. May be repeated."`
	Source      []string `sep:"none" placeholder:"NAME" help:"Only stories with an article of this source. May be repeated."`
	After       string   `placeholder:"DATE" help:"Only stories with an article of this day (2024-03-29) or later."`
	Before      string   `placeholder:"DATE" help:"Only stories whose first article is older than this day."`
	MinArticles int32    `help:"Only stories with at least this many articles; 0: all."`
	AddrFlag
}

// Run lists stories.
func (c *storiesCmd) Run(ctx context.Context, p *program) error {
	if err := checkLimit(c.Limit, maxListed); err != nil {
		return err
	}
	after, before, err := period(c.After, c.Before)
	if err != nil {
		return err
	}
	order := throughlinev1.StoryOrder_STORY_ORDER_LARGEST
	if c.Order == "latest" {
		order = throughlinev1.StoryOrder_STORY_ORDER_LATEST
	}
	return ask(ctx, p, c.Addr, false, func(a *api) (*throughlinev1.ListStoriesResponse, error) {
		return a.clusters.ListStories(ctx, &throughlinev1.ListStoriesRequest{
			TopicIds: c.Topic, Sources: c.Source, PublishedAfter: after, PublishedBefore: before, MinArticles: c.MinArticles,
			Order: order, PageSize: c.Limit,
		})
	}, func(page *throughlinev1.ListStoriesResponse) error {
		switch {
		case len(page.GetStories()) > 0:
			return p.printStories(page.GetStories(), page.GetNextPageToken() != "")
		case len(c.Topic)+len(c.Source) > 0 || after != nil || before != nil || c.MinArticles > 0:
			fmt.Fprintln(p.stdout, "No such stories.")
		default:
			fmt.Fprintln(p.stdout, "No stories: a story needs two articles about one event.")
		}
		return nil
	})
}

func (p *program) printStories(list []*throughlinev1.Story, more bool) error {
	var rows [][]string
	for _, s := range list {
		rows = append(rows, []string{
			s.GetId(), strconv.Itoa(int(s.GetArticleCount())), strconv.Itoa(int(s.GetIndependentReportCount())), strconv.Itoa(len(s.GetSources())),
			span(s.GetFirstPublishedTime(), s.GetLastPublishedTime()), clip(s.GetTitle(), titleWidth),
		})
	}
	return p.table(more, "STORY ARTICLES INDEPENDENT SOURCES PUBLISHED TITLE", rows)
}

type storyCmd struct {
	ID    string `arg:"" name:"id" help:"Id of a story. The id of a merged story shows the story it is part of."`
	Limit int32  `short:"n" default:"100" help:"Most articles to list."`
	AddrFlag
}

// Run shows a story.
func (c *storyCmd) Run(ctx context.Context, p *program) error {
	if err := checkLimit(c.Limit, maxListed); err != nil {
		return err
	}
	return ask(ctx, p, c.Addr, false, func(a *api) (*throughlinev1.Story, error) {
		return a.clusters.GetStory(ctx, &throughlinev1.GetStoryRequest{StoryId: c.ID, MaxArticles: c.Limit})
	}, p.printStory)
}

func (p *program) printStory(s *throughlinev1.Story) error {
	fmt.Fprintf(p.stdout, "%s\n  %s, %s of %s, %s\n", s.GetTitle(), s.GetId(), plural(int(s.GetArticleCount()), "article", "articles"),
		plural(len(s.GetSources()), "source", "sources"), span(s.GetFirstPublishedTime(), s.GetLastPublishedTime()))
	if n := s.GetIndependentReportCount(); n < s.GetArticleCount() {
		fmt.Fprintf(p.stdout, "  %s, written by %s\n", plural(int(n), "independent report", "independent reports"),
			plural(int(s.GetIndependentSourceCount()), "known source", "known sources"))
	}
	if len(s.GetKeywords()) > 0 {
		fmt.Fprintf(p.stdout, "  keywords: %s\n", strings.Join(s.GetKeywords(), ", "))
	}
	if s.GetTopicId() != "" {
		fmt.Fprintf(p.stdout, "  topic: %s\n", s.GetTopicId())
	}
	fmt.Fprintln(p.stdout)
	var rows [][]string
	for _, art := range s.GetArticles() {
		copyOf := ""
		if art.GetCopyOf() != "" {
			copyOf = " (copy of " + art.GetCopyOf() + ")"
		}
		rows = append(rows, []string{day(art.GetPublishedTime()), art.GetId(), art.GetSource(), clip(art.GetTitle(), titleWidth) + copyOf})
	}
	return p.table(s.GetArticlesTruncated(), "PUBLISHED ARTICLE SOURCE TITLE", rows)
}

type topicsCmd struct {
	Limit int32  `short:"n" default:"50" help:"Most topics to list."`
	Level string `enum:"all,topic,theme" default:"all" help:"all (themes with their topics below), topic, or theme. Default: ${default}."`
	Theme string `placeholder:"ID" help:"Only topics of this theme."`
	AddrFlag
}

// Run lists topics, those of a theme below it. A list that is cut at the limit has the theme of
// every topic, because the larger comes first.
func (c *topicsCmd) Run(ctx context.Context, p *program) error {
	if err := checkLimit(c.Limit, maxListed); err != nil {
		return err
	}
	level := map[string]throughlinev1.TopicLevel{
		"topic": throughlinev1.TopicLevel_TOPIC_LEVEL_TOPIC, "theme": throughlinev1.TopicLevel_TOPIC_LEVEL_THEME,
	}[c.Level]
	return ask(ctx, p, c.Addr, false, func(a *api) (*throughlinev1.ListTopicsResponse, error) {
		return a.clusters.ListTopics(ctx, &throughlinev1.ListTopicsRequest{Level: level, ParentId: c.Theme, PageSize: c.Limit})
	}, func(page *throughlinev1.ListTopicsResponse) error {
		switch {
		case len(page.GetTopics()) > 0:
			return p.printTopics(page.GetTopics(), page.GetNextPageToken() != "")
		case c.Theme != "" || level != throughlinev1.TopicLevel_TOPIC_LEVEL_UNSPECIFIED:
			fmt.Fprintln(p.stdout, "No such topics.")
		default:
			fmt.Fprintln(p.stdout, "No topics: an ingest of many articles makes them, and throughline cluster --apply does.")
		}
		return nil
	})
}

// printTopics prints topics as a tree: those of a theme of the list are indented below it.
func (p *program) printTopics(list []*throughlinev1.Topic, more bool) error {
	listed, below := make(map[string]bool), make(map[string][]*throughlinev1.Topic)
	for _, t := range list {
		listed[t.GetId()] = true
	}
	for _, t := range list {
		parent := t.GetParentId()
		if !listed[parent] {
			parent = ""
		}
		below[parent] = append(below[parent], t)
	}
	var rows [][]string
	var show func(parent, indent string)
	show = func(parent, indent string) {
		for _, t := range below[parent] {
			level := strings.ToLower(strings.TrimPrefix(t.GetLevel().String(), "TOPIC_LEVEL_"))
			rows = append(rows, []string{
				t.GetId(), level, strconv.Itoa(int(t.GetStoryCount())), strconv.Itoa(int(t.GetArticleCount())), indent + clip(t.GetTitle(), titleWidth),
			})
			show(t.GetId(), indent+"  ")
		}
	}
	show("", "")
	return p.table(more, "TOPIC LEVEL STORIES ARTICLES TITLE", rows)
}

type topicCmd struct {
	ID    string `arg:"" name:"id" help:"Id of a topic or theme."`
	Limit int32  `short:"n" default:"50" help:"Most stories to list."`
	AddrFlag
}

// Run shows a topic.
func (c *topicCmd) Run(ctx context.Context, p *program) error {
	if err := checkLimit(c.Limit, maxListed); err != nil {
		return err
	}
	return ask(ctx, p, c.Addr, false, func(a *api) (*throughlinev1.Topic, error) {
		return a.clusters.GetTopic(ctx, &throughlinev1.GetTopicRequest{TopicId: c.ID, MaxStories: c.Limit})
	}, p.printTopic)
}

func (p *program) printTopic(t *throughlinev1.Topic) error {
	fmt.Fprintf(p.stdout, "%s\n  %s, %s, %s, %s\n\n", t.GetTitle(), t.GetId(), plural(int(t.GetStoryCount()), "story", "stories"),
		plural(int(t.GetArticleCount()), "article", "articles"), span(t.GetFirstPublishedTime(), t.GetLastPublishedTime()))
	if len(t.GetTopics()) > 0 {
		if err := p.printTopics(t.GetTopics(), false); err != nil {
			return err
		}
		fmt.Fprintln(p.stdout)
	}
	if len(t.GetStories()) == 0 {
		return nil
	}
	return p.printStories(t.GetStories(), t.GetStoriesTruncated())
}
