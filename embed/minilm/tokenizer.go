package minilm

import (
	_ "embed"
	"fmt"
	"math"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

//go:embed weights/vocab.txt
var vocabularyText string

const (
	vocabularySize = 30522
	// maxWordRunes is the length beyond which the reference makes one unknown token of a word.
	maxWordRunes = 100

	unknownToken = 100
	startToken   = 101
	endToken     = 102
)

// specialTokens are recognised in texts, as in the reference tokenizer.
var specialTokens = []struct {
	text string
	id   int32
}{{"[PAD]", 0}, {"[UNK]", unknownToken}, {"[CLS]", startToken}, {"[SEP]", endToken}, {"[MASK]", 103}}

// vocabulary is BERT's WordPiece vocabulary: tokens that begin a word, and tokens inside of a word.
// The latter have the prefix "##" in the file, which is removed here.
type vocabulary struct {
	begin, inside               map[string]int32
	longestBegin, longestInside int // bytes
}

var loadVocabulary = sync.OnceValues(func() (*vocabulary, error) {
	v := &vocabulary{begin: make(map[string]int32, 25<<10), inside: make(map[string]int32, 6<<10)}
	id := int32(0)
	for line := range strings.Lines(vocabularyText) {
		token := strings.TrimRight(line, "\r\n")
		if rest, ok := strings.CutPrefix(token, "##"); ok {
			v.inside[rest] = id
			v.longestInside = max(v.longestInside, len(rest))
		} else {
			v.begin[token] = id
			v.longestBegin = max(v.longestBegin, len(token))
		}
		id++
	}
	if id != vocabularySize {
		return nil, fmt.Errorf("minilm: built-in vocabulary: wrong size (got %d tokens, want %d)", id, vocabularySize)
	}
	return v, nil
})

// CountTokens returns the number of tokens of a text, without the two special tokens. It does not
// load the weights, so it can also be used with a server that runs this model.
func CountTokens(text string) int {
	v, err := loadVocabulary()
	if err != nil {
		return len(text) // never less than the truth
	}
	t := tokenizer{vocabulary: v}
	return t.count(text)
}

// tokenizer turns texts into token ids as the reference does: BertNormalizer, BertPreTokenizer and
// WordPiece of the tokenizers library with the published tokenizer.json. It is not safe for
// concurrent use.
type tokenizer struct {
	*vocabulary
	clean, decomposed, word []byte
	decompose               norm.Iter
	wordRunes               int
	out                     []int32
	limit                   int
}

// encode appends the ids of a text with start and end tokens. The text is truncated to at most
// limit ids.
func (t *tokenizer) encode(dst []int32, text string, limit int) []int32 {
	t.out, t.limit = append(dst, startToken), len(dst)+limit-1
	t.text(text)
	dst, t.out = append(t.out, endToken), nil
	return dst
}

// count returns the number of ids of a text without truncation, start and end tokens.
func (t *tokenizer) count(text string) int {
	n := 0
	for text != "" {
		piece := nextPiece(text)
		t.out, t.limit = t.out[:0], math.MaxInt
		t.text(text[:piece])
		n, text = n+len(t.out), text[piece:]
	}
	t.out = nil
	return n
}

// pieceBytes is the amount of text that is normalised at a time, so that a long text needs little
// memory and a truncated one little time.
const pieceBytes = 4 << 10

// nextPiece returns the length of a first piece of text. It ends after a space, so no token crosses
// it.
func nextPiece(text string) int {
	if len(text) <= pieceBytes {
		return len(text)
	}
	if i := strings.LastIndexAny(text[:pieceBytes], " \n"); i >= 0 {
		return i + 1
	}
	if i := strings.IndexAny(text[pieceBytes:], " \n"); i >= 0 {
		return pieceBytes + i + 1
	}
	return len(text)
}

// text appends the ids of a text to t.out, up to t.limit.
func (t *tokenizer) text(text string) {
	for text != "" && len(t.out) < t.limit {
		piece := text[:nextPiece(text)]
		at, special, id := nextSpecial(piece)
		t.plain(piece[:at])
		if special > 0 {
			t.emit(id)
		}
		text = text[at+special:]
	}
}

// nextSpecial finds the first special token in text and returns its position, length and id, or
// len(text), 0, 0.
func nextSpecial(text string) (at, length int, id int32) {
	for at < len(text) {
		i := strings.IndexByte(text[at:], '[')
		if i < 0 {
			break
		}
		at += i
		for _, s := range specialTokens {
			if strings.HasPrefix(text[at:], s.text) {
				return at, len(s.text), s.id
			}
		}
		at++
	}
	return len(text), 0, 0
}

func (t *tokenizer) emit(id int32) {
	if len(t.out) < t.limit {
		t.out = append(t.out, id)
	}
}

// plain appends the ids of text that has no special tokens.
func (t *tokenizer) plain(text string) {
	t.clean = t.clean[:0]
	ascii := true
	for _, r := range text {
		switch {
		case r < utf8.RuneSelf:
			t.clean = append(t.clean, byte(r))
		case isDropped(r):
			// Removed before decomposition, as in the reference. Invalid UTF-8 decodes to U+FFFD.
		case isIdeograph(r):
			// Separated before decomposition, which would change some of them.
			t.clean = append(t.clean, ' ')
			t.clean = utf8.AppendRune(t.clean, r)
			t.clean = append(t.clean, ' ')
			ascii = false
		default:
			t.clean = utf8.AppendRune(t.clean, r)
			ascii = false
		}
	}
	normal := t.clean
	if !ascii {
		t.decomposed = t.decomposed[:0]
		for t.decompose.Init(norm.NFD, t.clean); !t.decompose.Done(); { // unlike norm.NFD.Append, it allocates nothing
			t.decomposed = append(t.decomposed, t.decompose.Next()...)
		}
		normal = t.decomposed
	}
	t.words(normal)
}

// words splits normalised text at white space and punctuation and appends the ids of the words and
// of the punctuation.
func (t *tokenizer) words(normal []byte) {
	t.word, t.wordRunes = t.word[:0], 0
	for i := 0; i < len(normal) && len(t.out) < t.limit; {
		if c := normal[i]; c < utf8.RuneSelf {
			i++
			switch asciiClass[c] {
			case classLetter:
				t.word = append(t.word, c)
				t.wordRunes++
			case classUpper:
				t.word = append(t.word, c+'a'-'A')
				t.wordRunes++
			case classSpace:
				t.endWord()
			case classPunctuation:
				t.endWord()
				t.word, t.wordRunes = append(t.word, c), 1
				t.endWord()
			}
			continue
		}
		r, size := utf8.DecodeRune(normal[i:])
		i += size
		switch {
		case isMark(r):
		case isSpace(r):
			t.endWord()
		case isPunctuation(r):
			t.endWord()
			t.word, t.wordRunes = utf8.AppendRune(t.word, r), 1
			t.endWord()
		default:
			t.word = utf8.AppendRune(t.word, unicode.ToLower(r))
			t.wordRunes++
		}
	}
	t.endWord()
}

// endWord appends the ids of t.word, always taking the longest token of the vocabulary, or the
// unknown token when no token fits. Then it starts a new word.
func (t *tokenizer) endWord() {
	word, runes := t.word, t.wordRunes
	t.word, t.wordRunes = t.word[:0], 0
	if len(word) == 0 {
		return
	}
	if runes > maxWordRunes {
		t.emit(unknownToken)
		return
	}
	// The whole word is read even beyond the limit, because an unknown rest makes all of it
	// unknown.
	start := len(t.out)
	tokens, longest := t.begin, t.longestBegin
	for at := 0; at < len(word); {
		end := min(len(word), at+longest)
		id, ok := int32(0), false
		for ; end > at; end-- {
			if end < len(word) && !utf8.RuneStart(word[end]) {
				continue
			}
			if id, ok = tokens[string(word[at:end])]; ok {
				break
			}
		}
		if !ok {
			t.out = append(t.out[:start], unknownToken)
			break
		}
		t.out = append(t.out, id)
		at = end
		tokens, longest = t.inside, t.longestInside
	}
	t.out = t.out[:min(len(t.out), max(start, t.limit))]
}
