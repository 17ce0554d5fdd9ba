package server

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"throughline/internal/article"
	"throughline/internal/evidence"
	"throughline/internal/ingest"
	"throughline/internal/related"
	"throughline/internal/store"
	throughlinev1 "throughline/proto/throughline/v1"
)

var (
	texts = rapid.StringN(0, 8, -1)
	lists = rapid.Custom(func(t *rapid.T) []string {
		if l := rapid.SliceOfN(texts, 0, 3).Draw(t, "list"); len(l) > 0 {
			return l
		}
		return nil
	})
	counts = rapid.IntRange(0, 1<<31-1)
	shares = rapid.Float64Range(0, 1)
	times  = rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "unknown") {
			return time.Time{}
		}
		return time.Unix(rapid.Int64Range(-62135596799, 253402300799).Draw(t, "seconds"), int64(rapid.IntRange(0, 999_999_999).Draw(t, "nanos"))).UTC()
	})
)

func stored(t *rapid.T) store.Article {
	return store.Article{
		ID: texts.Draw(t, "id"), Title: texts.Draw(t, "title"), TitleDerived: rapid.Bool().Draw(t, "derived"), URL: texts.Draw(t, "url"),
		Source: texts.Draw(t, "source"), Language: texts.Draw(t, "language"), Authors: lists.Draw(t, "authors"),
		Published: times.Draw(t, "published"), DateOnly: rapid.Bool().Draw(t, "date only"), Sections: counts.Draw(t, "sections"),
		Revision: rapid.Int64().Draw(t, "revision"), Hash: texts.Draw(t, "hash"), Words: counts.Draw(t, "words"),
		Ingested: times.Draw(t, "ingested"), StoryID: texts.Draw(t, "story"), TopicIDs: lists.Draw(t, "topics"),
		CopyOf: texts.Draw(t, "copy of"), Probability: shares.Draw(t, "probability"),
	}
}

// unknownTime is the inverse of fromTime.
func unknownTime(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// Nothing that is stored of an article is lost on its way out, over the wire included: reading the message gives it back.
func TestArticleSurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := stored(t)
		bytes, err := proto.Marshal(fromArticle(want))
		if err != nil {
			t.Fatal(err)
		}
		var m throughlinev1.Article
		if err := proto.Unmarshal(bytes, &m); err != nil {
			t.Fatal(err)
		}
		got := store.Article{
			ID: m.GetId(), Title: m.GetTitle(), TitleDerived: m.GetTitleDerived(), URL: m.GetUrl(), Source: m.GetSource(), Language: m.GetLanguage(),
			Authors: m.GetAuthors(), Published: unknownTime(m.GetPublishedTime()), DateOnly: m.GetPublishedDateOnly(),
			Sections: int(m.GetSectionCount()), Revision: m.GetRevision(), Hash: m.GetContentHash(), Words: int(m.GetWordCount()),
			Ingested: unknownTime(m.GetIngestedTime()), StoryID: m.GetStoryId(), TopicIDs: m.GetTopicIds(), CopyOf: m.GetCopyOf(),
			Probability: m.GetStoryProbability(),
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// What is sent of an article arrives, and what only the server may say is left behind.
func TestArticleInput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := article.Article{
			ID: texts.Draw(t, "id"), Title: texts.Draw(t, "title"), URL: texts.Draw(t, "url"), Source: texts.Draw(t, "source"),
			Language: texts.Draw(t, "language"), Authors: lists.Draw(t, "authors"), Published: times.Draw(t, "published"),
		}
		want.DateOnly = !want.Published.IsZero() && rapid.Bool().Draw(t, "date only")
		in := &throughlinev1.Article{
			Id: want.ID, Title: want.Title, Url: want.URL, Source: want.Source, Language: want.Language, Authors: want.Authors,
			PublishedTime: fromTime(want.Published), PublishedDateOnly: want.DateOnly,
			TitleDerived: true, SectionCount: 3, WordCount: 4, StoryId: "s", TopicIds: []string{"t"}, CopyOf: "c", StoryProbability: 1,
			IngestedTime: timestamppb.New(day(1)), Revision: 9, ContentHash: "h",
		}
		for range rapid.IntRange(0, 3).Draw(t, "sections") {
			s := article.Section{Heading: texts.Draw(t, "heading"), Text: texts.Draw(t, "text")}
			want.Sections = append(want.Sections, s)
			in.Sections = append(in.Sections, &throughlinev1.Section{Heading: s.Heading, Text: s.Text})
		}
		got, err := toArticle(in)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

var kinds = map[throughlinev1.Relation]evidence.Relation{
	throughlinev1.Relation_RELATION_COPY:       evidence.RelationCopy,
	throughlinev1.Relation_RELATION_SAME_STORY: evidence.RelationSameStory,
	throughlinev1.Relation_RELATION_FOLLOW_UP:  evidence.RelationFollowUp,
	throughlinev1.Relation_RELATION_BACKGROUND: evidence.RelationBackground,
	throughlinev1.Relation_RELATION_SAME_TOPIC: evidence.RelationSameTopic,
}

// Every field of a request reaches the engine.
func TestRelatedRequestArrives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := &throughlinev1.RelatedRequest{
			ArticleId: texts.Draw(t, "article"), Text: texts.Draw(t, "text"), Title: texts.Draw(t, "title"), StoryId: texts.Draw(t, "story"),
			PublishedTime: fromTime(times.Draw(t, "time")), LikedArticleIds: lists.Draw(t, "liked"), DislikedArticleIds: lists.Draw(t, "disliked"),
			Filter: &throughlinev1.ArticleFilter{
				Sources: lists.Draw(t, "sources"), ExcludeSources: lists.Draw(t, "without sources"), Languages: lists.Draw(t, "languages"),
				PublishedAfter: fromTime(times.Draw(t, "after")), PublishedBefore: fromTime(times.Draw(t, "before")),
				TopicIds: lists.Draw(t, "topics"), StoryIds: lists.Draw(t, "stories"),
			},
			ExcludeArticleIds: lists.Draw(t, "without articles"), ExcludeStoryIds: lists.Draw(t, "without stories"),
			MaxPerSource: rapid.Int32Min(0).Draw(t, "per source"), MaxPerStory: rapid.Int32Min(0).Draw(t, "per story"),
			Diversity: shares.Draw(t, "diversity"), MinProbability: shares.Draw(t, "probability"),
			IncludeCopies: rapid.Bool().Draw(t, "copies"), Explain: rapid.Bool().Draw(t, "explain"),
		}
		want := related.Request{
			Seed: related.Seed{
				ArticleID: in.ArticleId, Text: in.Text, Title: in.Title, StoryID: in.StoryId, Published: unknownTime(in.PublishedTime),
				Liked: in.LikedArticleIds, Disliked: in.DislikedArticleIds,
			},
			Shape: related.Shape{
				Filter: store.Filter{
					Sources: in.Filter.Sources, ExcludeSources: in.Filter.ExcludeSources, Languages: in.Filter.Languages,
					After: unknownTime(in.Filter.PublishedAfter), Before: unknownTime(in.Filter.PublishedBefore),
					TopicIDs: in.Filter.TopicIds, StoryIDs: in.Filter.StoryIds,
				},
				ExcludeArticles: in.ExcludeArticleIds, ExcludeStories: in.ExcludeStoryIds,
				MaxPerSource: int(in.MaxPerSource), MaxPerStory: int(in.MaxPerStory), Diversity: in.Diversity,
				IncludeCopies: in.IncludeCopies, Explain: in.Explain,
			},
			MinProbability: in.MinProbability,
		}
		if rapid.Bool().Draw(t, "with section") {
			section := rapid.Int32Range(0, 9).Draw(t, "section")
			in.Section = &section
			n := int(section)
			want.Section = &n
		}
		if rapid.Bool().Draw(t, "with half life") {
			want.HalfLife = time.Duration(rapid.Int64Range(1, 1<<62).Draw(t, "half life"))
			in.HalfLife = durationpb.New(want.HalfLife)
		}
		for proto, domain := range kinds {
			if rapid.Bool().Draw(t, proto.String()) {
				in.Relations = append(in.Relations, proto)
				want.Relations = append(want.Relations, domain)
			}
		}
		got, err := toRelatedRequest(in)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		search, err := toSearchRequest(&throughlinev1.SearchRequest{
			Query: in.Text, Filter: in.Filter, ExcludeArticleIds: in.ExcludeArticleIds, ExcludeStoryIds: in.ExcludeStoryIds,
			MaxPerSource: in.MaxPerSource, MaxPerStory: in.MaxPerStory, Diversity: in.Diversity, HalfLife: in.HalfLife,
			IncludeCopies: in.IncludeCopies, Explain: in.Explain,
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(related.SearchRequest{Query: in.Text, Shape: want.Shape}, search); diff != "" {
			t.Fatal(diff)
		}
	})
}

// Requests have no field that the test above leaves out.
func TestRequestFieldsAreAllTested(t *testing.T) {
	for m, want := range map[proto.Message]int{
		&throughlinev1.RelatedRequest{}: 21, &throughlinev1.SearchRequest{}: 12, &throughlinev1.ArticleFilter{}: 7, &throughlinev1.Article{}: 20,
	} {
		if got := m.ProtoReflect().Descriptor().Fields().Len(); got != want {
			t.Errorf("%s has %d fields, the property tests know %d: teach them", m.ProtoReflect().Descriptor().FullName(), got, want)
		}
	}
	for typ, want := range map[reflect.Type]int{
		reflect.TypeFor[store.Article](): 18, reflect.TypeFor[related.Result](): 8, reflect.TypeFor[related.Evidence](): 5,
		reflect.TypeFor[store.Event](): 7,
	} {
		if got := typ.NumField(); got != want {
			t.Errorf("%v has %d fields, the conversion tests know %d: teach them", typ, got, want)
		}
	}
}

// Every value of our enums has a value in the API, different ones for different values, and back.
func TestEnums(t *testing.T) {
	for p, d := range kinds {
		if fromRelation(d) != p || toRelation(p) != d {
			t.Errorf("%v and %v are not each other", p, d)
		}
	}
	if len(kinds) != len(throughlinev1.Relation_name)-1 {
		t.Errorf("%d relations of %d", len(kinds), len(throughlinev1.Relation_name)-1)
	}
	if fromRelation(evidence.RelationNone) != throughlinev1.Relation_RELATION_UNSPECIFIED {
		t.Error("no relation is some relation")
	}
	for _, l := range []store.Level{"", store.LevelTopic, store.LevelTheme} {
		if toLevel(fromLevel(l)) != l {
			t.Errorf("level %q becomes %q", l, toLevel(fromLevel(l)))
		}
	}
	seen := map[throughlinev1.StoryEventKind]store.EventKind{}
	for _, k := range []store.EventKind{store.StoryCreated, store.StoryJoined, store.StoryLeft, store.StoryMerged, store.StorySplit, store.StoryRenamed, store.StoryDeleted} {
		p := fromKind(k)
		if other, ok := seen[p]; ok || p == 0 {
			t.Errorf("%s is %v, like %q", k, p, other)
		}
		seen[p] = k
	}
	if len(seen) != len(throughlinev1.StoryEventKind_name)-1 {
		t.Errorf("%d event kinds of %d", len(seen), len(throughlinev1.StoryEventKind_name)-1)
	}
	outcomes := map[throughlinev1.IngestOutcome]bool{}
	for _, o := range []ingest.Outcome{ingest.New, ingest.Updated, ingest.Unchanged, ingest.Rejected} {
		outcomes[fromOutcome(o)] = true
	}
	if len(outcomes) != len(throughlinev1.IngestOutcome_name)-1 || outcomes[0] {
		t.Errorf("outcomes are %v", outcomes)
	}
}

func TestResults(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := related.Result{
			Article: stored(t), Score: shares.Draw(t, "score"), Probability: shares.Draw(t, "probability"), CopyOf: texts.Draw(t, "copy of"),
			Relation: evidence.RelationFollowUp, Signals: map[string]float64{texts.Draw(t, "signal"): shares.Draw(t, "value")},
			Contributions: map[string]float64{texts.Draw(t, "contribution"): shares.Draw(t, "gave")},
		}
		for range rapid.IntRange(1, 3).Draw(t, "pairs") {
			want.Evidence = append(want.Evidence, related.Evidence{
				SeedSection: rapid.IntRange(-1, 5).Draw(t, "seed section"), Section: counts.Draw(t, "section"), Heading: texts.Draw(t, "heading"),
				Snippet: texts.Draw(t, "snippet"), Similarity: shares.Draw(t, "similarity"),
			})
		}
		m := fromRelated([]related.Result{want})[0]
		got := related.Result{Article: want.Article, Score: m.GetScore(), Probability: m.GetProbability(), Relation: toRelation(m.GetRelation()),
			CopyOf: m.GetCopyOf(), Signals: m.GetSignals(), Contributions: m.GetContributions()}
		for _, e := range m.GetEvidence() {
			pair := related.Evidence{SeedSection: -1, Section: int(e.GetSection()), Heading: e.GetHeading(), Snippet: e.GetSnippet(), Similarity: e.GetSimilarity()}
			if e.SeedSection != nil {
				pair.SeedSection = int(e.GetSeedSection())
			}
			got.Evidence = append(got.Evidence, pair)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		if !proto.Equal(m.GetArticle(), fromArticle(want.Article)) || m.GetStoryId() != want.Article.StoryID {
			t.Fatalf("got %v", m)
		}
		search := fromSearch([]related.Result{want})[0]
		if !proto.Equal(search.GetArticle(), m.GetArticle()) || search.GetScore() != m.GetScore() || search.GetCopyOf() != m.GetCopyOf() ||
			len(search.GetEvidence()) != len(m.GetEvidence()) || search.GetStoryId() != m.GetStoryId() || len(search.GetSignals()) != 1 {
			t.Fatalf("got %v", search)
		}
	})
}

func TestStoriesTopicsAndEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := store.Story{ID: texts.Draw(t, "id"), Title: texts.Draw(t, "title"), Keywords: lists.Draw(t, "keywords"), First: times.Draw(t, "first"),
			Last: times.Draw(t, "last"), Articles: counts.Draw(t, "articles"), Sources: lists.Draw(t, "sources"), Representative: texts.Draw(t, "one"),
			TopicID: texts.Draw(t, "topic"), ThemeID: texts.Draw(t, "theme"), Version: rapid.Int64().Draw(t, "version"),
			IndependentReports: counts.Draw(t, "reports"), IndependentSources: counts.Draw(t, "own sources"),
			Naming: store.Naming{TitleModel: rapid.SampledFrom([]string{"", "model"}).Draw(t, "model"), TitleArticles: lists.Draw(t, "cited")}}
		m := fromStory(&s)
		back := store.Story{ID: m.GetId(), Title: m.GetTitle(), Keywords: m.GetKeywords(), First: unknownTime(m.GetFirstPublishedTime()),
			Last: unknownTime(m.GetLastPublishedTime()), Articles: int(m.GetArticleCount()), Sources: m.GetSources(),
			Representative: m.GetRepresentativeArticleId(), TopicID: m.GetTopicId(), ThemeID: m.GetThemeId(), Version: m.GetVersion(),
			IndependentReports: int(m.GetIndependentReportCount()), IndependentSources: int(m.GetIndependentSourceCount()),
			Naming: store.Naming{TitleArticles: m.GetTitleArticleIds()}}
		switch m.GetTitleSource() {
		case throughlinev1.TitleSource_TITLE_SOURCE_MODEL:
			back.TitleModel = "model"
		case throughlinev1.TitleSource_TITLE_SOURCE_ARTICLE:
		default:
			t.Fatalf("the title of a story is of source %s", m.GetTitleSource())
		}
		if diff := cmp.Diff(s, back); diff != "" {
			t.Fatal(diff)
		}
		topic := store.Topic{ID: s.ID, Title: s.Title, ParentID: s.TopicID, Level: store.LevelTopic, Keywords: s.Keywords, Stories: counts.Draw(t, "stories"),
			Articles: s.Articles, First: s.First, Last: s.Last, Naming: s.Naming}
		n := fromTopic(&topic)
		again := store.Topic{ID: n.GetId(), Title: n.GetTitle(), ParentID: n.GetParentId(), Level: toLevel(n.GetLevel()), Keywords: n.GetKeywords(),
			Stories: int(n.GetStoryCount()), Articles: int(n.GetArticleCount()), First: unknownTime(n.GetFirstPublishedTime()), Last: unknownTime(n.GetLastPublishedTime()), Naming: store.Naming{TitleArticles: n.GetTitleArticleIds()}}
		switch source := n.GetTitleSource(); {
		case source == throughlinev1.TitleSource_TITLE_SOURCE_MODEL:
			again.TitleModel = "model"
		case (source == throughlinev1.TitleSource_TITLE_SOURCE_KEYWORDS) != (len(topic.Keywords) > 0):
			t.Fatalf("a topic with %d keywords has a title of source %s", len(topic.Keywords), source)
		}
		if diff := cmp.Diff(topic, again); diff != "" {
			t.Fatal(diff)
		}
		event := store.Event{Sequence: s.Version, Time: s.First, Kind: store.StorySplit, StoryID: s.ID, ArticleIDs: s.Keywords, OtherStoryIDs: s.Sources, Title: s.Title}
		e := fromEvent(event)
		same := store.Event{Sequence: e.GetSequence(), Time: unknownTime(e.GetTime()), Kind: store.StorySplit, StoryID: e.GetStoryId(),
			ArticleIDs: e.GetArticleIds(), OtherStoryIDs: e.GetOtherStoryIds(), Title: e.GetTitle()}
		if diff := cmp.Diff(event, same); diff != "" || e.GetKind() != throughlinev1.StoryEventKind_STORY_EVENT_KIND_SPLIT {
			t.Fatal(diff)
		}
	})
}
