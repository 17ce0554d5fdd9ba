package batch

import (
	"cmp"
	"encoding/json"
	"slices"

	"throughline/cluster"
	"throughline/cluster/vector"
	"throughline/internal/checkpoint"
	"throughline/internal/news"
	"throughline/internal/report"
	"throughline/internal/stories"
)

// Labeling says where items belong. Its slices are parallel; labels count from 0 in the order of
// first members, and -1 means none.
type Labeling struct {
	One, Many           string   // what items are called
	IDs                 []string // nil: items have the numbers of their rows
	Story, Topic, Theme []int32
	// Strength is how surely an item belongs to its story, 0 to 1; 0 without a story. Of articles
	// it is the membership probability, of rows their cosine with the story relative to a typical
	// member, see cluster.Result. TopicStrength is the relative cosine with the topic for both.
	// Nil: unknown.
	Strength, TopicStrength []float32

	Documents  []report.Document // descriptions of the items; nil: unknown
	TopicMeans cluster.Matrix    // a row for each topic; no rows: unknown
	Names      report.Names      // of the stories, topics and themes; zero: unknown
	Notes      []string          // what readers should know of the input
}

// Totals are the numbers of a Labeling.
type Totals struct {
	Items   int `json:"items"`
	Stories int `json:"stories"`
	Topics  int `json:"topics"`
	Themes  int `json:"themes"`
	OneOffs int `json:"one_offs"`      // items in no story
	Largest int `json:"largest_story"` // items of the largest story
}

// Totals counts.
func (l *Labeling) Totals() Totals {
	sizes := make(map[int32]int)
	t := Totals{Items: len(l.Story), Topics: count(l.Topic), Themes: count(l.Theme)}
	for _, s := range l.Story {
		if s < 0 {
			t.OneOffs++
			continue
		}
		sizes[s]++
		t.Largest = max(t.Largest, sizes[s])
	}
	t.Stories = len(sizes)
	return t
}

// count is the number of different labels, which count from 0.
func count(labels []int32) int {
	n := int32(0)
	for _, l := range labels {
		n = max(n, l+1)
	}
	return int(n)
}

// Filed is an article and where it is filed.
type Filed struct {
	ID string
	news.Membership
}

// LabelFiled numbers the stories, topics and themes of articles.
func LabelFiled(articles []Filed) *Labeling {
	l := &Labeling{One: "article", Many: "articles", IDs: make([]string, 0, len(articles))}
	story, topic, theme := numbers{}, numbers{}, numbers{}
	for _, a := range articles {
		l.IDs = append(l.IDs, a.ID)
		l.Story, l.Topic, l.Theme = append(l.Story, story.of(a.StoryID)), append(l.Topic, topic.of(a.TopicID)), append(l.Theme, theme.of(a.ThemeID))
		strength := float32(a.Probability)
		if a.StoryID == "" {
			strength = 0
		}
		l.Strength = append(l.Strength, strength)
	}
	return l
}

// Name gives the stories, topics and themes of articles their names. filed are the articles of the
// labels, in their order.
func (l *Labeling) Name(filed []Filed, stories []news.Story, topics []news.Topic) {
	byID := make(map[string]report.Name)
	for _, s := range stories {
		byID[s.ID] = report.Name{Title: s.Title, Words: s.Keywords}
	}
	for _, t := range topics {
		byID[t.ID] = report.Name{Title: t.Title, Words: t.Keywords}
	}
	names := func(labels []int32, id func(*news.Membership) string) []report.Name {
		out := make([]report.Name, count(labels))
		for i, label := range labels {
			if label >= 0 {
				out[label] = byID[id(&filed[i].Membership)]
			}
		}
		return out
	}
	l.Names = report.Names{
		Stories: names(l.Story, func(m *news.Membership) string { return m.StoryID }),
		Topics:  names(l.Topic, func(m *news.Membership) string { return m.TopicID }),
		Themes:  names(l.Theme, func(m *news.Membership) string { return m.ThemeID }),
	}
}

// nameRows names the stories, topics and themes of rows by the titles in their documents, as those
// of articles are named. A story has the title of its strongest row.
func (l *Labeling) nameRows() {
	if !slices.ContainsFunc(l.Documents, func(d report.Document) bool { return d.Title != "" }) {
		return
	}
	title := func(row int) cluster.Document { return cluster.Document{Title: l.Documents[row].Title} }
	topics, themes := stories.TopicKeywords(members(l.Topic), l.Theme, title)
	for _, words := range topics {
		l.Names.Topics = append(l.Names.Topics, report.Name{Title: stories.TopicTitle(words), Words: words})
	}
	for _, words := range themes {
		l.Names.Themes = append(l.Names.Themes, report.Name{Title: stories.TopicTitle(words), Words: words})
	}
	of := members(l.Story)
	for story, words := range stories.StoryKeywords(of, title) {
		strongest := slices.MaxFunc(of[story], func(a, b int) int { return cmp.Or(cmp.Compare(l.Strength[a], l.Strength[b]), cmp.Compare(b, a)) })
		l.Names.Stories = append(l.Names.Stories, report.Name{Title: l.Documents[strongest].Title, Words: words})
	}
}

// members returns the items of each label.
func members(labels []int32) [][]int {
	of := make([][]int, count(labels))
	for i, label := range labels {
		if label >= 0 {
			of[label] = append(of[label], i)
		}
	}
	return of
}

// numbers gives ids numbers in the order in which they come, and -1 to the empty id.
type numbers map[string]int32

func (n numbers) of(id string) int32 {
	if id == "" {
		return -1
	}
	label, ok := n[id]
	if !ok {
		label = int32(len(n))
		n[id] = label
	}
	return label
}

// TopicMeans returns a row for each topic: the direction of the sum of the vectors of its items.
// Vectors may be nil.
func TopicMeans(topic []int32, vectors [][]float32) cluster.Matrix {
	m := cluster.Matrix{Rows: count(topic)}
	for _, v := range vectors {
		m.Dim = max(m.Dim, len(v))
	}
	if m.Dim == 0 {
		return cluster.Matrix{}
	}
	m.Data = make([]float32, m.Rows*m.Dim)
	for i, t := range topic {
		if t >= 0 {
			for d, x := range vectors[i] {
				m.Row(int(t))[d] += x
			}
		}
	}
	for t := range m.Rows {
		vector.Normalize(m.Row(t))
	}
	return m
}

// save writes the labels to a checkpoint.
func (l *Labeling) save(w *checkpoint.Writer) error {
	for _, labels := range [][]int32{l.Story, l.Topic, l.Theme} {
		w.Int32s(labels)
	}
	w.Float32s(l.Strength)
	w.Float32s(l.TopicStrength)
	w.Int(int64(l.TopicMeans.Dim))
	w.Float32s(l.TopicMeans.Data)
	names, err := json.Marshal(l.Names)
	w.Bytes(names)
	return err
}

// load returns a function that reads the labels of a number of items from a checkpoint.
func (l *Labeling) load(items int) func(*checkpoint.Reader) error {
	return func(r *checkpoint.Reader) error {
		l.Story, l.Topic, l.Theme = r.Int32s(), r.Int32s(), r.Int32s()
		l.Strength, l.TopicStrength = r.Float32s(), r.Float32s()
		l.TopicMeans.Dim, l.TopicMeans.Data = int(r.Int()), r.Float32s()
		l.TopicMeans.Rows = len(l.TopicMeans.Data) / max(l.TopicMeans.Dim, 1)
		names := r.Bytes()
		for _, n := range []int{len(l.Story), len(l.Topic), len(l.Theme), len(l.Strength), len(l.TopicStrength)} {
			if n != items {
				return errItems
			}
		}
		return json.Unmarshal(names, &l.Names)
	}
}
