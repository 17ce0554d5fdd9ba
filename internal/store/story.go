package store

import (
	"time"

	"throughline/cluster/vector"
)

// Story is a group of articles about one event, with the means of its members' vectors.
type Story struct {
	ID               string
	Title            string
	Keywords         []string
	First, Last      time.Time // span of its members; zero: no member has a known time
	Articles         int
	Sources          []string
	Representative   string // article id
	TopicID, ThemeID string
	Naming

	// IndependentReports counts the texts of its articles, copies of one text once; IndependentSources counts the known
	// outlets with a text of their own.
	IndependentReports, IndependentSources int

	MergedInto        string    // id of the story that this one became part of; such a story has no members
	Version           int64     // the caller's; Put stores it as it is
	Dense             []float32 // mean, not normalised; nil: not stored, then no query finds the story by it
	Full, Lead, Names vector.Sparse
}

// Naming says where a title comes from. Its zero value is the articles themselves.
type Naming struct {
	TitleModel    string   // language model that wrote the title; empty: none did
	TitleArticles []string // articles that such a title follows from
	TitleKey      string   // hash of all that a model was shown; without TitleModel its answer was no title
}

// StoryFilter narrows a listing of stories. Every field that is set must hold.
type StoryFilter struct {
	TopicIDs      []string  // topics or themes
	After, Before time.Time // stories whose span overlaps [After, Before); those without a span do not pass
	Merged        bool      // list stories that were merged away too
	MinArticles   int
}

// Level is how broad a topic is.
type Level string

// The levels, from narrow to broad.
const (
	LevelTopic Level = "topic"
	LevelTheme Level = "theme"
)

// Topic is a group of stories.
type Topic struct {
	ID                string
	Title             string
	ParentID          string // the theme of a topic; empty for a theme
	Level             Level
	Keywords          []string
	Stories, Articles int
	First, Last       time.Time
	Representative    string // story id
	Naming
	Version int64
	Dense   []float32 // mean, not normalised; nil: not stored
}

// TopicFilter narrows a listing of topics. Zero fields do not restrict.
type TopicFilter struct {
	Level    Level
	ParentID string
}

// EventKind says what happened to a story.
type EventKind string

// The kinds of events.
const (
	StoryCreated EventKind = "created"
	StoryJoined  EventKind = "joined"  // articles joined
	StoryLeft    EventKind = "left"    // articles left
	StoryMerged  EventKind = "merged"  // OtherStoryIDs became part of StoryID
	StorySplit   EventKind = "split"   // OtherStoryIDs came out of StoryID
	StoryRenamed EventKind = "renamed" // Title is the new one
	StoryDeleted EventKind = "deleted" // StoryID no longer exists
)

// Event is one entry of the ledger.
type Event struct {
	Sequence                  int64 // assigned by Append, from 1
	Time                      time.Time
	Kind                      EventKind
	StoryID                   string
	ArticleIDs, OtherStoryIDs []string
	Title                     string
}
