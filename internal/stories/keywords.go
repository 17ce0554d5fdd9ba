package stories

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"throughline/cluster"
	"throughline/internal/lexical"
	"throughline/internal/news"
	"throughline/internal/store"
)

const (
	// keywordsEach is the number of keywords of a story or topic.
	keywordsEach = 6
	// storyArticles and topicArticles are the largest numbers of articles of a story and of a topic
	// that its keywords are made of, evenly spaced in it. A topic is about many things.
	storyArticles, topicArticles = 24, 120
	// keywordSections is the number of sections of each that are read: the first ones show its
	// subject.
	keywordSections = 2
	// titleKeywords is the number of keywords in the title of a topic.
	titleKeywords = 3
	// textPage is the number of articles whose sections are read at a time.
	textPage = 256
)

var keywordOptions = cluster.KeywordOptions{N: keywordsEach, Common: lexical.CommonShare}

// keywordSample returns, for each cluster, at most n members whose texts its keywords are made of.
func keywordSample(clusters [][]int, n int) [][]int {
	chosen := make([][]int, len(clusters))
	for c, indices := range clusters {
		step := max(1, (len(indices)+n-1)/n)
		for k := 0; k < len(indices); k += step {
			chosen[c] = append(chosen[c], indices[k])
		}
	}
	return chosen
}

// keywords returns, for each cluster, names and nouns that distinguish it from the others. texts has
// the beginnings of the articles of keywordSample, by article id.
func keywords(all []*store.Stored, clusters [][]int, n int, texts map[string]string) [][]string {
	chosen := keywordSample(clusters, n)
	documents := make([][]cluster.Document, len(clusters))
	for c, indices := range chosen {
		for _, i := range indices {
			a := &all[i].Article
			documents[c] = append(documents[c], document(a, texts[a.ID]))
		}
	}
	return cluster.KeywordsWith(documents, keywordOptions)
}

// topicTitle returns the title of a topic with these keywords: the first ones, with a capital at the
// beginning. Without keywords it is empty.
func topicTitle(words []string) string {
	title := strings.Join(words[:min(len(words), titleKeywords)], ", ")
	first, _, _ := strings.Cut(title, " ")
	if r, n := utf8.DecodeRuneInString(title); strings.ToLower(first) == first { // not "iPhone"
		return string(unicode.ToUpper(r)) + title[n:]
	}
	return title
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
