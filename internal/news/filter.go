package news

import "time"

// Filter restricts a query or a listing of articles. The zero Filter accepts every article. An
// article must satisfy every field that is set; it satisfies a list if one of the values matches.
type Filter struct {
	Sources, ExcludeSources []string
	Languages               []string
	TopicIDs                []string // topics or themes
	StoryIDs                []string
	ExcludeStoryIDs         []string
	ExcludeArticleIDs       []string
	// After accepts articles published at that time or later, Before those published earlier. Zero:
	// no bound. An article of unknown time passes neither.
	After, Before time.Time
	// Pending accepts only articles whose filing is pending.
	Pending bool
}

// StoryFilter restricts a listing of stories. A story must satisfy every field that is set.
type StoryFilter struct {
	TopicIDs []string // topics or themes
	// After and Before accept stories whose time span overlaps [After, Before). A story without a
	// span passes neither.
	After, Before time.Time
	Merged        bool // list merged stories too
	MinArticles   int
}

// TopicFilter restricts a listing of topics. Zero fields do not restrict.
type TopicFilter struct {
	Level    Level
	ParentID string
	Merged   bool // list merged topics too
}
