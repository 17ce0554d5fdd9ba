package server

import (
	"math"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"throughline/internal/article"
	"throughline/internal/ingest"
	"throughline/internal/related"
	"throughline/internal/store"
	"throughline/internal/stories"
	throughlinev1 "throughline/proto/throughline/v1"
)

// fields collects what is wrong with a request while it is converted, so that a caller reads all of it at once.
type fields struct {
	prefix string // of all field paths; may be empty
	wrong  []violation
}

func (f *fields) refuse(field, reason string) {
	f.wrong = append(f.wrong, violation{joinPath(f.prefix, field), reason})
}

func (f *fields) err() error {
	if len(f.wrong) == 0 {
		return nil
	}
	return invalid(f.wrong...)
}

// time reads a timestamp; a missing one is the zero time, which means unknown everywhere behind the API.
func (f *fields) time(field string, t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	if err := t.CheckValid(); err != nil {
		f.refuse(field, "must be within the years 1 to 9999")
		return time.Time{}
	}
	return t.AsTime()
}

func (f *fields) duration(field string, d *durationpb.Duration) time.Duration {
	if d == nil {
		return 0
	}
	span := d.AsDuration()
	if d.CheckValid() != nil || span == math.MaxInt64 || span == math.MinInt64 {
		f.refuse(field, "must be less than 290 years")
		return 0
	}
	return span
}

func fromTime(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// count converts a number of things; more than an int32 holds is not a number this API ever has to tell.
func count(n int) int32 { return int32(min(max(n, 0), math.MaxInt32)) }

func fromArticle(a store.Article) *throughlinev1.Article {
	return &throughlinev1.Article{
		Id: a.ID, Title: a.Title, TitleDerived: a.TitleDerived, Url: a.URL, Source: a.Source, Language: a.Language,
		Authors: a.Authors, PublishedTime: fromTime(a.Published), PublishedDateOnly: a.DateOnly,
		SectionCount: count(a.Sections), WordCount: count(a.Words), StoryId: a.StoryID, TopicIds: a.TopicIDs, CopyOf: a.CopyOf,
		StoryProbability: a.Probability, IngestedTime: fromTime(a.Ingested), Revision: a.Revision, ContentHash: a.Hash,
	}
}

func fromSections(sections []store.Section) []*throughlinev1.Section {
	out := make([]*throughlinev1.Section, len(sections))
	for i, s := range sections {
		out[i] = &throughlinev1.Section{Heading: s.Heading, Text: s.Text}
	}
	return out
}

// toArticle reads an article that was sent in a request's field "article". What is output only is left behind, as the API
// says.
func toArticle(in *throughlinev1.Article) (article.Article, error) {
	f := fields{prefix: "article"}
	a := article.Article{
		ID: in.GetId(), Title: in.GetTitle(), URL: in.GetUrl(), Source: in.GetSource(), Language: in.GetLanguage(),
		Authors: in.GetAuthors(), Published: f.time("published_time", in.GetPublishedTime()), DateOnly: in.GetPublishedDateOnly(),
	}
	if a.DateOnly && in.GetPublishedTime() == nil {
		f.refuse("published_date_only", "needs published_time")
	}
	switch {
	case in.GetText() != "" && len(in.GetSections()) > 0:
		f.refuse("text", "cannot be given together with sections")
	case in.GetText() != "":
		a.Sections = article.ParseText(in.GetText())
	default:
		for _, s := range in.GetSections() {
			a.Sections = append(a.Sections, article.Section{Heading: s.GetHeading(), Text: s.GetText()})
		}
	}
	return a, f.err()
}

// filter reads a request's field "filter".
func (f *fields) filter(in *throughlinev1.ArticleFilter) store.Filter {
	return store.Filter{
		Sources: in.GetSources(), ExcludeSources: in.GetExcludeSources(), Languages: in.GetLanguages(),
		TopicIDs: in.GetTopicIds(), StoryIDs: in.GetStoryIds(),
		After:  f.time("filter.published_after", in.GetPublishedAfter()),
		Before: f.time("filter.published_before", in.GetPublishedBefore()),
	}
}

// asker is what the two kinds of questions have in common.
type asker interface {
	GetFilter() *throughlinev1.ArticleFilter
	GetExcludeArticleIds() []string
	GetExcludeStoryIds() []string
	GetMaxPerSource() int32
	GetMaxPerStory() int32
	GetDiversity() float64
	GetHalfLife() *durationpb.Duration
	GetIncludeCopies() bool
	GetExplain() bool
}

// shape reads how a list is to be shaped. It asks for all that paging can reach: pages are cut from it.
func (f *fields) shape(in asker) related.Shape {
	return related.Shape{
		Filter: f.filter(in.GetFilter()), ExcludeArticles: in.GetExcludeArticleIds(), ExcludeStories: in.GetExcludeStoryIds(),
		MaxPerSource: int(in.GetMaxPerSource()), MaxPerStory: int(in.GetMaxPerStory()),
		Diversity: in.GetDiversity(), HalfLife: f.duration("half_life", in.GetHalfLife()),
		IncludeCopies: in.GetIncludeCopies(), Explain: in.GetExplain(),
	}
}

func toRelatedRequest(in *throughlinev1.RelatedRequest) (related.Request, error) {
	var f fields
	out := related.Request{
		Seed: related.Seed{
			ArticleID: in.GetArticleId(), Text: in.GetText(), Title: in.GetTitle(), StoryID: in.GetStoryId(),
			Published: f.time("published_time", in.GetPublishedTime()),
			Liked:     in.GetLikedArticleIds(), Disliked: in.GetDislikedArticleIds(),
		},
		Shape: f.shape(in), MinProbability: in.GetMinProbability(),
	}
	if in.Section != nil {
		section := int(in.GetSection())
		out.Section = &section
	}
	for _, r := range in.GetRelations() {
		out.Relations = append(out.Relations, toRelation(r))
	}
	return out, f.err()
}

func toSearchRequest(in *throughlinev1.SearchRequest) (related.SearchRequest, error) {
	var f fields
	return related.SearchRequest{Query: in.GetQuery(), Shape: f.shape(in)}, f.err()
}

func fromEvidence(pairs []related.Evidence) []*throughlinev1.Evidence {
	out := make([]*throughlinev1.Evidence, len(pairs))
	for i, p := range pairs {
		out[i] = &throughlinev1.Evidence{Section: count(p.Section), Heading: p.Heading, Snippet: p.Snippet, Similarity: p.Similarity}
		if p.SeedSection >= 0 {
			seed := count(p.SeedSection)
			out[i].SeedSection = &seed
		}
	}
	return out
}

func fromRelated(results []related.Result) []*throughlinev1.RelatedResult {
	out := make([]*throughlinev1.RelatedResult, len(results))
	for i, r := range results {
		out[i] = &throughlinev1.RelatedResult{
			Article: fromArticle(r.Article), Score: r.Score, Probability: r.Probability, Relation: fromRelation(r.Relation),
			StoryId: r.Article.StoryID, CopyOf: r.CopyOf, Evidence: fromEvidence(r.Evidence), Signals: r.Signals,
			Contributions: r.Contributions,
		}
	}
	return out
}

func fromSearch(results []related.Result) []*throughlinev1.SearchResult {
	out := make([]*throughlinev1.SearchResult, len(results))
	for i, r := range results {
		out[i] = &throughlinev1.SearchResult{
			Article: fromArticle(r.Article), Score: r.Score, StoryId: r.Article.StoryID, CopyOf: r.CopyOf,
			Evidence: fromEvidence(r.Evidence), Signals: r.Signals,
		}
	}
	return out
}

func fromOutcome(o ingest.Outcome) throughlinev1.IngestOutcome {
	switch o {
	case ingest.New:
		return throughlinev1.IngestOutcome_INGEST_OUTCOME_NEW
	case ingest.Updated:
		return throughlinev1.IngestOutcome_INGEST_OUTCOME_UPDATED
	case ingest.Unchanged:
		return throughlinev1.IngestOutcome_INGEST_OUTCOME_UNCHANGED
	case ingest.Rejected:
		return throughlinev1.IngestOutcome_INGEST_OUTCOME_REJECTED
	}
	return throughlinev1.IngestOutcome_INGEST_OUTCOME_UNSPECIFIED
}

func fromStory(s *store.Story) *throughlinev1.Story {
	return &throughlinev1.Story{
		Id: s.ID, Title: s.Title, Keywords: s.Keywords, FirstPublishedTime: fromTime(s.First), LastPublishedTime: fromTime(s.Last),
		ArticleCount: count(s.Articles), Sources: s.Sources, RepresentativeArticleId: s.Representative,
		TopicId: s.TopicID, ThemeId: s.ThemeID, Version: s.Version,
		IndependentReportCount: count(s.IndependentReports), IndependentSourceCount: count(s.IndependentSources),
		TitleSource: fromNaming(s.Naming, throughlinev1.TitleSource_TITLE_SOURCE_ARTICLE), TitleArticleIds: s.TitleArticles,
	}
}

// fromNaming says where a title comes from; otherwise when no model wrote it.
func fromNaming(n store.Naming, otherwise throughlinev1.TitleSource) throughlinev1.TitleSource {
	if n.TitleModel != "" {
		return throughlinev1.TitleSource_TITLE_SOURCE_MODEL
	}
	return otherwise
}

func fromTopic(t *store.Topic) *throughlinev1.Topic {
	titled := throughlinev1.TitleSource_TITLE_SOURCE_KEYWORDS
	if len(t.Keywords) == 0 {
		titled = throughlinev1.TitleSource_TITLE_SOURCE_ARTICLE
	}
	return &throughlinev1.Topic{
		Id: t.ID, Title: t.Title, Keywords: t.Keywords, Level: fromLevel(t.Level), ParentId: t.ParentID,
		StoryCount: count(t.Stories), ArticleCount: count(t.Articles),
		FirstPublishedTime: fromTime(t.First), LastPublishedTime: fromTime(t.Last),
		TitleSource: fromNaming(t.Naming, titled), TitleArticleIds: t.TitleArticles,
	}
}

func fromEvent(e store.Event) *throughlinev1.LedgerEvent {
	return &throughlinev1.LedgerEvent{
		Sequence: e.Sequence, Time: fromTime(e.Time), Kind: fromKind(e.Kind), StoryId: e.StoryID,
		ArticleIds: e.ArticleIDs, OtherStoryIds: e.OtherStoryIDs, Title: e.Title,
	}
}

func fromLevel(l store.Level) throughlinev1.TopicLevel {
	switch l {
	case store.LevelTopic:
		return throughlinev1.TopicLevel_TOPIC_LEVEL_TOPIC
	case store.LevelTheme:
		return throughlinev1.TopicLevel_TOPIC_LEVEL_THEME
	}
	return throughlinev1.TopicLevel_TOPIC_LEVEL_UNSPECIFIED
}

// toLevel is the other way; unspecified is both levels.
func toLevel(l throughlinev1.TopicLevel) store.Level {
	switch l {
	case throughlinev1.TopicLevel_TOPIC_LEVEL_TOPIC:
		return store.LevelTopic
	case throughlinev1.TopicLevel_TOPIC_LEVEL_THEME:
		return store.LevelTheme
	}
	return ""
}

func toOrder(o throughlinev1.StoryOrder) stories.Order {
	if o == throughlinev1.StoryOrder_STORY_ORDER_LARGEST {
		return stories.Largest
	}
	return stories.Latest
}

func fromSummary(s stories.Summary) *throughlinev1.ReclusterResponse {
	return &throughlinev1.ReclusterResponse{
		Articles: int64(s.Articles), Stories: int64(s.Stories), Topics: int64(s.Topics), Themes: int64(s.Themes),
		OneOffArticles: int64(s.OneOffs), LargestStoryArticles: int64(s.Largest),
		StoriesCreated: int64(s.Created), StoriesMerged: int64(s.Merged), StoriesSplit: int64(s.Split), StoriesRenamed: int64(s.Renamed),
		StoriesDeleted: int64(s.Deleted), ArticlesMoved: int64(s.Moved), Duration: durationpb.New(s.Took),
	}
}

func fromKind(k store.EventKind) throughlinev1.StoryEventKind {
	switch k {
	case store.StoryCreated:
		return throughlinev1.StoryEventKind_STORY_EVENT_KIND_CREATED
	case store.StoryJoined:
		return throughlinev1.StoryEventKind_STORY_EVENT_KIND_JOINED
	case store.StoryLeft:
		return throughlinev1.StoryEventKind_STORY_EVENT_KIND_LEFT
	case store.StoryMerged:
		return throughlinev1.StoryEventKind_STORY_EVENT_KIND_MERGED
	case store.StorySplit:
		return throughlinev1.StoryEventKind_STORY_EVENT_KIND_SPLIT
	case store.StoryRenamed:
		return throughlinev1.StoryEventKind_STORY_EVENT_KIND_RENAMED
	case store.StoryDeleted:
		return throughlinev1.StoryEventKind_STORY_EVENT_KIND_DELETED
	}
	return throughlinev1.StoryEventKind_STORY_EVENT_KIND_UNSPECIFIED
}
