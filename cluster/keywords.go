package cluster

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Document is a text of a cluster. A phrase in the title counts more than one in the text.
type Document struct {
	Title, Text string
}

const (
	phraseWords = 3   // words of a phrase, at most
	nameWords   = 6   // words of a name, at most
	titleWeight = 2.0 // weight of an occurrence in a title; in the text it is 1
	// leastShare is the share of the documents of a cluster that must have a phrase, for clusters
	// of four or more. Large clusters are about many things: a phrase needs only rootShare times
	// the square root of the number of documents there.
	leastShare = 0.25
	rootShare  = 0.6
	// fragmentShare is how many times as frequent as a longer phrase its fragment must be to be
	// chosen: "Crocus City" is a fragment of "Crocus City Hall" unless it also occurs without
	// "Hall".
	fragmentShare = 1.3
	// partOfNames is the ratio of documents with a word only inside of longer names to documents
	// with it alone from which it is part of names: "Lauren" of Lauren Hemp and Lauren James.
	partOfNames = 3
	// headline is the share of capitalised words from which capitals do not mark names.
	headline = 0.7
	// coveredLoss is the share of its score that a phrase loses when keywords that were chosen
	// before have all of its documents.
	coveredLoss = 0.6
	// rarest is the share of documents at large with a word that is not known to be common.
	rarest = 1.0 / 1000
	// fewKeywords is the number of keywords below which words of single documents join them, in
	// clusters of at most fewDocuments.
	fewKeywords, fewDocuments = 3, 10
	// leastScore is the share of the best score that a phrase needs to be chosen.
	leastScore = 0.1
)

// KeywordOptions adjusts Keywords.
type KeywordOptions struct {
	N int // phrases of each cluster, at most
	// Common returns the share of documents in the language that have a word in lower case. Without
	// it, common words such as "country" and "asked" can be chosen when there are few clusters.
	Common func(word string) float64
}

// Keywords returns for each cluster the names and nouns of one to three words that distinguish
// it from the other clusters, best first. Equal scores are ordered by phrase.
//
// The score is class-based TF-IDF (Grootendorst 2022): the share of the documents of the cluster
// that have the phrase, times the logarithm of its rarity in all documents. Two factors favour
// phrases of several words and words that are rare in the language. After each choice the documents
// that have the phrase count less, so that a few keywords stand for most of the cluster.
//
// A phrase has no stop words except an inner "of", does not cross punctuation or a possessive, is
// not a fragment of a longer name, and is either entirely a name or not a name. Whether other
// phrases are nouns follows from their use in the sentences of all clusters, from their endings and
// from lists of English words. A phrase is returned in its most frequent spelling, where capitals
// at the beginning of sentences count little. Of several phrases with forms of the same words the
// best is chosen.
func Keywords(clusters [][]Document, opts KeywordOptions) [][]string {
	r := newReading(opts)
	classes := make([]*class, len(clusters))
	for c, documents := range clusters {
		k := r.read(documents)
		r.documents += len(documents)
		for i := range k.list {
			p := &k.list[i]
			t := r.all[p.key]
			t.documents += int32(len(p.in))
			t.use.add(p.use)
			r.all[p.key] = t
		}
		classes[c] = k.frequent()
	}
	out := make([][]string, len(clusters))
	for c, k := range classes {
		out[c] = r.best(k, clusters[c])
	}
	return out
}

// reading has the counts of all clusters.
type reading struct {
	KeywordOptions
	documents int
	words     map[string]*word // by spelling
	all       map[phraseKey]total

	runs    []wordRun // of the text that is read
	space   []*word   // their words
	named   []bool
	touched []int32 // phrases of the document that is read
	class   class   // the cluster that is read
}

func newReading(opts KeywordOptions) *reading {
	return &reading{KeywordOptions: opts, words: make(map[string]*word), all: make(map[phraseKey]total)}
}

// phraseKey has the numbers of the words of a phrase, in lower case; 0 for none.
type phraseKey [phraseWords]int32

// nameKey is the same for a name.
type nameKey [nameWords]int32

// word is a word in one spelling.
type word struct {
	number  int32 // from 1
	text    string
	lower   *word // in lower case, with ASCII apostrophes
	capital bool

	// Of the word in lower case:
	stop, of, to, determines, determiner, preposition, verbal bool
	ascii                                                     bool
	letters                                                   int
}

// word returns a word in its spelling.
func (r *reading) word(text string) *word {
	if w := r.words[text]; w != nil {
		return w
	}
	text = strings.Clone(text)
	w := &word{number: int32(len(r.words) + 1), text: text}
	r.words[text] = w
	if lower := lowered(text); lower != text {
		number := w.number
		*w = *r.word(lower)
		w.number, w.text, w.capital = number, text, capital(text)
		return w
	}
	w.lower, w.capital = w, capital(text)
	w.stop, w.of, w.to, w.determines, w.determiner = stopWords[text], text == "of", text == "to", determines(text), determiners[text]
	w.preposition, w.verbal, w.ascii = prepositions[text], verbal[text], isASCII(text)
	for _, c := range text {
		if unicode.IsLetter(c) {
			w.letters++
		}
	}
	return w
}

// total has the counts of a phrase in all clusters.
type total struct {
	documents int32 // with the phrase
	use       usage
}

// usage returns how all clusters use a phrase, given in lower case.
func (r *reading) usage(text string) usage {
	var key phraseKey
	for i, w := range strings.Fields(text) {
		key[i] = r.word(w).number
	}
	return r.all[key].use
}

// phrase has the counts of a phrase in a cluster.
type phrase struct {
	key       phraseKey
	text      string  // in lower case; empty: not needed yet
	in        []int32 // documents with the phrase, ascending
	weight    float64 // the number of them, with titleWeight for a title
	spellings []spelling
	alone     int // documents where it is a name by itself
	inside    int // documents where it is only part of longer names
	plain     int // documents where it occurs outside of headlines in capitals
	use       usage
	here      mention // in the document that is read
}

// spelling is a spelling of a phrase with its weight, see sentenceCase.
type spelling struct {
	words  [phraseWords]*word
	weight int
}

func (s *spelling) text() string { return joinWords(s.words[:]) }

func joinWords(words []*word) string {
	var b strings.Builder
	for i, w := range words {
		if w == nil {
			break
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w.text)
	}
	return b.String()
}

// words returns the number of words.
func (p *phrase) words() int {
	n := 1
	for n < phraseWords && p.key[n] != 0 {
		n++
	}
	return n
}

// class has the counts of a cluster.
type class struct {
	documents int
	phrases   map[phraseKey]int32 // positions in list
	list      []phrase
	names     map[nameKey]*longName // those that are longer than a phrase
	plain     int                   // documents with text where capitals mark names
}

// longName has the number of words of a name, and of the documents with it.
type longName struct {
	words     int
	documents int
	last      int // document, from 1
}

// mention is what a document has of a phrase.
type mention struct {
	weight float64
	plain  bool // outside of a headline in capitals
	named  bool // as a name or a part of one
	alone  bool // as a name that is no part of a longer one
}

// read counts a cluster. The result is valid until the next call.
func (r *reading) read(documents []Document) *class {
	k := &r.class
	k.documents, k.plain, k.list = len(documents), 0, k.list[:0]
	if k.phrases == nil {
		k.phrases, k.names = make(map[phraseKey]int32), make(map[nameKey]*longName)
	}
	clear(k.phrases)
	clear(k.names)
	for i, d := range documents {
		r.touched = r.touched[:0]
		title := r.readText(i, d.Title, titleWeight)
		if r.readText(i, d.Text, 1) || title {
			k.plain++
		}
		for _, at := range r.touched {
			p := &k.list[at]
			m := p.here
			p.here = mention{}
			p.in = append(p.in, int32(i))
			p.weight += m.weight
			if m.alone {
				p.alone++
			} else if m.named {
				p.inside++
			}
			if m.plain {
				p.plain++
			}
		}
	}
	return k
}

// least returns the number of documents that must have a phrase.
func (k *class) least() int {
	least := 1
	if k.documents >= 2 {
		least = 2
	}
	if k.documents >= 4 {
		n := float64(k.documents)
		least = max(least, int(math.Ceil(min(leastShare*n, rootShare*math.Sqrt(n)))))
	}
	return least
}

// frequent returns a copy with what enough documents have.
func (k *class) frequent() *class {
	least := k.least()
	out := &class{documents: k.documents, plain: k.plain, names: make(map[nameKey]*longName)}
	for i := range k.list {
		if p := &k.list[i]; len(p.in) >= least {
			kept := *p
			kept.in, kept.spellings = slices.Clone(p.in), slices.Clone(p.spellings)
			out.list = append(out.list, kept)
		}
	}
	for key, name := range k.names {
		if name.documents >= least {
			out.names[key] = name
		}
	}
	return out
}

// phrase returns the phrase of a run of words in lower case.
func (r *reading) phrase(words []*word) int32 {
	var key phraseKey
	for i, w := range words {
		key[i] = w.lower.number
	}
	k := &r.class
	at, known := k.phrases[key]
	if !known {
		at = int32(len(k.list))
		k.phrases[key] = at
		if int(at) == cap(k.list) {
			k.list = slices.Grow(k.list, 1)
		}
		k.list = k.list[:at+1]
		p := &k.list[at]
		*p = phrase{key: key, in: p.in[:0], spellings: p.spellings[:0]}
	}
	return at
}

// spelled adds to the weight of a spelling.
func (p *phrase) spelled(words []*word, weight int) {
	var s spelling
	copy(s.words[:], words)
	for i := range p.spellings {
		if p.spellings[i].words == s.words {
			p.spellings[i].weight += weight
			return
		}
	}
	s.weight = weight
	p.spellings = append(p.spellings, s)
}

// sentenceCase is the weight of a spelling inside of a sentence. At the beginning of a sentence,
// and in headlines in capitals, the weight is 1.
const sentenceCase = 100

// readText counts the phrases of a text of a document. It reports whether capitals mark names in
// the text.
func (r *reading) readText(document int, text string, weight float64) (plain bool) {
	k := &r.class
	r.split(text)
	capitals, content := 0, 0
	for _, w := range r.space {
		if !w.stop {
			content++
			if w.capital {
				capitals++
			}
		}
	}
	plain = float64(capitals) < headline*float64(content)
	for _, run := range r.runs {
		words := r.space[run.from:run.to]
		named := r.named[:0] // part of a name, judging by capitals
		for _, w := range words {
			named = append(named, plain && w.capital && !w.stop)
		}
		r.named = named
		for i := range words {
			for n := 1; n <= phraseWords && i+n <= len(words); n++ {
				if !isPhrase(words[i : i+n]) {
					continue
				}
				at := r.phrase(words[i : i+n])
				p := &k.list[at]
				counts := sentenceCase
				if i == 0 && run.begins || !plain {
					counts = 1
				}
				p.spelled(words[i:i+n], counts)
				m := &p.here
				if m.weight == 0 {
					r.touched = append(r.touched, at)
				}
				m.weight, m.plain = max(m.weight, weight), m.plain || plain
				if named[i] && named[i+n-1] {
					longer := i > 0 && named[i-1] || i+n < len(named) && named[i+n]
					m.named, m.alone = true, m.alone || !longer
				}
				if weight == 1 && plain && !named[i] {
					p.use.note(words, run.owned, i, i+n)
				}
			}
		}
		for i := 0; i < len(named); {
			n := 0
			for i+n < len(named) && n < nameWords && named[i+n] {
				n++
			}
			if n > phraseWords {
				k.name(words[i:i+n], document+1)
			}
			i += max(n, 1)
		}
	}
	return plain
}

// name counts a long name in a document, from 1.
func (k *class) name(words []*word, document int) {
	var key nameKey
	for i, w := range words {
		key[i] = w.lower.number
	}
	name := k.names[key]
	if name == nil {
		name = &longName{words: len(words)}
		k.names[key] = name
	}
	if name.last != document {
		name.last = document
		name.documents++
	}
}

// lowered returns a word in lower case, with ASCII apostrophes.
func lowered(word string) string { return strings.ReplaceAll(strings.ToLower(word), "’", "'") }

func capital(word string) bool {
	r, _ := utf8.DecodeRuneInString(word)
	return unicode.IsUpper(r)
}

// isPhrase reports whether words can be a phrase.
func isPhrase(words []*word) bool {
	letters := 0
	for i, w := range words {
		if w.stop && (i == 0 || i == len(words)-1 || !w.of) {
			return false
		}
		letters += w.letters
	}
	if len(words) > 1 {
		return letters >= 3 && words[0].letters > 0
	}
	return letters >= 3 || letters >= 1 && !words[0].ascii
}

func isASCII(w string) bool {
	return !strings.ContainsFunc(w, func(r rune) bool { return r >= utf8.RuneSelf })
}

// wordRun is a run of words without punctuation between them: those at from to to in the space.
type wordRun struct {
	from, to int
	begins   bool // at the beginning of a sentence or a line
	owned    bool // after a possessive
}

// split splits a text into runs of words. A run ends at punctuation and after a possessive.
// Apostrophes and hyphens belong to words; a possessive ending is removed.
func (r *reading) split(text string) {
	r.runs, r.space = r.runs[:0], r.space[:0]
	run := wordRun{begins: true}
	start := -1
	flush := func(begins bool) {
		if run.to = len(r.space); run.to > run.from {
			r.runs = append(r.runs, run)
			run = wordRun{from: run.to, begins: begins}
		}
		run.begins, run.owned = run.begins || begins, false
	}
	end := func(i int) {
		if start < 0 {
			return
		}
		w, possessive := strings.Trim(text[start:i], "-'’"), false
		for _, s := range [...]string{"'s", "’s", "'S", "’S"} {
			if short, ok := strings.CutSuffix(w, s); ok {
				w, possessive = short, true
			}
		}
		if w != "" {
			r.space = append(r.space, r.word(w))
		}
		if possessive {
			flush(false)
			run.owned = true
		}
		start = -1
	}
	for i, c := range text {
		inner := c == '-' || c == '\'' || c == '’' || (c == '.' || c == ',') && digitsAround(text, i)
		switch {
		case unicode.IsLetter(c) || unicode.IsDigit(c) || unicode.IsMark(c):
			if start < 0 {
				start = i
			}
		case inner && start >= 0:
		case c == ' ' || c == '\u00a0':
			end(i)
		default:
			end(i)
			flush(strings.ContainsRune(".!?:;\n\r\"“”«»…", c))
		}
	}
	end(len(text))
	flush(false)
}

// digitsAround reports whether the byte at i is between two digits, as in "7.8" and "1,000".
func digitsAround(text string, i int) bool {
	digit := func(b byte) bool { return '0' <= b && b <= '9' }
	return i > 0 && i+1 < len(text) && digit(text[i-1]) && digit(text[i+1])
}

// best chooses the phrases of one cluster, given what enough of its documents have.
func (r *reading) best(k *class, documents []Document) []string {
	picked := r.choose(k, k.least(), nil, r.N)
	if len(picked) == 0 || len(picked) < fewKeywords && k.documents <= fewDocuments {
		picked = r.choose(r.read(documents), 1, picked, min(fewKeywords, r.N))
	}
	out := make([]string, len(picked))
	for i, p := range picked {
		out[i], _ = p.spelling()
	}
	return out
}

type scoredPhrase struct {
	*phrase
	score    float64
	rejected bool
}

// choose adds to the picked phrases, up to n, of those of at least least documents. With a least of
// 1 it picks single words only, because several words of one document are a part of a sentence more
// often than a name.
func (r *reading) choose(k *class, least int, picked []*phrase, n int) []*phrase {
	var list []scoredPhrase
	for i := range k.list {
		p := &k.list[i]
		words := p.words()
		if len(p.in) < least || words > 1 && (least == 1 || !p.whole()) {
			continue
		}
		if words > 1 && 2*p.plain < len(p.in) && 2*k.plain >= k.documents {
			continue // a part of a headline in capitals that few sentences have
		}
		p.text = lowered(p.spellings[0].text())
		share := p.weight / (titleWeight * float64(k.documents))
		rarity := math.Log1p(float64(r.documents) / float64(r.all[p.key].documents))
		list = append(list, scoredPhrase{phrase: p, score: share * rarity * (1 + 0.25*float64(words-1)) * specific(p.text, r.Common)})
	}
	slices.SortFunc(list, func(a, b scoredPhrase) int {
		return cmp.Or(cmp.Compare(b.score, a.score), strings.Compare(a.text, b.text))
	})
	longer := k.covered(least)
	covered := make([]bool, k.documents)
	for _, p := range picked {
		for _, d := range p.in {
			covered[d] = true
		}
	}
	var first float64
	for len(picked) < n && len(list) > 0 {
		best, at := 0.0, -1
		for i, p := range list {
			if p.rejected {
				continue
			}
			if p.score <= best {
				break // none of the rest has a greater score
			}
			known := 0
			for _, d := range p.in {
				if covered[d] {
					known++
				}
			}
			score := p.score * (1 - coveredLoss*float64(known)/float64(len(p.in)))
			if score <= best {
				continue
			}
			fragment := float64(len(p.in)) < fragmentShare*float64(longer[p.key]) || p.inside > partOfNames*p.alone
			if fragment || slices.ContainsFunc(picked, func(other *phrase) bool {
				return repeats(p.text, other.text) || repeats(other.text, p.text) || acronym(p.text, other.text) || acronym(other.text, p.text)
			}) ||
				!nominal(p.text, p.isName(), r.usage) {
				list[i].rejected = true
				continue
			}
			best, at = score, i
		}
		if at < 0 || best < leastScore*first {
			break
		}
		first = max(first, best)
		chosen := list[at].phrase
		picked = append(picked, chosen)
		for _, d := range chosen.in {
			covered[d] = true
		}
		list = slices.DeleteFunc(slices.Delete(list, at, at+1), func(s scoredPhrase) bool { return s.rejected })
	}
	return picked
}

// isName reports whether sentences spell a phrase with capitals.
func (p *phrase) isName() bool {
	s, weight := p.spelling()
	return capital(s) && weight >= sentenceCase
}

// specific returns how rare the words of a phrase are in the language, on a logarithmic scale: 1
// for rare words, 0 for words of every document. It is the mean of several words, because names
// such as "World Cup" consist of common ones; of one word it is the power of 1.5.
func specific(key string, common func(string) float64) float64 {
	if common == nil {
		return 1
	}
	words := strings.Fields(key)
	sum := 0.0
	for _, w := range words {
		sum += math.Log(min(max(common(w), rarest), 1)) / math.Log(rarest)
	}
	mean := sum / float64(len(words))
	if len(words) == 1 {
		return mean * math.Sqrt(mean)
	}
	return mean
}

// whole reports whether a phrase of several words is entirely a name or has no capitals. "Alaska
// Airlines jet" and "approved Casgevy" are parts of sentences.
func (p *phrase) whole() bool {
	s, _ := p.spelling()
	capitals, small := 0, 0
	for w := range strings.FieldsSeq(s) {
		switch r, _ := utf8.DecodeRuneInString(w); {
		case unicode.IsUpper(r):
			capitals++
		case unicode.IsLower(r) && w != "of":
			small++
		}
	}
	return capitals == 0 || small == 0
}

// covered returns, for every phrase that is part of longer ones, the number of documents with the
// most frequent of these.
func (k *class) covered(least int) map[phraseKey]int {
	most := make(map[phraseKey]int)
	cover := func(longer []int32, documents int) {
		for i := range longer {
			for n := 1; n < len(longer) && n <= phraseWords && i+n <= len(longer); n++ {
				var part phraseKey
				copy(part[:], longer[i:i+n])
				most[part] = max(most[part], documents)
			}
		}
	}
	for i := range k.list {
		if p := &k.list[i]; p.words() > 1 && len(p.in) >= least && p.whole() {
			cover(p.key[:p.words()], len(p.in))
		}
	}
	for key, name := range k.names {
		if name.documents >= least {
			cover(key[:name.words], name.documents)
		}
	}
	return most
}

// repeats reports whether every word of part is a word of whole or a form of one.
func repeats(part, whole string) bool {
	words := strings.Fields(whole)
	for w := range strings.FieldsSeq(part) {
		if !slices.ContainsFunc(words, func(other string) bool { return alike(w, other) }) {
			return false
		}
	}
	return true
}

// acronym reports whether a word consists of the first letters of several words: "faa" of "federal
// aviation administration".
func acronym(short, long string) bool {
	first := ""
	for w := range strings.FieldsSeq(long) {
		if w != "of" {
			r, _ := utf8.DecodeRuneInString(w)
			first += string(r)
		}
	}
	return len(first) > 1 && short == first
}

// alike reports whether two words are forms of the same word: they differ in a short ending, or one
// is the end of the other, as in "quake" and "earthquake".
func alike(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if a == b || a+"s" == b || strings.TrimSuffix(a, "y")+"ies" == b || len(a) >= 5 && strings.HasSuffix(b, a) {
		return true
	}
	x, y := []rune(a), []rune(b)
	n := 0
	for n < min(len(x), len(y)) && x[n] == y[n] {
		n++
	}
	return n >= 4 && len(x)-n <= 3 && len(y)-n <= 3
}

// spelling returns the most frequent spelling, the first in order among equals, and its weight.
func (p *phrase) spelling() (text string, weight int) {
	for i := range p.spellings {
		s := &p.spellings[i]
		if s.weight < weight {
			continue
		}
		if t := s.text(); s.weight > weight || t < text {
			text, weight = t, s.weight
		}
	}
	return text, weight
}

// stopWords neither begin nor end a phrase: function words of English and words of every news
// report.
var stopWords = wordSet(`
a about above according across added after again against ago all almost along already also although always am amid among
an and announce announced announces another any apr april are aren't around as asked at aug august away back be became
because become been before began begin beginning beginnings begins begun behind being below best between billion both
but by called came can can't cannot carried cent cents carry come cost costs could couldn't counted d day days de dec december did
didn't do does doesn't doing dollar dollars don't done down dozen dozens dr due during each early eight eighteen eighty
either eleven else end enough euro euros even ever every everyone expect expected feb february few fifteen fifty first
five for former forty found four fourteen friday from full further gave get go going got gov had hadn't half has hasn't
have haven't having he he'd he'll he's held her here hers herself him himself his hold hour hours how however hundred
hundreds i i'd i'll i'm i've if in including inside instead into is isn't it it's its itself jan january jul july jun
june just keep kept kilometres know known last late later latest least left less let like likely little long longer look
lot made make makes making man many may me mean meant metres might mile miles million minutes monday month months more
most mostly mr mrs ms much must my myself near nearly need never new news next night nine nineteen ninety no nobody non
nor not nothing nov november now oct october of off often old on once one only onto or other others our ours ourselves
out outside over own part past people per percent perhaps place pound pounds put quite rather re really rep reported
reporting reps right said same saturday saw say saying says second see seen sen sens sep sept september set seven
seventeen seventy several shall she she'd she'll she's should shouldn't show showed since six sixteen sixty so some
something soon spokesman spokesperson spokeswoman statement statements still such sunday take taken ten than that that's
the their theirs them themselves then there there's these they they'd they'll they're they've thing things third
thirteen thirty this those though thousand thousands three through thursday time times to today together told too took
toward towards tried tries trillion try trying tuesday twelve twenty twice two under until up upon us use used using
very want wanted was wasn't way we we'd we'll we're we've wednesday week weeks well went were weren't what when where
whether which while who whole whom whose why will with within without won't word words work worked working would
wouldn't year years yesterday yet you you'd you'll you're you've your yours yourself`)
