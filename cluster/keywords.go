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

// Document is one text of a cluster for Keywords. A phrase in the title counts for more than one in the text.
type Document struct {
	Title, Text string
}

const (
	phraseWords = 3   // longest phrase
	titleWeight = 3.0 // what an occurrence in a title counts, against 1 in the text
	// commonShare is the share of a cluster's documents that a phrase must be in, from four documents on: what only a
	// few say is not what the cluster is about.
	commonShare = 0.25
	// fragmentShare is how often a phrase must occur beyond a longer one that contains it to stand for itself: "Crocus
	// City" is a fragment of "Crocus City Hall" unless it is said without the hall too.
	fragmentShare = 1.3
)

// Keywords returns, for each cluster, at most n phrases of one to three words that set it apart from the others, the most
// telling first.
//
// The score is class-based TF-IDF (Grootendorst 2022): how large a share of the cluster's documents has the phrase, times
// the logarithm of how rare it is in all documents, here with a factor for phrases of several words, which say more. A
// phrase has no stop words but an inner "of", does not cross punctuation, and is no fragment of a longer one. It is
// shown in the spelling that occurs most. Equal scores are ordered by the phrase, so the result depends on nothing else.
func Keywords(clusters [][]Document, n int) [][]string {
	total, all := 0, make(map[string]int) // documents with a phrase, in all clusters
	classes := make([]*class, len(clusters))
	for c, documents := range clusters {
		classes[c] = readClass(documents)
		total += len(documents)
		for key, p := range classes[c].phrases {
			all[key] += p.documents
		}
	}
	out := make([][]string, len(clusters))
	for c, k := range classes {
		out[c] = k.best(n, total, all)
	}
	return out
}

// phrase is what is known of one phrase in one cluster.
type phrase struct {
	words     int
	documents int     // that have it
	weight    float64 // the same with titles counted more
	spellings map[string]int
}

type class struct {
	documents int
	phrases   map[string]*phrase
}

func readClass(documents []Document) *class {
	k := &class{documents: len(documents), phrases: make(map[string]*phrase)}
	for _, d := range documents {
		seen := make(map[string]float64)
		k.read(d.Title, titleWeight, seen)
		k.read(d.Text, 1, seen)
		for key, weight := range seen {
			k.phrases[key].documents++
			k.phrases[key].weight += weight
		}
	}
	return k
}

// read counts the phrases of a text; seen collects the largest weight of each in this document.
func (k *class) read(text string, weight float64, seen map[string]float64) {
	for _, run := range wordRuns(text) {
		lower := make([]string, len(run))
		for i, w := range run {
			lower[i] = strings.ToLower(w)
		}
		for i := range run {
			for n := 1; n <= phraseWords && i+n <= len(run); n++ {
				if !tells(lower[i : i+n]) {
					continue
				}
				key := strings.Join(lower[i:i+n], " ")
				p := k.phrases[key]
				if p == nil {
					p = &phrase{words: n, spellings: make(map[string]int)}
					k.phrases[key] = p
				}
				p.spellings[strings.Join(run[i:i+n], " ")]++
				seen[key] = max(seen[key], weight)
			}
		}
	}
}

// tells reports whether words in lower case may be a phrase.
func tells(words []string) bool {
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

// wordRuns cuts a text into runs of words that no punctuation separates. Apostrophes and hyphens belong to words; a
// possessive ending does not.
func wordRuns(text string) [][]string {
	var runs [][]string
	var run []string
	start := -1
	end := func(i int) {
		if start >= 0 {
			w := strings.Trim(text[start:i], "-'’")
			for _, s := range [...]string{"'s", "’s", "'S", "’S"} {
				w = strings.TrimSuffix(w, s)
			}
			if w != "" {
				run = append(run, w)
			}
			start = -1
		}
	}
	for i, r := range text {
		inner := r == '-' || r == '\'' || r == '’'
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
			if len(run) > 0 {
				runs, run = append(runs, run), nil
			}
		}
	}
	end(len(text))
	if len(run) > 0 {
		runs = append(runs, run)
	}
	return runs
}

// best chooses the phrases of one cluster.
func (k *class) best(n, total int, all map[string]int) []string {
	least := 1
	if k.documents >= 2 {
		least = 2
	}
	if k.documents >= 4 {
		least = max(least, int(math.Ceil(commonShare*float64(k.documents))))
	}
	picked := k.choose(n, total, all, least)
	if len(picked) == 0 { // documents that share no phrase still have words
		picked = k.choose(n, total, all, 1)
	}
	return picked
}

// choose picks among the phrases that least documents have. What a single document says in several words is a sentence
// more often than a name, so there only single words count.
func (k *class) choose(n, total int, all map[string]int, least int) []string {
	type scored struct {
		key   string
		score float64
	}
	var list []scored
	for _, key := range slices.Sorted(maps.Keys(k.phrases)) {
		p := k.phrases[key]
		if p.documents < least || least == 1 && p.words > 1 {
			continue
		}
		share := p.weight / (titleWeight * float64(k.documents))
		rarity := math.Log1p(float64(total) / float64(all[key]))
		list = append(list, scored{key, share * rarity * (1 + 0.25*float64(p.words-1))})
	}
	slices.SortStableFunc(list, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
	longer := k.covered(least)
	var picked []string
	for _, s := range list {
		if len(picked) == n {
			break
		}
		fragment := float64(k.phrases[s.key].documents) < fragmentShare*float64(longer[s.key])
		if fragment || slices.ContainsFunc(picked, func(p string) bool { return within(s.key, p) || within(p, s.key) }) {
			continue
		}
		picked = append(picked, s.key)
	}
	for i, key := range picked {
		picked[i] = k.phrases[key].spelling()
	}
	return picked
}

// covered returns, for every phrase that is part of longer ones, in how many documents the most frequent of those is.
func (k *class) covered(least int) map[string]int {
	most := make(map[string]int)
	for longer, q := range k.phrases {
		if q.words == 1 || q.documents < least {
			continue
		}
		words := strings.Fields(longer)
		for i := range words {
			for n := 1; n < len(words) && i+n <= len(words); n++ {
				part := strings.Join(words[i:i+n], " ")
				most[part] = max(most[part], q.documents)
			}
		}
	}
	return most
}

// within reports whether a phrase is part of another, at the bounds of words.
func within(part, whole string) bool {
	return strings.Contains(" "+whole+" ", " "+part+" ")
}

// spelling is how a phrase is written most often; of equals the first in order.
func (p *phrase) spelling() string {
	best := ""
	for _, s := range slices.Sorted(maps.Keys(p.spellings)) {
		if best == "" || p.spellings[s] > p.spellings[best] {
			best = s
		}
	}
	return best
}

// stopWords neither begin nor end a phrase: function words of English, and what every report says.
var stopWords = func() map[string]bool {
	set := make(map[string]bool)
	for _, w := range strings.Fields(`
a about above across after again against ago all almost along already also although always am amid among an and another any
are aren't around as at away back be became because become been before began behind being below best between both but by
called came can can't cannot come could couldn't d day days de did didn't do does doesn't doing don't done down due during
each early either else end enough even ever every everyone few first five for former found four from full further gave get
go going got had hadn't has hasn't have haven't having he he'd he'll he's held her here hers herself him himself his hour
hours how however i i'd i'll i'm i've if in including inside instead into is isn't it it's its itself just keep kept know
known last late later latest least left less let like likely little long longer look lot made make makes making man many
may me mean meant might mile miles million minutes monday month months more most mostly much must my myself near nearly
need never new news next night nine no nobody non nor not nothing now of off often old on once one only onto or other others
our ours ourselves out outside over own part people per percent perhaps place put quite rather re really reported reporting
right said same saturday saw say saying says second see seen set seven several shall she she'd she'll she's should shouldn't
show since six so some something soon still such sunday take taken ten than that that's the their theirs them themselves
then there there's these they they'd they'll they're they've thing things third this those though thousands three through
thursday time times to today together told too took toward towards tuesday two under until up upon us use used using very
want wanted was wasn't way we we'd we'll we're we've wednesday week weeks well went were weren't what when where whether
which while who whole whom whose why will with within without won't would wouldn't year years yesterday yet you you'd
you'll you're you've your yours yourself friday eight`) {
		set[w] = true
	}
	return set
}()
