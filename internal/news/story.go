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
	MergedInto string // id of the topic of the same level that took its articles; empty: not merged
	Version    int64
}

// EventKind says what happened to a story, topic or theme.
type EventKind string

// The kinds of events.
const (
	Created EventKind = "created"
	Joined  EventKind = "joined"  // articles joined a story
	Left    EventKind = "left"    // articles left a story
	Merged  EventKind = "merged"  // OtherIDs became part of ID
	Split   EventKind = "split"   // OtherIDs came out of ID
	Renamed EventKind = "renamed" // Title is the new one
	Deleted EventKind = "deleted" // ID no longer exists
)

// Cause says why something happened to a story.
type Cause string

// The causes of events.
const (
	Filed    Cause = "filed"    // CauseArticleID arrived or changed
	Gone     Cause = "gone"     // CauseArticleID was deleted
	Arranged Cause = "arranged" // all articles, or the latest, were arranged anew
	Repaired Cause = "repaired" // a write that had been interrupted was completed or taken back
	Retitled Cause = "retitled" // a language model wrote a title
)

// LedgerEvent is one entry of the ledger. Events of topics and themes say what became of their ids
// and titles, and not which articles they have.
type LedgerEvent struct {
	Sequence   int64 // assigned by the store, from 1
	Time       time.Time
	Kind       EventKind
	Level      Level  // of a topic or theme; empty: of a story
	ID         string // of a story, topic or theme
	ArticleIDs []string
	OtherIDs   []string // of the same level
	Title      string
	Cause      Cause // empty: written by an earlier version
	// CauseArticleID is the article that the cause is about; empty: it is about none.
	CauseArticleID string
}
