package evidence

import (
	"fmt"
	"time"
)

// Relation says what another article is to one that a reader starts from.
type Relation int

const (
	RelationNone       Relation = iota // no relation worth a name
	RelationCopy                       // the same text, perhaps edited or shortened
	RelationSameStory                  // about the same event
	RelationFollowUp                   // a later development of it
	RelationBackground                 // earlier, about what led to it
	RelationSameTopic                  // about something alike
)

var relationNames = [...]string{"none", "copy", "same story", "follow-up", "background", "same topic"}

func (r Relation) String() string {
	if r < 0 || int(r) >= len(relationNames) {
		return fmt.Sprintf("Relation(%d)", int(r))
	}
	return relationNames[r]
}

// Filed is what filing says of two articles. It has seen all articles of their stories and topics, and so knows more than
// the signals between the two. Its zero value is that nothing is known.
type Filed struct {
	Story     Membership
	SameTopic bool
}

// Membership says whether two articles are in one story.
type Membership int

const (
	Unfiled  Membership = iota // one of them is in no story, or it is not known
	Together                   // in one story
	Apart                      // in two
)

// The levels below are from pairs of ECB+ (two look-alike events in each of 43 themes), AllSides and BASIL. Of pairs of one
// theme but two events half have a centred cosine of .44 and names at .12, of pairs of two themes one in a hundred has
// .28 to .36 and .07 to .21.
const (
	topicCentred   = 0.35 // from here on two articles are about something alike
	threadNames    = 0.12 // and from here on about the same people, places and figures
	sameStory      = 0.5  // probability of one event
	followUpDays   = 2    // calendar days from which on the same story has moved on
	backgroundDays = 2    // or had a past
)

// Relate names the relation of another article to the one a reader starts from, given their signals, the probability of
// one event, how they are filed, and when each was published, zero when unknown. An unknown date rules nothing out but a
// relation in time.
//
// "go test ./internal/related -run TestSeeds -v" prints what relations the sample articles get: none of two stories that look
// alike is called the same story.
//
// Seen from the other side, a copy is a copy and the same topic the same topic; what follows up on an article has that one
// as its background, or as an earlier article of the same story.
func Relate(s Signals, probability float64, filed Filed, seed, other time.Time) Relation {
	days := 0.0 // from seed to other
	if s.Dated && !seed.IsZero() && !other.IsZero() {
		days = s.Days
		if other.Before(seed) {
			days = -days
		}
	}
	thread := s.Centred >= topicCentred && s.Names >= threadNames || probability >= sameStory
	switch {
	case s.Copy:
		return RelationCopy
	case filed.Story == Together || filed.Story == Unfiled && probability >= sameStory:
		if days >= followUpDays {
			return RelationFollowUp
		}
		return RelationSameStory
	case thread && days >= followUpDays:
		return RelationFollowUp
	case thread && days <= -backgroundDays:
		return RelationBackground
	case thread || filed.SameTopic || s.Centred >= topicCentred:
		return RelationSameTopic
	}
	return RelationNone
}
