package server

import (
	"errors"
	"math"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"throughline/internal/formats"
	"throughline/internal/ingest"
	"throughline/internal/news"
	"throughline/internal/related"
	"throughline/internal/score"
	"throughline/internal/store"
	"throughline/internal/stories"
	throughlinev1 "throughline/proto/throughline/v1"
)

// decoder collects the violations in a request while it converts it, so that the caller gets all of
// them at once.
type decoder struct {
	prefix string // of all field paths; may be empty
	wrong  []violation
}

func (d *decoder) refuse(field, reason string) {
	d.wrong = append(d.wrong, violation{joinPath(d.prefix, field), reason})
}

func (d *decoder) err() error {
	if len(d.wrong) == 0 {
		return nil
	}
	return invalid(d.wrong...)
}

// time reads a timestamp. A missing one is the zero time, which means unknown.
func (d *decoder) time(field string, t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	if err := t.CheckValid(); err != nil {
		d.refuse(field, "must be within the years 1 to 9999")
		return time.Time{}
	}
	return t.AsTime()
}

func (d *decoder) duration(field string, in *durationpb.Duration) time.Duration {
	if in == nil {
		return 0
	}
	span := in.AsDuration()
	if in.CheckValid() != nil || span == math.MaxInt64 || span == math.MinInt64 {
		d.refuse(field, "must be less than 290 years")
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

// count converts a number of things. It is limited to what an int32 holds.
func count(n int) int32 { return int32(min(max(n, 0), math.MaxInt32)) }

// ArticleMessage is an article as the API shows it, without sections.
func ArticleMessage(a news.Article) *throughlinev1.Article {
	m := &throughlinev1.Article{
		TitleDerived: a.TitleDerived, Authors: a.Authors,
		PublishedTime: fromTime(a.Published), PublishedDateOnly: a.DateOnly,
		SectionCount: count(a.SectionCount), WordCount: count(a.Words), ContentHash: a.ContentHash,
		IngestedTime: fromTime(a.Ingested), Revision: a.Revision, FilingPending: a.FiledRevision != a.Revision,
		StoryId: a.StoryID, StoryProbability: a.Probability, CopyOf: a.CopyOf,
		TopicId: a.TopicID, ThemeId: a.ThemeID, TopicIds: a.TopicIDs(),
	}
	for name, s := range a.Texts() {
		m.ProtoReflect().Set(textField(name), protoreflect.ValueOfString(*s))
	}
	return m
}

// textField is the field of the message with the name of a text of an article.
func textField(name string) protoreflect.FieldDescriptor {
	return (*throughlinev1.Article)(nil).ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(name))
}

// article reads what clients may set of an article.
func (d *decoder) article(in *throughlinev1.Article) news.Article {
	a := news.Article{
		Authors: in.GetAuthors(), Published: d.time("published_time", in.GetPublishedTime()), DateOnly: in.GetPublishedDateOnly(),
	}
	for name, s := range a.Texts() {
		*s = in.ProtoReflect().Get(textField(name)).String()
	}
	for _, s := range in.GetSections() {
		a.Sections = append(a.Sections, news.Section{Heading: s.GetHeading(), Text: s.GetText()})
	}
	return a
}

// ArticleOf is an article as a server showed it, without what the store adds.
func ArticleOf(m *throughlinev1.Article) news.Article {
	a := new(decoder).article(m)
	a.TitleDerived = m.GetTitleDerived()
	return a
}

func fromSection(s store.Section) *throughlinev1.Section {
	return &throughlinev1.Section{Heading: s.Heading, Text: s.Text}
}

// each converts the items of a list.
func each[A, B any](list []A, convert func(A) *B) []*B {
	out := make([]*B, len(list))
	for i, a := range list {
		out[i] = convert(a)
	}
	return out
}

// toArticle reads the field "article" of a request. It ignores fields that are output only.
func toArticle(in *throughlinev1.Article) (news.Valid, error) {
	d := decoder{prefix: "article"}
	a := d.article(in)
	if a.DateOnly && in.GetPublishedTime() == nil {
		d.refuse("published_date_only", "needs published_time")
	}
	switch {
	case in.GetText() != "" && len(in.GetSections()) > 0:
		d.refuse("text", "cannot be given together with sections")
	case in.GetText() != "":
		a.Sections = formats.ParseText(in.GetText())
	}
	if err := d.err(); err != nil {
		return news.Valid{}, err
	}
	valid, err := news.Validate(a)
	return valid, placed(err, in)
}

// draftOf makes an article of the parts that a request has.
func draftOf(title, text, source string, published time.Time) (news.Valid, error) {
	return news.Validate(news.Article{Title: title, Source: source, Published: published, Sections: formats.ParseText(text)})
}

// filter reads a request's field "filter".
func (d *decoder) filter(in *throughlinev1.ArticleFilter) news.Filter {
	return news.Filter{
		Sources: in.GetSources(), ExcludeSources: in.GetExcludeSources(), Languages: in.GetLanguages(),
		TopicIDs: in.GetTopicIds(), StoryIDs: in.GetStoryIds(),
		After:  d.time("filter.published_after", in.GetPublishedAfter()),
		Before: d.time("filter.published_before", in.GetPublishedBefore()),
	}
}

// listOptions reads what a list may hold and how it is ordered. The list has no limit of its own:
// pages are cut from it.
func (d *decoder) listOptions(in *throughlinev1.SearchRequest) related.ListOptions {
	return related.ListOptions{
		Filter: d.filter(in.GetFilter()), ExcludeArticles: in.GetExcludeArticleIds(), ExcludeStories: in.GetExcludeStoryIds(),
		MaxPerSource: int(in.GetMaxPerSource()), MaxPerStory: int(in.GetMaxPerStory()),
		Diversity: in.GetDiversity(), HalfLife: d.duration("half_life", in.GetHalfLife()),
		IncludeCopies: in.GetIncludeCopies(), Explain: in.GetExplain(),
	}
}

// The values of our types in the API. What is missing is UNSPECIFIED.
var (
	relations = map[score.Relation]throughlinev1.Relation{
		score.RelationCopy:       throughlinev1.Relation_RELATION_COPY,
		score.RelationSameStory:  throughlinev1.Relation_RELATION_SAME_STORY,
		score.RelationFollowUp:   throughlinev1.Relation_RELATION_FOLLOW_UP,
		score.RelationBackground: throughlinev1.Relation_RELATION_BACKGROUND,
		score.RelationSameTopic:  throughlinev1.Relation_RELATION_SAME_TOPIC,
	}
	outcomes = map[ingest.Outcome]throughlinev1.IngestOutcome{
		ingest.New:       throughlinev1.IngestOutcome_INGEST_OUTCOME_NEW,
		ingest.Updated:   throughlinev1.IngestOutcome_INGEST_OUTCOME_UPDATED,
		ingest.Unchanged: throughlinev1.IngestOutcome_INGEST_OUTCOME_UNCHANGED,
		ingest.Rejected:  throughlinev1.IngestOutcome_INGEST_OUTCOME_REJECTED,
	}
	levels = map[news.Level]throughlinev1.TopicLevel{
		news.LevelTopic: throughlinev1.TopicLevel_TOPIC_LEVEL_TOPIC,
		news.LevelTheme: throughlinev1.TopicLevel_TOPIC_LEVEL_THEME,
	}
	kinds = map[news.EventKind]throughlinev1.StoryEventKind{
		news.Created: throughlinev1.StoryEventKind_STORY_EVENT_KIND_CREATED,
		news.Joined:  throughlinev1.StoryEventKind_STORY_EVENT_KIND_JOINED,
		news.Left:    throughlinev1.StoryEventKind_STORY_EVENT_KIND_LEFT,
		news.Merged:  throughlinev1.StoryEventKind_STORY_EVENT_KIND_MERGED,
		news.Split:   throughlinev1.StoryEventKind_STORY_EVENT_KIND_SPLIT,
		news.Renamed: throughlinev1.StoryEventKind_STORY_EVENT_KIND_RENAMED,
		news.Deleted: throughlinev1.StoryEventKind_STORY_EVENT_KIND_DELETED,
	}
	causes = map[news.Cause]throughlinev1.StoryEventCause{
		news.Filed:    throughlinev1.StoryEventCause_STORY_EVENT_CAUSE_FILED,
		news.Gone:     throughlinev1.StoryEventCause_STORY_EVENT_CAUSE_GONE,
		news.Arranged: throughlinev1.StoryEventCause_STORY_EVENT_CAUSE_ARRANGED,
		news.Repaired: throughlinev1.StoryEventCause_STORY_EVENT_CAUSE_REPAIRED,
		news.Retitled: throughlinev1.StoryEventCause_STORY_EVENT_CAUSE_RETITLED,
	}
)

// keyOf returns the key of a value; the zero key for UNSPECIFIED.
func keyOf[K, V comparable](values map[K]V, value V) K {
	for k, v := range values {
		if v == value {
			return k
		}
	}
	var none K
	return none
}

func toRelatedRequest(in *throughlinev1.RelatedRequest) (related.Request, error) {
	var d decoder
	out := related.Request{
		Seed: related.Seed{ArticleID: in.GetArticleId(), StoryID: in.GetStoryId(), Liked: in.GetLikedArticleIds(), Disliked: in.GetDislikedArticleIds()},
		// The fields that both kinds of requests have.
		ListOptions: d.listOptions(&throughlinev1.SearchRequest{
			Filter: in.GetFilter(), ExcludeArticleIds: in.GetExcludeArticleIds(), ExcludeStoryIds: in.GetExcludeStoryIds(),
			MaxPerSource: in.GetMaxPerSource(), MaxPerStory: in.GetMaxPerStory(), Diversity: in.GetDiversity(),
			HalfLife: in.GetHalfLife(), IncludeCopies: in.GetIncludeCopies(), Explain: in.GetExplain(),
		}),
		MinProbability: in.GetMinProbability(),
	}
	published := d.time("published_time", in.GetPublishedTime())
	if in.GetText() == "" {
		if in.GetTitle() != "" {
			d.refuse("title", "belongs to a seed given by text")
		}
		if in.GetPublishedTime() != nil {
			d.refuse("published_time", "belongs to a seed given by text")
		}
	} else {
		draft, err := draftOf(in.GetTitle(), in.GetText(), "", published)
		if errors.Is(err, news.ErrEmpty) {
			err = related.ErrNoVectors
		}
		if err != nil {
			return out, err
		}
		out.Draft = &draft
	}
	if in.Section != nil {
		section := int(in.GetSection())
		out.Section = &section
	}
	for _, r := range in.GetRelations() {
		out.Relations = append(out.Relations, keyOf(relations, r))
	}
	return out, d.err()
}

func toSearchRequest(in *throughlinev1.SearchRequest) (related.SearchRequest, error) {
	var d decoder
	return related.SearchRequest{Query: in.GetQuery(), ListOptions: d.listOptions(in)}, d.err()
}

func fromEvidence(e related.Evidence) *throughlinev1.Evidence {
	out := &throughlinev1.Evidence{Section: count(e.Section), Heading: e.Heading, Snippet: e.Snippet, Similarity: e.Similarity}
	if e.SeedSection >= 0 {
		out.SeedSection = proto.Int32(count(e.SeedSection))
	}
	return out
}

func fromRelated(r related.Result) *throughlinev1.RelatedResult {
	return &throughlinev1.RelatedResult{
		Article: ArticleMessage(r.Article), Score: r.Score, Probability: r.Probability, Relation: relations[r.Relation],
		StoryId: r.Article.StoryID, CopyOf: r.Article.CopyOf, Evidence: each(r.Evidence, fromEvidence), Signals: r.Signals,
		Contributions: r.Contributions,
	}
}

func fromSearch(r related.Result) *throughlinev1.SearchResult {
	return &throughlinev1.SearchResult{
		Article: ArticleMessage(r.Article), Score: r.Score, StoryId: r.Article.StoryID, CopyOf: r.Article.CopyOf,
		Evidence: each(r.Evidence, fromEvidence), Signals: r.Signals,
	}
}

func fromStory(s news.Story) *throughlinev1.Story {
	return &throughlinev1.Story{
		Id: s.ID, Title: s.Title, Keywords: s.Keywords, FirstPublishedTime: fromTime(s.First), LastPublishedTime: fromTime(s.Last),
		ArticleCount: count(s.Articles), Sources: s.Sources, RepresentativeArticleId: s.Representative,
		TopicId: s.TopicID, ThemeId: s.ThemeID, Version: s.Version,
		IndependentReportCount: count(s.IndependentReports), IndependentSourceCount: count(s.IndependentSources),
		TitleSource: fromNaming(s.Naming, throughlinev1.TitleSource_TITLE_SOURCE_ARTICLE), TitleArticleIds: s.TitleArticles,
	}
}

// fromNaming is where a title comes from: a model, or otherwise.
func fromNaming(n news.Naming, otherwise throughlinev1.TitleSource) throughlinev1.TitleSource {
	if n.TitleModel != "" {
		return throughlinev1.TitleSource_TITLE_SOURCE_MODEL
	}
	return otherwise
}

func fromTopic(t news.Topic) *throughlinev1.Topic {
	titled := throughlinev1.TitleSource_TITLE_SOURCE_KEYWORDS
	if len(t.Keywords) == 0 {
		titled = throughlinev1.TitleSource_TITLE_SOURCE_ARTICLE
	}
	return &throughlinev1.Topic{
		Id: t.ID, Title: t.Title, Keywords: t.Keywords, Level: levels[t.Level], ParentId: t.ParentID,
		StoryCount: count(t.Stories), ArticleCount: count(t.Articles),
		FirstPublishedTime: fromTime(t.First), LastPublishedTime: fromTime(t.Last),
		TitleSource: fromNaming(t.Naming, titled), TitleArticleIds: t.TitleArticles,
	}
}

func fromEvent(e news.LedgerEvent) *throughlinev1.LedgerEvent {
	out := &throughlinev1.LedgerEvent{Sequence: e.Sequence, Time: fromTime(e.Time), Kind: kinds[e.Kind], ArticleIds: e.ArticleIDs, Title: e.Title,
		Cause: causes[e.Cause], CauseArticleId: e.CauseArticleID}
	if out.TopicLevel = levels[e.Level]; e.Level == "" {
		out.StoryId, out.OtherStoryIds = e.ID, e.OtherIDs
	} else {
		out.TopicId, out.OtherTopicIds = e.ID, e.OtherIDs
	}
	return out
}

func fromSummary(s stories.Summary) *throughlinev1.ReclusterResponse {
	return &throughlinev1.ReclusterResponse{
		Articles: int64(s.Articles), Stories: int64(s.Stories), Topics: int64(s.Topics), Themes: int64(s.Themes),
		OneOffArticles: int64(s.OneOffs), LargestStoryArticles: int64(s.Largest),
		StoriesCreated: int64(s.Created), StoriesMerged: int64(s.Merged), StoriesSplit: int64(s.Split), StoriesRenamed: int64(s.Renamed),
		StoriesDeleted: int64(s.Deleted), ArticlesMoved: int64(s.Moved), Duration: durationpb.New(s.Took),
		Precision: s.Target.Precision, Granularity: int32(s.Target.Granularity), Threshold: s.Threshold.Logit,
		Confidence: s.Threshold.Confidence,
	}
}
