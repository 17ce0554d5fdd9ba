package main

import (
	"bufio"
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

	"throughline/internal/article"
	throughlinev1 "throughline/proto/throughline/v1"
)

type articleCmd struct {
	ID string `arg:"" name:"id" help:"Id of an article."`
	AddrFlag
}

// Run shows one article.
func (c *articleCmd) Run(ctx context.Context, p *program) error {
	a, err := p.dial(ctx, c.Addr)
	if err != nil {
		return err
	}
	art, err := a.articles.GetArticle(ctx, &throughlinev1.GetArticleRequest{ArticleId: c.ID})
	if err := errors.Join(err, a.close()); err != nil {
		return err
	}
	if p.cli.JSON {
		return p.printJSON(art)
	}
	fmt.Fprintf(p.stdout, "%s\n", art.GetTitle())
	for _, field := range [][2]string{
		{"id", art.GetId()}, {"source", art.GetSource()}, {"published", day(art.GetPublishedTime())}, {"url", art.GetUrl()},
		{"language", art.GetLanguage()}, {"authors", strings.Join(art.GetAuthors(), ", ")}, {"story", art.GetStoryId()},
		{"topics", strings.Join(art.GetTopicIds(), ", ")}, {"copy of", art.GetCopyOf()},
	} {
		if field[1] != "" {
			fmt.Fprintf(p.stdout, "  %-10s %s\n", field[0], field[1])
		}
	}
	for i, s := range art.GetSections() {
		heading := strings.TrimSpace(fmt.Sprintf("[%d] %s", i, s.GetHeading()))
		fmt.Fprintf(p.stdout, "\n%s\n%s\n", heading, wrap(s.GetText(), "    ", 96))
	}
	return nil
}

type exportCmd struct {
	FilterFlags
	AddrFlag
}

// exportPage is how many articles are asked for at once.
const exportPage = 100

// Run writes the stored articles as JSON lines that ingest reads back.
func (c *exportCmd) Run(ctx context.Context, p *program) error {
	filter, err := c.filter()
	if err != nil {
		return err
	}
	a, err := p.dial(ctx, c.Addr)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(p.stdout)
	err = export(ctx, a, filter, out)
	return errors.Join(err, out.Flush(), a.close())
}

func export(ctx context.Context, a *api, filter *throughlinev1.ArticleFilter, out io.Writer) error {
	request := &throughlinev1.ListArticlesRequest{Filter: filter, View: throughlinev1.ArticleView_ARTICLE_VIEW_FULL, PageSize: exportPage}
	for {
		page, err := a.articles.ListArticles(ctx, request)
		if err != nil {
			return err
		}
		for _, art := range page.GetArticles() {
			line, err := article.MarshalJSONLine(storedArticle(art))
			if err != nil {
				return fmt.Errorf("%s: %w", art.GetId(), err)
			}
			if _, err := out.Write(line); err != nil {
				return err
			}
		}
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
			return nil
		}
	}
}

// storedArticle is the other way of wireArticle.
func storedArticle(a *throughlinev1.Article) article.Article {
	out := article.Article{
		ID: a.GetId(), Title: a.GetTitle(), TitleDerived: a.GetTitleDerived(), URL: a.GetUrl(), Source: a.GetSource(), Language: a.GetLanguage(),
		Authors: a.GetAuthors(), DateOnly: a.GetPublishedDateOnly(),
	}
	if t := a.GetPublishedTime(); t != nil {
		out.Published = t.AsTime()
	}
	for _, s := range a.GetSections() {
		out.Sections = append(out.Sections, article.Section{Heading: s.GetHeading(), Text: s.GetText()})
	}
	return out
}

// open opens a file, or standard input for "-".
func open(name string, stdin io.Reader) (io.Reader, func(), error) {
	if name == "-" {
		return stdin, func() {}, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	return f, func() { f.Close() }, nil
}

// signalText prints signals by name, in order of name.
func signalText(signals map[string]float64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(signals)) {
		parts = append(parts, fmt.Sprintf("%s %.2f", strings.ReplaceAll(name, "_", " "), signals[name]))
	}
	return strings.Join(parts, "  ")
}

// sumText prints what adds up to the log-odds of the same story, the largest part first.
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
