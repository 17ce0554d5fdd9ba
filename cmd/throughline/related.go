package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	throughlinev1 "throughline/proto/throughline/v1"
)

// FilterFlags select articles.
type FilterFlags struct {
	Source        []string `sep:"none" placeholder:"NAME" help:"Only articles of this source. May be repeated."`
	ExcludeSource []string `sep:"none" placeholder:"NAME" help:"No articles of this source. May be repeated."`
	Language      []string `sep:"none" placeholder:"CODE" help:"Only articles in this language. May be repeated."`
	Topic         []string `sep:"none" placeholder:"ID" help:"Only articles of this topic or theme. May be repeated."`
	After         string   `placeholder:"DATE" help:"Only articles of this day (2024-03-29) or later."`
	Before        string   `placeholder:"DATE" help:"Only articles older than this day."`
}

func (f FilterFlags) filter() (*throughlinev1.ArticleFilter, error) {
	after, before, err := period(f.After, f.Before)
	return &throughlinev1.ArticleFilter{
		Sources: f.Source, ExcludeSources: f.ExcludeSource, Languages: f.Language, TopicIds: f.Topic, PublishedAfter: after, PublishedBefore: before,
	}, err
}

// period reads the flags --after and --before.
func period(after, before string) (from, to *timestamppb.Timestamp, err error) {
	if from, err = moment("--after", after); err == nil {
		to, err = moment("--before", before)
	}
	return from, to, err
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

// ListFlags say what a list may hold and how it is ordered.
type ListFlags struct {
	Limit          int32         `short:"n" default:"10" help:"Most results to list."`
	ExcludeArticle []string      `sep:"none" placeholder:"ID" help:"Leave out this article. May be repeated."`
	ExcludeStory   []string      `sep:"none" placeholder:"ID" help:"Leave out the articles of this story. May be repeated."`
	MaxPerSource   int32         `help:"Most results of one source; 0: no limit."`
	MaxPerStory    int32         `help:"Most results of one story; 0: no limit."`
	Diversity      float64       `help:"Weight of being different from the results above, 0 to 1."`
	HalfLife       time.Duration `placeholder:"DURATION" help:"Age that halves a score, e.g. 72h. Default: age does not count."`
	IncludeCopies  bool          `help:"List copies too."`
	Explain        bool          `help:"Show the signals of each result."`
}

// Limits of the API: maxResults for ranked results, maxListed for other lists.
const (
	maxResults = 200
	maxListed  = 1000
)

func (s ListFlags) halfLife() *durationpb.Duration {
	if s.HalfLife == 0 {
		return nil
	}
	return durationpb.New(s.HalfLife)
}

type relatedCmd struct {
	ID             string   `arg:"" optional:"" name:"id" help:"Id of an article."`
	Text           string   `placeholder:"FILE" help:"List articles related to the text in this file; - is standard input."`
	Title          string   `help:"Title of the text in --text."`
	Story          string   `placeholder:"ID" help:"List articles related to this story."`
	Liked          []string `sep:"none" placeholder:"ID" help:"List articles related to this one that a reader liked. May be repeated."`
	Disliked       []string `sep:"none" placeholder:"ID" help:"With --liked: prefer articles unlike this one. May be repeated."`
	Section        int32    `default:"-1" help:"Find and order results by this section of the article, counted from 0; -1: all."`
	MinProbability float64  `help:"Least probability of the same story, 0 to 1."`
	Relation       []string `sep:"none" placeholder:"KIND" help:"Only copy, same-story, follow-up, background or same-topic. May be repeated."`
	FilterFlags
	ListFlags
	AddrFlag
}

// Run lists related articles.
func (c *relatedCmd) Run(ctx context.Context, p *program) error {
	request, err := c.request(p)
	if err != nil {
		return err
	}
	return ask(ctx, p, c.Addr, true, func(a *api) (*throughlinev1.RelatedResponse, error) {
		return a.coverage.Related(ctx, request)
	}, func(response *throughlinev1.RelatedResponse) error {
		if len(response.GetResults()) == 0 {
			fmt.Fprintln(p.stdout, "Nothing related.")
		}
		for _, r := range response.GetResults() {
			art := r.GetArticle()
			fmt.Fprintf(p.stdout, "%.2f  %-10s  p %.2f  %s  %s\n", r.GetScore(), relationName(r.GetRelation()), r.GetProbability(), day(art.GetPublishedTime()), clip(art.GetTitle(), titleWidth))
			p.printResult(art, r.GetCopyOf(), r.GetEvidence(), r.GetSignals(), r.GetContributions())
		}
		return nil
	})
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
			return nil, usageError{fmt.Errorf("--relation %q: must be copy, same-story, follow-up, background or same-topic", name)}
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
		request.Text, err = readText(c.Text, p.stdin)
	}
	return request, err
}

// maxText is the most bytes of a text, a limit of the API.
const maxText = 1 << 20

// open opens a file, or stdin for "-".
func open(name string, stdin io.Reader) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(stdin), nil
	}
	return os.Open(name)
}

// readText reads a text from a file, or from stdin for "-".
func readText(name string, stdin io.Reader) (string, error) {
	in, err := open(name, stdin)
	if err != nil {
		return "", err
	}
	defer in.Close() // read from only
	data, err := io.ReadAll(io.LimitReader(in, maxText+1))
	switch {
	case err != nil:
	case len(data) > maxText:
		err = fmt.Errorf("longer than %d bytes", maxText)
	case len(bytes.TrimSpace(data)) == 0:
		err = errors.New("no text in it")
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return strings.ToValidUTF8(string(data), "\uFFFD"), nil
}

// printResult prints what follows the first line of a result.
func (p *program) printResult(a *throughlinev1.Article, copyOf string, evidence []*throughlinev1.Evidence, signals, contributions map[string]float64) {
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
	Query []string `arg:"" name:"query" help:"Words to search for."`
	FilterFlags
	ListFlags
	AddrFlag
}

// Run searches.
func (c *searchCmd) Run(ctx context.Context, p *program) error {
	if err := checkLimit(c.Limit, maxResults); err != nil {
		return err
	}
	query := strings.TrimSpace(strings.Join(c.Query, " "))
	if query == "" {
		return usageError{errors.New("the query is empty")}
	}
	filter, err := c.filter()
	if err != nil {
		return err
	}
	return ask(ctx, p, c.Addr, true, func(a *api) (*throughlinev1.SearchResponse, error) {
		return a.coverage.Search(ctx, &throughlinev1.SearchRequest{
			Query: query, Filter: filter, ExcludeArticleIds: c.ExcludeArticle, ExcludeStoryIds: c.ExcludeStory,
			MaxPerSource: c.MaxPerSource, MaxPerStory: c.MaxPerStory, Diversity: c.Diversity, HalfLife: c.halfLife(),
			IncludeCopies: c.IncludeCopies, Explain: c.Explain, PageSize: c.Limit,
		})
	}, func(response *throughlinev1.SearchResponse) error {
		if len(response.GetResults()) == 0 {
			fmt.Fprintln(p.stdout, "Nothing found.")
		}
		for _, r := range response.GetResults() {
			art := r.GetArticle()
			fmt.Fprintf(p.stdout, "%.2f  %s  %s\n", r.GetScore(), day(art.GetPublishedTime()), clip(art.GetTitle(), titleWidth))
			p.printResult(art, r.GetCopyOf(), r.GetEvidence(), r.GetSignals(), nil)
		}
		return nil
	})
}

// signalText prints signals by name, in order of name.
func signalText(signals map[string]float64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(signals)) {
		parts = append(parts, fmt.Sprintf("%s %.2f", strings.ReplaceAll(name, "_", " "), signals[name]))
	}
	return strings.Join(parts, "  ")
}

// sumText prints the terms of the log-odds of the same story, the largest first.
func sumText(contributions map[string]float64) string {
	names := slices.SortedFunc(maps.Keys(contributions), func(a, b string) int {
		return cmp.Or(cmp.Compare(math.Abs(contributions[b]), math.Abs(contributions[a])), cmp.Compare(a, b))
	})
	sum, parts := 0.0, make([]string, 0, len(names))
	for _, name := range names {
		sum += contributions[name]
		parts = append(parts, fmt.Sprintf("%s %+.2f", strings.ReplaceAll(name, "_", " "), contributions[name]))
	}
	return fmt.Sprintf("log-odds of the same story %+.2f:  %s", sum, strings.Join(parts, "  "))
}
