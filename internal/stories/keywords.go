package stories

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"throughline/cluster"
	"throughline/internal/lexical"
	"throughline/internal/news"
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

// StoryKeywords returns, for each cluster of items, names and nouns that distinguish it from the
// others. of returns the text of an item.
func StoryKeywords(clusters [][]int, of func(item int) cluster.Document) [][]string {
	return keywords(clusters, storyArticles, of)
}

// TopicKeywords is StoryKeywords for topics, which are about many things, and their themes. theme
// is the label of the theme of each item, -1 for none. A theme has the first keyword of each of its
// topics, the largest topic first, then the second ones, so that its title differs from theirs.
func TopicKeywords(topics [][]int, theme []int32, of func(item int) cluster.Document) (words, themes [][]string) {
	words = keywords(topics, topicArticles, of)
	bySize := make([]int, len(topics))
	for t := range topics {
		bySize[t] = t
	}
	slices.SortStableFunc(bySize, func(a, b int) int { return cmp.Compare(len(topics[b]), len(topics[a])) })
	for rank := range keywordsEach {
		for _, t := range bySize {
			at := int(theme[topics[t][0]])
			if at < 0 {
				continue
			}
			for at >= len(themes) {
				themes = append(themes, nil)
			}
			if rank < len(words[t]) && len(themes[at]) < keywordsEach && !slices.Contains(themes[at], words[t][rank]) {
				themes[at] = append(themes[at], words[t][rank])
			}
		}
	}
	return words, themes
}

func keywords(clusters [][]int, n int, of func(int) cluster.Document) [][]string {
	documents := make([][]cluster.Document, len(clusters))
	for c, indices := range keywordSample(clusters, n) {
		for _, i := range indices {
			documents[c] = append(documents[c], of(i))
		}
	}
	return cluster.Keywords(documents, keywordOptions)
}

// TopicTitle returns the title of a topic with these keywords: the first ones that have no word in
// common, with a capital at the beginning. Without keywords it is empty.
func TopicTitle(words []string) string {
	var chosen []string
	used := make(map[string]bool)
	for _, phrase := range words {
		parts := strings.Fields(strings.ToLower(phrase))
		if len(chosen) < titleKeywords && !slices.ContainsFunc(parts, func(w string) bool { return used[w] && w != "of" }) {
			chosen = append(chosen, phrase)
			for _, w := range parts {
				used[w] = true
			}
		}
	}
	title := strings.Join(chosen, ", ")
	first, _, _ := strings.Cut(title, " ")
	if r, n := utf8.DecodeRuneInString(title); n > 0 && strings.ToLower(first) == first { // not "iPhone"
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

// Beginning returns the text of the first keywordSections sections of an article, as chunk.Split
// has made them.
func Beginning(sections []news.Section) string {
	text := ""
	for _, s := range sections[:min(len(sections), keywordSections)] {
		text += s.Text + "\n\n"
	}
	return text
}
