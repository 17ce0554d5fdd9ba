// Package chunk cuts an article into the texts that are embedded.
//
// [Split] makes the sections that are stored and cited, [EmbedText] the text that is embedded for a
// section, [LeadText] that for the whole article. A tokenizer reaches it as a function
// (Limit.Count). It reads no files and knows no embedding model.
package chunk

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"
	"github.com/clipperhouse/uax29/v2/words"

	"throughline/embed"
	"throughline/internal/news"
)

// Version is the version of Split. It is part of the names of collections, because sections that
// different rules made must not mix. Raise it whenever Split changes the sections of any article.
const Version = "1"

// Limit bounds the sections that Split makes.
type Limit struct {
	// Tokens is the most tokens that EmbedText of a section may have, without the special tokens of
	// the embedding model. 0: no limit.
	Tokens int
	// Count counts the tokens of a text. nil: no limit. Split calls it with texts of up to a few
	// times Tokens, and once with each whole section.
	Count func(string) int
	// MinWords is the number of words below which a section joins its neighbour. 0: 8; negative:
	// sections never join.
	MinWords int
}

const defaultMinWords = 8

// LimitFor returns the limit at which title, heading and text of a section fit the embedding model.
func LimitFor(e embed.Embedder) Limit {
	count := embed.Counter(e)
	return Limit{Tokens: e.Space().TextTokens(count), Count: count}
}

// titleBytes is the most bytes of a title that EmbedText and LeadText use. Ordinary headlines are
// shorter; a paragraph in place of a title must not displace the text.
const titleBytes = 200

// EmbedText returns the text that is embedded for a section: title, heading and text, a line each.
// Of a long title it takes the first 200 bytes, cut at a word.
func EmbedText(title string, s news.Section) string {
	return news.JoinTexts("\n", news.ClipWords(title, titleBytes), s.Heading, s.Text)
}

// leadWords is the most words of text in LeadText. With a title that is about 128 tokens, the
// length on which the model of internal/score was fitted.
const leadWords = 100

// LeadText returns the text that is embedded for a whole article: the title and the first whole
// sentences of the text, up to 100 words. If these are less than 50 words, the next sentence is cut
// at 100 words. It omits a title that was derived from the text.
func LeadText(a news.Article) string {
	text := a.Text()
	title := news.ClipWords(a.Title, titleBytes)
	if a.TitleDerived && strings.Contains(news.CleanLine(news.Clip(text, 4*titleBytes)), strings.TrimSuffix(title, "…")) {
		title = ""
	}
	end, n := 0, 0
	for end < len(text) && n < leadWords {
		next := news.NextSentence(text[end:])
		more, cut := countWords(text[end:end+next], leadWords-n)
		if n+more > leadWords {
			if n < leadWords/2 {
				end += cut
			}
			break
		}
		n, end = n+more, end+next
	}
	return news.JoinTexts("\n", title, strings.TrimSpace(text[:end]))
}

// countWords counts words by UAX 29, in which each ideograph is one, up to one more than most. cut
// is the end of the first most words.
func countWords(s string, most int) (n, cut int) {
	it := words.FromString(s)
	for it.Next() {
		if r, _ := utf8.DecodeRuneInString(it.Value()); !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			continue
		}
		if n++; n > most {
			return n, cut
		}
		cut = it.End()
	}
	return n, len(s)
}

// Split cuts an article into the sections that are stored and embedded.
//
// A section over the limit is cut into pieces of about equal length, at ends of sentences if
// possible, else of words, else of graphemes. Each piece repeats the heading. A section of less
// than MinWords words joins the one before it, or else the one after it, if both fit together; the
// heading of a section that joins another becomes a paragraph. So the texts and the headings that
// are not repeated are those of the article in the same order, except for white space at the cuts:
// nothing is lost and nothing is duplicated. An article without text has no sections.
//
// EmbedText of every section has at most limit.Tokens tokens, with two exceptions: a single
// grapheme over the limit, and a title that takes more than three quarters of the limit (possible
// only below about 270 tokens, because only 200 bytes of a title are used). Text and heading
// together then have at most a quarter of the limit.
//
// Time is near linear in the text: each byte is counted a small number of times.
func Split(a news.Article, limit Limit) []news.Section {
	if limit.MinWords == 0 {
		limit.MinWords = defaultMinWords
	}
	s := &splitter{title: a.Title, limit: limit, bounded: limit.Tokens > 0 && limit.Count != nil}
	if s.bounded {
		if title := limit.Count(EmbedText(a.Title, news.Section{})); 4*title > 3*limit.Tokens {
			s.title = ""
			s.limit.Tokens = max(limit.Tokens/4, 1)
		}
	}
	var pieces []piece
	for _, section := range a.Sections {
		if section.Heading != "" || strings.TrimSpace(section.Text) != "" {
			pieces = append(pieces, s.cut(section)...)
		}
	}
	return s.join(pieces)
}

type splitter struct {
	title   string
	limit   Limit
	bounded bool
}

// piece is a section before joining. All pieces of one section but the first are continued: their
// heading is a repetition.
type piece struct {
	news.Section
	continued bool
}

func (s *splitter) tokens(section news.Section) int {
	return s.limit.Count(EmbedText(s.title, section))
}

// cut cuts one section into pieces within the limit.
func (s *splitter) cut(section news.Section) []piece {
	section.Text = strings.TrimSpace(section.Text)
	total := 0
	if s.bounded {
		total = s.tokens(section)
	}
	if !s.bounded || total <= s.limit.Tokens {
		return []piece{{Section: section}}
	}
	frame := s.tokens(news.Section{Heading: section.Heading})
	if 4*frame > 3*s.limit.Tokens && section.Heading != "" {
		// A heading that leaves no room for text becomes text.
		return s.cut(news.Section{Text: section.Heading + "\n\n" + section.Text})
	}
	// The least number of pieces, all about equally long, with 10 % of room because sentences vary.
	room, body := max(s.limit.Tokens-frame, 1), max(total-frame, 1)
	count := (body + room - 1) / room
	c := &cutter{
		splitter: s,
		heading:  section.Heading,
		frame:    frame,
		room:     min(room, (body+count-1)/count*11/10+1),
		density:  float64(body) / float64(max(len(section.Text), 1)),
	}
	c.reach = bytesPerToken * c.room
	c.cut(section.Text, bySentence)
	return c.pieces
}

// level is a kind of boundary, the best to cut at first.
type level int

const (
	bySentence level = iota
	bySpace
	byWord
	byGrapheme
)

// bytesPerToken is above the mean of any language; see cutter.reach.
const bytesPerToken = 8

// cutter packs the units of one text into pieces.
type cutter struct {
	*splitter
	heading string
	frame   int     // tokens of title and heading
	room    int     // tokens that the text of a piece should count
	density float64 // tokens per byte of text, to guess how much fits
	reach   int     // most bytes to try, proportional to what has fitted: time stays linear
	pieces  []piece
}

func (c *cutter) add(text string) {
	c.reach = max(2*len(text), bytesPerToken*c.room)
	if text = strings.TrimSpace(text); text != "" {
		c.pieces = append(c.pieces, piece{news.Section{Heading: c.heading, Text: text}, len(c.pieces) > 0})
	}
}

func (c *cutter) count(text string) int {
	return c.tokens(news.Section{Heading: c.heading, Text: strings.TrimSpace(text)})
}

// cut packs text into pieces. It cuts between units of a level, and within a unit over the limit
// between units of the next level.
func (c *cutter) cut(text string, by level) {
	bounds := boundaries(text, by)
	for from := 0; from < len(bounds)-1; {
		to := c.most(text, bounds, from)
		if to > from {
			c.add(text[bounds[from]:bounds[to]])
			from = to
			continue
		}
		unit := text[bounds[from]:bounds[from+1]]
		if by == byGrapheme || c.count(unit) <= c.limit.Tokens {
			c.add(unit)
		} else {
			c.cut(unit, by+1)
		}
		from++
	}
}

// most returns the furthest bound such that the text from bounds[from] fits, or from if not even
// one unit fits. It guesses by the token density so far and searches from there; nine tenths of the
// room are enough.
func (c *cutter) most(text string, bounds []int, from int) int {
	target := c.frame + c.room
	fits, over := from, len(bounds) // bounds[over] is known not to fit
	size := float64(c.room) / c.density
	for try := 0; over-fits > 1; try++ {
		if try >= 4 { // the density misleads here: halve
			size = float64(bounds[fits]+bounds[min(over, len(bounds)-1)])/2 - float64(bounds[from])
		}
		to := upTo(bounds, bounds[from]+int(min(size, float64(c.reach))), fits+1, over-1)
		n, length := c.count(text[bounds[from]:bounds[to]]), bounds[to]-bounds[from]
		if n > target {
			over = to
		} else {
			fits = to
			c.reach = max(c.reach, 2*length)
			if 10*(n-c.frame) >= 9*c.room {
				break
			}
		}
		c.density = max(float64(n-c.frame)/float64(length), 1e-6)
		size = float64(c.room) / c.density
	}
	return fits
}

// upTo returns the last index within [low, high] whose bound is at most offset, or low.
func upTo(bounds []int, offset, low, high int) int {
	above, _ := slices.BinarySearch(bounds[low+1:high+1], offset+1)
	return low + above
}

// boundaries returns the offsets between the units of a text, with 0 and len(text).
func boundaries(text string, by level) []int {
	bounds := []int{0}
	switch by {
	case bySentence:
		for end := 0; end < len(text); {
			end += news.NextSentence(text[end:])
			bounds = append(bounds, end)
		}
	case bySpace:
		space := false
		for i, r := range text {
			if now := unicode.IsSpace(r); now != space {
				if space = now; !now && i > 0 {
					bounds = append(bounds, i)
				}
			}
		}
		if len(text) > 0 {
			bounds = append(bounds, len(text))
		}
	case byWord:
		for it := words.FromString(text); it.Next(); {
			bounds = append(bounds, it.End())
		}
	case byGrapheme:
		for it := graphemes.FromString(text); it.Next(); {
			bounds = append(bounds, it.End())
		}
	}
	return bounds
}

// mostJoined bounds the bytes of a joined text, because merge counts the whole text again for each
// small section.
const mostJoined = 8 << 10

// join joins pieces of too few words to a neighbour.
func (s *splitter) join(pieces []piece) []news.Section {
	var out []piece
	for i := range pieces {
		p, last := pieces[i], len(out)-1
		if !s.short(p.Text) {
			out = append(out, p)
			continue
		}
		// A heading without text belongs to the next piece, any other piece to the previous one.
		if last >= 0 && (p.Text != "" || i+1 == len(pieces)) && s.merge(&out[last], out[last], p) {
			continue
		}
		if i+1 < len(pieces) && s.merge(&pieces[i+1], p, pieces[i+1]) {
			continue
		}
		out = append(out, p)
	}
	sections := make([]news.Section, len(out))
	for i, p := range out {
		sections[i] = p.Section
	}
	return sections
}

func (s *splitter) short(text string) bool {
	if s.limit.MinWords < 0 {
		return false
	}
	n, _ := countWords(text, s.limit.MinWords)
	return n < s.limit.MinWords
}

// merge sets to to a with b appended, b's heading as a paragraph unless it is a repetition, and
// reports true, if both fit together.
func (s *splitter) merge(to *piece, a, b piece) bool {
	if len(a.Text)+len(b.Text) > mostJoined {
		return false
	}
	if b.continued {
		b.Heading = ""
	}
	a.Text = news.JoinTexts("\n\n", a.Text, b.Heading, b.Text)
	if s.bounded && s.tokens(a.Section) > s.limit.Tokens {
		return false
	}
	*to = a
	return true
}
