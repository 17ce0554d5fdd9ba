package store

import (
	"time"

	"github.com/qdrant/go-client/qdrant"
)

// Payload fields. A name means the same in every collection, so one filter works on several.
const (
	fieldArticle      = "article_id"
	fieldTitle        = "title"
	fieldTitleDerived = "title_derived"
	fieldURL          = "url"
	fieldSource       = "source"
	fieldLanguage     = "language"
	fieldAuthors      = "authors"
	fieldPublished    = "published" // milliseconds; absent: unknown
	fieldDateOnly     = "date_only"
	fieldSections     = "sections"
	fieldRevision     = "revision"
	fieldFiled        = "filed_revision" // 0: pending; absent: of an earlier program, not pending
	fieldHash         = "hash"
	fieldWords        = "words"
	fieldIngested     = "ingested" // milliseconds
	fieldStory        = "story_id"
	fieldTopic        = "topic_id"
	fieldTheme        = "theme_id"
	fieldCopyOf       = "copy_of"
	fieldProbability  = "probability"
	fieldDenseOf      = "dense_of"
	fieldShingles     = "shingles" // base64 of little-endian uint32: not searched, so no sparse vector
	fieldPhrases      = "phrases"  // base64 of little-endian uint32: form and whole of each

	fieldIndex   = "index"
	fieldHeading = "heading"
	fieldText    = "text"

	fieldKeywords       = "keywords"
	fieldFirst          = "first" // milliseconds; absent: unknown
	fieldLast           = "last"
	fieldArticles       = "articles"
	fieldStories        = "stories"
	fieldSources        = "sources"
	fieldRepresentative = "representative"
	fieldMergedInto     = "merged_into"
	fieldState          = "state" // stateLive or stateMerged
	fieldVersion        = "version"
	fieldParent         = "parent_id"
	fieldLevel          = "level"

	fieldReports       = "independent_reports"
	fieldOwnSources    = "independent_sources"
	fieldTitleModel    = "title_model"
	fieldTitleArticles = "title_articles"
	fieldTitleKey      = "title_key"

	fieldTime         = "time" // milliseconds
	fieldKind         = "kind"
	fieldArticleIDs   = "article_ids"
	fieldOtherStories = "other_story_ids"
	fieldOtherTopics  = "other_topic_ids"
	fieldCause        = "cause"
	fieldCauseArticle = "cause_article_id"
)

const (
	stateLive   = "live"
	stateMerged = "merged"
)

// toPayload converts plain values, []string and time.Time; a zero time is left out. Invalid UTF-8
// is an *InvalidError (go-client's other conversion panics).
func toPayload(fields map[string]any) (map[string]*qdrant.Value, error) {
	plain := make(map[string]any, len(fields))
	for name, value := range fields {
		switch v := value.(type) {
		case []string:
			list := make([]any, len(v))
			for i, s := range v {
				list[i] = s
			}
			plain[name] = list
		case time.Time:
			if !v.IsZero() {
				plain[name] = v.UnixMilli()
			}
		default:
			plain[name] = value
		}
	}
	payload, err := qdrant.TryValueMap(plain)
	if err != nil {
		return nil, &InvalidError{Field: "payload", Reason: err.Error()}
	}
	return payload, nil
}

// payload reads fields; what is absent or of another type is the zero value.
type payload map[string]*qdrant.Value

func (p payload) text(field string) string { return p[field].GetStringValue() }
func (p payload) yes(field string) bool    { return p[field].GetBoolValue() }

// number also reads a double: a server that keeps numbers as JSON may return one for an integer.
func (p payload) number(field string) int64 {
	if v, ok := p[field].GetKind().(*qdrant.Value_DoubleValue); ok {
		return int64(v.DoubleValue)
	}
	return p[field].GetIntegerValue()
}

// real also reads an integer, for the same reason.
func (p payload) real(field string) float64 {
	if v, ok := p[field].GetKind().(*qdrant.Value_IntegerValue); ok {
		return float64(v.IntegerValue)
	}
	return p[field].GetDoubleValue()
}

func (p payload) texts(field string) []string {
	values := p[field].GetListValue().GetValues()
	if len(values) == 0 {
		return nil
	}
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = v.GetStringValue()
	}
	return out
}

func (p payload) time(field string) time.Time {
	if p[field] == nil {
		return time.Time{}
	}
	return time.UnixMilli(p.number(field)).UTC()
}
