package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	throughlinev1 "throughline/proto/throughline/v1"
)

// FilterFlags narrow an answer to some articles.
type FilterFlags struct {
	Source        []string `sep:"none" placeholder:"NAME" help:"Only articles of this outlet; may be repeated."`
	ExcludeSource []string `sep:"none" placeholder:"NAME" help:"No articles of this outlet; may be repeated."`
	Language      []string `sep:"none" placeholder:"CODE" help:"Only articles in this language; may be repeated."`
	Topic         []string `sep:"none" placeholder:"ID" help:"Only articles of this topic or theme; may be repeated."`
	After         string   `placeholder:"DATE" help:"Published on this day (2024-03-29) or later."`
	Before        string   `placeholder:"DATE" help:"Published before this day."`
}

func (f FilterFlags) filter() (*throughlinev1.ArticleFilter, error) {
	after, err := moment("--after", f.After)
	if err != nil {
		return nil, err
	}
	before, err := moment("--before", f.Before)
	if err != nil {
		return nil, err
	}
	return &throughlinev1.ArticleFilter{
		Sources: f.Source, ExcludeSources: f.ExcludeSource, Languages: f.Language, TopicIds: f.Topic, PublishedAfter: after, PublishedBefore: before,
	}, nil
}

// moment reads the value of a flag that is a day or a time; empty is none.
func moment(flag, value string) (*timestamppb.Timestamp, error) {
	if value == "" {
		return nil, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, value); err == nil {
			return timestamppb.New(t), nil
		}
	}
	return nil, usageError{fmt.Errorf("%s %q: give a day like 2024-03-29 or a time like 2024-03-29T12:00:00Z", flag, value)}
}

// ShapeFlags say what a list may hold and how it is ordered.
type ShapeFlags struct {
	Limit          int32         `short:"n" default:"10" help:"How many results."`
	ExcludeArticle []string      `sep:"none" placeholder:"ID" help:"Never this article; may be repeated."`
	ExcludeStory   []string      `sep:"none" placeholder:"ID" help:"No article of this story; may be repeated."`
	MaxPerSource   int32         `help:"At most this many of one outlet; 0: no limit."`
	MaxPerStory    int32         `help:"At most this many of one story; 0: no limit."`
	Diversity      float64       `help:"0 to 1: how much results must differ from those above them."`
	HalfLife       time.Duration `placeholder:"DURATION" help:"The score halves with every such age, e.g. 72h."`
	IncludeCopies  bool          `help:"Show copies too."`
	Explain        bool          `help:"Show what each signal gave."`
}

// maxResults is the most results that the API gives at once, maxListed the most entries of a list.
const (
	maxResults = 200
	maxListed  = 1000
)

func (s ShapeFlags) halfLife() *durationpb.Duration {
	if s.HalfLife == 0 {
		return nil
	}
	return durationpb.New(s.HalfLife)
}

type relatedCmd struct {
	ID             string   `arg:"" optional:"" name:"id" help:"Id of an article."`
	Text           string   `placeholder:"FILE" help:"Relate the text in this file instead; - is standard input."`
	Title          string   `help:"Title that belongs to --text."`
	Story          string   `placeholder:"ID" help:"Relate a story instead."`
	Liked          []string `sep:"none" placeholder:"ID" help:"Relate to articles a reader liked; may be repeated."`
	Disliked       []string `sep:"none" placeholder:"ID" help:"With --liked: keep away from this article; may be repeated."`
	Section        int32    `default:"-1" help:"Relate only this section of the article, from 0."`
	MinProbability float64  `help:"Leave out results that are less likely the same story."`
	Relation       []string `sep:"none" placeholder:"KIND" help:"Only copy, same-story, follow-up, background or same-topic; may be repeated."`
	FilterFlags
	ShapeFlags
	AddrFlag
}

// Run asks for related coverage.
func (c *relatedCmd) Run(ctx context.Context, p *program) error {
	request, err := c.request(p)
	if err != nil {
		return err
	}
	a, err := p.dial(ctx, c.Addr)
	if err != nil {
		return err
	}
	response, err := a.coverage.Related(ctx, request)
	if err := errors.Join(err, a.close()); err != nil {
		return err
	}
	if p.cli.JSON {
		return p.printJSON(response)
	}
	if len(response.GetResults()) == 0 {
		fmt.Fprintln(p.stdout, "Nothing related.")
		return nil
	}
	for _, r := range response.GetResults() {
		art := r.GetArticle()
		fmt.Fprintf(p.stdout, "%.2f  %-10s  p %.2f  %s  %s\n", r.GetScore(), relationName(r.GetRelation()), r.GetProbability(), day(art.GetPublishedTime()), clip(art.GetTitle(), titleWidth))
		p.printFound(art, r.GetCopyOf(), r.GetEvidence(), r.GetSignals(), r.GetContributions())
	}
	return nil
}

func (c *relatedCmd) request(p *program) (*throughlinev1.RelatedRequest, error) {
	if err := checkLimit(c.Limit, maxResults); err != nil {
		return nil, err
	}
	filter, err := c.filter()
	if err != nil {
		return nil, err
	}
	request := &throughlinev1.RelatedRequest{
		ArticleId: c.ID, Title: c.Title, StoryId: c.Story, LikedArticleIds: c.Liked, DislikedArticleIds: c.Disliked, Filter: filter,
		ExcludeArticleIds: c.ExcludeArticle, ExcludeStoryIds: c.ExcludeStory, MaxPerSource: c.MaxPerSource, MaxPerStory: c.MaxPerStory,
		Diversity: c.Diversity, HalfLife: c.halfLife(), MinProbability: c.MinProbability, IncludeCopies: c.IncludeCopies, Explain: c.Explain,
		PageSize: c.Limit,
	}
	if c.Section >= 0 {
		request.Section = &c.Section
	}
	for _, name := range c.Relation {
		kind, ok := throughlinev1.Relation_value["RELATION_"+strings.ReplaceAll(strings.ToUpper(name), "-", "_")]
		if !ok || kind == 0 {
			return nil, usageError{fmt.Errorf("--relation %q: one of copy, same-story, follow-up, background, same-topic", name)}
		}
		request.Relations = append(request.Relations, throughlinev1.Relation(kind))
	}
	seeds := 0
	for _, given := range []bool{c.ID != "", c.Text != "", c.Story != "", len(c.Liked) > 0} {
		if given {
			seeds++
		}
	}
	if seeds != 1 {
		return nil, usageError{errors.New("give one of: an article id, --text FILE, --story ID, --liked ID")}
	}
	if c.Text != "" {
		data, err := readInput(c.Text, p.stdin)
		if err != nil {
			return nil, err
		}
		request.Text = string(data)
	}
	return request, nil
}

// maxText bounds a text that is read whole: what the API takes.
const maxText = 1 << 20

func readInput(name string, stdin io.Reader) ([]byte, error) {
	in, closeInput, err := open(name, stdin)
	if err != nil {
		return nil, err
	}
	defer closeInput()
	data, err := io.ReadAll(io.LimitReader(in, maxText+1))
	switch {
	case err != nil:
	case len(data) > maxText:
		err = fmt.Errorf("longer than %d bytes", maxText)
	case len(bytes.TrimSpace(data)) == 0:
		err = errors.New("no text in it")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return []byte(strings.ToValidUTF8(string(data), "\uFFFD")), nil
}

// printFound prints what follows the first line of a result.
func (p *program) printFound(a *throughlinev1.Article, copyOf string, evidence []*throughlinev1.Evidence, signals, contributions map[string]float64) {
	parts := []string{a.GetId()}
	if a.GetSource() != "" {
		parts = append(parts, a.GetSource())
	}
	if a.GetStoryId() != "" {
		parts = append(parts, a.GetStoryId())
	}
	if copyOf != "" {
		parts = append(parts, "copy of "+copyOf)
	}
	fmt.Fprintf(p.stdout, "      %s\n", strings.Join(parts, "  "))
	if len(signals) > 0 {
		fmt.Fprintf(p.stdout, "      %s\n", signalText(signals))
	}
	if len(contributions) > 0 {
		fmt.Fprintf(p.stdout, "      %s\n", sumText(contributions))
	}
	for _, e := range evidence[:min(len(evidence), 1)] {
		heading := e.GetHeading()
		if heading != "" {
			heading = " (" + heading + ")"
		}
		from := "query"
		if e.SeedSection != nil {
			from = fmt.Sprintf("section %d", e.GetSeedSection())
		}
		fmt.Fprintf(p.stdout, "      %s ~ section %d%s, cosine %.2f\n%s\n", from, e.GetSection(), heading, e.GetSimilarity(), wrap(e.GetSnippet(), "        ", 96))
	}
}

type searchCmd struct {
	Query []string `arg:"" name:"query" help:"What to look for."`
	FilterFlags
	ShapeFlags
	AddrFlag
}

// Run asks for articles about some words.
func (c *searchCmd) Run(ctx context.Context, p *program) error {
	if err := checkLimit(c.Limit, maxResults); err != nil {
		return err
	}
	query := strings.TrimSpace(strings.Join(c.Query, " "))
	if query == "" {
		return usageError{errors.New("say what to look for")}
	}
	filter, err := c.filter()
	if err != nil {
		return err
	}
	a, err := p.dial(ctx, c.Addr)
	if err != nil {
		return err
	}
	response, err := a.coverage.Search(ctx, &throughlinev1.SearchRequest{
		Query: query, Filter: filter, ExcludeArticleIds: c.ExcludeArticle, ExcludeStoryIds: c.ExcludeStory,
		MaxPerSource: c.MaxPerSource, MaxPerStory: c.MaxPerStory, Diversity: c.Diversity, HalfLife: c.halfLife(),
		IncludeCopies: c.IncludeCopies, Explain: c.Explain, PageSize: c.Limit,
	})
	if err := errors.Join(err, a.close()); err != nil {
		return err
	}
	if p.cli.JSON {
		return p.printJSON(response)
	}
	if len(response.GetResults()) == 0 {
		fmt.Fprintln(p.stdout, "Nothing found.")
		return nil
	}
	for _, r := range response.GetResults() {
		art := r.GetArticle()
		fmt.Fprintf(p.stdout, "%.2f  %s  %s\n", r.GetScore(), day(art.GetPublishedTime()), clip(art.GetTitle(), titleWidth))
		p.printFound(art, r.GetCopyOf(), r.GetEvidence(), r.GetSignals(), nil)
	}
	return nil
}
