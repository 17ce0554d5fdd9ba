//go:build unix

package related

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"throughline/cluster/vector"
	"throughline/embed"
	"throughline/internal/features"
	"throughline/internal/news"
	"throughline/internal/score"
	"throughline/internal/store"
	"throughline/internal/storetest"
)

// directions embeds a text as the sum of a random direction for each of its words, rare words
// first, so texts that share rare words are alike and all have a little in common, as the texts of
// a language model do.
type directions struct{ of map[string][]float32 }

func (d *directions) Space() embed.Space {
	return embed.Space{Model: "directions", Dimensions: dims, MaxTokens: 64}
}

func (d *directions) Embed(_ context.Context, _ embed.Kind, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i, text := range texts {
		v := make([]float32, dims)
		v[0] = 1
		for word := range strings.FieldsSeq(strings.ToLower(text)) {
			for k, x := range d.direction(strings.Trim(word, ".")) {
				v[k] += x
			}
		}
		vector.Normalize(v)
		out[i] = v
	}
	return out, nil
}

func (d *directions) direction(word string) []float32 {
	v := d.of[word]
	if v == nil {
		f := fnv.New64a()
		f.Write([]byte(word))
		random := rand.New(rand.NewPCG(f.Sum64(), 1))
		weight, number := 1.0, 0
		if n, _ := fmt.Sscanf(word, "word%d", &number); n == 1 {
			weight = min(1, math.Sqrt(float64(number+1)/2000))
		}
		v = make([]float32, dims)
		for k := range v {
			v[k] = float32(weight * random.NormFloat64())
		}
		d.of[word] = v
	}
	return v
}

// synthetic fills a store in a file with articles of three sections and 60 to 400 words of a
// Zipf-like vocabulary. Of the articles 60 % are one-offs, and the rest are in stories whose sizes
// follow a power law.
func synthetic(b *testing.B, n int) *harness {
	b.Helper()
	embedder := &directions{make(map[string][]float32)}
	h := &harness{TB: b, embedder: embedder, stats: score.NewStatsBuilder(), now: time.Date(2031, 5, 1, 12, 0, 0, 0, time.UTC)}
	h.store = storetest.Open(b, storetest.Options{Space: embedder.Space(), Path: filepath.Join(b.TempDir(), "store"), Now: h.clock})
	h.states = &fixed{score.NewState(score.Default(), h.stats.Stats(score.DefaultBackground()))}
	var err error
	h.Engine, err = New(Config{Store: h.store, Features: features.New(h.store, 256<<20), States: h.states, Embedder: embedder, Logger: slog.New(slog.DiscardHandler), Now: h.clock})
	h.must(err)

	random := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(random, 1.2, 20, 20_000)
	text := func(event, n int) string {
		list := make([]string, n)
		for i := range list {
			if list[i] = fmt.Sprint("word", zipf.Uint64()); i%5 == 0 {
				list[i] = fmt.Sprintf("Event%dname%d", event, random.IntN(12))
			}
			if i%15 == 14 {
				list[i] += "."
			}
		}
		return strings.Join(list, " ")
	}
	var events []int // of each article
	for event := 0; len(events) < n; event++ {
		size := 1
		if random.Float64() < .1 { // a story has six articles in the mean
			size = int(min(2/math.Pow(1-random.Float64(), 1/1.5), 500))
		}
		events = append(events, slices.Repeat([]int{event}, size)...)
	}
	events = events[:n]
	random.Shuffle(n, func(i, j int) { events[i], events[j] = events[j], events[i] })
	of := map[int]int{}
	for _, event := range events {
		of[event]++
	}
	for from := 0; from < n; from += 200 {
		var puts []store.Put
		for i := from; i < min(from+200, n); i++ {
			a := news.Article{
				ID: idOf(i), Title: text(events[i], 10), URL: fmt.Sprintf("https://outlet%d.example/2031/%05d", i%17, i),
				Source: fmt.Sprint("Outlet ", i%17), Language: "en", Published: h.now.AddDate(0, 0, -i%90),
			}
			if of[events[i]] > 1 {
				a.Membership = news.Membership{StoryID: fmt.Sprint("story-", events[i]), TopicID: fmt.Sprint("topic-", events[i]%50), Probability: .9}
			}
			words := 20 + random.IntN(114)
			puts = append(puts, h.prepare(a, text(events[i], words), text(events[i], words), text(events[i], words)))
		}
		h.must(errors.Join(h.store.Put(context.Background(), puts)...))
	}
	h.publish(func(*score.State) {})
	return h
}

func idOf(i int) string { return fmt.Sprintf("a%06d", i) }

// sizes are numbers of articles. Choose one by the name of the sub-benchmark, such as
// -bench 'Related/^20000$'.
var sizes = []int{2000, 20_000, 200_000}

// called runs calls from several callers at once, and reports calls a second, the times within
// which half and 99 of 100 calls were answered, and the time on processors, which depends little on
// what else the machine does. call gets the number of the call.
func called(b *testing.B, callers int, call func(i int) error) {
	b.ReportAllocs()
	times := make([]time.Duration, b.N)
	var next atomic.Int64
	var wait sync.WaitGroup
	before := processorTime()
	b.ResetTimer()
	for range callers {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(times); i = int(next.Add(1)) - 1 {
				start := time.Now()
				if err := call(i); err != nil {
					b.Error(err)
					return
				}
				times[i] = time.Since(start)
			}
		})
	}
	wait.Wait()
	b.StopTimer()
	used := processorTime() - before
	slices.Sort(times)
	at := func(share float64) float64 {
		return float64(times[int(share*float64(len(times)-1))].Microseconds()) / 1000
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
	b.ReportMetric(used.Seconds()*1000/float64(b.N), "cpu-ms/call")
	b.ReportMetric(at(.5), "p50-ms")
	b.ReportMetric(at(.99), "p99-ms")
}

// processorTime is the time that this process has had.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // fails for other arguments only
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// page reads the first page of a list.
func page(list *List, err error) error {
	if err != nil {
		return err
	}
	_, err = list.Page(context.Background(), 0, 10)
	return err
}

func BenchmarkRelated(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			h := synthetic(b, n)
			id := func(i int) string { return idOf(i * 7919 % n) }
			var liked []string
			for i := range 20 {
				liked = append(liked, id(i))
			}
			article := func(i int) Request { return Request{Seed: Seed{ArticleID: id(i)}} }
			for _, c := range []struct {
				name    string
				callers int
				req     func(i int) Request
			}{
				{"article", 1, article},
				{"article-8-callers", 8, article},
				{"diverse", 1, func(i int) Request {
					return Request{Seed: Seed{ArticleID: id(i)}, ListOptions: ListOptions{Diversity: 0.3}}
				}},
				{"20-liked", 1, func(int) Request { return Request{Seed: Seed{Liked: liked}} }},
			} {
				b.Run(c.name, func(b *testing.B) {
					called(b, c.callers, func(i int) error { return page(h.Related(context.Background(), c.req(i))) })
				})
			}
		})
	}
}

func BenchmarkSearch(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			h := synthetic(b, n)
			called(b, 1, func(i int) error {
				query := fmt.Sprintf("event%dname3 word%d word400", i%100, i*31%5000)
				return page(h.Search(context.Background(), SearchRequest{Query: query}))
			})
		})
	}
}
