package news

import "time"

// Story is a group of articles about one event.
type Story struct {
	ID               string
	Title            string
	Keywords         []string
	First, Last      time.Time // publication of its first and last article; zero: no known time
	Articles         int
	Sources          []string
	Representative   string // article id
	TopicID, ThemeID string
	Naming

	// IndependentReports counts the copy groups of its articles. IndependentSources counts the
	// known outlets with a text of their own.
	IndependentReports, IndependentSources int

	MergedInto string // id of the story that took its articles; empty: not merged
	Version    int64  // grows with every visible change
}

// Naming records which language model wrote a title. Zero: the title is that of an article.
type Naming struct {
	TitleModel    string   // language model that wrote the title; empty: none
	TitleArticles []string // ids of the articles that the model cited for the title
	TitleKey      string   // hash of the model's input; without TitleModel its answer was unusable
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
	ParentID          string // theme of a topic; empty for a theme, and for a topic in no theme
	Level             Level
	Keywords          []string
	Stories, Articles int
	First, Last       time.Time
	Representative    string // story id
	Naming
	Version int64
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

// LedgerEvent is one entry of the ledger.
type LedgerEvent struct {
	Sequence                  int64 // assigned by the store, from 1
	Time                      time.Time
	Kind                      EventKind
	StoryID                   string
	ArticleIDs, OtherStoryIDs []string
	Title                     string
}
