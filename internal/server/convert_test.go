package server

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"throughline/internal/formats"
	"throughline/internal/ingest"
	"throughline/internal/news"
	"throughline/internal/related"
	"throughline/internal/score"
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

func storedArticle(t *rapid.T) news.Article {
	return news.Article{
		ID: texts.Draw(t, "id"), Title: texts.Draw(t, "title"), TitleDerived: rapid.Bool().Draw(t, "derived"), URL: texts.Draw(t, "url"),
		Source: texts.Draw(t, "source"), Language: texts.Draw(t, "language"), Authors: lists.Draw(t, "authors"),
		Published: times.Draw(t, "published"), DateOnly: rapid.Bool().Draw(t, "date only"),
		Record: news.Record{
			SectionCount: counts.Draw(t, "sections"), Revision: rapid.Int64().Draw(t, "revision"), ContentHash: texts.Draw(t, "hash"),
			Words: counts.Draw(t, "words"), Ingested: times.Draw(t, "ingested"),
		},
		Membership: news.Membership{
			StoryID: texts.Draw(t, "story"), TopicID: texts.Draw(t, "topic"), ThemeID: texts.Draw(t, "theme"),
			CopyOf: texts.Draw(t, "copy of"), Probability: shares.Draw(t, "probability"),
		},
	}
}

// unknownTime is the inverse of fromTime.
func unknownTime(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// Nothing that is stored of an article is lost on its way out, over the wire included: reading the
// message gives it back.
func TestArticleSurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := storedArticle(t)
		if want.FiledRevision = want.Revision; rapid.Bool().Draw(t, "pending") {
			want.FiledRevision--
		}
		bytes, err := proto.Marshal(ArticleMessage(want))
		if err != nil {
			t.Fatal(err)
		}
		var m throughlinev1.Article
		if err := proto.Unmarshal(bytes, &m); err != nil {
			t.Fatal(err)
		}
		got := news.Article{
			ID: m.GetId(), Title: m.GetTitle(), TitleDerived: m.GetTitleDerived(), URL: m.GetUrl(), Source: m.GetSource(), Language: m.GetLanguage(),
			Authors: m.GetAuthors(), Published: unknownTime(m.GetPublishedTime()), DateOnly: m.GetPublishedDateOnly(),
			Record: news.Record{
				SectionCount: int(m.GetSectionCount()), Revision: m.GetRevision(), FiledRevision: m.GetRevision(),
				ContentHash: m.GetContentHash(), Words: int(m.GetWordCount()), Ingested: unknownTime(m.GetIngestedTime()),
			},
			Membership: news.Membership{
				StoryID: m.GetStoryId(), TopicID: m.GetTopicId(), ThemeID: m.GetThemeId(), CopyOf: m.GetCopyOf(), Probability: m.GetStoryProbability(),
			},
		}
		if m.GetFilingPending() {
			got.FiledRevision--
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff(want.TopicIDs(), m.GetTopicIds()); diff != "" {
			t.Fatal(diff)
		}
		content := want
		content.Record, content.Membership = news.Record{}, news.Membership{}
		if diff := cmp.Diff(content, ArticleOf(&m)); diff != "" {
			t.Fatal(diff)
		}
	})
}

// eachField calls fn with the address of every field of an article, those of the structs within
// included.
func eachField(v reflect.Value, fn func(name string, field reflect.Value)) {
	for i := range v.NumField() {
		switch f := v.Type().Field(i); {
		case f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[time.Time]() && f.Type != reflect.TypeFor[news.Origin]():
			eachField(v.Field(i), fn)
		default:
			fn(f.Name, v.Field(i))
		}
	}
}

// fill gives a field a value that is not its zero value.
func fill(t *testing.T, field reflect.Value) {
	t.Helper()
	switch v := field.Addr().Interface().(type) {
	case *string:
		*v = "text"
	case *bool:
		*v = true
	case *int:
		*v = 3
	case *int64:
		*v = 4
	case *float64:
		*v = .5
	case *time.Time:
		*v = day(1)
	case *[]string:
		*v = []string{"one", "two"}
	case *[]news.Section:
		*v = []news.Section{{Heading: "heading", Text: "text"}}
	case *map[string]string:
		*v = map[string]string{"name": "value"}
	case *news.Origin:
		*v = news.Origin{Path: "path"}
	default:
		t.Fatalf("teach this test values of %T", v)
	}
}

// The API shows every field of an article but those that are not stored and, in ArticleMessage, the
// sections.
func TestEveryArticleFieldIsInTheAPI(t *testing.T) {
	hidden := map[string]bool{"Sections": true, "Origin": true, "Extra": true}
	var of news.Article
	eachField(reflect.ValueOf(&of).Elem(), func(name string, field reflect.Value) {
		of = news.Article{}
		fill(t, field)
		if shown := !proto.Equal(ArticleMessage(of), &throughlinev1.Article{}); shown == hidden[name] {
			t.Errorf("%s alone is shown: %v", name, shown)
		}
	})
	var whole news.Article
	eachField(reflect.ValueOf(&whole).Elem(), func(name string, field reflect.Value) { fill(t, field) })
	whole.FiledRevision = whole.Revision - 1
	m := ArticleMessage(whole).ProtoReflect()
	for i := range m.Descriptor().Fields().Len() {
		f := m.Descriptor().Fields().Get(i)
		if missing := !m.Has(f); missing != (f.Name() == "sections" || f.Name() == "text") {
			t.Errorf("%s is missing in the message of an article that has everything: %v", f.Name(), missing)
		}
	}
}

// Clients set every field of an article but those that are the server's.
func TestEveryArticleFieldIsRead(t *testing.T) {
	output := map[string]bool{}
	var added struct {
		news.Record
		news.Membership
		TitleDerived bool
	}
	var a news.Article
	eachField(reflect.ValueOf(&added).Elem(), func(_ string, field reflect.Value) { fill(t, field) })
	a.Record, a.Membership, a.TitleDerived = added.Record, added.Membership, true
	a.FiledRevision = a.Revision - 1
	ArticleMessage(a).ProtoReflect().Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		output[string(f.Name())] = true
		return true
	})
	fields := (*throughlinev1.Article)(nil).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		f, in := fields.Get(i), new(throughlinev1.Article)
		m := in.ProtoReflect()
		switch {
		case f.Name() == "text": // the sections in one, see toArticle
			continue
		case f.IsList() && f.Kind() == protoreflect.StringKind:
			m.Mutable(f).List().Append(protoreflect.ValueOfString("text"))
		case f.IsList():
			m.Mutable(f).List().AppendMutable()
		case f.Kind() == protoreflect.StringKind:
			m.Set(f, protoreflect.ValueOfString("text"))
		case f.Kind() == protoreflect.MessageKind:
			m.Set(f, protoreflect.ValueOfMessage(fromTime(day(1)).ProtoReflect()))
		case f.Kind() == protoreflect.BoolKind:
			m.Set(f, protoreflect.ValueOfBool(true))
		default:
			if !output[string(f.Name())] {
				t.Errorf("teach this test values of %s", f.FullName())
			}
			continue
		}
		read := !reflect.DeepEqual(new(decoder).article(in), news.Article{})
		if read == output[string(f.Name())] {
			t.Errorf("%s is read: %v", f.FullName(), read)
		}
	}
}

// What is sent of an article arrives, and what only the server may say is left behind.
func TestArticleInput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := news.Article{
			ID: texts.Draw(t, "id"), Title: texts.Draw(t, "title"), URL: texts.Draw(t, "url"), Source: texts.Draw(t, "source"),
			Language: texts.Draw(t, "language"), Authors: lists.Draw(t, "authors"), Published: times.Draw(t, "published"),
		}
		want.DateOnly = !want.Published.IsZero() && rapid.Bool().Draw(t, "date only")
		in := &throughlinev1.Article{
			Id: want.ID, Title: want.Title, Url: want.URL, Source: want.Source, Language: want.Language, Authors: want.Authors,
			PublishedTime: fromTime(want.Published), PublishedDateOnly: want.DateOnly,
			TitleDerived: true, SectionCount: 3, WordCount: 4, StoryId: "s", TopicIds: []string{"t"}, CopyOf: "c", StoryProbability: 1,
			IngestedTime: timestamppb.New(day(1)), Revision: 9, ContentHash: "h", TopicId: "t", ThemeId: "t", FilingPending: true,
		}
		for range rapid.IntRange(0, 3).Draw(t, "sections") {
			s := news.Section{Heading: texts.Draw(t, "heading"), Text: texts.Draw(t, "text")}
			want.Sections = append(want.Sections, s)
			in.Sections = append(in.Sections, &throughlinev1.Section{Heading: s.Heading, Text: s.Text})
		}
		if diff := cmp.Diff(want, new(decoder).article(in)); diff != "" {
			t.Fatal(diff)
		}
		valid, invalid := news.Validate(want)
		got, err := toArticle(in)
		if (err != nil) != (invalid != nil) {
			t.Fatalf("got %v, want %v", err, invalid)
		}
		if diff := cmp.Diff(valid, got, cmp.AllowUnexported(news.Valid{})); diff != "" {
			t.Fatal(diff)
		}
	})
}

// Every field of a request reaches the engine.
func TestRelatedRequestArrives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := &throughlinev1.RelatedRequest{
			ArticleId: texts.Draw(t, "article"), StoryId: texts.Draw(t, "story"),
			LikedArticleIds: lists.Draw(t, "liked"), DislikedArticleIds: lists.Draw(t, "disliked"),
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
			Seed: related.Seed{ArticleID: in.ArticleId, StoryID: in.StoryId, Liked: in.LikedArticleIds, Disliked: in.DislikedArticleIds},
			ListOptions: related.ListOptions{
				Filter: news.Filter{
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
		if rapid.Bool().Draw(t, "with text") {
			in.Text, in.Title = rapid.StringMatching(`[a-z]{1,9}( [a-z]{1,9}){0,9}`).Draw(t, "text"), texts.Draw(t, "title")
			published := time.Unix(rapid.Int64Range(0, 2e9).Draw(t, "published"), 0).UTC()
			in.PublishedTime = timestamppb.New(published)
			draft, err := news.Validate(news.Article{Title: in.Title, Published: published, Sections: formats.ParseText(in.Text)})
			if err != nil {
				t.Fatal(err)
			}
			want.Draft = &draft
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
		for r := score.RelationNone + 1; r < score.Relations; r++ {
			if rapid.Bool().Draw(t, r.String()) {
				in.Relations = append(in.Relations, relations[r])
				want.Relations = append(want.Relations, r)
			}
		}
		got, err := toRelatedRequest(in)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(news.Valid{})); diff != "" {
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
		if diff := cmp.Diff(related.SearchRequest{Query: in.Text, ListOptions: want.ListOptions}, search); diff != "" {
			t.Fatal(diff)
		}
	})
}

// Requests have no field that the test above leaves out.
func TestRequestFieldsAreAllTested(t *testing.T) {
	for m, want := range map[proto.Message]int{
		&throughlinev1.RelatedRequest{}: 21, &throughlinev1.SearchRequest{}: 12, &throughlinev1.ArticleFilter{}: 7,
	} {
		if got := m.ProtoReflect().Descriptor().Fields().Len(); got != want {
			t.Errorf("%s has %d fields, the property tests know %d: teach them", m.ProtoReflect().Descriptor().FullName(), got, want)
		}
	}
	for typ, want := range map[reflect.Type]int{
		reflect.TypeFor[related.Result](): 7, reflect.TypeFor[related.Evidence](): 5, reflect.TypeFor[news.LedgerEvent](): 10,
		reflect.TypeFor[news.Story](): 15, reflect.TypeFor[news.Topic](): 13,
	} {
		if got := typ.NumField(); got != want {
			t.Errorf("%v has %d fields, the conversion tests know %d: teach them", typ, got, want)
		}
	}
}

// Every value of our enums has a value in the API, different ones for different values, and back.
func TestEnums(t *testing.T) {
	var all []score.Relation
	for r := score.RelationNone + 1; r < score.Relations; r++ {
		all = append(all, r)
	}
	enum(t, relations, throughlinev1.Relation_name, score.RelationNone, all...)
	enum(t, outcomes, throughlinev1.IngestOutcome_name, 0, ingest.New, ingest.Updated, ingest.Unchanged, ingest.Rejected)
	enum(t, levels, throughlinev1.TopicLevel_name, "", news.LevelTopic, news.LevelTheme)
	enum(t, kinds, throughlinev1.StoryEventKind_name, "", news.Created, news.Joined, news.Left, news.Merged, news.Split,
		news.Renamed, news.Deleted)
	enum(t, causes, throughlinev1.StoryEventCause_name, "", news.Filed, news.Gone, news.Arranged, news.Repaired, news.Retitled)
}

// enum checks a table that has every value but none, which is UNSPECIFIED in the API.
func enum[K, V comparable](t *testing.T, table map[K]V, names map[int32]string, none K, values ...K) {
	t.Helper()
	var unspecified V
	if table[none] != unspecified || keyOf(table, unspecified) != none || len(table) != len(names)-1 || len(values) != len(table) {
		t.Errorf("%v has %d values of %d", table, len(table), len(names)-1)
	}
	for _, v := range values {
		if table[v] == unspecified || keyOf(table, table[v]) != v {
			t.Errorf("%v is %v, which is %v", v, table[v], keyOf(table, table[v]))
		}
	}
}

func TestResults(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := related.Result{
			Article: storedArticle(t), Score: shares.Draw(t, "score"), Probability: shares.Draw(t, "probability"),
			Relation: score.RelationFollowUp, Signals: map[string]float64{texts.Draw(t, "signal"): shares.Draw(t, "value")},
			Contributions: map[string]float64{texts.Draw(t, "contribution"): shares.Draw(t, "gave")},
		}
		for range rapid.IntRange(1, 3).Draw(t, "pairs") {
			want.Evidence = append(want.Evidence, related.Evidence{
				SeedSection: rapid.IntRange(-1, 5).Draw(t, "seed section"), Section: counts.Draw(t, "section"), Heading: texts.Draw(t, "heading"),
				Snippet: texts.Draw(t, "snippet"), Similarity: shares.Draw(t, "similarity"),
			})
		}
		m := fromRelated(want)
		got := related.Result{Article: want.Article, Score: m.GetScore(), Probability: m.GetProbability(), Relation: keyOf(relations, m.GetRelation()),
			Signals: m.GetSignals(), Contributions: m.GetContributions()}
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
		if !proto.Equal(m.GetArticle(), ArticleMessage(want.Article)) || m.GetStoryId() != want.Article.StoryID || m.GetCopyOf() != want.Article.CopyOf {
			t.Fatalf("got %v", m)
		}
		search := fromSearch(want)
		if !proto.Equal(search.GetArticle(), m.GetArticle()) || search.GetScore() != m.GetScore() || search.GetCopyOf() != m.GetCopyOf() ||
			len(search.GetEvidence()) != len(m.GetEvidence()) || search.GetStoryId() != m.GetStoryId() || len(search.GetSignals()) != 1 {
			t.Fatalf("got %v", search)
		}
	})
}

func TestStoriesTopicsAndEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := news.Story{ID: texts.Draw(t, "id"), Title: texts.Draw(t, "title"), Keywords: lists.Draw(t, "keywords"), First: times.Draw(t, "first"),
			Last: times.Draw(t, "last"), Articles: counts.Draw(t, "articles"), Sources: lists.Draw(t, "sources"), Representative: texts.Draw(t, "one"),
			TopicID: texts.Draw(t, "topic"), ThemeID: texts.Draw(t, "theme"), Version: rapid.Int64().Draw(t, "version"),
			IndependentReports: counts.Draw(t, "reports"), IndependentSources: counts.Draw(t, "own sources"),
			Naming: news.Naming{TitleModel: rapid.SampledFrom([]string{"", "model"}).Draw(t, "model"), TitleArticles: lists.Draw(t, "cited")}}
		m := fromStory(s)
		back := news.Story{ID: m.GetId(), Title: m.GetTitle(), Keywords: m.GetKeywords(), First: unknownTime(m.GetFirstPublishedTime()),
			Last: unknownTime(m.GetLastPublishedTime()), Articles: int(m.GetArticleCount()), Sources: m.GetSources(),
			Representative: m.GetRepresentativeArticleId(), TopicID: m.GetTopicId(), ThemeID: m.GetThemeId(), Version: m.GetVersion(),
			IndependentReports: int(m.GetIndependentReportCount()), IndependentSources: int(m.GetIndependentSourceCount()),
			Naming: news.Naming{TitleArticles: m.GetTitleArticleIds()}}
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
		topic := news.Topic{ID: s.ID, Title: s.Title, ParentID: s.TopicID, Level: news.LevelTopic, Keywords: s.Keywords, Stories: counts.Draw(t, "stories"),
			Articles: s.Articles, First: s.First, Last: s.Last, Naming: s.Naming}
		n := fromTopic(topic)
		again := news.Topic{ID: n.GetId(), Title: n.GetTitle(), ParentID: n.GetParentId(), Level: keyOf(levels, n.GetLevel()), Keywords: n.GetKeywords(),
			Stories: int(n.GetStoryCount()), Articles: int(n.GetArticleCount()), First: unknownTime(n.GetFirstPublishedTime()), Last: unknownTime(n.GetLastPublishedTime()), Naming: news.Naming{TitleArticles: n.GetTitleArticleIds()}}
		switch source := n.GetTitleSource(); {
		case source == throughlinev1.TitleSource_TITLE_SOURCE_MODEL:
			again.TitleModel = "model"
		case (source == throughlinev1.TitleSource_TITLE_SOURCE_KEYWORDS) != (len(topic.Keywords) > 0):
			t.Fatalf("a topic with %d keywords has a title of source %s", len(topic.Keywords), source)
		}
		if diff := cmp.Diff(topic, again); diff != "" {
			t.Fatal(diff)
		}
		event := news.LedgerEvent{Sequence: s.Version, Time: s.First, Kind: news.Split, ID: s.ID, ArticleIDs: s.Keywords, OtherIDs: s.Sources, Title: s.Title,
			Level: rapid.SampledFrom([]news.Level{"", news.LevelTopic, news.LevelTheme}).Draw(t, "level"), Cause: news.Gone, CauseArticleID: s.Representative}
		e := fromEvent(event)
		same := news.LedgerEvent{Sequence: e.GetSequence(), Time: unknownTime(e.GetTime()), Kind: news.Split, Level: keyOf(levels, e.GetTopicLevel()),
			ID: e.GetStoryId() + e.GetTopicId(), ArticleIDs: e.GetArticleIds(), OtherIDs: slices.Concat(e.GetOtherStoryIds(), e.GetOtherTopicIds()), Title: e.GetTitle(),
			Cause: keyOf(causes, e.GetCause()), CauseArticleID: e.GetCauseArticleId()}
		if diff := cmp.Diff(event, same); diff != "" || e.GetKind() != throughlinev1.StoryEventKind_STORY_EVENT_KIND_SPLIT {
			t.Fatal(diff)
		}
		if (e.GetStoryId() == "") != (event.Level != "" || event.ID == "") {
			t.Fatalf("an event of level %q: %v", event.Level, e)
		}
	})
}
