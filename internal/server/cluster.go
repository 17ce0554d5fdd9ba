package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"sort"
	"time"

	longrunning "cloud.google.com/go/longrunning/autogen/longrunningpb"

	"throughline/internal/news"
	"throughline/internal/score"
	"throughline/internal/stories"
	throughlinev1 "throughline/proto/throughline/v1"
)

type clusterService struct {
	throughlinev1.UnimplementedClusterServiceServer
	server *Server
}

// rank is a place in a listing of stories or topics: what they are ordered by, then the id. A page
// is the entries after the place of the last entry of the page before. Nothing is kept between
// pages, so no token expires; an entry that changes between two pages may be shown twice or not at
// all.
type rank struct {
	Key  int64  `json:"k"` // larger first
	Then int64  `json:"t"` // larger first among equals
	ID   string `json:"i"` // smaller first among those
}

// compare is negative where a comes before b.
func (a rank) compare(b rank) int {
	return cmp.Or(cmp.Compare(b.Key, a.Key), cmp.Compare(b.Then, a.Then), cmp.Compare(a.ID, b.ID))
}

// pageAfter returns the page of a list that a request asks for, 50 entries unless it says
// otherwise, and the token of the page after it. The list is in the order of its ranks.
func pageAfter[T any](p *pager, method string, request paged, list []T, rankOf func(*T) rank) ([]T, string, error) {
	page, cursor, err := p.open(method, request)
	if err != nil {
		return nil, "", err
	}
	from := 0
	if cursor != "" {
		var after rank
		if err := json.Unmarshal([]byte(cursor), &after); err != nil {
			return nil, "", badToken("is not a token that this server gave out")
		}
		from = sort.Search(len(list), func(i int) bool { return rankOf(&list[i]).compare(after) > 0 })
	}
	to := min(from+cmp.Or(int(request.GetPageSize()), 50), len(list))
	if to == len(list) {
		return list[from:], "", nil
	}
	last, err := json.Marshal(rankOf(&list[to-1]))
	return list[from:to], page.token(string(last)), err
}

// latest is the key that orders by time: the newest first, unknown times last.
func latest(t time.Time) int64 {
	if t.IsZero() {
		return -1 << 63
	}
	return t.UnixMilli()
}

// The ranks of stories and topics follow the orders in which the engine lists them.

func largestStory(s *news.Story) rank { return rank{int64(s.Articles), latest(s.Last), s.ID} }
func latestStory(s *news.Story) rank  { return rank{latest(s.Last), 0, s.ID} }
func largestTopic(t *news.Topic) rank { return rank{int64(t.Articles), int64(t.Stories), t.ID} }

// engine returns the engine of all methods here, or the error where there is none.
func (c *clusterService) engine(method string) (Stories, error) {
	if c.server.cfg.Stories == nil {
		return nil, unbuilt(method)
	}
	return c.server.cfg.Stories, nil
}

func (c *clusterService) ListStories(ctx context.Context, in *throughlinev1.ListStoriesRequest) (*throughlinev1.ListStoriesResponse, error) {
	engine, err := c.engine("ListStories")
	if err != nil {
		return nil, err
	}
	var d decoder
	request := stories.ListRequest{
		TopicIDs: in.GetTopicIds(), Sources: in.GetSources(), MinArticles: int(in.GetMinArticles()),
		After: d.time("published_after", in.GetPublishedAfter()), Before: d.time("published_before", in.GetPublishedBefore()),
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	rankOf := latestStory
	if in.GetOrder() == throughlinev1.StoryOrder_STORY_ORDER_LARGEST {
		request.Order, rankOf = stories.Largest, largestStory
	}
	found, err := engine.List(ctx, request)
	if err != nil {
		return nil, err
	}
	shown, next, err := pageAfter(c.server.pager, "ListStories", in, found, rankOf)
	return &throughlinev1.ListStoriesResponse{Stories: each(shown, fromStory), NextPageToken: next}, err
}

func (c *clusterService) GetStory(ctx context.Context, in *throughlinev1.GetStoryRequest) (*throughlinev1.Story, error) {
	engine, err := c.engine("GetStory")
	if err != nil {
		return nil, err
	}
	found, err := engine.Get(ctx, in.GetStoryId(), cmp.Or(int(in.GetMaxArticles()), 100))
	if err != nil {
		return nil, err
	}
	out := fromStory(found.Story)
	out.Articles, out.ArticlesTruncated = each(found.Articles, ArticleMessage), found.Truncated
	return out, nil
}

func (c *clusterService) ListTopics(ctx context.Context, in *throughlinev1.ListTopicsRequest) (*throughlinev1.ListTopicsResponse, error) {
	engine, err := c.engine("ListTopics")
	if err != nil {
		return nil, err
	}
	found, err := engine.Topics(ctx, stories.TopicsRequest{Level: keyOf(levels, in.GetLevel()), ParentID: in.GetParentId()})
	if err != nil {
		return nil, err
	}
	shown, next, err := pageAfter(c.server.pager, "ListTopics", in, found, largestTopic)
	return &throughlinev1.ListTopicsResponse{Topics: each(shown, fromTopic), NextPageToken: next}, err
}

func (c *clusterService) GetTopic(ctx context.Context, in *throughlinev1.GetTopicRequest) (*throughlinev1.Topic, error) {
	engine, err := c.engine("GetTopic")
	if err != nil {
		return nil, err
	}
	found, err := engine.Topic(ctx, in.GetTopicId(), cmp.Or(int(in.GetMaxStories()), 100))
	if err != nil {
		return nil, err
	}
	out := fromTopic(found.Topic)
	out.Topics, out.Stories, out.StoriesTruncated = each(found.Topics, fromTopic), each(found.Stories, fromStory), found.Truncated
	return out, nil
}

func (c *clusterService) FindStory(ctx context.Context, in *throughlinev1.FindStoryRequest) (*throughlinev1.FindStoryResponse, error) {
	engine, err := c.engine("FindStory")
	if err != nil {
		return nil, err
	}
	var d decoder
	published := d.time("published_time", in.GetPublishedTime())
	if err := d.err(); err != nil {
		return nil, err
	}
	draft, err := draftOf(in.GetTitle(), in.GetText(), in.GetSource(), published)
	if err != nil {
		return nil, err
	}
	found, err := engine.Find(ctx, draft, cmp.Or(int(in.GetMaxStories()), 5))
	if err != nil {
		return nil, err
	}
	c.server.nameState(ctx, found.State)
	out := &throughlinev1.FindStoryResponse{StoryId: found.StoryID}
	for _, m := range found.Fits {
		out.Matches = append(out.Matches, &throughlinev1.StoryMatch{Story: fromStory(m.Story), Probability: m.Probability})
	}
	return out, nil
}

func (c *clusterService) WatchStories(in *throughlinev1.WatchStoriesRequest, stream throughlinev1.ClusterService_WatchStoriesServer) error {
	engine, err := c.engine("WatchStories")
	if err != nil {
		return err
	}
	// A watch ends with its client or with the server.
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	defer context.AfterFunc(c.server.draining, cancel)()
	request := stories.WatchRequest{After: in.GetAfterSequence(), StoryIDs: in.GetStoryIds(), StopAtEnd: in.GetStopAtEnd(), Topics: in.GetIncludeTopics()}
	err = engine.Watch(ctx, request, func(e news.LedgerEvent) error {
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
	if in.GetIncludeMemberships() && !in.GetDryRun() {
		return nil, invalid(violation{"include_memberships", "needs dry_run: ListArticles has the memberships that a job wrote"})
	}
	if in.GetPrecision() > 0 && in.GetGranularity() != 0 {
		return nil, invalid(violation{"granularity", "does not go with a precision"})
	}
	opts := stories.ReclusterOptions{DryRun: in.GetDryRun(), Topics: int(in.GetTopicCount()), TopicStrengths: in.GetIncludeMemberships()}
	if in.Precision != nil || in.Granularity != nil {
		opts.Target = &score.Target{Precision: in.GetPrecision(), Granularity: int(in.GetGranularity())}
	}
	return c.server.startReclustering(engine, opts)
}
