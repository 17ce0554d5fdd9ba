package store

import (
	"fmt"
	"math"
	"unicode/utf8"

	"throughline/cluster/vector"
)

// unitTolerance is how far the squared length of a unit vector may be from 1: embedding in eight bits and averaging leave
// less than 1e-3; a vector that was never normalised is far outside.
const unitTolerance = 1e-2

// checker collects the first thing that is wrong with one input. NaN, infinities and invalid UTF-8 must not reach the
// server: it accepts the first two and then ranks them first, and fails the whole request for the third.
type checker struct {
	id  string
	err *InvalidError
}

func (c *checker) fail(field, format string, args ...any) {
	if c.err == nil {
		c.err = &InvalidError{ID: c.id, Field: field, Reason: fmt.Sprintf(format, args...)}
	}
}

func (c *checker) result() error {
	if c.err == nil {
		return nil
	}
	return c.err
}

func (c *checker) key(field, id string) {
	if reason := checkID(id); reason != "" {
		c.fail(field, "%s", reason)
	}
}

// keys checks a list of ids that may be empty.
func (c *checker) keys(field string, ids []string) {
	for i, id := range ids {
		if reason := checkID(id); reason != "" {
			c.fail(fmt.Sprintf("%s[%d]", field, i), "%s", reason)
		}
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
		c.fail(field, "%d dimensions; the store has %d", len(v), dim)
		return 0
	}
	for i, x := range v {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			c.fail(field, "component %d is %v", i, x)
		}
		square += float64(x) * float64(x)
	}
	return square
}

func (c *checker) unit(field string, v []float32, dim int) {
	if square := c.dense(field, v, dim); c.err == nil && math.Abs(square-1) > unitTolerance {
		c.fail(field, "length %.4g; must be a unit vector", math.Sqrt(square))
	}
}

func (c *checker) sparse(field string, s vector.Sparse) {
	if !s.Valid() {
		c.fail(field, "terms must be strictly ascending, one finite weight each")
	}
}

func (c *checker) probability(field string, p float64) {
	if !(p >= 0 && p <= 1) {
		c.fail(field, "%v is not a probability", p)
	}
}

func checkPut(p *Put, dim int) error {
	a := &p.Article
	c := &checker{id: a.ID}
	c.key("id", a.ID)
	c.text("title", a.Title)
	c.text("url", a.URL)
	c.text("source", a.Source)
	c.text("language", a.Language)
	c.text("hash", a.Hash)
	c.texts("authors", a.Authors)
	c.optionalKey("story_id", a.StoryID)
	c.keys("topic_ids", a.TopicIDs)
	c.optionalKey("copy_of", a.CopyOf)
	c.probability("probability", a.Probability)
	c.unit("vectors.dense", p.Vectors.Dense, dim)
	c.text("vectors.dense_of", p.Vectors.DenseOf)
	c.sparse("vectors.full", p.Vectors.Full)
	c.sparse("vectors.lead", p.Vectors.Lead)
	c.sparse("vectors.names", p.Vectors.Names)
	for i := 1; i < len(p.Vectors.Shingles); i++ {
		if p.Vectors.Shingles[i] <= p.Vectors.Shingles[i-1] {
			c.fail("vectors.shingles", "must be strictly ascending")
		}
	}
	if len(p.Sections) > maxSections {
		c.fail("sections", "%d; at most %d", len(p.Sections), maxSections)
	}
	for i := range p.Sections {
		s := &p.Sections[i]
		at := fmt.Sprintf("sections[%d].", i)
		if s.ArticleID != "" && s.ArticleID != a.ID {
			c.fail(at+"article_id", "%q is another article", s.ArticleID)
		}
		if s.Index != i {
			c.fail(at+"index", "%d; sections are numbered by position", s.Index)
		}
		c.text(at+"heading", s.Heading)
		c.text(at+"text", s.Text)
		c.unit(at+"dense", s.Dense, dim)
		c.text(at+"dense_of", s.DenseOf)
		c.sparse(at+"lexical", s.Lexical)
	}
	return c.result()
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
		c.fail("merged_into", "a story cannot be merged into itself")
	}
	if s.Articles < 0 {
		c.fail("articles", "%d", s.Articles)
	}
	if s.IndependentReports < 0 || s.IndependentSources < 0 {
		c.fail("independent_reports", "%d of %d sources", s.IndependentReports, s.IndependentSources)
	}
	c.naming(s.Naming)
	if len(s.Dense) > 0 {
		c.dense("dense", s.Dense, dim)
	}
	c.sparse("full", s.Full)
	c.sparse("lead", s.Lead)
	c.sparse("names", s.Names)
	return c.result()
}

func checkTopic(t *Topic, dim int) error {
	c := &checker{id: t.ID}
	c.key("id", t.ID)
	c.text("title", t.Title)
	c.texts("keywords", t.Keywords)
	c.optionalKey("parent_id", t.ParentID)
	c.optionalKey("representative", t.Representative)
	if t.Level != LevelTopic && t.Level != LevelTheme {
		c.fail("level", "%q is neither %q nor %q", t.Level, LevelTopic, LevelTheme)
	}
	c.naming(t.Naming)
	if t.ParentID == t.ID {
		c.fail("parent_id", "a topic cannot be its own theme")
	}
	if len(t.Dense) > 0 {
		c.dense("dense", t.Dense, dim)
	}
	return c.result()
}

func (c *checker) naming(n Naming) {
	c.text("title_model", n.TitleModel)
	c.keys("title_articles", n.TitleArticles)
	c.text("title_key", n.TitleKey)
}

func checkEvent(e *Event) error {
	c := &checker{id: e.StoryID}
	c.key("story_id", e.StoryID)
	c.keys("article_ids", e.ArticleIDs)
	c.keys("other_story_ids", e.OtherStoryIDs)
	c.text("title", e.Title)
	switch e.Kind {
	case StoryCreated, StoryJoined, StoryLeft, StoryMerged, StorySplit, StoryRenamed, StoryDeleted:
	default:
		c.fail("kind", "%q is not a kind of event", e.Kind)
	}
	if e.Sequence < 0 {
		c.fail("sequence", "%d", e.Sequence)
	}
	return c.result()
}

func checkAssignment(a *Assignment) error {
	c := &checker{id: a.ArticleID}
	c.key("article_id", a.ArticleID)
	c.optionalKey("story_id", a.StoryID)
	c.keys("topic_ids", a.TopicIDs)
	c.optionalKey("copy_of", a.CopyOf)
	c.probability("probability", a.Probability)
	return c.result()
}
