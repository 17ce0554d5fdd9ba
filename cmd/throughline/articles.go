package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

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
	a, err := p.dial(ctx, c.Addr, purpose{readOnly: true})
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

type deleteCmd struct {
	IDs []string `arg:"" optional:"" name:"id" help:"Ids of articles."`
	FilterFlags
	DryRun bool `help:"Count the articles, without deleting them."`
	AddrFlag
}

// Help is the long help of the command.
func (deleteCmd) Help() string {
	return `Deletes the articles with these ids, or those that the flags select. Their stories shrink, and a story that is left with one
article ends. An interrupted run has deleted some; the same command again deletes the rest.`
}

// Run deletes articles one by one, so that a stop loses nothing but time.
func (c *deleteCmd) Run(ctx context.Context, p *program) (err error) {
	filter, err := c.filter()
	if err != nil {
		return err
	}
	if filtered := proto.Size(filter) > 0; filtered == (len(c.IDs) > 0) {
		return usageError{errors.New("give ids, or flags that select articles")}
	}
	a, err := p.dial(ctx, c.Addr, purpose{readOnly: c.DryRun, scoring: !c.DryRun})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	ids, err := c.selected(ctx, a, filter)
	if err != nil {
		return err
	}
	shown := p.counter("")
	defer shown.done()
	n, verb := len(ids), "would be deleted"
	if !c.DryRun {
		n, verb = 0, "deleted"
		for _, id := range ids {
			if _, err = a.articles.DeleteArticle(ctx, &throughlinev1.DeleteArticleRequest{ArticleId: id}); err != nil {
				break
			}
			shown.count("deleted")
			n++
		}
	}
	shown.done()
	if p.cli.JSON {
		return errors.Join(err, p.printJSON(&throughlinev1.DeleteArticlesResponse{Articles: int64(n)}))
	}
	fmt.Fprintf(p.stdout, "%d articles %s\n", n, verb)
	return err
}

// selected returns the ids of the articles to delete, all of which are stored.
func (c *deleteCmd) selected(ctx context.Context, a *api, filter *throughlinev1.ArticleFilter) ([]string, error) {
	for _, id := range c.IDs {
		request := &throughlinev1.GetArticleRequest{ArticleId: id, View: throughlinev1.ArticleView_ARTICLE_VIEW_SUMMARY}
		if _, err := a.articles.GetArticle(ctx, request); err != nil {
			return nil, err
		}
	}
	if len(c.IDs) > 0 {
		return c.IDs, nil
	}
	var ids []string
	err := a.eachArticle(ctx, &throughlinev1.ListArticlesRequest{Filter: filter}, func(art *throughlinev1.Article) error {
		ids = append(ids, art.GetId())
		return nil
	})
	return ids, err
}
