package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"throughline/cluster"
	"throughline/cluster/vector"
	"throughline/embed"
	"throughline/internal/article"
	"throughline/internal/checkpoint"
	"throughline/internal/corpus"
	"throughline/internal/evidence"
	"throughline/internal/lexical"
	"throughline/internal/parquet"
	"throughline/internal/report"
)

// arrangeArticles clusters articles from files as the store would, without a store: no section is embedded, only what the
// article itself is compared by.
func (c *clusterCmd) arrangeArticles(ctx context.Context, p *program, j *job, in sources) (*arrangement, error) {
	embedder, err := p.embedder(ctx)
	if err != nil {
		return nil, err
	}
	j.begin("read")
	read, err := c.readArticles(ctx, j, in, embedder.Space().Dimensions)
	if err != nil {
		return nil, err
	}
	n := len(read.profiles)
	read.key.Add("program", buildName())
	read.key.Add("job", "articles")
	read.key.Add("space", embedder.Space().Fingerprint())
	read.key.Add("topics", c.Topics)
	read.key.Add("precision", p.cli.Precision)
	j.keep("articles "+in.names(), read.key.Sum())
	j.end(plural(n, "article", "articles"))

	a := &arrangement{ids: make([]string, n), documents: read.documents, notes: read.notes(), one: "article", many: "articles"}
	for i, profile := range read.profiles {
		a.ids[i] = profile.ID
	}
	j.begin("stories")
	if j.load("stories", a.loadFrom(n)) {
		j.resumed()
		return a, nil
	}
	if err := j.needs(fmt.Sprintf("clustering %d articles", n), arrangeMemory(n, embedder.Space().Dimensions)); err != nil {
		return nil, err
	}
	j.begin("embed")
	if err := j.embed(ctx, embedder, read); err != nil {
		return nil, err
	}
	j.begin("stories")
	known := evidence.NewCorpus()
	for i := range read.profiles {
		known.Add(&read.profiles[i])
	}
	if err := calibrateTo(ctx, p, embedder, known, read); err != nil {
		return nil, err
	}
	ladder, err := evidence.Default().Ladder(ctx, known, read.profiles, evidence.LadderOptions{
		Workers: p.cli.Workers, Topics: c.Topics, Precision: p.cli.Precision,
	})
	if err != nil {
		return nil, err
	}
	a.Story, a.Topic, a.Theme, a.Strength = ladder.Story, ladder.Topic, ladder.Theme, ladder.Strength
	dense := make([][]float32, n)
	for i := range read.profiles {
		dense[i] = read.profiles[i].Dense
	}
	if err := a.measureTopics(ctx, dense, p.cli.Workers); err != nil {
		return nil, err
	}
	j.save("stories", a.saveTo)
	j.end("")
	return a, nil
}

// calibrateTo measures an embedding space that the coefficients of scores are not for on some of the articles, in the order of their ids so that
// that of the files does not matter.
func calibrateTo(ctx context.Context, p *program, embedder embed.Embedder, known *evidence.Corpus, read *readArticles) error {
	reference, err := referenceFor(embedder, evidence.Default(), p.cli.Workers)
	if err != nil || reference == nil || len(read.profiles) < corpus.ScaleFrom {
		return err
	}
	order := make([]int, len(read.profiles))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return strings.Compare(read.profiles[i].ID, read.profiles[j].ID) })
	var wholes []corpus.Whole
	for _, i := range order {
		if a := &read.profiles[i]; corpus.Halvable(len(strings.Fields(read.texts[i]))) && len(wholes) < corpus.ScaleSample {
			wholes = append(wholes, corpus.Whole{ID: a.ID, Text: read.texts[i], Source: a.Source, Published: a.Published})
		}
	}
	scale, _, err := corpus.MeasureScale(ctx, embedder, reference, wholes)
	if errors.Is(err, corpus.ErrTooFew) {
		return nil // the spread of the vectors has to do
	}
	if err != nil {
		return fmt.Errorf("calibrating to the embedding model %q: %w", embedder.Space().Model, err)
	}
	known.SetScale(scale)
	p.logger().InfoContext(ctx, "calibrated to the embedding model on halves of articles", "model", embedder.Space().Model,
		"factor", scale.Factor, "separation", scale.Separation, "articles", scale.Articles)
	return nil
}

// arrangeMemory is what arranging so many articles takes beside what was read of them, in bytes: vectors, words as they are weighed and
// compared, neighbours by both, and the linkage. Measured with 4,000 and 16,000 headlines and full texts, with vectors of 384 numbers:
// 9 to 13.5 kB an article; docs/benchmarks.md.
func arrangeMemory(articles, dim int) int64 { return int64(articles) * int64(8000+20*dim) }

// measureTopics finds how much articles belong to their topics, and the means of those.
func (a *arrangement) measureTopics(ctx context.Context, dense [][]float32, workers int) error {
	m := cluster.Matrix{Rows: len(dense)}
	for _, v := range dense {
		m.Dim = max(m.Dim, len(v))
	}
	m.Data = make([]float32, m.Rows*m.Dim)
	topics := 0
	for i, v := range dense {
		copy(m.Row(i), v) // an article without a vector has a zero row
		topics = max(topics, int(a.Topic[i])+1)
	}
	a.means = cluster.Matrix{Rows: topics, Dim: m.Dim, Data: make([]float32, topics*m.Dim)}
	for i, t := range a.Topic {
		if t < 0 {
			continue
		}
		mean := a.means.Row(int(t))
		for d, x := range m.Row(i) {
			mean[d] += x
		}
	}
	if m.Dim == 0 {
		a.means, a.TopicStrength = cluster.Matrix{}, make([]float32, m.Rows)
		return nil
	}
	for t := range topics {
		vector.Normalize(a.means.Row(t))
	}
	var err error
	a.TopicStrength, err = cluster.Strengths(ctx, m, a.Topic, workers)
	return err
}

// readArticles is what was read for clustering.
type readArticles struct {
	profiles  []evidence.Profile
	texts     []string          // what is embedded of each
	documents []report.Document // nil: not wanted
	key       *checkpoint.KeyHash
	repeated  int     // articles whose id an earlier one has
	rejected  []error // items that are no articles
}

// readArticles reads articles, whose vectors will have dim numbers. One whose id was read before is left out. When nothing at all can be read that is an error.
func (c *clusterCmd) readArticles(ctx context.Context, j *job, in sources, dim int) (*readArticles, error) {
	read := &readArticles{key: checkpoint.NewKey()}
	seen := make(map[string]bool)
	for a, err := range in.articles(ctx, readOptions(j.p)) {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		switch {
		case err != nil:
			read.rejected = append(read.rejected, err)
			continue
		case seen[a.ID]:
			read.repeated++
			continue
		}
		seen[a.ID] = true
		text := article.LeadText(a)
		read.key.Add(a.ID, a.Hash())
		read.key.Add("text", text)
		read.profiles = append(read.profiles, evidence.Profile{ID: a.ID, Lex: lexical.Analyze(a.Title, a.Text()), Published: a.Published, Source: a.Source})
		read.texts = append(read.texts, text)
		if c.wantsPage() {
			read.documents = append(read.documents, report.Document{ID: a.ID, Title: a.Title, Lead: text, Source: a.Source, URL: a.URL, Published: a.Published})
		}
		if n := len(read.profiles); n%checkMemoryEvery == 0 {
			j.at(fmt.Sprintf("%d articles", n), 0)
			if err := j.needs(fmt.Sprintf("clustering more than %d articles", n), arrangeMemory(n, dim)); err != nil {
				return nil, err
			}
		}
	}
	if len(read.profiles) == 0 && len(read.rejected) > 0 {
		return nil, fmt.Errorf("no article could be read; the first of %s: %w", plural(len(read.rejected), "rejected item", "rejected items"), read.rejected[0])
	}
	return read, nil
}

// checkMemoryEvery is after how many articles reading asks whether there is room for more.
const checkMemoryEvery = 10_000

// embedPart is how many articles are embedded, and kept, at a time: a minute or so of the built-in model.
const embedPart = 2048

// embed gives profiles their vectors, in parts that are kept one by one: it is what takes longest.
func (j *job) embed(ctx context.Context, embedder embed.Embedder, read *readArticles) error {
	resumed, dim := 0, embedder.Space().Dimensions
	for from := 0; from < len(read.texts); from += embedPart {
		to := min(from+embedPart, len(read.texts))
		j.at("embedding", float64(from)/float64(len(read.texts)))
		stage := fmt.Sprintf("embed-%d", from/embedPart)
		var numbers []float32
		loaded := j.load(stage, func(r *checkpoint.Reader) error {
			if numbers = r.Float32s(); len(numbers) != (to-from)*dim {
				return errOtherSize
			}
			return nil
		})
		if loaded {
			resumed += to - from
		} else {
			numbers = numbers[:0]
			for texts := range slices.Chunk(read.texts[from:to], embedBatch) {
				vectors, err := embedder.Embed(ctx, embed.Document, texts)
				if err != nil {
					return fmt.Errorf("embedding %d articles: %w", len(texts), err)
				}
				for _, v := range vectors {
					numbers = append(numbers, v...)
				}
				j.at("embedding", float64(from+len(numbers)/max(dim, 1))/float64(len(read.texts)))
			}
			j.save(stage, func(w *checkpoint.Writer) error { w.Float32s(numbers); return nil })
		}
		for i := range read.profiles[from:to] {
			read.profiles[from+i].Dense = numbers[i*dim : (i+1)*dim : (i+1)*dim]
		}
	}
	detail := ""
	if resumed > 0 {
		detail = fmt.Sprintf("%d of %s from an earlier run", resumed, plural(len(read.texts), "article", "articles"))
	}
	j.end(detail)
	return nil
}

// articles reads the articles of all inputs, in order.
func (s sources) articles(ctx context.Context, opts article.Options) iter.Seq2[article.Article, error] {
	return func(yield func(article.Article, error) bool) {
		for _, in := range s {
			if in.r != nil {
				opts.Stdin = in.r // its beginning has been looked at
			}
			all := article.Read(ctx, []string{in.name}, opts)
			if in.table != nil {
				all = tableArticles(ctx, in.name, in.table, opts)
			}
			for a, err := range all {
				if !yield(a, err) {
					return
				}
			}
		}
	}
}

// tableArticles reads a Parquet file as if each row were a line of JSON, so that the same names of columns are understood, and its
// rows are counted from 1 like lines.
func tableArticles(ctx context.Context, name string, table *parquet.File, opts article.Options) iter.Seq2[article.Article, error] {
	return func(yield func(article.Article, error) bool) {
		r, w := io.Pipe()
		written := make(chan error, 1)
		go func() {
			err := table.WriteJSON(ctx, w)
			w.CloseWithError(err)
			written <- err
		}()
		defer func() {
			r.CloseWithError(errStopped) // ends the goroutine, should it not be at its end
			<-written
		}()
		for a, err := range article.ReadFrom(ctx, name+".jsonl", r, opts) {
			var item *article.ItemError
			if errors.As(err, &item) {
				item.Origin.Path = name
			}
			if !yield(a, err) {
				return
			}
		}
	}
}

var errStopped = errors.New("nobody reads on")

// notes says what was left out.
func (r *readArticles) notes() []string {
	var notes []string
	if r.repeated > 0 {
		notes = append(notes, fmt.Sprintf("%s left out, whose id occurred before", plural(r.repeated, "article", "articles")))
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

var errNoStore = errors.New("the store is empty: ingest articles first, or give input files")
