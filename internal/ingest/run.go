package ingest

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"golang.org/x/sync/errgroup"

	"throughline/internal/article"
	"throughline/internal/corpus"
	"throughline/internal/lexical"
	"throughline/internal/store"
)

// run is one call of Pipeline.Run. Only the commit stage touches the summary and calls Each.
type run struct {
	*Pipeline
	opts    Options
	summary Summary
}

// work is one article on its way.
type work struct {
	report Report
	a      article.Article
	lead   string // what the article's own vector is made of
	puts   store.Put
	claim  bool // the id is held until the commit
	// replaced are the vectors of the revision that this one replaces, by the key of their text.
	replaced map[string][]float32
}

// batch is a run of items in input order: some to be written, some decided already.
type batch struct {
	items    []*work
	sections int
	// Of the texts in it, how many were embedded, and of how many the store had the vectors.
	embedded, reused int
}

func (r *run) run(ctx context.Context, items iter.Seq2[article.Article, error]) error {
	prepared, embedded := make(chan *batch), make(chan *batch)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(prepared)
		return r.prepare(ctx, items, prepared)
	})
	g.Go(func() error {
		defer close(embedded)
		for b := range prepared {
			if err := r.embed(ctx, b); err != nil {
				r.drop(b)
				r.drain(prepared)
				return err
			}
			if !send(ctx, embedded, b) {
				r.drop(b)
			}
		}
		return ctx.Err()
	})
	g.Go(func() error {
		for b := range embedded {
			if err := r.commit(ctx, b); err != nil {
				r.drain(embedded)
				return err
			}
		}
		return nil
	})
	return g.Wait()
}

func send(ctx context.Context, to chan<- *batch, b *batch) bool {
	select {
	case to <- b:
		return true
	case <-ctx.Done():
		return false
	}
}

// drop gives back the claims of a batch that goes no further.
func (r *run) drop(b *batch) {
	for _, w := range b.items {
		r.letGo(w)
	}
}

func (r *run) letGo(w *work) {
	if w.claim {
		w.claim = false
		r.pending.release(w.report.ID)
	}
}

// drain drops what earlier stages still send, until they notice that the run is over.
func (r *run) drain(from <-chan *batch) {
	for b := range from {
		r.drop(b)
	}
}

// prepare validates, cuts and analyses articles and sends them on in batches.
func (r *run) prepare(ctx context.Context, items iter.Seq2[article.Article, error], out chan<- *batch) error {
	current, position := &batch{}, 0
	flush := func() error {
		if len(current.items) == 0 {
			return nil
		}
		full := current
		current = &batch{}
		if err := r.lookUp(ctx, full); err != nil {
			r.drop(full)
			return err
		}
		if !send(ctx, out, full) {
			r.drop(full)
			return ctx.Err()
		}
		return nil
	}
	for a, err := range items {
		if ctx.Err() != nil {
			r.drop(current)
			return ctx.Err()
		}
		w := r.accept(a, err, position)
		position++
		if w.report.Outcome != Rejected {
			// The same article again, while its last version is still on the way: that one first.
			for !r.pending.try(w.report.ID) {
				if err := flush(); err != nil {
					return err
				}
				release, err := r.pending.claim(ctx, w.report.ID)
				if err != nil {
					r.drop(current)
					return err
				}
				release()
			}
			w.claim = true
		}
		current.items = append(current.items, w)
		current.sections += len(w.puts.Sections)
		if current.sections >= r.cfg.BatchSections || len(current.items) >= 4*r.cfg.BatchSections {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// accept validates one item and cuts it into sections; nothing is looked up yet.
func (r *run) accept(a article.Article, err error, position int) *work {
	w := &work{report: Report{Item: position, Origin: a.Origin, ID: a.ID}}
	if err == nil {
		err = article.Finish(&a)
	}
	if err != nil {
		w.report.Outcome, w.report.Err = Rejected, err
		var item *article.ItemError
		if errors.As(err, &item) {
			w.report.Origin = item.Origin
		}
		return w
	}
	w.a, w.report.ID = a, a.ID
	w.lead = article.LeadText(a)
	stored := a // as an export will show it, so that the export is the same article again
	stored.Sections = article.Split(a, r.limit)
	for i, s := range stored.Sections {
		section := store.Section{ArticleID: a.ID, Index: i, Heading: s.Heading, Text: s.Text, Lexical: lexical.QueryTerms(s.Heading + "\n" + s.Text)}
		section.DenseOf = store.TextKey(sectionText(&a, section))
		w.puts.Sections = append(w.puts.Sections, section)
	}
	w.report.Sections = len(w.puts.Sections)
	lex := lexical.Analyze(a.Title, a.Text())
	w.puts.Article = store.Article{
		ID: a.ID, Title: a.Title, TitleDerived: a.TitleDerived, URL: a.URL, Source: a.Source, Language: a.Language, Authors: a.Authors,
		Published: a.Published, DateOnly: a.DateOnly, Sections: len(w.puts.Sections), Hash: stored.Hash(), Words: lex.Words,
	}
	w.puts.Vectors = store.Vectors{DenseOf: store.TextKey(w.lead), Full: lex.Full, Lead: lex.Lead, Names: lex.Names, Shingles: lex.Shingles}
	return w
}

// lookUp finds out which articles of a batch are new, changed or stored as they are.
func (r *run) lookUp(ctx context.Context, b *batch) error {
	var ids []string
	for _, w := range b.items {
		if w.report.Outcome != Rejected {
			ids = append(ids, w.report.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	known, err := r.cfg.Store.Known(ctx, ids)
	if err != nil {
		return fmt.Errorf("looking up %d articles: %w", len(ids), err)
	}
	for _, w := range b.items {
		if w.report.Outcome == Rejected {
			continue
		}
		k, ok := known[w.report.ID]
		switch {
		case !ok:
			w.report.Outcome = New
		case k.Hash == w.puts.Article.Hash:
			w.report.Outcome = Unchanged
		default:
			w.report.Outcome = Updated
		}
	}
	return nil
}

func (w *work) toWrite() bool { return w.report.Outcome == New || w.report.Outcome == Updated }

// commit writes a batch, tells what became of each item and files what was written. A stop does not interrupt the writing:
// the batch would then be stored for some part that nobody knows. It is short, and bounded by the store's own time limit.
func (r *run) commit(ctx context.Context, b *batch) error {
	defer r.drop(b)
	writing := context.WithoutCancel(ctx)
	var puts []store.Put
	var written []*work
	var replaced []string
	for _, w := range b.items {
		if w.toWrite() {
			puts, written = append(puts, w.puts), append(written, w)
			if w.report.Outcome == Updated {
				replaced = append(replaced, w.report.ID)
			}
		}
	}
	var before []*store.Stored
	if len(replaced) > 0 {
		var err error
		if before, err = r.cfg.Store.Get(writing, replaced, store.WithVectors); err != nil {
			return fmt.Errorf("reading %d articles that changed: %w", len(replaced), err)
		}
	}
	var failure error
	var stored []string
	r.summary.Embedded += b.embedded
	r.summary.Reused += b.reused
	if len(puts) > 0 {
		r.keep(writing, dropped(written))
		for i, err := range r.cfg.Store.Put(writing, puts) {
			w := written[i]
			if err == nil {
				stored = append(stored, w.report.ID)
				r.cfg.Corpus.Add(corpus.Profile(&store.Stored{Article: w.puts.Article, Vectors: w.puts.Vectors}))
				continue
			}
			if errors.Is(err, store.ErrInvalid) {
				w.report.Outcome, w.report.Err = Rejected, err
				continue
			}
			// The store's trouble, not the article's: it may be stored or not, so nothing is said of it but the run's error.
			w.report.Outcome = 0
			if failure == nil {
				failure = fmt.Errorf("committing %s: %w", w.report.ID, err)
			}
		}
	}
	for _, old := range before {
		if old != nil && replacedBy(written, old.Article.ID) {
			r.cfg.Corpus.Remove(corpus.Profile(old))
		}
	}
	for _, w := range b.items {
		if w.report.Outcome != 0 {
			r.tally(w.report)
		}
	}
	if failure != nil || !r.opts.File || r.cfg.Filer == nil || len(stored) == 0 {
		return failure
	}
	if err := r.cfg.Filer.File(ctx, stored); err != nil {
		return fmt.Errorf("%w: %w", ErrNotFiled, err)
	}
	return nil
}

func replacedBy(written []*work, id string) bool {
	for _, w := range written {
		if w.report.ID == id {
			return w.report.Outcome == Updated
		}
	}
	return false
}

func (r *run) tally(report Report) {
	switch report.Outcome {
	case New:
		r.summary.New++
	case Updated:
		r.summary.Updated++
	case Unchanged:
		r.summary.Unchanged++
	case Rejected:
		r.summary.Rejected = append(r.summary.Rejected, report)
	}
	if report.Outcome != Rejected && report.Outcome != Unchanged {
		r.summary.Sections += report.Sections
	}
	if r.opts.Each != nil {
		r.opts.Each(report)
	}
}
