package article

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"
	"github.com/clipperhouse/uax29/v2/words"
)

// Chunker is the version of Split. It is part of the names of collections, because sections cut by different rules must not mix:
// raise it whenever Split gives other sections for any article.
const Chunker = "1"

// Limit bounds the sections that Split makes.
type Limit struct {
	// Tokens is the most that EmbedText of a section may count, without the model's own special tokens. 0: no limit.
	Tokens int
	// Count counts the tokens of a text. nil: no limit. It is called with texts of up to a few times Tokens, and once with each
	// whole section.
	Count func(string) int
	// MinWords is the length below which a section joins its neighbour. 0: 8; negative: none does.
	MinWords int
}

const defaultMinWords = 8

// titleBytes is how much of a title is repeated before each section: more than the longest of ordinary headlines, so that a
// paragraph in the title's place does not crowd out the text.
const titleBytes = 200

// EmbedText is what is embedded for a section: title, heading and text, a line each. Of an overlong title it takes the first words.
func EmbedText(title string, s Section) string {
	parts := make([]string, 0, 3)
	for _, part := range [3]string{clipWords(title, titleBytes), s.Heading, s.Text} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "\n")
}

// leadWords is the length of LeadText in words: with a title, about the 128 tokens on which the pair model was calibrated.
const leadWords = 100

// LeadText is what the article's own vector is made of: the title and the beginning of the text, whole sentences up to 100
// words, or less than the first where that is very long. A title that was derived from the text is not said twice.
func LeadText(a Article) string {
	text := a.Text()
	title := clipWords(a.Title, titleBytes)
	if a.TitleDerived && strings.Contains(cleanLine(clip(text, 4*titleBytes)), strings.TrimSuffix(title, "…")) {
		title = ""
	}
	end, n := 0, 0
	for end < len(text) && n < leadWords {
		next := nextSentence(text[end:])
		more, cut := countWords(text[end:end+next], leadWords-n)
		if n+more > leadWords {
			if n < leadWords/2 {
				end += cut // one endless sentence is no excuse
			}
			break
		}
		n, end = n+more, end+next
	}
	lead := strings.TrimSpace(text[:end])
	if title == "" || lead == "" {
		return title + lead
	}
	return title + "\n" + lead
}

// countWords counts words by UAX 29, where each ideograph is one, up to one more than most; cut is where the first most words end.
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
// A section over the limit is cut into about equal pieces, at ends of sentences where possible, else of words, else of
// graphemes, and each piece repeats the heading. A section of less than MinWords words joins the one before it, or else the one
// after it, if both fit together; a heading that loses its place becomes a paragraph of the joined text. So the texts, with
// the headings that are not repetitions, are those of the article in the same order, but for white space at the cuts; nothing
// is lost or said twice. An article without text has no sections.
//
// EmbedText of every section counts at most limit.Tokens, with two exceptions: a grapheme that is over the limit by itself, and titles that
// alone take three quarters of the limit (possible only below about 270 tokens, the first 200 bytes of a title being used): text
// and heading together then count at most a quarter.
//
// Time is near linear in the text: each byte is counted a small number of times.
func Split(a Article, limit Limit) []Section {
	if limit.MinWords == 0 {
		limit.MinWords = defaultMinWords
	}
	s := &splitter{title: a.Title, limit: limit, bounded: limit.Tokens > 0 && limit.Count != nil}
	if s.bounded {
		if title := limit.Count(EmbedText(a.Title, Section{})); 4*title > 3*limit.Tokens {
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

// piece is a section to be. Of the pieces of one section all but the first are continued: their heading is a repetition.
type piece struct {
	Section
	continued bool
}

func (s *splitter) tokens(section Section) int { return s.limit.Count(EmbedText(s.title, section)) }

// cut cuts one section into pieces within the limit.
func (s *splitter) cut(section Section) []piece {
	section.Text = strings.TrimSpace(section.Text)
	if !s.bounded {
		return []piece{{Section: section}}
	}
	total := s.tokens(section)
	if total <= s.limit.Tokens {
		return []piece{{Section: section}}
	}
	frame := s.tokens(Section{Heading: section.Heading})
	if 4*frame > 3*s.limit.Tokens && section.Heading != "" {
		// A heading that leaves no room is text.
		return s.cut(Section{Text: section.Heading + "\n\n" + section.Text})
	}
	// As many pieces as it takes, all about equally long, with a tenth to spare because sentences are not.
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

// level is a kind of boundary, from the best to cut at to the last resort.
type level int

const (
	bySentence level = iota
	bySpace
	byWord
	byGrapheme
)

// bytesPerToken is more than a token of any language has on average; see cutter.reach.
const bytesPerToken = 8

// cutter packs the units of one text into pieces.
type cutter struct {
	*splitter
	heading string
	frame   int     // tokens of title and heading
	room    int     // tokens that the text of a piece should count
	density float64 // tokens per byte of text, to guess how much fits
	reach   int     // most bytes to try: in proportion to what has fitted, so that the work is in proportion to the text
	pieces  []piece
}

func (c *cutter) add(text string) {
	c.reach = max(2*len(text), bytesPerToken*c.room)
	if text = strings.TrimSpace(text); text != "" {
		c.pieces = append(c.pieces, piece{Section{Heading: c.heading, Text: text}, len(c.pieces) > 0})
	}
}

func (c *cutter) count(text string) int {
	return c.tokens(Section{Heading: c.heading, Text: strings.TrimSpace(text)})
}

// cut packs text, cutting between units of a level and, within a unit that is over the limit, of the next.
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

// most is the furthest bound whose text from bounds[from] has room, or from if not even one unit has. It guesses by the density
// so far and closes in on the answer; it is content with nine tenths of what would fit.
func (c *cutter) most(text string, bounds []int, from int) int {
	target := c.frame + c.room
	fits, over := from, len(bounds) // bounds[over] is known not to fit
	size := float64(c.room) / c.density
	for try := 0; over-fits > 1; try++ {
		if try >= 4 { // the density is no guide here
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

// upTo is the last index within [low, high] whose bound is at most offset, or low.
func upTo(bounds []int, offset, low, high int) int {
	for low < high {
		middle := (low + high + 1) / 2
		if bounds[middle] <= offset {
			low = middle
		} else {
			high = middle - 1
		}
	}
	return low
}

// boundaries are the offsets between the units of a text, with 0 and len(text).
func boundaries(text string, by level) []int {
	bounds := []int{0}
	switch by {
	case bySentence:
		for end := 0; end < len(text); {
			end += nextSentence(text[end:])
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

// mostJoined bounds a joined text in bytes: many small sections are not worth more work than their size.
const mostJoined = 8 << 10

// join lets pieces of too few words join a neighbour.
func (s *splitter) join(pieces []piece) []Section {
	var out []piece
	for i := range pieces {
		p, last := pieces[i], len(out)-1
		if !s.short(p.Text) {
			out = append(out, p)
			continue
		}
		// A heading without text belongs to what follows it, everything else to what precedes it.
		if last >= 0 && (p.Text != "" || i+1 == len(pieces)) {
			if joined, ok := s.merge(out[last], p); ok {
				out[last] = joined
				continue
			}
		}
		if i+1 < len(pieces) {
			if joined, ok := s.merge(p, pieces[i+1]); ok {
				pieces[i+1] = joined
				continue
			}
		}
		out = append(out, p)
	}
	sections := make([]Section, len(out))
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

// merge puts b behind a, b's heading as a paragraph unless it is a repetition; ok says whether both fit together.
func (s *splitter) merge(a, b piece) (joined piece, ok bool) {
	if len(a.Text)+len(b.Text) > mostJoined {
		return piece{}, false
	}
	if b.continued {
		b.Heading = ""
	}
	parts := make([]string, 0, 3)
	for _, part := range [3]string{a.Text, b.Heading, b.Text} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	a.Text = strings.Join(parts, "\n\n")
	return a, !s.bounded || s.tokens(a.Section) <= s.limit.Tokens
}
