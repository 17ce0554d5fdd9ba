package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"throughline/internal/corpus"
	"throughline/internal/evidence"
	"throughline/internal/qdrantlite"
	"throughline/internal/report"
	"throughline/internal/store"
	"throughline/internal/stories"
)

// arrangeStored arranges the store in this process, or, when that is taken, in the server that has it.
func (c *clusterCmd) arrangeStored(ctx context.Context, p *program, j *job) (*arrangement, error) {
	if c.Addr != "" {
		return c.arrangeRemote(ctx, p, j, c.Addr)
	}
	found, err := c.arrangeStore(ctx, p, j)
	if errors.Is(err, qdrantlite.ErrLocked) {
		if addr := runningServer(p.cli.Data); addr != "" {
			return c.arrangeRemote(ctx, p, j, addr)
		}
	}
	return found, err
}

// arrangeStore arranges everything that is stored anew. A dry run goes through every step but keeps what would be written
// to itself, so that it can tell the same as a real one.
func (c *clusterCmd) arrangeStore(ctx context.Context, p *program, j *job) (_ *arrangement, err error) {
	j.begin("read")
	e, err := p.openEngine(ctx, !c.Apply)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errNoStore // nothing was ever stored
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	counts, err := e.store.Counts(ctx)
	if err != nil {
		return nil, err
	}
	if counts.Articles == 0 {
		return nil, errNoStore
	}
	if err := j.needs(fmt.Sprintf("arranging %d stored articles", counts.Articles), arrangeMemory(int(counts.Articles), e.embedder.Space().Dimensions)); err != nil {
		return nil, err
	}
	engine, kept := e.stories, (*unwritten)(nil)
	if !c.Apply {
		kept = &unwritten{Store: e.store, filed: make(map[string]store.Assignment)}
		if engine, err = kept.engine(ctx, p, e); err != nil {
			return nil, err
		}
	}
	j.end(plural(int(counts.Articles), "article", "articles"))
	j.begin("stories")
	summary, err := engine.Recluster(ctx, stories.ReclusterOptions{Topics: c.Topics}, j.at)
	if err != nil {
		return nil, err
	}
	j.end("")
	if c.Apply {
		if err := e.nameStories(ctx); err != nil {
			return nil, err
		}
	}
	var a *arrangement
	if len(c.Output) == 0 { // nobody asks where everything is
		a = arrangementOf(nil)
		a.totals = &totals{Items: summary.Articles, Stories: summary.Stories, Topics: summary.Topics, Themes: summary.Themes, OneOffs: summary.OneOffs, Largest: summary.Largest}
	} else if a, err = c.filedAs(ctx, e.store, kept); err != nil {
		return nil, err
	}
	a.changes = &changes{
		Applied: c.Apply, Created: summary.Created, Merged: summary.Merged, Split: summary.Split, Renamed: summary.Renamed,
		Deleted: summary.Deleted, Moved: summary.Moved,
	}
	return a, nil
}

// unwritten is a store that reads the real one and keeps writes from it. Of what is written, it remembers where articles
// are filed.
type unwritten struct {
	stories.Store
	mu    sync.Mutex
	filed map[string]store.Assignment
}

// engine makes stories over it.
func (u *unwritten) engine(ctx context.Context, p *program, e *engine) (*stories.Engine, error) {
	known, err := corpus.Load(ctx, e.store)
	if err != nil {
		return nil, err
	}
	return stories.New(stories.Config{
		Store: u, Embedder: e.embedder, Reference: e.reference, Corpus: known, Model: evidence.Default(), Logger: p.logger(), Now: time.Now, NewID: newID, Workers: p.cli.Workers,
		Precision: p.cli.Precision,
	})
}

// Assign remembers.
func (u *unwritten) Assign(_ context.Context, assignments []store.Assignment) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, a := range assignments {
		u.filed[a.ArticleID] = a
	}
	return nil
}

// The other writes are forgotten.

func (*unwritten) PutStories(context.Context, []store.Story) error { return nil }
func (*unwritten) DeleteStories(context.Context, []string) error   { return nil }
func (*unwritten) PutScale(context.Context, store.Scale) error     { return nil }
func (*unwritten) PutTopics(context.Context, []store.Topic) error  { return nil }
func (*unwritten) DeleteTopics(context.Context, []string) error    { return nil }
func (*unwritten) Append(context.Context, []store.Event) error     { return nil }

// filed is an article of the store with where it is filed, or would be.
type filed struct {
	store.Assignment
	document report.Document
	dense    []float32
}

// filedAs reads where every article is filed, or would be, in the order of ids, and what the outputs need beside.
func (c *clusterCmd) filedAs(ctx context.Context, from *store.Store, kept *unwritten) (*arrangement, error) {
	var all []filed
	err := from.Scan(ctx, store.WithDense, func(s *store.Stored) error {
		art := &s.Article
		f := filed{Assignment: store.Assignment{ArticleID: art.ID, StoryID: art.StoryID, TopicIDs: art.TopicIDs, Probability: art.Probability}, dense: s.Vectors.Dense,
			document: report.Document{ID: art.ID, Title: art.Title, Source: art.Source, URL: art.URL, Published: art.Published}}
		if kept != nil {
			if would, ok := kept.filed[art.ID]; ok {
				f.Assignment = would
			}
		}
		all = append(all, f)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b filed) int { return cmp.Compare(a.ArticleID, b.ArticleID) })
	if c.wantsPage() {
		if err := readLeads(ctx, from, all); err != nil {
			return nil, err
		}
	}
	a := arrangementOf(all)
	dense := make([][]float32, len(all))
	for i := range all {
		dense[i] = all[i].dense
		a.Strength = append(a.Strength, 0)
		if a.Story[i] >= 0 {
			a.Strength[i] = float32(all[i].Probability)
		}
	}
	return a, a.measureTopics(ctx, dense, 0)
}

// leadsAtOnce is how many articles the beginnings are read of at a time.
const leadsAtOnce = 500

// leadLength is how much of an article's beginning keywords are looked for in, in bytes.
const leadLength = 500

// readLeads reads the beginnings of articles.
func readLeads(ctx context.Context, from *store.Store, all []filed) error {
	for part := range slices.Chunk(all, leadsAtOnce) {
		ids := make([]string, len(part))
		for i := range part {
			ids[i] = part[i].ArticleID
		}
		sections, err := from.Sections(ctx, ids, false)
		if err != nil {
			return err
		}
		for i := range part {
			if of := sections[part[i].ArticleID]; len(of) > 0 {
				part[i].document.Lead = of[0].Text[:min(len(of[0].Text), leadLength)]
			}
		}
	}
	return nil
}

// arrangementOf numbers stories, topics and themes in the order of their first articles.
func arrangementOf(all []filed) *arrangement {
	a := &arrangement{ids: []string{}, one: "article", many: "articles"}
	story, topic, theme := map[string]int32{}, map[string]int32{}, map[string]int32{}
	for _, f := range all {
		a.ids = append(a.ids, f.ArticleID)
		a.documents = append(a.documents, f.document)
		a.Story = append(a.Story, numbered(story, f.StoryID))
		ids := append(slices.Clone(f.TopicIDs), "", "") // the topic, then its theme
		a.Topic, a.Theme = append(a.Topic, numbered(topic, ids[0])), append(a.Theme, numbered(theme, ids[1]))
	}
	return a
}

// numbered gives ids numbers in the order they come, and -1 to the empty one.
func numbered(numbers map[string]int32, id string) int32 {
	if id == "" {
		return -1
	}
	n, ok := numbers[id]
	if !ok {
		n = int32(len(numbers))
		numbers[id] = n
	}
	return n
}
