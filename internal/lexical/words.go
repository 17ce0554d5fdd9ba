package lexical

import (
	_ "embed"
	"math"
	"strconv"
	"strings"
)

// stopWords holds the hashes of function words and of words that occur in every news report.
var stopWords = func() map[uint64]bool {
	set := make(map[uint64]bool)
	for word := range strings.FieldsSeq(`
a about above across after again against all almost along already also although always am among an and another any anyone
anything are aren't around as at back be became because become been before behind being below between both but by call called came
can can't cannot com come could couldn't did didn't do does doesn't doing don't done down during each either else enough even ever
every everyone everything few find first for from further get give go going got had hadn't has hasn't have haven't having he he'd
he'll her here hers herself him himself his how however http https i i'd i'll i'm i've if in indeed instead into is isn't it it'd
it'll its itself just keep last later least less let let's like likely made make many may maybe me might mine more moreover most
mostly much must my myself neither never next no nobody none nor not nothing now of off often on once one only onto or other our
ours ourselves out over own part per perhaps photo please put quite rather re read really said same say saying see seem seemed seems
several she she'd she'll should shouldn't since so some someone something still such take than that that'd that'll the their theirs
them themselves then there therefore these they they'd they'll they're they've this those though through thus to together told too
took toward towards under until up upon us use very via want was wasn't we we'd we'll we're we've well went were weren't what when
where whether which while who who'd who'll whoever whole whom whose why will with within without won't would wouldn't www yet you
you'd you'll you're you've your yours yourself yourselves
al an au aux avec ce ces cette con da das dans de del della den der des di die du e een el elle en es est et eu fue ha het ich il ist
la las le les lo los mit na nicht o os ou para par pas por que qui se sein sich sie son su sur um un una und une van von y zu zum
`) {
		set[hash(stem([]byte(word)))] = true
		set[hash([]byte(word))] = true
	}
	return set
}()

// abbreviations holds the words whose full stop does not end a sentence.
var abbreviations = func() map[string]bool {
	set := make(map[string]bool)
	for word := range strings.FieldsSeq(`mr mrs ms dr prof sen sens rep reps gov lt sgt capt col gen maj det insp pres rev hon st jr sr vs
no inc corp co ltd dept jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thurs fri ave blvd rd`) {
		set[word] = true
	}
	return set
}()

// spelledNumbers maps numbers that newspapers write as words to their terms, so that "three killed"
// and "3 killed" agree. "One" is left out, because it is a pronoun more often than a number.
var spelledNumbers = func() map[string]uint32 {
	terms := make(map[string]uint32)
	for i, word := range strings.Fields(`two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen twenty`) {
		terms[string(stem([]byte(word)))] = fold(hash(strconv.AppendInt(nil, int64(i+2), 10)))
	}
	return terms
}()

// common holds the most frequent words of English, one on a line, the most frequent first: the
// whole words of the uncased BERT vocabulary (Apache License 2.0) in its order, which is that of
// their frequency in books and the English Wikipedia.
//
//go:embed common.txt
var common string

// nameRanks is the number of common words that are not names when they are capitalised at the
// beginning of a sentence or in a title in capitals. Of the words further down the list half are
// names.
const nameRanks = 1000

// commonRanks maps the hash of a stemmed common word to its rank, 0 for the most frequent.
var commonRanks = func() map[uint64]int {
	ranks := make(map[uint64]int)
	rank := 0
	for word := range strings.FieldsSeq(common) {
		h := hash(stem([]byte(word)))
		if _, seen := ranks[h]; !seen {
			ranks[h] = rank
		}
		rank++
	}
	return ranks
}()

const (
	// unknownShare is the assumed share of documents with a word that is not common in English.
	unknownShare = 1.0 / 1000
	// By Zipf's law the word of rank r has a share zipf/(r+1) of running text, so a share
	// 1-exp(-documentWords*zipf/(r+1)) of the documents of documentWords words has it.
	zipf          = 0.06
	documentWords = 200
)

// englishShares maps each term to the share of English documents with it.
var englishShares = func() map[uint32]float32 {
	shares := make(map[uint32]float32, len(commonRanks))
	for h, rank := range commonRanks {
		share := 1 - math.Exp(-documentWords*zipf/float64(rank+1))
		shares[fold(h)] = max(shares[fold(h)], float32(max(share, unknownShare)))
	}
	return shares
}()

// CommonShare returns the share of English documents with a word: .001 for one that is not common,
// 1 for a stop word.
func CommonShare(word string) float64 {
	folded := make([]byte, 0, maxWord)
	for _, r := range word {
		if len(folded) < maxWord {
			folded = appendFolded(folded, r)
		}
	}
	h := hash(stem(folded))
	if stopWords[h] || stopWords[hash(folded)] {
		return 1
	}
	if share, ok := englishShares[fold(h)]; ok {
		return float64(share)
	}
	return unknownShare
}
