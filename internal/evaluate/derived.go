package evaluate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"reflect"
	"slices"
	"strings"

	"throughline/embed"
	"throughline/internal/chunk"
	"throughline/internal/derive"
	"throughline/internal/news"
)

// Collection holds labelled files, of which corpora are drawn.
type Collection struct {
	// Model embeds shortened texts and those of templates. Nil: there are none.
	Model embed.Embedder

	sources  []derive.Source
	articles [][]news.Article
	whole    []embed.Embedder // by source
}

var (
	// ErrSpaces is the error of vectors of different embedding spaces.
	ErrSpaces = errors.New("vectors of different embedding spaces")
	// ErrUnlabelled is the error of a file of which nothing can be drawn.
	ErrUnlabelled = errors.New("no article has a story label")
)

// Add reads a file. whole embeds its articles: Vectors of these items, or a model. An id gets the
// name of the file, so that it is unique. The Result has what was left out, for WriteNotes.
func (c *Collection) Add(name string, items iter.Seq2[Labelled, error], whole embed.Embedder) (*Result, error) {
	vectors, _ := whole.(*Vectors)
	if vectors != nil {
		items = vectors.Of(items)
	}
	notes := &Result{File: name}
	s := derive.Source{Name: SetName(name)}
	var articles []news.Article
	stories, known := numbers{}, map[string]bool{}
	for item, err := range items {
		switch {
		case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
			return nil, err
		case err != nil:
			notes.Rejected = append(notes.Rejected, err)
		case known[item.ID]:
			notes.Duplicates = append(notes.Duplicates, errDuplicate(item))
		default:
			known[item.ID] = true
			a := item.Valid.Article()
			a.ID = s.Name + "/" + a.ID
			articles = append(articles, a)
			s.Story, s.Published, s.Names = append(s.Story, stories.of(item.Story)), append(s.Published, a.Published), append(s.Names, derive.Names(a))
		}
	}
	if len(stories) == 0 {
		if len(notes.Rejected) > 0 {
			return nil, fmt.Errorf("%s: %w; the first of %d rejected items: %w", name, ErrUnlabelled, len(notes.Rejected), notes.Rejected[0])
		}
		return nil, fmt.Errorf("%s: %w", name, ErrUnlabelled)
	}
	if vectors != nil {
		if err := vectors.Check(); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		notes.WithoutVector = vectors.beyond
	}
	for _, other := range append(slices.Clone(c.whole), c.Model) {
		if other == nil {
			continue
		}
		if a, b := whole.Space(), other.Space(); a.Model != b.Model || a.Dimensions != b.Dimensions {
			return nil, fmt.Errorf("%s: %w: %s with %d dimensions, and %s with %d", name, ErrSpaces, a.Model, a.Dimensions, b.Model, b.Dimensions)
		}
	}
	c.sources, c.articles, c.whole = append(c.sources, s), append(c.articles, articles), append(c.whole, whole)
	return notes, nil
}

// Draw draws so many corpora and keeps those of the kinds, or all without kinds. The Derived has no
// figures yet.
func (c *Collection) Draw(count int, kinds []derive.Kind, opts derive.Options) (*Derived, []derive.Corpus) {
	d := &Derived{Seed: opts.Seed, Amount: opts.Amount, Odd: opts.Odd, Count: count, Kinds: slices.Compact(slices.Sorted(slices.Values(kinds)))}
	for _, s := range c.sources {
		d.Sources = append(d.Sources, s.Name)
	}
	slices.Sort(d.Sources)
	var corpora []derive.Corpus
	for number := range count {
		corpus := derive.Draw(c.sources, number, opts)
		if len(kinds) == 0 || slices.Contains(kinds, corpus.Kind) {
			corpora = append(corpora, corpus)
		}
	}
	return d, corpora
}

// Drawn describes a corpus in its Result.
func (c *Collection) Drawn(corpus derive.Corpus) *Drawn {
	d := &Drawn{Kind: corpus.Kind}
	for _, s := range corpus.Sources {
		d.Sources = append(d.Sources, c.sources[s].Name)
	}
	return d
}

// Corpus returns the articles of a corpus, and the embedder with their vectors. As with Vectors,
// an article has one vector, that of its lead, for the article and for each of its sections.
func (c *Collection) Corpus(ctx context.Context, corpus derive.Corpus) (iter.Seq2[Labelled, error], embed.Embedder, error) {
	leads := &leads{model: c.Model, space: c.whole[corpus.Sources[0]].Space(), vectors: make(map[string][]float32)}
	leads.space.MaxTokens = math.MaxInt32
	limit := chunk.LimitFor(leads)
	var labelled []Labelled
	embedders := append(slices.Clone(c.whole), c.Model)
	texts := make([][]string, len(embedders)) // leads, by what embeds them
	for i, item := range corpus.Items {
		valid, err := item.Article(func(source, index int) news.Article { return c.articles[source][index] })
		if err != nil {
			return nil, nil, err
		}
		labelled = append(labelled, Labelled{ID: valid.Article().ID, Valid: valid, Story: fmt.Sprintf("story %d", corpus.Story[i])})
		by := item.Source
		if item.Changed() {
			by = len(c.whole)
		}
		texts[by] = append(texts[by], chunk.LeadText(valid.Article()))
	}
	for by, texts := range texts {
		if len(texts) == 0 {
			continue
		}
		vectors, err := embedders[by].Embed(ctx, embed.Document, texts)
		if err != nil {
			return nil, nil, err
		}
		for i, text := range texts {
			leads.vectors[text] = vectors[i]
		}
	}
	for _, l := range labelled {
		a := l.Valid.Article()
		vector := leads.vectors[chunk.LeadText(a)]
		for _, section := range chunk.Split(a, limit) {
			if text := chunk.EmbedText(a.Title, section); leads.vectors[text] == nil {
				leads.vectors[text] = vector
			}
		}
	}
	return func(yield func(Labelled, error) bool) {
		for _, l := range labelled {
			if !yield(l, nil) {
				return
			}
		}
	}, leads, nil
}

// leads is an embedder that has the vectors of the texts of a corpus.
type leads struct {
	model   embed.Embedder // of other texts; nil: they have none
	space   embed.Space
	vectors map[string][]float32 // by text
}

// Space returns the space of the vectors, without a length limit.
func (l *leads) Space() embed.Space { return l.space }

// CountTokens returns 0, so that Split leaves sections as they are.
func (l *leads) CountTokens(string) int { return 0 }

// Embed returns the vectors of the corpus, or of other texts by the model, if there is one.
func (l *leads) Embed(ctx context.Context, kind embed.Kind, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	var missing []string
	var at []int
	for i, text := range texts {
		if out[i] = slices.Clone(l.vectors[text]); out[i] == nil {
			missing, at = append(missing, text), append(at, i)
		}
	}
	if len(missing) == 0 {
		return out, ctx.Err()
	}
	if l.model == nil {
		return nil, fmt.Errorf("%w: none for the text %.40q", ErrVectors, missing[0])
	}
	made, err := l.model.Embed(ctx, kind, missing)
	for i, vector := range made {
		out[at[i]] = vector
	}
	return out, err
}

// Drawn says what a corpus was drawn from.
type Drawn struct {
	Kind    derive.Kind `json:"kind"`
	Sources []string    `json:"sources"` // names of files
}

// Derived describes corpora that were drawn, and their figures.
type Derived struct {
	Sources []string      `json:"sources"` // names of the files, ascending
	Seed    string        `json:"seed"`
	Amount  derive.Amount `json:"amount"`
	Odd     bool          `json:"odd"`
	Count   int           `json:"count"`           // that were drawn
	Kinds   []derive.Kind `json:"kinds,omitempty"` // that were measured; empty: all
	F1      []KindScores  `json:"f1"`              // by kind, and last of all
}

// KindScores summarizes the story F1 of the corpora of a kind.
type KindScores struct {
	Kind  string `json:"kind"` // or "all"
	Count int    `json:"count"`
	Mean  Score  `json:"mean"`
	Tenth Score  `json:"tenth_percentile"`
	Worst Score  `json:"worst"`
}

// KindChange is the change of the story F1 of a kind.
type KindChange struct {
	Old KindScores `json:"old"`
	New KindScores `json:"new"`
}

// String names the corpora.
func (d *Derived) String() string {
	text := fmt.Sprintf("%d corpora drawn from %s with the seed %q, amount of text %v", d.Count, strings.Join(d.Sources, ", "), d.Seed, d.Amount)
	if d.Odd {
		text += ", odd"
	}
	if len(d.Kinds) > 0 {
		var names []string
		for _, k := range d.Kinds {
			names = append(names, k.String())
		}
		text += ", of the kinds " + strings.Join(names, ", ")
	}
	return text
}

// CoversDerived returns an error unless an earlier run was of the same corpora. Their labels are
// compared by Compare.
func (r *Report) CoversDerived(now *Derived) error {
	if r.Derived == nil {
		return fmt.Errorf("%w: it was of files, this one is of %v", ErrIncomparable, now)
	}
	old, drawn := *r.Derived, *now
	if old.F1, drawn.F1 = nil, nil; !reflect.DeepEqual(old, drawn) {
		return fmt.Errorf("%w: it was of %v; this one is of %v", ErrIncomparable, &old, now)
	}
	return nil
}

// NewDerivedReport makes the report of corpora, each a Result with Drawn.
func NewDerivedReport(model string, d *Derived, results []*Result) *Report {
	r := NewReport(model, results)
	r.Derived = d
	scores := make([][]float64, len(derive.Kinds())+1) // by kind, and last of all
	for _, result := range results {
		for _, k := range []int{int(result.Drawn.Kind), len(scores) - 1} {
			scores[k] = append(scores[k], float64(result.Stories.F1))
		}
	}
	for k, of := range scores {
		if len(of) > 0 {
			name := "all"
			if k < len(scores)-1 {
				name = derive.Kind(k).String()
			}
			s := derive.Summarize(of)
			d.F1 = append(d.F1, KindScores{Kind: name, Count: s.Count, Mean: Score(s.Mean), Tenth: Score(s.Tenth), Worst: Score(s.Worst)})
		}
	}
	return r
}

// kindChanges returns the changes of the kinds of now. The kinds of old are the same.
func kindChanges(old, now []KindScores) []KindChange {
	var out []KindChange
	for _, n := range now {
		if at := slices.IndexFunc(old, func(o KindScores) bool { return o.Kind == n.Kind }); at >= 0 {
			out = append(out, KindChange{old[at], n})
		}
	}
	return out
}

// namedCorpora is the number of corpora that are listed by name.
const namedCorpora = 10

// WriteDerived writes a report of derived corpora as text: the story F1 by kind, and the worst
// corpora.
func WriteDerived(w io.Writer, r *Report) error {
	t := NewColumns(w, "STORY F1 OF", "CORPORA", "MEAN", "10TH PERCENTILE", "WORST")
	for _, s := range r.Derived.F1 {
		t.Row(s.Kind, s.Count, s.Mean, s.Tenth, s.Worst)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	t = NewColumns(w, "WORST CORPORA", "ARTICLES", "FOUND/GOLD", "P", "R", "F1")
	sets := slices.SortedStableFunc(slices.Values(r.Sets), func(a, b *Result) int { return cmp.Compare(a.Stories.F1, b.Stories.F1) })
	for _, s := range sets[:min(len(sets), namedCorpora)] {
		t.Row(s.File, s.Articles, fmt.Sprintf("%d/%d", s.Stories.Found, s.Stories.Gold), s.Stories.Precision, s.Stories.Recall, s.Stories.F1)
	}
	return t.Flush()
}

// writeDerivedComparison writes the changes of the story F1 by kind, and of the corpora where it
// changed most.
func writeDerivedComparison(w io.Writer, c *Comparison) error {
	t := NewColumns(w, "CHANGED IN", "MEAN", "NEW", "10TH PERCENTILE", "NEW", "WORST", "NEW")
	for _, k := range c.Kinds {
		t.Row(k.New.Kind, k.Old.Mean, k.New.Mean, k.Old.Tenth, k.New.Tenth, k.Old.Worst, k.New.Worst)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	var changed []Change
	for _, change := range c.Changes {
		if change.Set != "" && change.Figure == "stories.f1" && short(change.Old) != short(change.New) {
			changed = append(changed, change)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	slices.SortStableFunc(changed, func(a, b Change) int {
		return cmp.Compare(math.Abs(float64(b.Difference)), math.Abs(float64(a.Difference)))
	})
	fmt.Fprintln(w)
	t = NewColumns(w, "CHANGED MOST", "F1", "NEW", "DIFFERENCE")
	for _, change := range changed[:min(len(changed), namedCorpora)] {
		t.Row(change.Set, change.Old, change.New, fmt.Sprintf("%+.3f", float64(change.Difference)))
	}
	return t.Flush()
}
