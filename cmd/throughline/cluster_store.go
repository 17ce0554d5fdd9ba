package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	longrunning "cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"throughline/internal/batch"
	"throughline/internal/news"
	"throughline/internal/report"
	"throughline/internal/server"
	"throughline/internal/store"
	"throughline/internal/stories"
	throughlinev1 "throughline/proto/throughline/v1"
)

var errNoStore = errors.New("the store is empty: ingest articles first, or give input files")

// clusterStore clusters the store in this process, or in the server that has it.
func (c *clusterCmd) clusterStore(ctx context.Context, p *program, stages *batch.Stages, write func(*batch.Labeling) error) (*clustered, error) {
	addr := c.Addr
	if addr == "" {
		found, err := c.clusterLocal(ctx, p, stages, write)
		if addr = p.serverInstead(err); addr == "" {
			return found, err
		}
	}
	return c.clusterRemote(ctx, p, stages, addr, write)
}

// clusterLocal clusters the store in this process.
func (c *clusterCmd) clusterLocal(ctx context.Context, p *program, stages *batch.Stages, write func(*batch.Labeling) error) (_ *clustered, err error) {
	stages.Begin("read")
	e, err := p.openEngine(ctx, purpose{readOnly: !c.Apply, scoring: true})
	if errors.Is(err, store.ErrNotFound) {
		return nil, errNoStore
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
	memory := batch.ArticlesMemory(int(counts.Articles), e.embedder.Space().Dimensions)
	if err := batch.CheckMemory(fmt.Sprintf("clustering %d stored articles", counts.Articles), memory, int64(c.MaxMemory)); err != nil {
		return nil, err
	}
	stages.End(plural(int(counts.Articles), "article", "articles"))
	stages.Begin("stories")
	arranged, err := e.stories.Recluster(ctx, stories.ReclusterOptions{Topics: c.Topics, DryRun: !c.Apply, TopicStrengths: len(c.Output) > 0}, stages.Progress)
	if err != nil {
		return nil, err
	}
	stages.End("")
	if c.Apply && e.namer != nil {
		if err := e.nameStories(ctx); err != nil {
			return nil, err
		}
		if arranged.Stories, err = e.stories.List(ctx, stories.ListRequest{}); err != nil {
			return nil, err
		}
		if arranged.Topics, err = e.stories.Topics(ctx, stories.TopicsRequest{}); err != nil {
			return nil, err
		}
	}
	labels, err := c.labelsOf(ctx, e.store, arranged)
	if err != nil {
		return nil, err
	}
	s := arranged.Summary
	return &clustered{
		one: "article", many: "articles",
		Totals: batch.Totals{Items: s.Articles, Stories: s.Stories, Topics: s.Topics, Themes: s.Themes, OneOffs: s.OneOffs, Largest: s.Largest},
		Changes: &changes{
			Applied: c.Apply, Created: s.Created, Merged: s.Merged, Split: s.Split, Renamed: s.Renamed, Deleted: s.Deleted, Moved: s.Moved,
		},
	}, write(labels)
}

// labelsOf returns the labels of an arrangement, for a page with what is stored of the articles;
// nil: no output needs them.
func (c *clusterCmd) labelsOf(ctx context.Context, from *store.Store, arranged *stories.Arrangement) (*batch.Labeling, error) {
	if len(c.Output) == 0 {
		return nil, nil
	}
	filed, place := make([]batch.Filed, len(arranged.Memberships)), make(map[string]int)
	for i, m := range arranged.Memberships {
		filed[i], place[m.ArticleID] = batch.Filed{ID: m.ArticleID, Membership: m.Membership}, i
	}
	labels := batch.LabelFiled(filed)
	labels.TopicStrength = arranged.TopicStrengths
	if !c.wantsPage() {
		return labels, nil
	}
	labels.Documents = make([]report.Document, len(filed))
	vectors := make([][]float32, len(filed))
	err := from.Scan(ctx, news.Filter{}, store.WithDense, func(s *store.Stored) error {
		if i, ok := place[s.Article.ID]; ok {
			labels.Documents[i], vectors[i] = documentOf(s.Article), s.Vectors.Dense
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	labels.TopicMeans = batch.TopicMeans(labels.Topic, vectors)
	labels.Name(filed, arranged.Stories, arranged.Topics)
	return labels, nil
}

func documentOf(a news.Article) report.Document {
	return report.Document{ID: a.ID, Title: a.Title, Source: a.Source, URL: a.URL, Published: a.Published}
}

// clusterRemote has a running server cluster its store and follows the job. The job ends with this
// program.
func (c *clusterCmd) clusterRemote(ctx context.Context, p *program, stages *batch.Stages, addr string, write func(*batch.Labeling) error) (_ *clustered, err error) {
	if c.MaxMemory > 0 {
		return nil, usageError{fmt.Errorf("--max-memory limits this process, but the server at %s does the work", addr)}
	}
	a, err := p.dialServer(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	stages.Begin("stories")
	request := &throughlinev1.ReclusterRequest{
		DryRun: !c.Apply, TopicCount: int32(c.Topics), IncludeMemberships: !c.Apply && len(c.Output) > 0, Precision: p.cli.Precision,
	}
	if g := p.cli.Granularity; g != nil {
		request.Granularity = proto.Int32(int32(*g))
	}
	job, err := a.clusters.Recluster(ctx, request)
	if err != nil {
		return nil, err
	}
	if job, err = follow(ctx, longrunning.NewOperationsClient(a.conn), job, stages); err != nil {
		return nil, err
	}
	if failed := job.GetError(); failed != nil {
		return nil, status.ErrorProto(failed)
	}
	done := &throughlinev1.ReclusterResponse{}
	if err := job.GetResponse().UnmarshalTo(done); err != nil {
		return nil, fmt.Errorf("reading the result of job %s: %w", job.GetName(), err)
	}
	if done.GetArticles() == 0 {
		return nil, errNoStore
	}
	stages.End("")
	labels, err := c.remoteLabels(ctx, a, done)
	if err != nil {
		return nil, err
	}
	return &clustered{
		one: "article", many: "articles",
		Totals: batch.Totals{
			Items: int(done.GetArticles()), Stories: int(done.GetStories()), Topics: int(done.GetTopics()), Themes: int(done.GetThemes()),
			OneOffs: int(done.GetOneOffArticles()), Largest: int(done.GetLargestStoryArticles()),
		},
		Changes: &changes{
			Applied: c.Apply, Created: int(done.GetStoriesCreated()), Merged: int(done.GetStoriesMerged()), Split: int(done.GetStoriesSplit()),
			Renamed: int(done.GetStoriesRenamed()), Deleted: int(done.GetStoriesDeleted()), Moved: int(done.GetArticlesMoved()),
		},
	}, write(labels)
}

const (
	// jobPoll is how long one call waits for the job of a server, and so how often the bar moves.
	jobPoll = time.Second
	// cancelWait bounds the call that cancels the job of a server when this program is interrupted.
	cancelWait = 5 * time.Second
)

// follow waits until a job is done.
func follow(ctx context.Context, jobs longrunning.OperationsClient, job *longrunning.Operation, stages *batch.Stages) (*longrunning.Operation, error) {
	for !job.GetDone() {
		var progress throughlinev1.ReclusterMetadata
		if job.GetMetadata().UnmarshalTo(&progress) == nil { // without it only the bar stands still
			stages.Progress(progress.GetStage(), progress.GetProgress())
		}
		next, err := jobs.WaitOperation(ctx, &longrunning.WaitOperationRequest{Name: job.GetName(), Timeout: durationpb.New(jobPoll)})
		switch {
		case err == nil:
			job = next
		case ctx.Err() != nil:
			detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelWait)
			_, stopping := jobs.CancelOperation(detached, &longrunning.CancelOperationRequest{Name: job.GetName()})
			cancel()
			return nil, errors.Join(ctx.Err(), stopping)
		case status.Code(err) != codes.DeadlineExceeded:
			return nil, err
		}
	}
	return job, nil
}

// remoteLabels returns the labels of a server's job: those in its result for a dry run, else those
// that the server has stored; nil: no output needs them.
func (c *clusterCmd) remoteLabels(ctx context.Context, a *api, done *throughlinev1.ReclusterResponse) (*batch.Labeling, error) {
	if len(c.Output) == 0 {
		return nil, nil
	}
	var filed []batch.Filed
	documents := make(map[string]report.Document)
	if c.Apply || c.wantsPage() {
		err := a.eachArticle(ctx, &throughlinev1.ListArticlesRequest{}, func(m *throughlinev1.Article) error {
			article := server.ArticleOf(m)
			documents[article.ID] = documentOf(article)
			if c.Apply {
				filed = append(filed, batch.Filed{ID: article.ID, Membership: news.Membership{
					StoryID: m.GetStoryId(), TopicID: m.GetTopicId(), ThemeID: m.GetThemeId(), Probability: m.GetStoryProbability(),
				}})
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(filed, func(x, y batch.Filed) int { return cmp.Compare(x.ID, y.ID) })
	var strengths []float32
	for _, m := range done.GetMemberships() {
		filed = append(filed, batch.Filed{ID: m.GetArticleId(), Membership: news.Membership{
			StoryID: m.GetStoryId(), TopicID: m.GetTopicId(), ThemeID: m.GetThemeId(), Probability: m.GetProbability(),
		}})
		strengths = append(strengths, float32(m.GetTopicStrength()))
	}
	labels := batch.LabelFiled(filed)
	labels.TopicStrength = strengths
	if !c.wantsPage() {
		return labels, nil
	}
	for _, f := range filed {
		labels.Documents = append(labels.Documents, documents[f.ID])
	}
	found, topics := done.GetFoundStories(), done.GetFoundTopics()
	if c.Apply {
		var err error
		if found, topics, err = a.storiesAndTopics(ctx); err != nil {
			return nil, err
		}
	}
	var named []news.Story
	for _, s := range found {
		named = append(named, news.Story{ID: s.GetId(), Title: s.GetTitle(), Keywords: s.GetKeywords()})
	}
	var namedTopics []news.Topic
	for _, t := range topics {
		namedTopics = append(namedTopics, news.Topic{ID: t.GetId(), Title: t.GetTitle(), Keywords: t.GetKeywords()})
	}
	labels.Name(filed, named, namedTopics)
	return labels, nil
}

// storiesAndTopics lists all stories, topics and themes.
func (a *api) storiesAndTopics(ctx context.Context) (found []*throughlinev1.Story, topics []*throughlinev1.Topic, err error) {
	for token := ""; ; {
		page, err := a.clusters.ListStories(ctx, &throughlinev1.ListStoriesRequest{PageSize: maxListed, PageToken: token})
		if err != nil {
			return nil, nil, err
		}
		found = append(found, page.GetStories()...)
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	for token := ""; ; {
		page, err := a.clusters.ListTopics(ctx, &throughlinev1.ListTopicsRequest{PageSize: maxListed, PageToken: token})
		if err != nil {
			return nil, nil, err
		}
		topics = append(topics, page.GetTopics()...)
		if token = page.GetNextPageToken(); token == "" {
			return found, topics, nil
		}
	}
}
