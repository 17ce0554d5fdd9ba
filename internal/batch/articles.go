package batch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"throughline/embed"
	"throughline/internal/checkpoint"
	"throughline/internal/chunk"
	"throughline/internal/formats"
	"throughline/internal/hierarchy"
	"throughline/internal/news"
	"throughline/internal/parquet"
	"throughline/internal/report"
	"throughline/internal/score"
	"throughline/internal/state"
	"throughline/internal/store"
	"throughline/internal/stories"
)

// Articles clusters articles as the store does, without a store: no section is embedded, only the
// title and the lede, by which articles are compared. Where the embedder's model is not the one
// that the coefficients of scores were fitted for, reference is that one; else it is nil.
func (j *Job) Articles(ctx context.Context, in *Sources, embedder, reference embed.Embedder) (*Labeling, error) {
	j.stages.Begin("read")
	read, err := j.readArticles(ctx, in, embedder)
	if err != nil {
		return nil, err
	}
	n := len(read.features)
	j.open("articles "+in.names(), j.articlesKey(embedder.Space(), read.content.Sum()))
	j.stages.End(plural(n, "article", "articles"))
	l := &Labeling{One: "article", Many: "articles", IDs: make([]string, n), Documents: read.documents, Notes: read.notes()}
	for i := range read.features {
		l.IDs[i] = read.features[i].ID
	}
	j.stages.Begin("stories")
	if j.load("stories", func(r *checkpoint.Reader) error {
		if err := l.load(n)(r); err != nil {
			return err
		}
		if j.Documents && l.Names.Stories == nil {
			return errNames
		}
		return nil
	}) {
		j.stages.Resume()
		return l, nil
	}
	if err := j.fits(n, "", embedder.Space().Dimensions); err != nil {
		return nil, err
	}
	j.stages.Begin("embed")
	if err := j.embed(ctx, embedder, read); err != nil {
		return nil, err
	}
	j.stages.Begin("stories")
	if err := j.arrange(ctx, l, read, embedder, reference); err != nil {
		return nil, err
	}
	j.save("stories", l.save)
	j.stages.End("")
	return l, nil
}

// articlesKey stands for everything that the labels of articles depend on.
func (o Options) articlesKey(space embed.Space, content checkpoint.Key) checkpoint.Key {
	key := checkpoint.NewKey()
	key.Add("program", o.Build)
	key.Add("job", "articles")
	key.Add("space", space.Fingerprint())
	key.Add("topics", o.Topics)
	key.Add("target", o.Target)
	key.Add("background", o.Background.Sum())
	key.Add("content", content)
	return key.Sum()
}

// arrange labels articles that have their vectors.
func (j *Job) arrange(ctx context.Context, l *Labeling, read *readArticles, embedder, reference embed.Embedder) error {
	st, err := j.stateOf(ctx, read, embedder, reference)
	if err != nil {
		return err
	}
	h, err := hierarchy.Arrange(ctx, st, read.features, hierarchy.Options{Workers: j.Workers, Topics: j.Topics, Target: j.Target})
	if err != nil {
		return err
	}
	l.Story, l.Topic, l.Theme, l.Strength = h.Story, h.Topic, h.Theme, h.Membership
	vectors := make([][]float32, len(read.features))
	for i := range vectors {
		vectors[i] = read.features[i].Dense
	}
	l.TopicMeans = TopicMeans(l.Topic, vectors)
	if j.Documents {
		read.name(l, h)
	}
	l.TopicStrength, err = hierarchy.TopicStrengths(ctx, read.features, l.Topic, j.Workers)
	return err
}

// name names stories, topics and themes as the store does.
func (r *readArticles) name(l *Labeling, h *hierarchy.Hierarchy) {
	order := make([]int, len(r.articles))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(r.articles[a].ID, r.articles[b].ID) })
	inv, sorted := &stories.Inventory{}, &hierarchy.Hierarchy{}
	for _, i := range order {
		f := &r.features[i]
		inv.Articles = append(inv.Articles, &store.Stored{Article: r.articles[i], Vectors: store.Vectors{Dense: f.Dense, Lex: f.Lex}})
		sorted.Copy, sorted.Story = append(sorted.Copy, h.Copy[i]), append(sorted.Story, h.Story[i])
		sorted.Topic, sorted.Theme = append(sorted.Topic, h.Topic[i]), append(sorted.Theme, h.Theme[i])
		sorted.Membership = append(sorted.Membership, h.Membership[i])
	}
	made := 0
	arranged := stories.PlanArrangement(inv, sorted, r.beginnings, func(kind string) string {
		made++
		return fmt.Sprint(kind, made)
	})
	filed := make([]Filed, len(order))
	for place, i := range order {
		filed[i].Membership = arranged.Memberships[place].Membership
	}
	l.Name(filed, arranged.Stories, arranged.Topics)
}

// stateOf makes the State of a set of articles. With a reference it measures the embedding space on
// some of them, in the order of their ids, so that the order of files does not matter.
func (j *Job) stateOf(ctx context.Context, read *readArticles, embedder, reference embed.Embedder) (*score.State, error) {
	background := j.Background
	if reference != nil {
		mean, err := state.UsualVector(ctx, embedder)
		if err != nil {
			return nil, err
		}
		background = background.In(mean)
	}
	st := score.NewState(score.Default(), score.StatsOf(read.features, background))
	if reference == nil {
		return st, nil
	}
	wholes := make([]state.Whole, len(read.features))
	for i, f := range read.features {
		wholes[i] = state.Whole{ID: f.ID, Text: read.texts[i], Source: f.Source, Published: f.Published}
	}
	slices.SortFunc(wholes, func(a, b state.Whole) int { return strings.Compare(a.ID, b.ID) })
	var err error
	if st.Scale, err = state.MeasureScale(ctx, embedder, reference, wholes); err == nil && st.Scale.Articles > 0 {
		j.Logger.InfoContext(ctx, "calibrated to the embedding model on halves of articles", "model", embedder.Space().Model,
			"factor", st.Scale.Factor, "auc", st.Scale.AUC, "articles", st.Scale.Articles)
	}
	return st, err
}

// fits checks that there is memory to cluster a number of articles, or "more than " that.
func (j *Job) fits(articles int, than string, dim int) error {
	return CheckMemory(fmt.Sprintf("clustering %s%d articles", than, articles), ArticlesMemory(articles, dim), j.MaxMemory)
}

// readArticles are the articles of all inputs.
type readArticles struct {
	features   []score.Features
	texts      []string            // title and lede, which are embedded
	documents  []report.Document   // nil: not wanted, and so are the next two
	articles   []news.Article      // without sections
	beginnings map[string]string   // by article id, see stories.Beginning
	content    *checkpoint.KeyHash // of everything that was read
	repeated   int                 // articles whose id an earlier one has
	rejected   []error             // of items that are no articles
}

// checkMemoryEvery is the number of articles after which readArticles checks that there is memory
// for more.
const checkMemoryEvery = 10_000

// readArticles reads articles. An article whose id was read before is left out. When there is no
// article but an error, it returns that.
func (j *Job) readArticles(ctx context.Context, in *Sources, embedder embed.Embedder) (*readArticles, error) {
	read := &readArticles{content: checkpoint.NewKey(), beginnings: make(map[string]string)}
	limit := chunk.LimitFor(embedder)
	seen := make(map[string]bool)
	outlets := make(map[string]*outlet)
	for valid, err := range in.articles(ctx) {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		a := valid.Article()
		switch {
		case err != nil:
			read.rejected = append(read.rejected, err)
			continue
		case seen[a.ID]:
			read.repeated++
			continue
		}
		seen[a.ID] = true
		read.content.Add(a.ID, a.Hash())
		read.content.Add("text", chunk.LeadText(a))
		at := len(read.features)
		read.features, read.texts = append(read.features, score.Features{}), append(read.texts, "")
		if o, known := outlets[a.Source]; a.Source == "" {
			read.analyse(at, a, nil)
		} else {
			if !known {
				o = new(outlet)
				outlets[a.Source] = o
			}
			o.add(read, at, a)
		}
		if j.Documents {
			read.documents = append(read.documents, report.Document{ID: a.ID, Title: a.Title, Source: a.Source, URL: a.URL, Published: a.Published})
			read.beginnings[a.ID] = stories.Beginning(chunk.Split(a, limit))
			a.Sections = nil
			read.articles = append(read.articles, a)
		}
		if n := len(read.features); n%checkMemoryEvery == 0 {
			j.stages.Progress(fmt.Sprintf("%d articles", n), 0)
			if err := j.fits(n, "more than ", embedder.Space().Dimensions); err != nil {
				return nil, err
			}
		}
	}
	for _, o := range outlets {
		o.settle(read)
	}
	if len(read.features) == 0 && len(read.rejected) > 0 {
		return nil, fmt.Errorf("no article could be read; the first of %s: %w", plural(len(read.rejected), "rejected item", "rejected items"), read.rejected[0])
	}
	return read, nil
}

// analyse sets the features and the text of an article, without the furniture of its outlet.
func (r *readArticles) analyse(at int, a news.Article, furniture chunk.Furniture) {
	if kept, some := furniture.Without(a.Sections); some {
		a.Sections = kept
	}
	r.features[at], r.texts[at] = score.FeaturesOf(&a, nil), chunk.LeadText(a)
}

// outlet finds the furniture of a source from its first articles, which wait until it is found.
type outlet struct {
	waiting   []news.Article
	at        []int // of the waiting ones
	settled   bool
	furniture chunk.Furniture
}

func (o *outlet) add(r *readArticles, at int, a news.Article) {
	if o.settled {
		r.analyse(at, a, o.furniture)
		return
	}
	o.waiting, o.at = append(o.waiting, a), append(o.at, at)
	if len(o.waiting) == chunk.FurnitureSample {
		o.settle(r)
	}
}

func (o *outlet) settle(r *readArticles) {
	if !o.settled {
		o.settled, o.furniture = true, chunk.FurnitureOf(o.waiting)
		for k, at := range o.at {
			r.analyse(at, o.waiting[k], o.furniture)
		}
		o.waiting, o.at = nil, nil
	}
}

// maxShown is how many rejected items are listed.
const maxShown = 50

// notes lists what was left out.
func (r *readArticles) notes() []string {
	var notes []string
	if r.repeated > 0 {
		notes = append(notes, plural(r.repeated, "article", "articles")+" left out, whose id occurred before")
	}
	if n := len(r.rejected); n > 0 {
		notes = append(notes, plural(n, "item", "items")+" rejected:")
		for _, err := range r.rejected[:min(n, maxShown)] {
			notes = append(notes, "  "+err.Error())
		}
		if n > maxShown {
			notes = append(notes, fmt.Sprintf("  and %d more", n-maxShown))
		}
	}
	return notes
}

const (
	// embedPart is how many articles a checkpoint has: about a minute of the built-in model.
	embedPart = 2048
	// embedBatch is how many texts are embedded at once.
	embedBatch = 256
)

// embed gives articles their vectors, in parts with a checkpoint each, since it takes longest.
func (j *Job) embed(ctx context.Context, embedder embed.Embedder, read *readArticles) error {
	resumed, total, dim := 0, len(read.texts), embedder.Space().Dimensions
	for from := 0; from < total; from += embedPart {
		texts := read.texts[from:min(from+embedPart, total)]
		stage := fmt.Sprintf("embed-%d", from/embedPart)
		var numbers []float32
		if j.load(stage, func(r *checkpoint.Reader) error {
			if numbers = r.Float32s(); len(numbers) != len(texts)*dim {
				return errItems
			}
			return nil
		}) {
			resumed += len(texts)
		} else {
			numbers = numbers[:0]
			for batch := range slices.Chunk(texts, embedBatch) {
				vectors, err := embedder.Embed(ctx, embed.Document, batch)
				if err != nil {
					return fmt.Errorf("embedding %d articles: %w", len(batch), err)
				}
				for _, v := range vectors {
					numbers = append(numbers, v...)
				}
				j.stages.Progress("embedding", float64(from+len(numbers)/max(dim, 1))/float64(total))
			}
			j.save(stage, func(w *checkpoint.Writer) error { w.Float32s(numbers); return nil })
		}
		for i := range texts {
			read.features[from+i].Dense = numbers[i*dim : (i+1)*dim : (i+1)*dim]
		}
	}
	detail := ""
	if resumed > 0 {
		detail = fmt.Sprintf("%d of %s from an earlier run", resumed, plural(total, "article", "articles"))
	}
	j.stages.End(detail)
	return nil
}

// articles reads the articles of all inputs, in order.
func (s *Sources) articles(ctx context.Context) iter.Seq2[news.Valid, error] {
	return func(yield func(news.Valid, error) bool) {
		for _, in := range s.list {
			all := formats.Read(ctx, []string{in.name}, formats.Options{Stdin: in.r})
			if in.table != nil {
				all = tableArticles(ctx, in.name, in.table)
			}
			for a, err := range all {
				if !yield(a, err) {
					return
				}
			}
		}
	}
}

var errStopped = errors.New("reading has stopped")

// tableArticles reads a table as if each row were a line of JSON, so that columns have the same
// names as fields there. Rows are counted from 1 like lines.
func tableArticles(ctx context.Context, name string, table *parquet.File) iter.Seq2[news.Valid, error] {
	return func(yield func(news.Valid, error) bool) {
		r, w := io.Pipe()
		written := make(chan struct{})
		go func() {
			defer close(written)
			w.CloseWithError(table.WriteJSON(ctx, w))
		}()
		defer func() {
			r.CloseWithError(errStopped) // ends the goroutine when it is not at its end
			<-written
		}()
		for a, err := range formats.ReadFrom(ctx, name+".jsonl", r, formats.Options{}) {
			var item *news.ItemError
			if errors.As(err, &item) {
				item.Origin.Path = name
			}
			if !yield(a, err) {
				return
			}
		}
	}
}
