package score

import (
	"fmt"
	"time"
)

// Relation is how one article relates to another, from which a reader starts.
type Relation int

const (
	RelationNone       Relation = iota // unrelated
	RelationCopy                       // the same text, perhaps edited or shortened
	RelationSameStory                  // about the same event
	RelationFollowUp                   // later coverage of the same or a related story
	RelationBackground                 // earlier coverage of a related story
	RelationSameTopic                  // about a similar subject
)

// Relations is the number of relations, RelationNone among them.
const Relations = Relation(len(relationNames))

var relationNames = [...]string{"none", "copy", "same story", "follow-up", "background", "same topic"}

func (r Relation) String() string {
	if r < 0 || r >= Relations {
		return fmt.Sprintf("Relation(%d)", int(r))
	}
	return relationNames[r]
}

// Filed is whether two articles are in one story. Filing compares an article with a whole story, so
// this says more than the signals between the two.
type Filed int

const (
	Unfiled        Filed = iota // one of them is in no story, or its story is unknown
	SameStory                   // in one story
	DifferentStory              // in two stories
)

// The thresholds of Relate. The cosines are from pairs of ECB+ (two similar events in each of 43
// themes) and AllSides. Of the pairs of one theme but two events half have a centred cosine of .48
// (AllSides .32) and a names cosine of .14 (.09). Of the pairs of two themes one in a hundred has a
// centred cosine above .35 (.46), and a names cosine above .07 (.33).
const (
	topicCentred   = 0.35             // centred cosine of articles about one subject
	filedCentred   = topicCentred / 2 // the same of articles in one topic, which is as much evidence again
	relatedNames   = 0.15             // names cosine of articles about the same people, places and figures
	sameStory      = 0.5              // probability of one event: more likely than not
	maybeStory     = 0.2              // probability of one event that is too high to call two articles unrelated: one in five
	followUpDays   = 2                // calendar days by which a follow-up is later
	backgroundDays = 2                // calendar days by which background is earlier
)

// Relate returns the relation of another article to the seed article, given their signals, the
// probability of one event, whether they are in one story and in one topic, and the time of each,
// zero if unknown. The first of these rules that fits decides:
//
//  1. A copy: Signals.Copy.
//  2. One event: filed in one story; or one of the two is unfiled and the probability is at least
//     sameStory. A follow-up if the article is followUpDays later, else the same story.
//  3. A related story: the probability is at least sameStory; or the names cosine is at least
//     relatedNames, and the probability at least maybeStory or the centred cosine at least
//     topicCentred. A follow-up or background if the article is that many days later or earlier.
//  4. The same topic: a related story without these days between; or the probability is at least
//     maybeStory, or the centred cosine at least topicCentred, or, in one topic, filedCentred.
//
// So, with all else equal, a higher probability or cosine never gives a weaker relation, in the
// order none, same topic, background and follow-up, same story, copy. Articles in two stories are
// never the same story, and articles in one story are a copy, the same story or a follow-up. With
// an unknown date the article is neither a follow-up nor background.
//
// With the two articles exchanged, copy and same topic stay. If b follows up on a, a is background
// of b, or an earlier article of the same story.
//
// "go test ./internal/related -run TestSeeds -v" prints the relations of the sample articles: no
// two similar stories are called the same story.
func Relate(s Signals, probability float64, filed Filed, sameTopic bool, seed, other time.Time) Relation {
	days := 0.0 // from seed to other
	if s.Dated && !seed.IsZero() && !other.IsZero() {
		days = s.Days
		if other.Before(seed) {
			days = -days
		}
	}
	maybe := probability >= maybeStory
	relatedStory := probability >= sameStory || s.Names >= relatedNames && (maybe || s.Centred >= topicCentred)
	switch {
	case s.Copy:
		return RelationCopy
	case filed == SameStory || filed == Unfiled && probability >= sameStory:
		if days >= followUpDays {
			return RelationFollowUp
		}
		return RelationSameStory
	case relatedStory && days >= followUpDays:
		return RelationFollowUp
	case relatedStory && days <= -backgroundDays:
		return RelationBackground
	case relatedStory || maybe || s.Centred >= topicCentred || sameTopic && s.Centred >= filedCentred:
		return RelationSameTopic
	}
	return RelationNone
}
