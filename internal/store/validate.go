package store

import (
	"fmt"
	"math"
	"unicode/utf8"

	"throughline/cluster/vector"
	"throughline/internal/news"
)

// unitTolerance is how far the squared length of a unit vector may be from 1. Embedding in eight
// bits and averaging move it by less than 1e-3; a vector that was never normalised is far outside.
const unitTolerance = 1e-2

// checker keeps the first fault of one input. NaN, infinities and invalid UTF-8 must not reach the
// server: it accepts the first two and then ranks them first, and fails the whole request for the
// third.
type checker struct {
	id  string
	err error // an *InvalidError
}

func (c *checker) fail(field, format string, args ...any) {
	if c.err == nil {
		c.err = &InvalidError{ID: c.id, Field: field, Reason: fmt.Sprintf(format, args...)}
	}
}

func (c *checker) key(field, id string) {
	if reason := checkID(id); reason != "" {
		c.fail(field, "%s", reason)
	}
}

// keys checks a list of ids that may be empty.
func (c *checker) keys(field string, ids []string) {
	for i, id := range ids {
		c.key(fmt.Sprintf("%s[%d]", field, i), id)
	}
}

func (c *checker) optionalKey(field, id string) {
	if id != "" {
		c.key(field, id)
	}
}

func (c *checker) text(field, s string) {
	if !utf8.ValidString(s) {
		c.fail(field, "not valid UTF-8")
	}
}

func (c *checker) texts(field string, list []string) {
	for i, s := range list {
		c.text(fmt.Sprintf("%s[%d]", field, i), s)
	}
}

// dense checks length and finiteness.
func (c *checker) dense(field string, v []float32, dim int) (square float64) {
	if len(v) != dim {
		c.fail(field, "wrong length (got %d dimensions, want %d)", len(v), dim)
		return 0
	}
	for i, x := range v {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			c.fail(field, "component %d is not finite (got %v)", i, x)
		}
		square += float64(x) * float64(x)
	}
	return square
}

func (c *checker) unit(field string, v []float32, dim int) {
	if square := c.dense(field, v, dim); c.err == nil && math.Abs(square-1) > unitTolerance {
		c.fail(field, "not a unit vector (got length %.4g, want 1)", math.Sqrt(square))
	}
}

func (c *checker) sparse(field string, s vector.Sparse) {
	if !s.Valid() {
		c.fail(field, "invalid sparse vector (want strictly ascending terms and one finite weight each)")
	}
}

func checkPut(p *Put, dim int) error {
	a := &p.Article
	c := &checker{id: a.ID}
	c.key("id", a.ID)
	for name, s := range a.Texts() {
		c.text(name, *s)
	}
	c.text("hash", a.ContentHash)
	c.texts("authors", a.Authors)
	c.membership(&a.Membership)
	c.unit("vectors.dense", p.Vectors.Dense, dim)
	c.text("vectors.dense_of", p.Vectors.DenseOf)
	c.sparse("vectors.full", p.Vectors.Lex.Full)
	c.sparse("vectors.lead", p.Vectors.Lex.Lead)
	c.sparse("vectors.names", p.Vectors.Lex.Names)
	for i := 1; i < len(p.Vectors.Lex.Shingles); i++ {
		if p.Vectors.Lex.Shingles[i] <= p.Vectors.Lex.Shingles[i-1] {
			c.fail("vectors.shingles", "not sorted (want strictly ascending hashes)")
		}
	}
	if len(p.Sections) > maxSections {
		c.fail("sections", "too many (got %d, want at most %d)", len(p.Sections), maxSections)
	}
	for i := range p.Sections {
		s := &p.Sections[i]
		at := fmt.Sprintf("sections[%d].", i)
		if s.ArticleID != "" && s.ArticleID != a.ID {
			c.fail(at+"article_id", "another article (got %q, want %q or none)", s.ArticleID, a.ID)
		}
		if s.Index != i {
			c.fail(at+"index", "not its position (got %d, want %d)", s.Index, i)
		}
		c.text(at+"heading", s.Heading)
		c.text(at+"text", s.Text)
		c.unit(at+"dense", s.Dense, dim)
		c.text(at+"dense_of", s.DenseOf)
		c.sparse(at+"lexical", s.Lexical)
	}
	return c.err
}

func checkStory(s *Story, dim int) error {
	c := &checker{id: s.ID}
	c.key("id", s.ID)
	c.text("title", s.Title)
	c.texts("keywords", s.Keywords)
	c.texts("sources", s.Sources)
	c.optionalKey("representative", s.Representative)
	c.optionalKey("topic_id", s.TopicID)
	c.optionalKey("theme_id", s.ThemeID)
	c.optionalKey("merged_into", s.MergedInto)
	if s.MergedInto == s.ID {
		c.fail("merged_into", "the story itself (want another story)")
	}
	if s.Articles < 0 {
		c.fail("articles", "negative (got %d)", s.Articles)
	}
	if s.IndependentReports < 0 || s.IndependentSources < 0 {
		c.fail("independent_reports", "negative (got %d, and %d independent sources)", s.IndependentReports, s.IndependentSources)
	}
	c.naming(s.Naming)
	if len(s.Dense) > 0 {
		c.dense("dense", s.Dense, dim)
	}
	c.sparse("full", s.Lex.Full)
	c.sparse("lead", s.Lex.Lead)
	c.sparse("names", s.Lex.Names)
	return c.err
}

func checkTopic(t *Topic, dim int) error {
	c := &checker{id: t.ID}
	c.key("id", t.ID)
	c.text("title", t.Title)
	c.texts("keywords", t.Keywords)
	c.optionalKey("parent_id", t.ParentID)
	c.optionalKey("representative", t.Representative)
	c.level(t.Level)
	c.naming(t.Naming)
	if t.ParentID == t.ID {
		c.fail("parent_id", "the topic itself (want another topic)")
	}
	c.optionalKey("merged_into", t.MergedInto)
	if t.MergedInto == t.ID {
		c.fail("merged_into", "the topic itself (want another topic)")
	}
	if len(t.Dense) > 0 {
		c.dense("dense", t.Dense, dim)
	}
	return c.err
}

func (c *checker) level(l news.Level) {
	if l != news.LevelTopic && l != news.LevelTheme {
		c.fail("level", "unknown level (got %q, want %q or %q)", l, news.LevelTopic, news.LevelTheme)
	}
}

func (c *checker) naming(n news.Naming) {
	c.text("title_model", n.TitleModel)
	c.keys("title_articles", n.TitleArticles)
	c.text("title_key", n.TitleKey)
}

// checkEvent checks an event of a ledger whose highest number is last.
func checkEvent(e *news.LedgerEvent, last int64) error {
	c := &checker{id: e.ID}
	c.key("id", e.ID)
	if e.Level != "" {
		c.level(e.Level)
	}
	c.keys("article_ids", e.ArticleIDs)
	c.keys("other_ids", e.OtherIDs)
	c.text("title", e.Title)
	switch e.Kind {
	case news.Created, news.Joined, news.Left, news.Merged, news.Split, news.Renamed, news.Deleted:
	default:
		c.fail("kind", "unknown kind of event (got %q)", e.Kind)
	}
	switch e.Cause {
	case "", news.Filed, news.Gone, news.Arranged, news.Repaired, news.Retitled:
	default:
		c.fail("cause", "unknown cause of an event (got %q)", e.Cause)
	}
	c.text("cause_article_id", e.CauseArticleID)
	if e.Sequence < 0 || e.Sequence > last {
		c.fail("sequence", "not a number of this ledger (got %d, want 0 to %d)", e.Sequence, last)
	}
	return c.err
}

func checkMembership(m *Membership) error {
	c := &checker{id: m.ArticleID}
	c.key("article_id", m.ArticleID)
	c.membership(&m.Membership)
	return c.err
}

func (c *checker) membership(m *news.Membership) {
	c.optionalKey("story_id", m.StoryID)
	c.optionalKey("topic_id", m.TopicID)
	c.optionalKey("theme_id", m.ThemeID)
	c.optionalKey("copy_of", m.CopyOf)
	if !(m.Probability >= 0 && m.Probability <= 1) {
		c.fail("probability", "out of range (got %v, want 0 to 1)", m.Probability)
	}
}
