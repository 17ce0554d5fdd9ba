package state

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"throughline/embed"
	"throughline/embed/embedtest"
	"throughline/internal/lexical"
	"throughline/internal/news"
	"throughline/internal/score"
	"throughline/internal/store"
	"throughline/internal/storetest"
)

// counted is a store that counts the scans of it.
type counted struct {
	Store
	scans int
}

func (c *counted) Scan(ctx context.Context, f news.Filter, w store.With, fn func(*store.Stored) error) error {
	c.scans++
	return c.Store.Scan(ctx, f, w, fn)
}

// logged is what was logged at warning and above.
type logged struct {
	slog.Handler
	mu    sync.Mutex
	lines []string
}

func newLog() (*logged, *slog.Logger) {
	l := &logged{Handler: slog.DiscardHandler}
	return l, slog.New(l)
}

func (l *logged) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

func (l *logged) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := r.Message
	r.Attrs(func(a slog.Attr) bool {
		line += " " + a.String()
		return true
	})
	l.lines = append(l.lines, line)
	return nil
}

// world is a server with one process on it.
type world struct {
	*testing.T
	server   *storetest.Server
	now      time.Time // of the owner; the store's is real
	store    *counted
	writer   *store.Store
	embedder *embedtest.Hashed
	log      *logged
	cfg      Config
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, server: storetest.NewServer(t, ""), now: time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC), embedder: &embedtest.Hashed{Dims: 64}}
	w.restart()
	return w
}

// restart is a new process on what is stored.
func (w *world) restart() {
	w.Helper()
	if w.writer != nil {
		if err := w.writer.Close(); err != nil {
			w.Fatal(err)
		}
	}
	w.writer = w.server.Open(w, storetest.Options{Space: w.embedder.Space()})
	w.store = &counted{Store: w.writer}
	log, logger := newLog()
	w.log = log
	w.cfg = Config{Store: w.store, Model: score.Default(), Background: score.DefaultBackground(), Embedder: w.embedder, Logger: logger, Now: func() time.Time { return w.now }, Workers: 1}
}

func (w *world) owner() *Owner {
	w.Helper()
	o, err := New(w.cfg)
	if err != nil {
		w.Fatal(err)
	}
	return o
}

func (w *world) load() *Owner {
	w.Helper()
	o := w.owner()
	if err := o.Load(w.Context()); err != nil {
		w.Fatal(err)
	}
	return o
}

// put stores articles from to up to, two on each event, and returns them.
func (w *world) put(from, to int) []*store.Stored {
	w.Helper()
	var puts []store.Put
	for i := from; i < to; i++ {
		rng := rand.New(rand.NewPCG(uint64(i/2), uint64(i)))
		var text strings.Builder
		for range 40 {
			fmt.Fprintf(&text, "word%dof%d ", rng.IntN(30), i/2)
		}
		vectors, err := w.embedder.Embed(w.Context(), embed.Document, []string{text.String()})
		if err != nil {
			w.Fatal(err)
		}
		lex := lexical.Analyze("", text.String())
		puts = append(puts, store.Put{
			Article:  news.Article{ID: fmt.Sprintf("a%04d", i), Title: fmt.Sprint("Title ", i), Source: fmt.Sprint("Source ", i%3), Record: news.Record{ContentHash: text.String(), Words: 40}},
			Vectors:  store.Vectors{Dense: vectors[0], Lex: lex},
			Sections: []store.Section{{Section: news.Section{Text: text.String()}, Dense: vectors[0], Lexical: lex.Full}},
		})
	}
	if err := errors.Join(w.writer.Put(w.Context(), puts)...); err != nil {
		w.Fatal(err)
	}
	out := make([]*store.Stored, len(puts))
	for i, p := range puts {
		out[i] = &store.Stored{Article: p.Article, Vectors: p.Vectors}
	}
	return out
}

// take stores articles and counts them.
func (w *world) take(o *Owner, from, to int) {
	w.Helper()
	for _, s := range w.put(from, to) {
		o.Add(s)
	}
}

// leave is a process that takes 100 articles, calibrates and ends.
func (w *world) leave() *Owner {
	w.Helper()
	o := w.load()
	w.take(o, 0, 100)
	o.maintain(w.Context())
	if err := o.Close(); err != nil {
		w.Fatal(err)
	}
	return o
}

// sameState fails where two States would score differently.
func (w *world) sameState(got, want *score.State) {
	w.Helper()
	if got.Stats.Articles() != want.Stats.Articles() || got.Threshold != want.Threshold || got.Scale != want.Scale || !slices.Equal(got.Templates, want.Templates) {
		w.Errorf("state of %d articles, threshold %+v, scale %+v; want %d, %+v, %+v",
			got.Stats.Articles(), got.Threshold, got.Scale, want.Stats.Articles(), want.Threshold, want.Scale)
	}
	var features []score.Features
	if err := w.writer.Scan(w.Context(), news.Filter{}, store.WithVectors, func(s *store.Stored) error {
		features = append(features, s.Features())
		return nil
	}); err != nil {
		w.Fatal(err)
	}
	for i := range features {
		a, b := &features[i], &features[(i*7+1)%len(features)]
		if g, x := got.Compare(a, b), want.Compare(a, b); g != x {
			w.Fatalf("%s and %s compare as %+v, want %+v", a.ID, b.ID, g, x)
		}
	}
}

func TestNothingIsServedBeforeLoad(t *testing.T) {
	o := newWorld(t).owner()
	if err := o.Ready(); !errors.Is(err, ErrNotLoaded) {
		t.Errorf("Ready: %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("Current gave a State that was not loaded")
		}
	}()
	o.Current()
}

func TestStateSurvivesRestarts(t *testing.T) {
	w := newWorld(t)
	o := w.load()
	w.take(o, 0, 100)
	o.maintain(t.Context())
	if o.known.ThresholdAt != 100 {
		t.Fatalf("the threshold was chosen at %d articles, want 100", o.known.ThresholdAt)
	}
	o.Adopt(score.Arranged{Threshold: o.known.Threshold, Templates: score.Templates{3, 1 << 31}}, o.Extent())
	want := o.Publish()
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}

	w.restart()
	again := w.load()
	if w.store.scans != 0 {
		t.Errorf("%d scans of the store, want none", w.store.scans)
	}
	w.sameState(again.Current(), want)
	if got := again.Current().Version; got != want.Version {
		t.Errorf("version %d, want %d", got, want.Version)
	}
	// Statistics that were kept go on counting.
	w.take(again, 100, 110)
	o = again
	fresh := w.owner()
	if err := fresh.count(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(o.builder.AppendBinary(nil), fresh.builder.AppendBinary(nil)) {
		t.Error("the statistics differ from those of what is stored")
	}
}

func TestLoadCountsAnewAfterACrash(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"more":    func(w *world) { w.put(100, 101) },
		"fewer":   func(w *world) { w.delete("a0003") },
		"as many": func(w *world) { w.delete("a0003"); w.put(3, 4) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			o := w.leave()
			// Nobody lives to count this, or to save what was published meanwhile.
			change(w)
			for range 10 {
				o.Adopt(score.Arranged{Threshold: o.Current().Threshold}, o.Extent())
			}
			w.restart()
			again := w.load()
			fresh := w.owner()
			if err := fresh.count(t.Context()); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(again.builder.AppendBinary(nil), fresh.builder.AppendBinary(nil)) {
				t.Error("the statistics differ from those of what is stored")
			}
			if again.Current().Threshold != o.Current().Threshold {
				t.Errorf("threshold %+v, was %+v", again.Current().Threshold, o.Current().Threshold)
			}
			if again.Current().Version <= o.Current().Version {
				t.Errorf("version %d after %d", again.Current().Version, o.Current().Version)
			}
		})
	}
}

func (w *world) delete(id string) {
	w.Helper()
	if err := w.writer.Delete(w.Context(), id); err != nil {
		w.Fatal(err)
	}
}

func TestBadRecordsAreMadeAnew(t *testing.T) {
	edit := func(change func(b []byte) []byte) func([]byte) []byte {
		return func(b []byte) []byte { return change(bytes.Clone(b)) }
	}
	for name, c := range map[string]struct {
		change func([]byte) []byte
		log    string
	}{
		"unknown format": {edit(func(b []byte) []byte { binary.LittleEndian.PutUint32(b[len(magic):], 99); return b }), "got 99, want 1"},
		"torn":           {edit(func(b []byte) []byte { return b[:len(b)/2] }), "checksum"},
		"one bit":        {edit(func(b []byte) []byte { b[len(b)/2] ^= 4; return b }), "checksum"},
		"another file":   {func([]byte) []byte { return []byte("{}") }, "unknown content"},
		"long head":      {edit(func(b []byte) []byte { binary.LittleEndian.PutUint32(b[len(magic)+4:], 1<<31); return b }), "too long"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			o := w.leave()
			data, _, err := w.store.LoadState(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := w.store.SaveState(t.Context(), c.change(data)); err != nil {
				t.Fatal(err)
			}
			w.restart()
			again := w.load()
			if len(w.log.lines) != 1 || !strings.Contains(w.log.lines[0], c.log) {
				t.Errorf("logged %q, want one line with %q", w.log.lines, c.log)
			}
			w.sameState(again.Current(), o.Current())
		})
	}
}

func TestAnotherModelForgetsTheThreshold(t *testing.T) {
	w := newWorld(t)
	w.leave()
	data, _, err := w.store.LoadState(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other := *score.Default()
	other.Intercept++
	r, err := decodeRecord(data, &other, score.DefaultBackground())
	if err != nil {
		t.Fatal(err)
	}
	if r.Threshold != other.DefaultThreshold() || r.ThresholdAt != 0 || r.builder.Articles() != 100 {
		t.Errorf("threshold %+v chosen at %d, statistics of %d articles", r.Threshold, r.ThresholdAt, r.builder.Articles())
	}
}

// A calibration that fails is logged once and tried again after a pause that doubles, not with
// every article.
func TestFailedCalibrationsWait(t *testing.T) {
	w := newWorld(t)
	reference := &embedtest.Hashed{Model: "reference"}
	reference.Fail(errors.New("unreachable"))
	w.cfg.Reference = reference
	o := w.load()
	before := o.Current().Threshold
	var attempts []time.Duration
	began := w.now
	for i := range 300 {
		w.take(o, i, i+1)
		if i%2 == 0 {
			w.now = w.now.Add(time.Second)
		}
		failures := len(w.log.lines)
		o.maintain(t.Context())
		if len(w.log.lines) > failures {
			attempts = append(attempts, w.now.Sub(began))
		}
	}
	// The first at 64 articles; then a pause of 30 seconds, or twice as many articles.
	if len(attempts) < 2 || len(attempts) > 4 {
		t.Errorf("%d attempts, at %v", len(attempts), attempts)
	}
	for i, line := range w.log.lines {
		if !strings.Contains(line, "unreachable") || !strings.Contains(line, "retry=") {
			t.Errorf("attempt %d logged %q", i, line)
		}
	}
	if got := o.Current(); got.Threshold != before || got.Stats.Articles() != 300 {
		t.Errorf("threshold %+v of %d articles; want that of before, %+v", got.Threshold, got.Stats.Articles(), before)
	}
	reference.Fail(nil)
	w.now = w.now.Add(2 * backoffMax)
	o.maintain(t.Context())
	if o.known.ThresholdAt != 300 || o.known.ScaleAt != 300 {
		t.Errorf("once it can, the threshold is chosen at %d articles and the scale at %d, want 300", o.known.ThresholdAt, o.known.ScaleAt)
	}
}

func TestBackoff(t *testing.T) {
	now := time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)
	var b backoff
	if !b.allows(now, 64) {
		t.Error("the first attempt waits")
	}
	for i, want := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute, time.Hour, time.Hour} {
		pause := b.failed(now, 64)
		if pause < want || pause > want+want/10 {
			t.Errorf("pause %d is %v, want %v and at most a tenth more", i, pause, want)
		}
		if b.allows(now.Add(want-1), 127) || !b.allows(now.Add(pause), 64) || !b.allows(now, 128) {
			t.Errorf("pause %d is not kept", i)
		}
	}
}

// Statistics are published when a share of them has changed, so that the cost of copying stays in
// proportion.
func TestPublishing(t *testing.T) {
	w := newWorld(t)
	o := w.load()
	w.take(o, 0, 640)
	first := o.Publish()
	added := w.put(640, 651)
	for _, s := range added[:9] {
		o.Add(s)
	}
	if o.Current() != first {
		t.Error("nine of 640 articles were published at once")
	}
	o.Add(added[9])
	second := o.Current()
	if second.Version != first.Version+1 || second.Stats.Articles() != 650 {
		t.Errorf("state %d of %d articles, want %d of 650", second.Version, second.Stats.Articles(), first.Version+1)
	}
	if first.Stats.Articles() != 640 {
		t.Error("a State that was published has changed")
	}
	o.Add(added[10])
	if o.Current() != second {
		t.Error("the count of changes does not begin anew")
	}
	if third := o.Publish(); third.Version != second.Version+1 || o.Publish() != third {
		t.Error("Publish does not make one State of what was counted")
	}
	o.Remove(added[10])
	if got := o.Publish(); got.Stats.Articles() != 650 {
		t.Errorf("%d articles after one was removed, want 650", got.Stats.Articles())
	}
}

func TestReadersFollowTheWriter(t *testing.T) {
	w := newWorld(t)
	writer := w.load()
	w.take(writer, 0, 50)
	if err := writer.save(t.Context()); err != nil { // a State that nobody published again
		t.Fatal(err)
	}
	cfg := w.cfg
	cfg.ReadOnly = true
	readers := &counted{Store: w.writer}
	cfg.Store = readers
	log, logger := newLog()
	cfg.Logger = logger
	reader, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.Load(t.Context()); err != nil {
		t.Fatal(err)
	}

	w.take(writer, 50, 120)
	w.now = w.now.Add(saveEvery)
	writer.maintain(t.Context())
	if err := reader.follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	if reader.Current().Version != writer.Current().Version {
		t.Errorf("the reader has state %d, the writer %d", reader.Current().Version, writer.Current().Version)
	}
	w.sameState(reader.Current(), writer.Current())
	if writer.known.ThresholdAt != 120 || reader.known.ThresholdAt != 120 {
		t.Errorf("the threshold was chosen at %d and %d articles, want 120", writer.known.ThresholdAt, reader.known.ThresholdAt)
	}
	if readers.scans != 0 {
		t.Errorf("the reader scanned the store %d times", readers.scans)
	}
	if followEvery+saveEvery > 30*time.Second {
		t.Error("a reader may lag by more than 30 seconds")
	}

	// What cannot be used is told once, and the State stays.
	if err := w.store.SaveState(t.Context(), []byte("torn")); err != nil {
		t.Fatal(err)
	}
	had := reader.Current()
	for range 3 {
		if err := reader.follow(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if reader.Current() != had || len(log.lines) != 1 {
		t.Errorf("state %d, logged %q", reader.Current().Version, log.lines)
	}
}

// A reader that has a State of the writer does not calibrate: the writer will.
func TestReadersLeaveCalibrationToTheWriter(t *testing.T) {
	w := newWorld(t)
	writer := w.load()
	w.take(writer, 0, 100)
	if err := writer.save(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.cfg.ReadOnly = true
	reader := w.load()
	if !writer.due() || reader.known.ThresholdAt != 0 {
		t.Errorf("the reader chose a threshold at %d articles", reader.known.ThresholdAt)
	}
	if got, want := reader.Current().Threshold, writer.Current().Threshold; got != want {
		t.Errorf("threshold %+v, want %+v", got, want)
	}
}

// A reader on a store that no writer has kept a State in makes its own.
func TestReaderWithoutAWriter(t *testing.T) {
	w := newWorld(t)
	w.put(0, 10)
	w.cfg.ReadOnly = true
	o := w.load()
	if got := o.Current().Stats.Articles(); got != 10 {
		t.Errorf("counted %d articles, want 10", got)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if number, err := w.store.StateNumber(t.Context()); err != nil || number != 0 {
		t.Errorf("a reader kept state %d: %v", number, err)
	}
}

// blocking is an embedder that waits until its context ends.
type blocking struct {
	embedtest.Hashed
	called chan struct{}
	once   sync.Once
}

func (b *blocking) Embed(ctx context.Context, _ embed.Kind, _ []string) ([][]float32, error) {
	b.once.Do(func() { close(b.called) })
	<-ctx.Done()
	return nil, ctx.Err()
}

// Nobody waits for a calibration, and a calibration that was stopped is no failure.
func TestNobodyWaitsForACalibration(t *testing.T) {
	w := newWorld(t)
	reference := &blocking{called: make(chan struct{})}
	w.cfg.Reference = reference
	o := w.load()
	w.take(o, 0, 100)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		o.maintain(ctx)
	}()
	<-reference.called
	w.take(o, 100, 101)
	if got := o.Publish().Stats.Articles(); got != 101 {
		t.Errorf("%d articles, want 101", got)
	}
	impatient, stop := context.WithTimeout(t.Context(), time.Millisecond)
	defer stop()
	if err := o.MeasureSpace(impatient); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second calibration: %v", err)
	}
	cancel()
	<-done
	if len(w.log.lines) != 0 || o.retry.failures != 0 {
		t.Errorf("logged %q, %d failures", w.log.lines, o.retry.failures)
	}
}

func TestInertThresholds(t *testing.T) {
	w := newWorld(t)
	w.cfg.Reference = &embedtest.Hashed{Model: "reference"}
	o := w.load()
	w.take(o, 0, 100)
	if err := o.CheckThreshold(t.Context(), o.Publish(), 1000); err != nil {
		t.Errorf("nothing was measured: %v", err)
	}
	o.maintain(t.Context())
	if o.halves == nil {
		t.Fatal("the space was not measured")
	}
	st := o.Current()
	var inert *InertThresholdError
	if err := o.CheckThreshold(t.Context(), st, 1000); !errors.As(err, &inert) || inert.Same != 0 {
		t.Errorf("a threshold that joins nothing: %v", err)
	}
	if err := o.CheckThreshold(t.Context(), st, -1000); !errors.As(err, &inert) || inert.Different < .999 {
		t.Errorf("a threshold that joins everything: %v", err)
	}
	if err := o.CheckThreshold(t.Context(), st, st.Threshold.Logit); err != nil {
		t.Errorf("the threshold in force: %v", err)
	}
}

// The race detector watches this one.
func TestManyAtOnce(t *testing.T) {
	w := newWorld(t)
	o := w.load()
	all := w.put(0, 200)
	ctx, cancel := context.WithCancel(t.Context())
	var background, group sync.WaitGroup
	background.Go(func() { o.Run(ctx) })
	for part := range 4 {
		group.Go(func() {
			for i := part; i < len(all); i += 4 {
				o.Add(all[i])
				if i%8 == part {
					o.Remove(all[i])
					o.Add(all[i])
				}
			}
		})
		group.Go(func() {
			f := all[part].Features()
			for range 50 {
				st := o.Current()
				st.Compare(&f, &f)
				o.Publish()
			}
		})
	}
	group.Wait()
	cancel()
	background.Wait()
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	fresh := w.owner()
	if err := fresh.count(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(o.builder.AppendBinary(nil), fresh.builder.AppendBinary(nil)) {
		t.Error("the statistics differ from those of what is stored")
	}
}
