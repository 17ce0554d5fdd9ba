package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"

	"golang.org/x/sync/errgroup"

	"throughline/internal/chunk"
	"throughline/internal/lexical"
	"throughline/internal/news"
	"throughline/internal/score"
	"throughline/internal/store"
)

// run is the work of one call of Pipeline.Run. Only the commit stage changes the summary and calls
// Each.
type run struct {
	*Pipeline
	opts    Options
	summary Summary
	filed   []func(context.Context) error // wait for filing, of each commit
}

// work is one item of a run.
type work struct {
	report  Report
	put     store.Put
	whole   news.Article  // as it was read
	texts   []string      // texts to embed: of the article, then of each section
	locked  bool          // the id is locked until the commit
	pending bool          // stored unchanged, and not filed yet
	old     *store.Stored // the revision that this one replaces
	// replaced are the vectors of old, by the key of their text.
	replaced map[string][]float32
}

// each calls fn with every text of the article, its key, and the field for its vector.
func (w *work) each(fn func(key, text string, dense *[]float32)) {
	fn(w.put.Vectors.DenseOf, w.texts[0], &w.put.Vectors.Dense)
	for i := range w.put.Sections {
		s := &w.put.Sections[i]
		fn(s.DenseOf, w.texts[1+i], &s.Dense)
	}
}

// batch is a sequence of items in input order: to be written, unchanged, or rejected.
type batch struct {
	items    []*work
	writes   []*work // the items to be written, after lookUp
	sections int
	// embedded is the number of its texts that were embedded, reused the number whose vectors the
	// store had.
	embedded, reused int
}

func (r *run) run(ctx context.Context, items iter.Seq2[news.Valid, error]) error {
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
				r.releaseAll(b)
				r.drain(prepared)
				return err
			}
			if send(ctx, embedded, b) != nil {
				r.releaseAll(b)
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

func send(ctx context.Context, to chan<- *batch, b *batch) error {
	select {
	case to <- b:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// releaseAll unlocks the ids of a batch.
func (r *run) releaseAll(b *batch) {
	for _, w := range b.items {
		if w.locked {
			w.locked = false
			r.busy.unlock(w.report.ID)
		}
	}
}

// drain releases the batches that an earlier stage still sends until it sees that the run is over.
func (r *run) drain(from <-chan *batch) {
	for b := range from {
		r.releaseAll(b)
	}
}

// prepare splits and analyses articles, and sends them on in batches.
func (r *run) prepare(ctx context.Context, items iter.Seq2[news.Valid, error], out chan<- *batch) error {
	current, position := &batch{}, 0
	flush := func() error {
		if len(current.items) == 0 {
			return nil
		}
		full := current
		current = &batch{}
		err := r.lookUp(ctx, full)
		if err == nil {
			err = send(ctx, out, full)
		}
		if err != nil {
			r.releaseAll(full)
		}
		return err
	}
	for a, err := range items {
		if ctx.Err() != nil {
			r.releaseAll(current)
			return ctx.Err()
		}
		w := r.accept(a, err, position)
		position++
		if w.report.Outcome != Rejected {
			// An earlier revision of the same article is still in progress, perhaps in this batch:
			// it goes first.
			if r.busy.tryLock(w.report.ID) != nil {
				if err := flush(); err != nil {
					return err
				}
				if err := r.busy.lock(ctx, w.report.ID); err != nil {
					return err
				}
			}
			w.locked = true
		}
		current.items = append(current.items, w)
		current.sections += len(w.put.Article.Sections)
		if current.sections >= r.cfg.BatchSections || len(current.items) >= 4*r.cfg.BatchSections {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// accept splits one item into sections, without reading the store.
func (r *run) accept(valid news.Valid, err error, position int) *work {
	a := valid.Article()
	w := &work{report: Report{Item: position, Origin: a.Origin, ID: a.ID}}
	if err != nil {
		w.report.Outcome, w.report.Err = Rejected, err
		var item *news.ItemError
		if errors.As(err, &item) {
			w.report.Origin = item.Origin
		}
		return w
	}
	w.whole = a
	sections := chunk.Split(a, r.limit)
	w.report.Sections = len(sections)
	w.put.Article = a
	w.put.Article.Sections = sections // as an export shows them, so that the export has the same content hash
	w.put.Article.ContentHash = w.put.Article.Hash()
	return w
}

// analyse sets what is searched and compared of an article, without the furniture of its outlet,
// and what is embedded: the same, or with embedWhole all. The article itself keeps everything.
func (w *work) analyse(furniture chunk.Furniture, embedWhole bool) {
	a, sections := w.whole, w.put.Article.Sections
	if kept, some := furniture.Without(a.Sections); some {
		a.Sections = kept
		sections, _ = furniture.Without(sections)
	}
	embedded, embeddedSections := a, sections
	if embedWhole {
		embedded, embeddedSections = w.whole, w.put.Article.Sections
	}
	w.texts = []string{chunk.LeadText(embedded)}
	w.put.Vectors = store.Vectors{DenseOf: store.TextKey(w.texts[0]), Lex: score.FeaturesOf(&a, nil).Lex}
	for i, s := range sections {
		text := chunk.EmbedText(a.Title, embeddedSections[i])
		w.texts = append(w.texts, text)
		w.put.Sections = append(w.put.Sections, store.Section{
			ArticleID: a.ID, Index: i, Section: w.put.Article.Sections[i], DenseOf: store.TextKey(text), Lexical: lexical.QueryTerms(s.Heading + "\n" + s.Text)})
	}
	w.whole = news.Article{}
}

// lookUp finds out which articles of a batch are new, changed or unchanged.
func (r *run) lookUp(ctx context.Context, b *batch) error {
	var valid []*work
	var ids []string
	for _, w := range b.items {
		if w.report.Outcome != Rejected {
			valid, ids = append(valid, w), append(ids, w.report.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	known, err := r.cfg.Store.Known(ctx, ids)
	if err != nil {
		return fmt.Errorf("looking up %d articles: %w", len(ids), err)
	}
	for _, w := range valid {
		k, ok := known[w.report.ID]
		if ok && k.Hash == w.put.Article.ContentHash {
			w.report.Outcome, w.pending = Unchanged, k.Pending
			continue
		}
		w.report.Outcome = New
		if ok {
			w.report.Outcome = Updated
		}
		b.writes = append(b.writes, w)
	}
	return r.analyse(ctx, b)
}

// commit writes a batch, reports the outcome of each item, and has filed what was written.
// Cancelling ctx does not interrupt the write, because it would then be unknown which articles are
// stored; time limits of the store bound it.
func (r *run) commit(ctx context.Context, b *batch) error {
	defer r.releaseAll(b)
	files := r.opts.File && r.cfg.Filer != nil
	if files && len(b.writes) > 0 {
		if err := r.cfg.Filer.Room(ctx); err != nil {
			return err
		}
	}
	writing := context.WithoutCancel(ctx)
	var file []string // to be filed
	for _, w := range b.items {
		if w.pending {
			file = append(file, w.report.ID)
		}
	}
	puts := make([]store.Put, len(b.writes))
	for i, w := range b.writes {
		puts[i] = w.put
	}
	var failure error
	r.summary.Embedded += b.embedded
	r.summary.Reused += b.reused
	if len(puts) > 0 {
		r.cache(writing, dropped(b.writes))
		for i, err := range r.cfg.Store.Put(writing, puts) {
			w := b.writes[i]
			switch {
			case err == nil:
				file = append(file, w.report.ID)
				if w.old != nil { // before Add, so that no two revisions are counted
					r.cfg.States.Remove(w.old)
				}
				r.cfg.States.Add(&store.Stored{Article: puts[i].Article, Vectors: puts[i].Vectors})
			case errors.Is(err, store.ErrInvalid):
				w.report.Outcome, w.report.Err = Rejected, err
			default:
				// The store failed, not the article. Whether it is stored is unknown, so only the
				// run reports the error.
				w.report.Outcome = 0
				failure = cmp.Or(failure, fmt.Errorf("committing %s: %w", w.report.ID, err))
			}
		}
	}
	if files && len(file) > 0 {
		r.filed = append(r.filed, r.cfg.Filer.Enqueue(file))
	}
	for _, w := range b.items {
		if w.report.Outcome != 0 {
			r.count(w.report)
		}
	}
	return failure
}

// waitFiled waits until what was committed is filed, but not longer than Options.Wait.
func (r *run) waitFiled(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, r.opts.Wait)
	defer cancel()
	for _, filed := range r.filed {
		if err := filed(waiting); waiting.Err() != nil {
			break
		} else if err != nil {
			return fmt.Errorf("%w: %w", ErrNotFiled, err)
		}
	}
	return ctx.Err()
}

func (r *run) count(report Report) {
	r.summary.Count(report)
	if r.opts.Each != nil {
		r.opts.Each(report)
	}
}
