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

// The thresholds of Relate, from pairs of ECB+ (two similar events in each of 43 themes), AllSides
// and BASIL. Of the pairs of one theme but two events half have a centred cosine of .44 and a names
// cosine of .12. Of the pairs of two themes one in a hundred has a centred cosine above .28 to .36,
// and a names cosine above .07 to .21.
const (
	topicCentred   = 0.35 // centred cosine of articles about one subject
	relatedNames   = 0.12 // names cosine of articles about the same people, places and figures
	sameStory      = 0.5  // probability of one event
	followUpDays   = 2    // calendar days by which a follow-up is later
	backgroundDays = 2    // calendar days by which background is earlier
)

// Relate returns the relation of another article to the seed article, given their signals, the
// probability of one event, whether they are in one story and in one topic, and the time of each,
// zero if unknown. With an unknown date the article is neither a follow-up nor background.
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
	relatedStory := s.Centred >= topicCentred && s.Names >= relatedNames || probability >= sameStory
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
	case relatedStory || sameTopic || s.Centred >= topicCentred:
		return RelationSameTopic
	}
	return RelationNone
}
