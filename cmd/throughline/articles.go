package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"throughline/internal/formats"
	"throughline/internal/server"
	throughlinev1 "throughline/proto/throughline/v1"
)

type articleCmd struct {
	ID string `arg:"" name:"id" help:"Id of an article."`
	AddrFlag
}

// Run shows one article.
func (c *articleCmd) Run(ctx context.Context, p *program) error {
	return ask(ctx, p, c.Addr, false, func(a *api) (*throughlinev1.Article, error) {
		return a.articles.GetArticle(ctx, &throughlinev1.GetArticleRequest{ArticleId: c.ID})
	}, p.printArticle)
}

func (p *program) printArticle(art *throughlinev1.Article) error {
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

// Run writes the stored articles as JSON lines that ingest can read.
func (c *exportCmd) Run(ctx context.Context, p *program) error {
	filter, err := c.filter()
	if err != nil {
		return err
	}
	a, err := p.dial(ctx, c.Addr, false)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(p.stdout)
	request := &throughlinev1.ListArticlesRequest{Filter: filter, View: throughlinev1.ArticleView_ARTICLE_VIEW_FULL}
	err = a.eachArticle(ctx, request, func(art *throughlinev1.Article) error {
		line, err := formats.MarshalJSONLine(server.ArticleOf(art))
		if err != nil {
			return fmt.Errorf("%s: %w", art.GetId(), err)
		}
		_, err = out.Write(line)
		return err
	})
	return errors.Join(err, out.Flush(), a.close())
}
