package derive

import (
	"fmt"
	"strings"
	"time"

	"throughline/internal/news"
)

// Item is an article of a corpus.
type Item struct {
	Source, Index int
	Amount        Amount // not Mixed
	Undated       bool   // the date is taken away
	Copy          int    // n: the n-th duplicate of the article; 0: the article
	// Template, if not 0, makes it another article: with the names, the numbers and the date of
	// the article Donor of the same source. It counts from 1 in the corpus.
	Template, Donor int
}

// Changed reports whether the item has other text than the article it is made of.
func (it Item) Changed() bool { return it.Amount != Whole || it.Template != 0 }

// Article returns the article of an item. of returns an article of a source; ids must be unique
// over all sources. The ids of duplicates and of templates end with their number.
func (it Item) Article(of func(source, index int) news.Article) (news.Valid, error) {
	a := of(it.Source, it.Index)
	if it.Template != 0 {
		donor := of(it.Source, it.Donor)
		a = exchange(a, donor, rune(1+it.Template%9))
		a.ID += fmt.Sprintf("/template-%d", it.Template)
		a.Published, a.DateOnly = donor.Published, donor.DateOnly
	}
	a = it.Amount.shorten(a)
	if it.Undated {
		a.Published, a.DateOnly = time.Time{}, false
	}
	if it.Copy > 0 {
		a.ID += fmt.Sprintf("/copy-%d", it.Copy)
	}
	return news.Validate(a)
}

const (
	// leadWords is the number of words of text of a lead: that of a teaser.
	leadWords = 30
	// longSentence is the most runes of a first sentence. Longer ones are lists or tables.
	longSentence = 300
)

// shorten takes the rest of the text away. The first sentence is the title of an article without
// one.
func (a Amount) shorten(article news.Article) news.Article {
	text := article.Text()
	switch a {
	case Lead:
		words := strings.Fields(text)
		text = strings.Join(words[:min(len(words), leadWords)], " ")
	case First:
		text = firstSentence(text)
	case Title:
		if article.TitleDerived {
			article.Title, article.TitleDerived = firstSentence(text), false
		}
		text = ""
	default:
		return article
	}
	if article.TitleDerived {
		article.Title = "" // derived again from what is left
	}
	article.Sections = nil
	if text != "" {
		article.Sections = []news.Section{{Text: text}}
	}
	return article
}

func firstSentence(text string) string {
	runes := []rune(news.CleanLine(text[:news.NextSentence(text)]))
	return string(runes[:min(len(runes), longSentence)])
}
