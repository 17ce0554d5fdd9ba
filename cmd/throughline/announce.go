package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"strings"

	"throughline/internal/store"
	"throughline/internal/stories"
)

// announce prints what is served, where, and three calls to copy.
func (c *serveCmd) announce(ctx context.Context, p *program, e *engine, grpcListener, httpListener net.Listener) error {
	counts, err := e.store.Counts(ctx)
	if err != nil {
		return err
	}
	topics, err := e.stories.Topics(ctx, stories.TopicsRequest{Level: store.LevelTopic})
	if err != nil {
		return err
	}
	id, words, err := example(ctx, e)
	if err != nil {
		return err
	}
	grpcAddr := reachable(grpcListener.Addr())
	fmt.Fprintf(p.stdout, "%s, %s, %s\n", plural(int(counts.Articles), "article", "articles"),
		plural(int(counts.Stories), "story", "stories"), plural(len(topics), "topic", "topics"))
	fmt.Fprintf(p.stdout, "gRPC  %s\n", grpcAddr)
	if httpListener != nil {
		fmt.Fprintf(p.stdout, "HTTP  http://%s\n", reachable(httpListener.Addr()))
	}
	fmt.Fprintf(p.stdout, "\nTry:\n")
	fmt.Fprintf(p.stdout, "  grpcurl -plaintext -d %s %s throughline.v1.CoverageService/Related\n", shellQuote(`{"article_id": `+jsonText(id)+`}`), grpcAddr)
	fmt.Fprintf(p.stdout, "  grpcurl -plaintext -d '{\"order\": \"STORY_ORDER_LARGEST\"}' %s throughline.v1.ClusterService/ListStories\n", grpcAddr)
	if httpListener != nil {
		fmt.Fprintf(p.stdout, "  curl %s\n", shellQuote("http://"+reachable(httpListener.Addr())+"/v1/search?query="+url.QueryEscape(words)))
	} else {
		fmt.Fprintf(p.stdout, "  grpcurl -plaintext -d %s %s throughline.v1.CoverageService/Search\n", shellQuote(`{"query": `+jsonText(words)+`}`), grpcAddr)
	}
	return nil
}

// example is an article that has company and words to search for: the representative of the largest story and what sets that
// apart, or any article, or placeholders in an empty store.
func example(ctx context.Context, e *engine) (id, words string, err error) {
	list, err := e.stories.List(ctx, stories.ListRequest{Order: stories.Largest})
	if err != nil {
		return "", "", err
	}
	if len(list) > 0 {
		words = list[0].Title
		if len(list[0].Keywords) > 0 {
			words = list[0].Keywords[0]
		}
		return list[0].Representative, words, nil
	}
	articles, _, err := e.store.List(ctx, store.Filter{}, 1, "")
	if err != nil {
		return "", "", err
	}
	if len(articles) == 0 {
		return "ID", "WORDS", nil
	}
	return articles[0].ID, articles[0].Title, nil
}

// jsonText is a JSON string.
func jsonText(s string) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // a string can always be encoded
	return strings.TrimSpace(b.String())
}

// shellQuote makes one word of a shell out of anything.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
