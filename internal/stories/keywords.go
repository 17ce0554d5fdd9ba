package stories

import (
	"throughline/cluster"
	"throughline/internal/lexical"
	"throughline/internal/news"
	"throughline/internal/store"
)

const (
	// keywordsEach is the number of keywords of a story or topic.
	keywordsEach = 6
	// keywordArticles is the largest number of articles of a cluster that its keywords are made of,
	// evenly spaced in it.
	keywordArticles = 24
	// keywordSections is the number of sections of each that are read: the first ones show its
	// subject.
	keywordSections = 2
	// textPage is the number of articles whose sections are read at a time.
	textPage = 256
)

var keywordOptions = cluster.KeywordOptions{N: keywordsEach, Common: lexical.CommonShare}

// keywordSample returns, for each cluster, the members whose texts its keywords are made of.
func keywordSample(clusters [][]int) [][]int {
	chosen := make([][]int, len(clusters))
	for c, indices := range clusters {
		step := max(1, (len(indices)+keywordArticles-1)/keywordArticles)
		for k := 0; k < len(indices); k += step {
			chosen[c] = append(chosen[c], indices[k])
		}
	}
	return chosen
}

// keywords returns, for each cluster, phrases that distinguish it from the others. texts has the
// beginnings of the articles of keywordSample, by article id.
func keywords(all []*store.Stored, clusters [][]int, texts map[string]string) [][]string {
	chosen := keywordSample(clusters)
	documents := make([][]cluster.Document, len(clusters))
	for c, indices := range chosen {
		for _, i := range indices {
			a := &all[i].Article
			documents[c] = append(documents[c], document(a, texts[a.ID]))
		}
	}
	return cluster.KeywordsWith(documents, keywordOptions)
}

// document returns the text of an article that keywords are made of. A derived title is in the text
// already.
func document(a *news.Article, text string) cluster.Document {
	if a.TitleDerived {
		return cluster.Document{Text: text}
	}
	return cluster.Document{Title: a.Title, Text: text}
}

// beginning returns the text of the first keywordSections sections.
func beginning(sections []store.Section) string {
	text := ""
	for _, s := range sections[:min(len(sections), keywordSections)] {
		text += s.Text + "\n\n"
	}
	return text
}
