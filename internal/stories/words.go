package stories

import (
	"context"
	"slices"

	"throughline/cluster"
	"throughline/internal/lexical"
	"throughline/internal/store"
)

const (
	// keywordsEach is how many keywords a story or topic gets.
	keywordsEach = 6
	// wordMembers bounds how many articles of a cluster are read for its keywords, spread evenly over it.
	wordMembers = 24
	// wordSections is how many sections of each are read: the first ones say what it is about.
	wordSections = 2
	// wordPage is how many articles are read at once.
	wordPage = 256
)

// keywordOptions are how stories and topics get their keywords.
var keywordOptions = cluster.KeywordOptions{N: keywordsEach, Common: lexical.CommonShare}

// keywords names each cluster by phrases that set it apart from the others.
func (r *run) keywords(ctx context.Context, clusters [][]int) ([][]string, error) {
	chosen := make([][]int, len(clusters))
	for c, indices := range clusters {
		step := max(1, (len(indices)+wordMembers-1)/wordMembers)
		for k := 0; k < len(indices); k += step {
			chosen[c] = append(chosen[c], indices[k])
		}
	}
	if err := r.readTexts(ctx, slices.Concat(chosen...)); err != nil {
		return nil, err
	}
	documents := make([][]cluster.Document, len(clusters))
	for c, indices := range chosen {
		for _, i := range indices {
			a := &r.articles[i].Article
			documents[c] = append(documents[c], document(a, r.texts[a.ID]))
		}
	}
	return cluster.KeywordsWith(documents, keywordOptions), nil
}

// document is an article as keywords are made of it. A derived title is in the text already.
func document(a *store.Article, text string) cluster.Document {
	if a.TitleDerived {
		return cluster.Document{Text: text}
	}
	return cluster.Document{Title: a.Title, Text: text}
}

// readTexts fetches the beginnings of articles that have not been read yet.
func (r *run) readTexts(ctx context.Context, indices []int) error {
	if r.texts == nil {
		r.texts = make(map[string]string)
	}
	var missing []string
	for _, i := range indices {
		id := r.articles[i].Article.ID
		if _, ok := r.texts[id]; !ok {
			r.texts[id] = ""
			missing = append(missing, id)
		}
	}
	for page := range slices.Chunk(missing, wordPage) {
		sections, err := r.cfg.Store.Sections(ctx, page, false)
		if err != nil {
			return err
		}
		for id, list := range sections {
			r.texts[id] = beginning(list)
		}
	}
	return nil
}

func beginning(sections []store.Section) string {
	text := ""
	for _, s := range sections[:min(len(sections), wordSections)] {
		text += s.Text + "\n\n"
	}
	return text
}
