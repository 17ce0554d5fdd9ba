package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	longrunning "cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/protobuf/proto"

	"throughline/internal/store"
	"throughline/internal/stories"
	throughlinev1 "throughline/proto/throughline/v1"
)

type clusterService struct {
	throughlinev1.UnimplementedClusterServiceServer
	server *Server
}

// rank is a place in a listing of stories or topics: what they are ordered by, then the id. A page is the entries after the
// place of the last one of the page before, which needs no memory between pages and no expiry. What changes between two
// pages may be shown twice or not at all.
type rank struct {
	Key  int64  `json:"k"` // larger first
	Then int64  `json:"t"` // larger first among equals
	ID   string `json:"i"` // smaller first among those
}

func (a rank) before(b rank) int {
	return cmp.Or(cmp.Compare(b.Key, a.Key), cmp.Compare(b.Then, a.Then), cmp.Compare(a.ID, b.ID))
}

func (a rank) cursor() (string, error) {
	bytes, err := json.Marshal(a)
	return string(bytes), err
}

func rankAt(cursor string) (*rank, error) {
	if cursor == "" {
		return nil, nil
	}
	var r rank
	if err := json.Unmarshal([]byte(cursor), &r); err != nil {
		return nil, badToken("is not a token that this server gave out")
	}
	return &r, nil
}

// top keeps the first entries after a place, in order.
type top[T any] struct {
	after   *rank // nil: from the start
	most    int   // entries kept
	entries []ranked[T]
	more    bool // there are entries behind the kept ones
}

type ranked[T any] struct {
	rank  rank
	value T
}

func (t *top[T]) offer(r rank, value T) {
	if t.after != nil && r.before(*t.after) <= 0 {
		return
	}
	at, _ := slices.BinarySearchFunc(t.entries, r, func(e ranked[T], r rank) int { return e.rank.before(r) })
	if at == t.most {
		t.more = true
		return
	}
	if len(t.entries) == t.most {
		t.entries = t.entries[:t.most-1]
		t.more = true
	}
	t.entries = slices.Insert(t.entries, at, ranked[T]{r, value})
}

// next is the page token for what comes after the kept entries.
func (t *top[T]) next(p page) (string, error) {
	if !t.more {
		return "", nil
	}
	cursor, err := t.entries[len(t.entries)-1].rank.cursor()
	return p.token(cursor), err
}

// latest orders by a time, newest first and unknown last.
func latest(t time.Time) int64 {
	if t.IsZero() {
		return -1 << 63
	}
	return t.UnixMilli()
}

func storyRank(s *store.Story, order throughlinev1.StoryOrder) rank {
	if order == throughlinev1.StoryOrder_STORY_ORDER_LARGEST {
		return rank{int64(s.Articles), latest(s.Last), s.ID}
	}
	return rank{latest(s.Last), 0, s.ID}
}

// engine is the engine of all methods here, or why there is none.
func (c *clusterService) engine(method string) (Stories, error) {
	if c.server.cfg.Stories == nil {
		return nil, unbuilt(method)
	}
	return c.server.cfg.Stories, nil
}

// place reads the place that a page starts after; nil for the first page.
func (c *clusterService) place(method string, request interface {
	proto.Message
	GetPageToken() string
}) (page, *rank, error) {
	p, err := c.server.pager.pageOf(method, request)
	if err != nil {
		return page{}, nil, err
	}
	cursor, err := p.cursor(request.GetPageToken())
	if err != nil {
		return page{}, nil, err
	}
	after, err := rankAt(cursor)
	return p, after, err
}

func (c *clusterService) ListStories(ctx context.Context, in *throughlinev1.ListStoriesRequest) (*throughlinev1.ListStoriesResponse, error) {
	engine, err := c.engine("ListStories")
	if err != nil {
		return nil, err
	}
	page, after, err := c.place("ListStories", in)
	if err != nil {
		return nil, err
	}
	var f fields
	request := stories.ListRequest{
		TopicIDs: in.GetTopicIds(), Sources: in.GetSources(), MinArticles: int(in.GetMinArticles()), Order: toOrder(in.GetOrder()),
		After: f.time("published_after", in.GetPublishedAfter()), Before: f.time("published_before", in.GetPublishedBefore()),
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	found, err := engine.List(ctx, request)
	if err != nil {
		return nil, err
	}
	best := top[*store.Story]{after: after, most: pageSize(in.GetPageSize(), 50)}
	for i := range found {
		best.offer(storyRank(&found[i], in.GetOrder()), &found[i])
	}
	out := &throughlinev1.ListStoriesResponse{}
	for _, e := range best.entries {
		out.Stories = append(out.Stories, fromStory(e.value))
	}
	out.NextPageToken, err = best.next(page)
	return out, err
}

func (c *clusterService) GetStory(ctx context.Context, in *throughlinev1.GetStoryRequest) (*throughlinev1.Story, error) {
	engine, err := c.engine("GetStory")
	if err != nil {
		return nil, err
	}
	found, err := engine.Get(ctx, in.GetStoryId(), pageSize(in.GetMaxArticles(), 100))
	if err != nil {
		return nil, err
	}
	out := fromStory(&found.Story)
	for _, a := range found.Articles {
		out.Articles = append(out.Articles, fromArticle(a))
	}
	out.ArticlesTruncated = found.Truncated
	return out, nil
}

func (c *clusterService) ListTopics(ctx context.Context, in *throughlinev1.ListTopicsRequest) (*throughlinev1.ListTopicsResponse, error) {
	engine, err := c.engine("ListTopics")
	if err != nil {
		return nil, err
	}
	page, after, err := c.place("ListTopics", in)
	if err != nil {
		return nil, err
	}
	found, err := engine.Topics(ctx, stories.TopicsRequest{Level: toLevel(in.GetLevel()), ParentID: in.GetParentId()})
	if err != nil {
		return nil, err
	}
	best := top[*store.Topic]{after: after, most: pageSize(in.GetPageSize(), 50)}
	for i := range found {
		best.offer(rank{int64(found[i].Articles), int64(found[i].Stories), found[i].ID}, &found[i])
	}
	out := &throughlinev1.ListTopicsResponse{}
	for _, e := range best.entries {
		out.Topics = append(out.Topics, fromTopic(e.value))
	}
	out.NextPageToken, err = best.next(page)
	return out, err
}

func (c *clusterService) GetTopic(ctx context.Context, in *throughlinev1.GetTopicRequest) (*throughlinev1.Topic, error) {
	engine, err := c.engine("GetTopic")
	if err != nil {
		return nil, err
	}
	found, err := engine.Topic(ctx, in.GetTopicId(), pageSize(in.GetMaxStories(), 100))
	if err != nil {
		return nil, err
	}
	out := fromTopic(&found.Topic)
	for i := range found.Topics {
		out.Topics = append(out.Topics, fromTopic(&found.Topics[i]))
	}
	for i := range found.Stories {
		out.Stories = append(out.Stories, fromStory(&found.Stories[i]))
	}
	out.StoriesTruncated = found.Truncated
	return out, nil
}

func (c *clusterService) FindStory(ctx context.Context, in *throughlinev1.FindStoryRequest) (*throughlinev1.FindStoryResponse, error) {
	engine, err := c.engine("FindStory")
	if err != nil {
		return nil, err
	}
	var f fields
	draft := stories.Draft{Title: in.GetTitle(), Text: in.GetText(), Source: in.GetSource(), Published: f.time("published_time", in.GetPublishedTime())}
	if err := f.err(); err != nil {
		return nil, err
	}
	found, err := engine.Find(ctx, draft, pageSize(in.GetMaxStories(), 5))
	if err != nil {
		return nil, err
	}
	out := &throughlinev1.FindStoryResponse{StoryId: found.StoryID}
	for _, m := range found.Matches {
		out.Matches = append(out.Matches, &throughlinev1.StoryMatch{Story: fromStory(&m.Story), Probability: m.Probability})
	}
	return out, nil
}

func (c *clusterService) WatchStories(in *throughlinev1.WatchStoriesRequest, stream throughlinev1.ClusterService_WatchStoriesServer) error {
	engine, err := c.engine("WatchStories")
	if err != nil {
		return err
	}
	// A watch has no end of its own: it ends with its client or with the server.
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	defer context.AfterFunc(c.server.draining, cancel)()
	request := stories.WatchRequest{After: in.GetAfterSequence(), StoryIDs: in.GetStoryIds(), StopAtEnd: in.GetStopAtEnd()}
	err = engine.Watch(ctx, request, func(e store.Event) error {
		return stream.Send(&throughlinev1.WatchStoriesResponse{Event: fromEvent(e)})
	})
	if errors.Is(err, context.Canceled) && stream.Context().Err() == nil && c.server.draining.Err() != nil {
		return shuttingDown()
	}
	return err
}

func (c *clusterService) Recluster(_ context.Context, in *throughlinev1.ReclusterRequest) (*longrunning.Operation, error) {
	engine, err := c.engine("Recluster")
	if err != nil {
		return nil, err
	}
	if !in.GetDryRun() {
		if _, err := c.server.writer(); err != nil {
			return nil, err
		}
	}
	return c.server.startReclustering(engine, stories.ReclusterOptions{DryRun: in.GetDryRun(), Topics: int(in.GetTopicCount())})
}
