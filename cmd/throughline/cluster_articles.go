package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"throughline/embed"
	"throughline/internal/article"
	"throughline/internal/evidence"
	"throughline/internal/lexical"
)

// arrangeArticles clusters articles from files as the store would, without a store: no section is embedded, only what the
// article itself is compared by.
func (c *clusterCmd) arrangeArticles(ctx context.Context, p *program, in sources) (*arrangement, error) {
	embedder, err := p.embedder(ctx)
	if err != nil {
		return nil, err
	}
	read, err := p.readProfiles(ctx, embedder, in)
	if err != nil {
		return nil, err
	}
	corpus := evidence.NewCorpus()
	for i := range read.profiles {
		corpus.Add(&read.profiles[i])
	}
	stage := p.stages()
	defer stage.done()
	stage.at("finding stories", 0)
	ladder, err := evidence.Default().Ladder(ctx, corpus, read.profiles, evidence.LadderOptions{Workers: p.cli.Workers, Topics: c.Topics})
	if err != nil {
		return nil, err
	}
	a := &arrangement{Story: ladder.Story, Topic: ladder.Topic, Theme: ladder.Theme, ids: make([]string, len(read.profiles)), notes: read.notes()}
	for i, profile := range read.profiles {
		a.ids[i] = profile.ID
	}
	return a, nil
}

// readArticles is what was read for clustering.
type readArticles struct {
	profiles []evidence.Profile
	repeated int     // articles whose id an earlier one has
	rejected []error // items that are no articles
}

// readProfiles reads and embeds articles. An article whose id was read before is left out. When nothing at all can be read
// that is an error.
func (p *program) readProfiles(ctx context.Context, embedder embed.Embedder, in sources) (*readArticles, error) {
	bar := p.progress("reading")
	defer bar.done()
	read := &readArticles{}
	seen := make(map[string]bool)
	var texts []string // of the last len(texts) profiles
	flush := func() error {
		vectors, err := embedder.Embed(ctx, embed.Document, texts)
		if err != nil {
			return fmt.Errorf("embedding %d articles: %w", len(texts), err)
		}
		pending := read.profiles[len(read.profiles)-len(texts):]
		for i := range pending {
			pending[i].Dense = vectors[i]
		}
		texts = texts[:0]
		return nil
	}
	for a, err := range in.articles(ctx, readOptions(p)) {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		bar.step()
		switch {
		case err != nil:
			read.rejected = append(read.rejected, err)
			continue
		case seen[a.ID]:
			read.repeated++
			continue
		}
		seen[a.ID] = true
		read.profiles = append(read.profiles, profileOf(a))
		if texts = append(texts, article.LeadText(a)); len(texts) == embedBatch {
			if err := flush(); err != nil {
				return nil, err
			}
		}
	}
	if err := flush(); err != nil {
		return nil, err
	}
	if len(read.profiles) == 0 && len(read.rejected) > 0 {
		return nil, fmt.Errorf("no article could be read; the first of %s: %w", plural(len(read.rejected), "rejected item", "rejected items"), read.rejected[0])
	}
	return read, nil
}

// profileOf is an article as it is compared once it is stored, but for its vector.
func profileOf(a article.Article) evidence.Profile {
	text := a.Text()
	lex := lexical.Analyze(a.Title, text)
	lex.Words = max(lex.Words, len(strings.Fields(a.Title))+len(strings.Fields(text)))
	return evidence.Profile{ID: a.ID, Lex: lex, Published: a.Published, Source: a.Source}
}

// articles reads the articles of all inputs, in order.
func (s sources) articles(ctx context.Context, opts article.Options) iter.Seq2[article.Article, error] {
	return func(yield func(article.Article, error) bool) {
		for _, in := range s {
			if in.r != nil {
				opts.Stdin = in.r // its beginning has been looked at
			}
			for a, err := range article.Read(ctx, []string{in.name}, opts) {
				if !yield(a, err) {
					return
				}
			}
		}
	}
}

// notes says what was left out.
func (r *readArticles) notes() []string {
	var notes []string
	if r.repeated > 0 {
		notes = append(notes, fmt.Sprintf("%s left out, whose id occurred before", plural(r.repeated, "article", "articles")))
	}
	if n := len(r.rejected); n > 0 {
		notes = append(notes, plural(n, "item", "items")+" rejected:")
		for _, err := range r.rejected[:min(n, maxShown)] {
			notes = append(notes, "  "+err.Error())
		}
		if n > maxShown {
			notes = append(notes, fmt.Sprintf("  and %d more", n-maxShown))
		}
	}
	return notes
}

var errNoStore = errors.New("the store is empty: ingest articles first, or give input files")
