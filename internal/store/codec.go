package store

import (
	"maps"
	"reflect"
	"time"

	"github.com/qdrant/go-client/qdrant"

	"throughline/internal/news"
)

// field is one field of a stored struct: its name in the payload, and a pointer to its value.
type field struct {
	name string
	at   any
}

// articleFields are the fields of an article's point.
func articleFields(a *news.Article) []field {
	return append([]field{
		{fieldArticle, &a.ID}, {fieldTitle, &a.Title}, {fieldTitleDerived, &a.TitleDerived},
		{fieldURL, &a.URL}, {fieldSource, &a.Source}, {fieldLanguage, &a.Language}, {fieldAuthors, &a.Authors},
		{fieldPublished, &a.Published}, {fieldDateOnly, &a.DateOnly},
		{fieldSections, &a.SectionCount}, {fieldWords, &a.Words}, {fieldHash, &a.ContentHash},
		{fieldRevision, &a.Revision}, {fieldFiled, &a.FiledRevision}, {fieldIngested, &a.Ingested},
	}, membershipFields(&a.Membership)...)
}

// membershipFields are the fields of an article's point that say where the article belongs.
func membershipFields(m *news.Membership) []field {
	return append(sectionMemberships(m), field{fieldCopyOf, &m.CopyOf}, field{fieldProbability, &m.Probability})
}

// sectionMemberships are the fields of memberships that sections carry too, so that a search over
// sections is filtered before it ranks.
func sectionMemberships(m *news.Membership) []field {
	return []field{{fieldStory, &m.StoryID}, {fieldTopic, &m.TopicID}, {fieldTheme, &m.ThemeID}}
}

// storyFields are the fields of a story's point.
func storyFields(s *news.Story) []field {
	return append([]field{
		{fieldStory, &s.ID}, {fieldTitle, &s.Title}, {fieldKeywords, &s.Keywords},
		{fieldFirst, &s.First}, {fieldLast, &s.Last}, {fieldArticles, &s.Articles}, {fieldSources, &s.Sources},
		{fieldRepresentative, &s.Representative}, {fieldTopic, &s.TopicID}, {fieldTheme, &s.ThemeID},
		{fieldReports, &s.IndependentReports}, {fieldOwnSources, &s.IndependentSources},
		{fieldMergedInto, &s.MergedInto}, {fieldVersion, &s.Version},
	}, namingFields(&s.Naming)...)
}

// topicFields are the fields of a topic's point.
func topicFields(t *news.Topic) []field {
	return append([]field{
		{fieldTopic, &t.ID}, {fieldTitle, &t.Title}, {fieldParent, &t.ParentID}, {fieldLevel, &t.Level},
		{fieldKeywords, &t.Keywords}, {fieldStories, &t.Stories}, {fieldArticles, &t.Articles},
		{fieldFirst, &t.First}, {fieldLast, &t.Last}, {fieldRepresentative, &t.Representative},
		{fieldMergedInto, &t.MergedInto}, {fieldVersion, &t.Version},
	}, namingFields(&t.Naming)...)
}

// namingFields are the fields of stories and topics that say where the title is from.
func namingFields(n *news.Naming) []field {
	return []field{{fieldTitleModel, &n.TitleModel}, {fieldTitleArticles, &n.TitleArticles}, {fieldTitleKey, &n.TitleKey}}
}

// eventFields are the fields of a ledger event's point, whose id is the sequence number.
func eventFields(e *news.LedgerEvent) []field {
	id, others := fieldStory, fieldOtherStories
	if e.Level != "" {
		id, others = fieldTopic, fieldOtherTopics
	}
	return []field{
		{fieldTime, &e.Time}, {fieldKind, &e.Kind}, {fieldLevel, &e.Level}, {id, &e.ID},
		{fieldArticleIDs, &e.ArticleIDs}, {others, &e.OtherIDs}, {fieldTitle, &e.Title},
		{fieldCause, &e.Cause}, {fieldCauseArticle, &e.CauseArticleID},
	}
}

// encodeFields makes a payload of fields and of further values.
func encodeFields(fields []field, more map[string]any) (map[string]*qdrant.Value, error) {
	values := make(map[string]any, len(fields)+len(more))
	for _, f := range fields {
		switch at := f.at.(type) {
		case *news.Level:
			values[f.name] = string(*at)
		case *news.EventKind:
			values[f.name] = string(*at)
		case *news.Cause:
			values[f.name] = string(*at)
		default:
			values[f.name] = reflect.ValueOf(at).Elem().Interface()
		}
	}
	maps.Copy(values, more)
	return toPayload(values)
}

// decodeFields reads fields; one that is absent or of another type is zero.
func decodeFields(fields []field, p payload) {
	for _, f := range fields {
		switch at := f.at.(type) {
		case *string:
			*at = p.text(f.name)
		case *news.Level:
			*at = news.Level(p.text(f.name))
		case *news.EventKind:
			*at = news.EventKind(p.text(f.name))
		case *news.Cause:
			*at = news.Cause(p.text(f.name))
		case *[]string:
			*at = p.texts(f.name)
		case *bool:
			*at = p.yes(f.name)
		case *int:
			*at = int(p.number(f.name))
		case *int64:
			*at = p.number(f.name)
		case *float64:
			*at = p.real(f.name)
		case *time.Time:
			*at = p.time(f.name)
		}
	}
}

// newPoint makes a point of fields, further values and vectors; v may be nil.
func newPoint(id *qdrant.PointId, fields []field, more map[string]any, v *Vectors) (*qdrant.PointStruct, error) {
	encoded, err := encodeFields(fields, more)
	if err != nil {
		return nil, err
	}
	return &qdrant.PointStruct{Id: id, Payload: encoded, Vectors: encodeVectors(v)}, nil
}
