package cluster

import (
	"cmp"
	"maps"
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
	r := &reading{KeywordOptions: opts, all: make(map[string]total)}
	for _, documents := range clusters {
		k := readClass(documents)
		r.classes = append(r.classes, k)
		r.documents += len(documents)
		for key, p := range k.phrases {
			t := r.all[key]
			t.documents += int32(len(p.in))
			t.use.add(p.use)
			r.all[key] = t
		}
	}
	out := make([][]string, len(clusters))
	for c, k := range r.classes {
		out[c] = r.best(k)
	}
	return out
}

// reading has the counts of all clusters.
type reading struct {
	KeywordOptions
	classes   []*class
	documents int
	all       map[string]total // by phrase
}

// total has the counts of a phrase in all clusters.
type total struct {
	documents int32 // with the phrase
	use       usage
}

// usage returns how all clusters use a phrase.
func (r *reading) usage(key string) usage { return r.all[key].use }

// phrase has the counts of a phrase in a cluster.
type phrase struct {
	words     int
	in        []int          // documents with the phrase, ascending
	weight    float64        // the number of them, with titleWeight for a title
	spellings map[string]int // weights, see sentenceCase
	alone     int            // documents where it is a name by itself
	inside    int            // documents where it is only part of longer names
	plain     int            // documents where it occurs outside of headlines in capitals
	use       usage
}

// class has the counts of a cluster.
type class struct {
	documents int
	phrases   map[string]*phrase // by its words in lower case
	names     map[string]int     // documents with a name that is longer than a phrase
	plain     int                // documents with text where capitals mark names
}

// mention is what a document has of a phrase.
type mention struct {
	weight float64
	plain  bool // outside of a headline in capitals
	named  bool // as a name or a part of one
	alone  bool // as a name that is no part of a longer one
}

func readClass(documents []Document) *class {
	k := &class{documents: len(documents), phrases: make(map[string]*phrase), names: make(map[string]int)}
	for i, d := range documents {
		seen, names := make(map[string]mention), make(map[string]bool)
		title := k.read(d.Title, titleWeight, seen, names)
		if k.read(d.Text, 1, seen, names) || title {
			k.plain++
		}
		for key, m := range seen {
			p := k.phrases[key]
			p.in = append(p.in, i)
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
		for name := range names {
			k.names[name]++
		}
	}
	return k
}

// sentenceCase is the weight of a spelling inside of a sentence. At the beginning of a sentence,
// and in headlines in capitals, the weight is 1.
const sentenceCase = 100

// read counts the phrases of a text. It adds to seen what this document has of each phrase, and to
// names its long names. It reports whether capitals mark names in the text.
func (k *class) read(text string, weight float64, seen map[string]mention, names map[string]bool) (plain bool) {
	runs := wordRuns(text)
	capitals, words := 0, 0
	for _, run := range runs {
		for _, w := range run.words {
			if !stopWords[lowered(w)] {
				words++
				if capital(w) {
					capitals++
				}
			}
		}
	}
	plain = float64(capitals) < headline*float64(words)
	for _, run := range runs {
		lower := make([]string, len(run.words))
		named := make([]bool, len(run.words)) // part of a name, judging by capitals
		for i, w := range run.words {
			lower[i] = lowered(w)
			named[i] = plain && capital(w) && !stopWords[lower[i]]
		}
		for i := range lower {
			for n := 1; n <= phraseWords && i+n <= len(lower); n++ {
				if !isPhrase(lower[i : i+n]) {
					continue
				}
				key := strings.Join(lower[i:i+n], " ")
				p := k.phrases[key]
				if p == nil {
					p = &phrase{words: n, spellings: make(map[string]int)}
					k.phrases[key] = p
				}
				counts := sentenceCase
				if i == 0 && run.begins || !plain {
					counts = 1
				}
				p.spellings[strings.Join(run.words[i:i+n], " ")] += counts
				m := seen[key]
				m.weight, m.plain = max(m.weight, weight), m.plain || plain
				if named[i] && named[i+n-1] {
					longer := i > 0 && named[i-1] || i+n < len(named) && named[i+n]
					m.named, m.alone = true, m.alone || !longer
				}
				seen[key] = m
				if weight == 1 && plain && !named[i] {
					p.use.note(lower, run.owned, i, i+n)
				}
			}
		}
		for i := 0; i < len(named); {
			n := 0
			for i+n < len(named) && n < nameWords && named[i+n] {
				n++
			}
			if n > phraseWords {
				names[strings.Join(lower[i:i+n], " ")] = true
			}
			i += max(n, 1)
		}
	}
	return plain
}

// lowered returns a word in lower case, with ASCII apostrophes.
func lowered(word string) string { return strings.ReplaceAll(strings.ToLower(word), "’", "'") }

func capital(word string) bool {
	r, _ := utf8.DecodeRuneInString(word)
	return unicode.IsUpper(r)
}

// isPhrase reports whether words in lower case can be a phrase.
func isPhrase(words []string) bool {
	for i, w := range words {
		if stopWords[w] && (i == 0 || i == len(words)-1 || w != "of") {
			return false
		}
	}
	letters := 0
	for _, w := range words {
		for _, r := range w {
			if unicode.IsLetter(r) {
				letters++
			}
		}
	}
	if len(words) > 1 {
		return letters >= 3 && hasLetter(words[0])
	}
	return letters >= 3 || letters >= 1 && !isASCII(words[0])
}

func hasLetter(w string) bool { return strings.ContainsFunc(w, unicode.IsLetter) }
func isASCII(w string) bool {
	return !strings.ContainsFunc(w, func(r rune) bool { return r >= utf8.RuneSelf })
}

// wordRun is a run of words without punctuation between them.
type wordRun struct {
	words  []string
	begins bool // at the beginning of a sentence or a line
	owned  bool // after a possessive
}

// wordRuns splits a text into runs of words. A run ends at punctuation and after a possessive.
// Apostrophes and hyphens belong to words; a possessive ending is removed.
func wordRuns(text string) []wordRun {
	var runs []wordRun
	run := wordRun{begins: true}
	start := -1
	flush := func(begins bool) {
		if len(run.words) > 0 {
			runs = append(runs, run)
			run = wordRun{begins: begins}
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
			run.words = append(run.words, w)
		}
		if possessive {
			flush(false)
			run.owned = true
		}
		start = -1
	}
	for i, r := range text {
		inner := r == '-' || r == '\'' || r == '’' || (r == '.' || r == ',') && digitsAround(text, i)
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
			if start < 0 {
				start = i
			}
		case inner && start >= 0:
		case r == ' ' || r == '\u00a0':
			end(i)
		default:
			end(i)
			flush(strings.ContainsRune(".!?:;\n\r\"“”«»…", r))
		}
	}
	end(len(text))
	flush(false)
	return runs
}

// digitsAround reports whether the byte at i is between two digits, as in "7.8" and "1,000".
func digitsAround(text string, i int) bool {
	digit := func(b byte) bool { return '0' <= b && b <= '9' }
	return i > 0 && i+1 < len(text) && digit(text[i-1]) && digit(text[i+1])
}

// best chooses the phrases of one cluster.
func (r *reading) best(k *class) []string {
	least := 1
	if k.documents >= 2 {
		least = 2
	}
	if k.documents >= 4 {
		n := float64(k.documents)
		least = max(least, int(math.Ceil(min(leastShare*n, rootShare*math.Sqrt(n)))))
	}
	picked := r.choose(k, least, nil, r.N)
	if len(picked) == 0 || len(picked) < fewKeywords && k.documents <= fewDocuments {
		picked = r.choose(k, 1, picked, min(fewKeywords, r.N))
	}
	for i, key := range picked {
		picked[i] = k.phrases[key].spelling()
	}
	return picked
}

type scoredPhrase struct {
	key      string
	score    float64
	rejected bool
}

// choose adds to the picked phrases, up to n, of those of at least least documents. With a least of
// 1 it picks single words only, because several words of one document are a part of a sentence more
// often than a name.
func (r *reading) choose(k *class, least int, picked []string, n int) []string {
	var list []scoredPhrase
	for _, key := range slices.Sorted(maps.Keys(k.phrases)) {
		p := k.phrases[key]
		if len(p.in) < least || p.words > 1 && (least == 1 || !p.whole()) {
			continue
		}
		if p.words > 1 && 2*p.plain < len(p.in) && 2*k.plain >= k.documents {
			continue // a part of a headline in capitals that few sentences have
		}
		share := p.weight / (titleWeight * float64(k.documents))
		rarity := math.Log1p(float64(r.documents) / float64(r.all[key].documents))
		list = append(list, scoredPhrase{key: key, score: share * rarity * (1 + 0.25*float64(p.words-1)) * specific(key, r.Common)})
	}
	slices.SortStableFunc(list, func(a, b scoredPhrase) int { return cmp.Compare(b.score, a.score) })
	longer := k.covered(least)
	covered := make([]bool, k.documents)
	for _, key := range picked {
		for _, d := range k.phrases[key].in {
			covered[d] = true
		}
	}
	var first float64
	for len(picked) < n && len(list) > 0 {
		best, at := 0.0, -1
		for i, s := range list {
			if s.rejected {
				continue
			}
			if s.score <= best {
				break // none of the rest has a greater score
			}
			p := k.phrases[s.key]
			known := 0
			for _, d := range p.in {
				if covered[d] {
					known++
				}
			}
			score := s.score * (1 - coveredLoss*float64(known)/float64(len(p.in)))
			if score <= best {
				continue
			}
			fragment := float64(len(p.in)) < fragmentShare*float64(longer[s.key]) || p.inside > partOfNames*p.alone
			if fragment || slices.ContainsFunc(picked, func(p string) bool {
				return repeats(s.key, p) || repeats(p, s.key) || acronym(s.key, p) || acronym(p, s.key)
			}) ||
				!nominal(s.key, p.isName(), r.usage) {
				list[i].rejected = true
				continue
			}
			best, at = score, i
		}
		if at < 0 || best < leastScore*first {
			break
		}
		first = max(first, best)
		picked = append(picked, list[at].key)
		for _, d := range k.phrases[list[at].key].in {
			covered[d] = true
		}
		list = slices.DeleteFunc(slices.Delete(list, at, at+1), func(s scoredPhrase) bool { return s.rejected })
	}
	return picked
}

// isName reports whether sentences spell a phrase with capitals.
func (p *phrase) isName() bool {
	s := p.spelling()
	return capital(s) && p.spellings[s] >= sentenceCase
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
	capitals, small := 0, 0
	for _, w := range strings.Fields(p.spelling()) {
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
func (k *class) covered(least int) map[string]int {
	most := make(map[string]int)
	cover := func(longer string, documents int) {
		words := strings.Fields(longer)
		for i := range words {
			for n := 1; n < len(words) && n <= phraseWords && i+n <= len(words); n++ {
				part := strings.Join(words[i:i+n], " ")
				most[part] = max(most[part], documents)
			}
		}
	}
	for longer, q := range k.phrases {
		if q.words > 1 && len(q.in) >= least && q.whole() {
			cover(longer, len(q.in))
		}
	}
	for longer, documents := range k.names {
		if documents >= least {
			cover(longer, documents)
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

// spelling returns the most frequent spelling, the first in order among equals.
func (p *phrase) spelling() string {
	best := ""
	for _, s := range slices.Sorted(maps.Keys(p.spellings)) {
		if best == "" || p.spellings[s] > p.spellings[best] {
			best = s
		}
	}
	return best
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
