package stories

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"

	"throughline/cluster"
	"throughline/internal/lexical"
	"throughline/internal/news"
	"throughline/internal/store"
)

// keywordsOfSeeds holds what must be true of keywords whatever they are: they occur in the cluster
// and set it apart, they neither begin nor end with a function word, none repeats another one, and
// none is a piece of a longer name.
func keywordsOfSeeds(t *testing.T, h *harness) {
	ctx := context.Background()
	texts, story, topics := make(map[string]string), make(map[string]string), make(map[string][]string)
	h.must(h.store.Scan(ctx, news.Filter{}, store.WithNothing, func(s *store.Stored) error {
		sections, err := h.store.Sections(ctx, []string{s.Article.ID}, false)
		texts[s.Article.ID] = s.Article.Title + "\n" + beginning(sections[s.Article.ID])
		story[s.Article.ID], topics[s.Article.ID] = s.Article.StoryID, s.Article.TopicIDs()
		return err
	}))
	few := 0
	check := func(id, title string, keywords []string, in func(article string) bool) {
		if len(keywords) < 3 {
			few++
		}
		for i, k := range keywords {
			// A decimal point does not end a word, and neither does a hyphen.
			word := regexp.MustCompile(`(?i)(^|[^\pL\pN-])` + strings.ReplaceAll(regexp.QuoteMeta(k), " ", `[ \x{a0}]`) + `('s|’s)?($|[^\pL\pN-])`)
			name := regexp.MustCompile(`(\p{Lu}[\pL-]* )?` + regexp.QuoteMeta(k) + `( \p{Lu}[\pL-]+)?`)
			own, others, all, alone, inside := 0, 0, 0, 0, 0
			for article, text := range texts {
				switch {
				case !in(article):
					if word.MatchString(text) {
						others++
					}
					continue
				case word.MatchString(text):
					own++
				}
				all++
				// As a name: next to other capitals, or not.
				by, within := false, false
				for _, m := range name.FindAllStringSubmatch(text, -1) {
					if m[1]+m[2] == "" || lexical.CommonShare(strings.TrimSpace(m[1])) == 1 { // "The" is no part of the name
						by = true
					} else {
						within = true
					}
				}
				if by {
					alone++
				} else if within {
					inside++
				}
			}
			words := strings.Fields(strings.ToLower(k))
			first, last := lexical.CommonShare(words[0]), lexical.CommonShare(words[len(words)-1])
			switch {
			case own == 0:
				t.Errorf("%s: keyword %q occurs nowhere in it", title, k)
			case own*(len(texts)-all) <= others*all:
				t.Errorf("%s: keyword %q is in %d of its %d articles, and in %d of %d others", title, k, own, all, others, len(texts)-all)
			case first == 1 || last == 1 || len(words) > 3:
				t.Errorf("%s: keyword %q", title, k)
			case strings.ToLower(k) != k && inside > 4*max(alone, 1):
				t.Errorf("%s: keyword %q is part of a longer name in %d articles, and stands alone in %d", title, k, inside, alone)
			}
			for _, other := range keywords[:i] {
				if strings.Contains(" "+strings.ToLower(other)+" ", " "+strings.ToLower(k)+" ") || strings.Contains(" "+strings.ToLower(k)+" ", " "+strings.ToLower(other)+" ") {
					t.Errorf("%s: keywords %q and %q", title, other, k)
				}
			}
		}
	}
	n := 0
	h.must(h.store.ScanStories(ctx, news.StoryFilter{}, store.WithNothing, func(s *store.Story) error {
		n++
		check(s.ID, s.Title, s.Keywords, func(article string) bool { return story[article] == s.ID })
		return nil
	}))
	first := make(map[string]string)
	h.must(h.store.ScanTopics(ctx, news.TopicFilter{}, store.WithNothing, func(topic *store.Topic) error {
		n++
		check(topic.ID, topic.Title, topic.Keywords, func(article string) bool {
			return slices.Contains(topics[article], topic.ID)
		})
		if topic.Level == news.LevelTopic && len(topic.Keywords) > 0 {
			if other, taken := first[topic.Keywords[0]]; taken {
				t.Errorf("two topics are first of all about %q: %s and %s", topic.Keywords[0], other, topic.Title)
			}
			first[topic.Keywords[0]] = topic.Title
		}
		return nil
	}))
	if few*10 > n {
		t.Errorf("%d of %d stories and topics have fewer than three keywords", few, n)
	}
}

func TestTopicTitle(t *testing.T) {
	for want, words := range map[string][]string{
		"":                                {},
		"Orchard":                         {"orchard"},
		"iPhone, court":                   {"iPhone", "court"},
		"Mara Teel, violin, Olden prize":  {"Mara Teel", "violin", "Joan Teel", "Olden prize", "concert"},
		"École, Ministry of Works, power": {"école", "Ministry of Works", "power", "Bank of Orlu"},
	} {
		if got := TopicTitle(words); got != want {
			t.Errorf("%q: got %q, want %q", words, got, want)
		}
	}
}

func TestThemeKeywords(t *testing.T) {
	texts := [][]string{{"The orchard and the cider were sold.", "An orchard has cider."}, {"The violin was lost.", "A violin was found.", "The violin is old."}, {"The ferry sank.", "A ferry was late."}}
	var documents []cluster.Document
	var topics [][]int
	var theme []int32
	for i, list := range texts {
		topics = append(topics, nil)
		for _, text := range list {
			topics[i] = append(topics[i], len(documents))
			documents, theme = append(documents, cluster.Document{Text: text}), append(theme, []int32{0, 0, -1}[i])
		}
	}
	words, themes := TopicKeywords(topics, theme, func(i int) cluster.Document { return documents[i] })
	if len(words) != 3 || len(themes) != 1 || len(themes[0]) < 3 || themes[0][0] != words[1][0] || themes[0][1] != words[0][0] {
		t.Errorf("topics %q, themes %q", words, themes)
	}
}
