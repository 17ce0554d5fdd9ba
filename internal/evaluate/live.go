package evaluate

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"iter"
	"slices"
	"sync"
	"time"

	"throughline/internal/ingest"
	"throughline/internal/news"
	"throughline/internal/store"
	"throughline/internal/stories"
)

// Live holds the measurements of one file whose articles arrived one after the other.
type Live struct {
	File     string  `json:"file"`
	Articles int     `json:"articles"`
	Streamed Stories `json:"streamed"` // when it had become quiet
	Rebuilt  Stories `json:"rebuilt"`  // after all articles were arranged anew
	Moved    Score   `json:"moved"`    // share of the articles that this put into another story
	// WithTopic is the share of the articles in stories that had a topic when it had become quiet.
	WithTopic Score `json:"with_topic"`
	// Changes is how often an article changed its story after it was filed first, and Renames how
	// often a story got another title, both on average.
	Changes Score `json:"changes"`
	Renames Score `json:"renames"`
	// Late is the part of Changes that came more than a minute after the article was stored.
	Late Score `json:"late_changes"`
	// Median and P95 are seconds from when an article was stored until it was in its last story.
	Median  float64 `json:"median_seconds"`
	P95     float64 `json:"p95_seconds"`
	Seconds float64 `json:"seconds"` // until it had become quiet

	Read *Result `json:"-"` // for WriteNotes: what was left out
}

// LiveReport is the JSON document of a run that streams.
type LiveReport struct {
	Format int     `json:"format"`
	Model  string  `json:"model"`
	Live   []*Live `json:"live"`
}

// LiveEngines is the product as a server runs it.
type LiveEngines struct {
	Engines
	// Background is what a server does besides answering calls. Each ends with its context.
	Background []func(context.Context)
}

const (
	// liveQuiet is the most seconds until a system that has nothing to do is quiet.
	liveQuiet = 5 * time.Minute
	livePoll  = 100 * time.Millisecond
)

// RunLive stores the labelled articles in an empty system one after the other, in order of their
// dates, as a server does that articles arrive at. It measures the stories when all is quiet, and
// again after everything was arranged anew. Within a day the order is that of hashes of the ids.
func RunLive(ctx context.Context, sys LiveEngines, name string, items iter.Seq2[Labelled, error], opts Options) (*Live, error) {
	if opts.Progress == nil {
		opts.Progress = func(string) {}
	}
	started := opts.Now()
	if opts.Vectors != nil {
		items = opts.Vectors.Of(items)
	}
	notes := &Result{File: name}
	background, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	for _, work := range sys.Background {
		running.Go(func() { work(background) })
	}
	g, err := ingestAll(ctx, streaming{sys.Engines, opts.Rate}, byDate(items), opts, notes)
	if err != nil {
		return nil, fmt.Errorf("%s: storing the articles: %w", name, err)
	}
	if len(g.ids) == 0 {
		return nil, fmt.Errorf("%s: %w", name, ErrNothing)
	}
	opts.Progress("waiting for stories")
	if err := sys.quiet(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if notes.Articles = len(g.ids); opts.Vectors != nil {
		notes.WithoutVector = opts.Vectors.beyond
	}
	live := &Live{Read: notes, File: name, Articles: len(g.ids), Seconds: opts.Now().Sub(started).Seconds()}
	stop()
	running.Wait()
	units := make([]sums, len(g.storiesBySize))
	streamed, stored, err := sys.places(ctx)
	if err != nil {
		return nil, err
	}
	live.Streamed, _ = scoreFiling(g, streamed, units)
	events, err := sys.events(ctx)
	if err != nil {
		return nil, err
	}
	live.history(events, stored)
	filed, topical := 0, 0
	for _, p := range streamed {
		if p.Story != "" {
			if filed++; p.Topic != "" {
				topical++
			}
		}
	}
	live.WithTopic = Score(float64(topical) / float64(filed))
	rebuilt, err := sys.Stories.Recluster(ctx, stories.ReclusterOptions{}, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: arranging all articles: %w", name, err)
	}
	live.Moved = Score(float64(rebuilt.Summary.Moved) / float64(len(streamed)))
	after, _, err := sys.places(ctx)
	live.Rebuilt, _ = scoreFiling(g, after, units)
	return live, err
}

// streaming files every article after it is stored.
type streaming struct {
	Engines
	rate float64 // articles a second; 0: as fast as they can be stored
}

func (s streaming) Ingest(ctx context.Context, items iter.Seq2[news.Valid, error], each func(ingest.Report)) (sum ingest.Summary, err error) {
	if s.rate == 0 {
		return s.Pipeline.Run(ctx, items, ingest.Options{File: true, Wait: ingest.UntilFiled, Each: each})
	}
	ticker := time.NewTicker(time.Duration(float64(time.Second) / s.rate))
	defer ticker.Stop()
	n := 0
	for a, err := range items {
		<-ticker.C
		one := func(yield func(news.Valid, error) bool) { yield(a, err) }
		if _, err := s.Pipeline.Run(ctx, one, ingest.Options{File: true, Each: func(r ingest.Report) {
			r.Item = n
			sum.Count(r)
			each(r)
		}}); err != nil {
			return sum, err
		}
		n++
	}
	return sum, nil
}

// byDate yields all items in order of their dates, undated and broken ones first. Those with the id
// of an earlier one come last, so that the same ones count as without streaming.
func byDate(items iter.Seq2[Labelled, error]) iter.Seq2[Labelled, error] {
	return func(yield func(Labelled, error) bool) {
		type item struct {
			Labelled
			err  error
			day  string
			hash uint64
		}
		var all, again []item
		known := make(map[string]bool)
		for l, err := range items {
			h := fnv.New64a()
			h.Write([]byte(l.ID))
			it := item{l, err, "", h.Sum64()}
			if err == nil {
				if at := l.Valid.Article().Published; !at.IsZero() {
					it.day = at.UTC().Format(time.DateOnly)
				}
			}
			if err == nil && known[l.ID] {
				again = append(again, it)
				continue
			}
			known[l.ID] = true
			all = append(all, it)
		}
		slices.SortStableFunc(all, func(a, b item) int { return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(a.hash, b.hash)) })
		for _, it := range append(all, again...) {
			if !yield(it.Labelled, it.err) {
				return
			}
		}
	}
}

// quiet waits until every article is filed and arranged.
func (e LiveEngines) quiet(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, liveQuiet, fmt.Errorf("not quiet after %v", liveQuiet))
	defer cancel()
	for {
		counts, err := e.Store.Counts(ctx)
		if err != nil {
			return err
		}
		if counts.Pending == 0 && e.Stories.Arranged() {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(livePoll):
		}
	}
}

// places returns the place of each article, and when it was stored.
func (e Engines) places(ctx context.Context) (places map[string]Place, stored map[string]time.Time, err error) {
	places, stored = make(map[string]Place), make(map[string]time.Time)
	err = e.Store.Scan(ctx, news.Filter{}, store.WithNothing, func(s *store.Stored) error {
		places[s.Article.ID], stored[s.Article.ID] = Place{Story: s.Article.StoryID, Topic: s.Article.TopicID}, s.Article.Ingested
		return nil
	})
	return places, stored, err
}

// events reads the ledger.
func (e Engines) events(ctx context.Context) ([]news.LedgerEvent, error) {
	var all []news.LedgerEvent
	for after := int64(0); ; after = all[len(all)-1].Sequence {
		page, err := e.Store.Events(ctx, after, store.MaxLimit)
		if all = append(all, page...); err != nil || len(page) == 0 {
			return all, err
		}
	}
}

// history sets what follows from the ledger. stored has the time at which each article was stored.
func (l *Live) history(events []news.LedgerEvent, stored map[string]time.Time) {
	in, final := make(map[string]string), make(map[string]time.Time)
	ever := make(map[string]bool)
	changes, late, renames := 0, 0, 0
	for _, e := range events {
		if e.Level != "" {
			continue
		}
		switch e.Kind {
		case news.Created, news.Joined:
			ever[e.ID] = true
			for _, id := range e.ArticleIDs {
				in[id], final[id] = e.ID, e.Time
			}
		case news.Left:
			for _, id := range e.ArticleIDs {
				if changes++; e.Time.Sub(stored[id]) > time.Minute && !stored[id].IsZero() {
					late++
				}
				delete(in, id)
				final[id] = e.Time
			}
		case news.Renamed:
			renames++
		}
	}
	l.Changes, l.Late = Score(float64(changes)/float64(len(stored))), Score(float64(late)/float64(len(stored)))
	l.Renames = Score(float64(renames) / float64(max(len(ever), 1)))
	var waits []float64
	for id := range in {
		waits = append(waits, max(0, final[id].Sub(stored[id]).Seconds()))
	}
	if slices.Sort(waits); len(waits) > 0 {
		l.Median, l.P95 = waits[len(waits)/2], waits[len(waits)*95/100]
	}
}

// WriteLive writes the measurements of streamed files as a table, with their mean.
func WriteLive(w io.Writer, r *LiveReport) error {
	t := NewColumns(w, "STREAMED", "ARTICLES", "P", "R", "F1", "REBUILT", "MOVED", "TOPICS", "CHANGES", "LATE", "RENAMES", "MEDIAN", "P95", "SECONDS")
	var mean [9]float64
	n := float64(len(r.Live))
	for _, l := range r.Live {
		for k, x := range []Score{l.Streamed.Precision, l.Streamed.Recall, l.Streamed.F1, l.Rebuilt.F1, l.Moved, l.WithTopic, l.Changes, l.Late, l.Renames} {
			mean[k] += float64(x) / n
		}
		t.Row(SetName(l.File), l.Articles, l.Streamed.Precision, l.Streamed.Recall, l.Streamed.F1, l.Rebuilt.F1, l.Moved, l.WithTopic, l.Changes, l.Late, l.Renames,
			fmt.Sprintf("%.1f", l.Median), fmt.Sprintf("%.1f", l.P95), fmt.Sprintf("%.1f", l.Seconds))
	}
	row := []any{"mean", ""}
	for _, x := range mean {
		row = append(row, Score(x))
	}
	t.Row(append(row, "", "", "")...)
	return t.Flush()
}

// NewLiveReport makes the report of some files.
func NewLiveReport(model string, live []*Live) *LiveReport {
	return &LiveReport{Format: format, Model: model, Live: live}
}
