package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	longrunning "cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"throughline/internal/news"
	"throughline/internal/store"
	"throughline/internal/storetest"
	"throughline/internal/stories"
	throughlinev1 "throughline/proto/throughline/v1"
)

func TestListStories(t *testing.T) {
	s := start(t, config(t, shared(t)))
	for name, c := range map[string]struct {
		in   *throughlinev1.ListStoriesRequest
		want string
	}{
		"latest":  {&throughlinev1.ListStoriesRequest{}, election + " " + fire + " " + soup},
		"largest": {&throughlinev1.ListStoriesRequest{Order: throughlinev1.StoryOrder_STORY_ORDER_LARGEST}, fire + " " + soup + " " + election},
		"sources": {&throughlinev1.ListStoriesRequest{Sources: []string{"Courier", "Blog"}}, fire + " " + soup},
		"topic":   {&throughlinev1.ListStoriesRequest{TopicIds: []string{electionTopic}}, election},
		"theme":   {&throughlinev1.ListStoriesRequest{TopicIds: []string{cityTheme}}, election + " " + fire},
		"size":    {&throughlinev1.ListStoriesRequest{MinArticles: 3}, fire + " " + soup},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int32{0, 1, 2, 3} {
				c.in.PageSize, c.in.PageToken = size, ""
				var got []*throughlinev1.Story
				for {
					page, err := s.clusters.ListStories(t.Context(), c.in)
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, page.GetStories()...)
					if c.in.PageToken = page.GetNextPageToken(); c.in.PageToken == "" {
						break
					}
				}
				if ids(got) != c.want {
					t.Errorf("in pages of %d: %s, want %s", size, ids(got), c.want)
				}
			}
		})
	}
	_, err := s.clusters.ListStories(t.Context(), &throughlinev1.ListStoriesRequest{PublishedAfter: &timestamppb.Timestamp{Nanos: -1}})
	wantError(t, err, codes.InvalidArgument, "INVALID_FIELD", "published_after")
	_, err = s.clusters.ListStories(t.Context(), &throughlinev1.ListStoriesRequest{PageToken: "x"})
	wantError(t, err, codes.InvalidArgument, "INVALID_PAGE_TOKEN", "page_token")
	_, err = s.clusters.ListStories(t.Context(), &throughlinev1.ListStoriesRequest{Order: 99})
	wantError(t, err, codes.InvalidArgument, "INVALID_FIELD", "order")
}

// The pages of a list make the list, whatever is equal in it, and what was shown stays shown: an
// entry that comes or goes between two pages moves no other one.
func TestPagesMakeTheList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfN(rapid.SampledFrom([]int64{math.MinInt64, -1, 0, 1, 2, math.MaxInt64}), 0, 30).Draw(t, "keys")
		request := &throughlinev1.ListTopicsRequest{PageSize: rapid.Int32Range(1, 7).Draw(t, "size")}
		list := make([]rank, len(keys))
		for i, k := range keys {
			list[i] = rank{k, rapid.Int64Range(0, 1).Draw(t, "then"), fmt.Sprintf("%02d", i)}
		}
		slices.SortFunc(list, func(a, b rank) int {
			return cmp.Or(-cmp.Compare(a.Key, b.Key), -cmp.Compare(a.Then, b.Then), cmp.Compare(a.ID, b.ID))
		})
		want := slices.Clone(list)
		var got []rank
		for {
			shown, next, err := pageAfter(&pager{[]byte("key")}, "ListTopics", request, list, func(r *rank) rank { return *r })
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, shown...)
			if request.PageToken = next; next == "" {
				break
			}
			if rapid.Bool().Draw(t, "one that was shown goes") {
				list = slices.Delete(slices.Clone(list), 0, 1)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func TestGetStory(t *testing.T) {
	p := seeded(t)
	merged := store.Story{Story: news.Story{ID: "merged", MergedInto: fire}}
	if err := p.Store.Apply(t.Context(), &store.Plan{NewStories: []store.Story{merged}}); err != nil {
		t.Fatal(err)
	}
	s := start(t, config(t, p))
	got, err := s.clusters.GetStory(t.Context(), &throughlinev1.GetStoryRequest{StoryId: "merged", MaxArticles: 3})
	if err != nil {
		t.Fatal(err)
	}
	if got.GetId() != fire || ids(got.GetArticles()) != "a0 a1 a2" || !got.GetArticlesTruncated() {
		t.Fatalf("%s: %s, truncated %v", got.GetId(), ids(got.GetArticles()), got.GetArticlesTruncated())
	}
	all, err := s.clusters.GetStory(t.Context(), &throughlinev1.GetStoryRequest{StoryId: fire})
	if err != nil || len(all.GetArticles()) != 7 || all.GetArticlesTruncated() {
		t.Fatalf("%v, %v", all, err)
	}
	_, err = s.clusters.GetStory(t.Context(), &throughlinev1.GetStoryRequest{StoryId: "nope"})
	if e := wantError(t, err, codes.NotFound, "STORY_NOT_FOUND"); e.what != "throughline.v1.Story nope" {
		t.Errorf("ResourceInfo says %q", e.what)
	}
}

func TestTopics(t *testing.T) {
	s := start(t, config(t, shared(t)))
	ctx := t.Context()
	for want, in := range map[string]*throughlinev1.ListTopicsRequest{
		"theme-7 topic-4 topic-6 topic-5": {},
		"topic-4 topic-6 topic-5":         {Level: throughlinev1.TopicLevel_TOPIC_LEVEL_TOPIC},
		"theme-7":                         {Level: throughlinev1.TopicLevel_TOPIC_LEVEL_THEME},
		"topic-4 topic-5":                 {ParentId: cityTheme},
		"":                                {ParentId: "other"},
	} {
		for _, size := range []int32{0, 1, 2} {
			in.PageSize, in.PageToken = size, ""
			var got []*throughlinev1.Topic
			for {
				page, err := s.clusters.ListTopics(ctx, in)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, page.GetTopics()...)
				if in.PageToken = page.GetNextPageToken(); in.PageToken == "" {
					break
				}
			}
			if ids(got) != want {
				t.Errorf("%v: %s, want %s", in, ids(got), want)
			}
		}
	}
	theme, err := s.clusters.GetTopic(ctx, &throughlinev1.GetTopicRequest{TopicId: cityTheme})
	if err != nil || ids(theme.GetTopics()) != fireTopic+" "+electionTopic || ids(theme.GetStories()) != fire+" "+election || theme.GetStoriesTruncated() {
		t.Fatalf("%v, %v", theme, err)
	}
	theme, err = s.clusters.GetTopic(ctx, &throughlinev1.GetTopicRequest{TopicId: cityTheme, MaxStories: 1})
	if err != nil || ids(theme.GetStories()) != fire || !theme.GetStoriesTruncated() {
		t.Fatalf("%v, %v", theme, err)
	}
	topic, err := s.clusters.GetTopic(ctx, &throughlinev1.GetTopicRequest{TopicId: electionTopic, MaxStories: 1})
	if err != nil || len(topic.GetTopics()) != 0 || ids(topic.GetStories()) != election || topic.GetParentId() != cityTheme {
		t.Fatalf("%v, %v", topic, err)
	}
	_, err = s.clusters.GetTopic(ctx, &throughlinev1.GetTopicRequest{TopicId: "nope"})
	wantError(t, err, codes.NotFound, "TOPIC_NOT_FOUND")
}

// A topic that became part of another is that one, in reads and in filters, and the ledger says so.
func TestMergedTopic(t *testing.T) {
	p := seeded(t)
	s := start(t, config(t, p))
	ctx := t.Context()
	p.Arrange(t, 1)
	heir, err := s.clusters.GetTopic(ctx, &throughlinev1.GetTopicRequest{TopicId: electionTopic})
	if err != nil || heir.GetId() == electionTopic || heir.GetStoryCount() != 3 {
		t.Fatalf("%v, %v", heir, err)
	}
	filter := &throughlinev1.ArticleFilter{TopicIds: []string{electionTopic}}
	listed, err := s.articles.ListArticles(ctx, &throughlinev1.ListArticlesRequest{Filter: filter})
	if err != nil || len(listed.GetArticles()) != int(heir.GetArticleCount()) {
		t.Errorf("%d articles, %v, want %d", len(listed.GetArticles()), err, heir.GetArticleCount())
	}
	found, err := s.clusters.ListStories(ctx, &throughlinev1.ListStoriesRequest{TopicIds: []string{electionTopic}})
	if err != nil || len(found.GetStories()) != 3 {
		t.Errorf("stories %s, %v", ids(found.GetStories()), err)
	}
	related, err := s.coverage.Related(ctx, &throughlinev1.RelatedRequest{ArticleId: "b0", Filter: filter, PageSize: 50})
	if err != nil || !slices.ContainsFunc(related.GetResults(), func(r *throughlinev1.RelatedResult) bool { return r.GetStoryId() == fire }) {
		t.Errorf("related %v, %v", related, err)
	}
	stream, err := s.clusters.WatchStories(ctx, &throughlinev1.WatchStoriesRequest{AfterSequence: 7, StopAtEnd: true, IncludeTopics: true})
	if err != nil {
		t.Fatal(err)
	}
	merged := false
	for {
		got, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		e := got.GetEvent()
		merged = merged || e.GetKind() == throughlinev1.StoryEventKind_STORY_EVENT_KIND_MERGED && e.GetTopicLevel() == throughlinev1.TopicLevel_TOPIC_LEVEL_TOPIC &&
			e.GetTopicId() == heir.GetId() && slices.Contains(e.GetOtherTopicIds(), electionTopic) && e.GetStoryId() == ""
	}
	if !merged {
		t.Error("the merge is not in the ledger")
	}
}

func TestFindStory(t *testing.T) {
	s := start(t, config(t, shared(t)))
	got, err := s.clusters.FindStory(t.Context(), &throughlinev1.FindStoryRequest{
		Title: "Fire in the concert hall", Text: late().Text(), PublishedTime: timestamppb.New(day(4)), MaxStories: 1,
	})
	if err != nil || got.GetStoryId() != fire || len(got.GetMatches()) != 1 || got.GetMatches()[0].GetStory().GetId() != fire ||
		got.GetMatches()[0].GetProbability() <= .5 {
		t.Fatalf("%v, %v", got, err)
	}
	got, err = s.clusters.FindStory(t.Context(), &throughlinev1.FindStoryRequest{Text: "Zebras graze quietly."})
	if err != nil || got.GetStoryId() != "" {
		t.Fatalf("%v, %v", got, err)
	}
	for _, m := range got.GetMatches() {
		if m.GetProbability() >= .5 {
			t.Errorf("it is about %s with a probability of %v", m.GetStory().GetId(), m.GetProbability())
		}
	}
	_, err = s.clusters.FindStory(t.Context(), &throughlinev1.FindStoryRequest{Text: "Nothing.", PublishedTime: &timestamppb.Timestamp{Seconds: 250_000_000_000}})
	wantError(t, err, codes.InvalidArgument, "INVALID_FIELD", "published_time")
	_, err = s.clusters.FindStory(t.Context(), &throughlinev1.FindStoryRequest{})
	wantError(t, err, codes.InvalidArgument, "INVALID_FIELD", "text")
}

func TestWatchStories(t *testing.T) {
	p := seeded(t) // its ledger: the fire, the election and the soup were created, then a theme and three topics
	s := start(t, config(t, p))

	read := func(in *throughlinev1.WatchStoriesRequest) (got []int64) {
		t.Helper()
		stream, err := s.clusters.WatchStories(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for {
			e, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return got
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e.GetEvent().GetSequence())
		}
	}
	if got := read(&throughlinev1.WatchStoriesRequest{StopAtEnd: true}); !slices.Equal(got, []int64{1, 2, 3}) {
		t.Errorf("of stories: %v", got)
	}
	if got := read(&throughlinev1.WatchStoriesRequest{StopAtEnd: true, IncludeTopics: true}); !slices.Equal(got, []int64{1, 2, 3, 4, 5, 6, 7}) {
		t.Errorf("all: %v", got)
	}
	if got := read(&throughlinev1.WatchStoriesRequest{StopAtEnd: true, AfterSequence: 5, IncludeTopics: true}); !slices.Equal(got, []int64{6, 7}) {
		t.Errorf("after 5: %v", got)
	}
	if got := read(&throughlinev1.WatchStoriesRequest{StopAtEnd: true, StoryIds: []string{soup}}); !slices.Equal(got, []int64{3}) {
		t.Errorf("of the soup: %v", got)
	}

	ctx, cancel := context.WithCancel(t.Context())
	stream, err := s.clusters.WatchStories(ctx, &throughlinev1.WatchStoriesRequest{AfterSequence: 7})
	if err != nil {
		t.Fatal(err)
	}
	p.Put(t, late())
	got, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	e := got.GetEvent()
	if e.GetSequence() != 8 || e.GetKind() != throughlinev1.StoryEventKind_STORY_EVENT_KIND_JOINED || e.GetStoryId() != fire ||
		!slices.Equal(e.GetArticleIds(), []string{"late"}) {
		t.Fatalf("%v", e)
	}
	cancel()
	if _, err := stream.Recv(); status.Code(err) != codes.Canceled {
		t.Fatal(err)
	}

	// A watch ends when the server does, with a code that says to come back.
	stream, err = s.clusters.WatchStories(t.Context(), &throughlinev1.WatchStoriesRequest{AfterSequence: 7})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	if e := wantError(t, err, codes.Unavailable, "SHUTTING_DOWN"); !e.retry {
		t.Error("no RetryInfo")
	}
}

// pausing stops a reclustering after its first stage until it may proceed.
type pausing struct {
	*stories.Engine
	halfway, proceed chan struct{}
}

func (p pausing) Recluster(ctx context.Context, opts stories.ReclusterOptions, progress stories.Progress) (*stories.Arrangement, error) {
	return p.Engine.Recluster(ctx, opts, func(stage string, done float64) {
		progress(stage, done)
		if stage == "comparing" {
			select {
			case p.halfway <- struct{}{}:
			case <-ctx.Done():
			}
			select {
			case <-p.proceed:
			case <-ctx.Done():
			}
		}
	})
}

func TestReclusterIsAnOperation(t *testing.T) {
	p := seeded(t)
	cfg := config(t, p)
	paused := pausing{p.Stories, make(chan struct{}), make(chan struct{})}
	cfg.Stories = paused
	s := start(t, cfg)
	ctx := t.Context()
	op, err := s.clusters.Recluster(ctx, &throughlinev1.ReclusterRequest{DryRun: true, TopicCount: 2})
	if err != nil || op.GetDone() {
		t.Fatalf("%v, %v", op, err)
	}
	<-paused.halfway
	got, err := s.operations.GetOperation(ctx, &longrunning.GetOperationRequest{Name: op.GetName()})
	if err != nil {
		t.Fatal(err)
	}
	var metadata throughlinev1.ReclusterMetadata
	if err := got.GetMetadata().UnmarshalTo(&metadata); err != nil {
		t.Fatal(err)
	}
	if got.GetDone() || metadata.GetStage() != "comparing" || metadata.GetProgress() != .1 || !metadata.GetDryRun() || metadata.GetEndTime() != nil {
		t.Fatalf("halfway: %v", &metadata)
	}
	_, err = s.clusters.Recluster(ctx, &throughlinev1.ReclusterRequest{})
	wantError(t, err, codes.FailedPrecondition, "RECLUSTER_RUNNING")
	_, err = s.operations.DeleteOperation(ctx, &longrunning.DeleteOperationRequest{Name: op.GetName()})
	wantError(t, err, codes.FailedPrecondition, "OPERATION_RUNNING")
	waited, err := s.operations.WaitOperation(ctx, &longrunning.WaitOperationRequest{Name: op.GetName(), Timeout: durationpb.New(time.Millisecond)})
	if err != nil || waited.GetDone() {
		t.Fatalf("%v, %v", waited, err)
	}
	close(paused.proceed)
	waited, err = s.operations.WaitOperation(ctx, &longrunning.WaitOperationRequest{Name: op.GetName()})
	if err != nil {
		t.Fatal(err)
	}
	var response throughlinev1.ReclusterResponse
	if err := waited.GetResponse().UnmarshalTo(&response); err != nil {
		t.Fatal(err)
	}
	if !waited.GetDone() || response.GetArticles() != 13 || response.GetStories() != 3 || response.GetTopics() != 2 ||
		response.GetLargestStoryArticles() != 7 || response.GetOneOffArticles() != 1 || response.GetStoriesCreated() != 0 {
		t.Fatalf("done: %v", &response)
	}
	if _, err := s.operations.DeleteOperation(ctx, &longrunning.DeleteOperationRequest{Name: op.GetName()}); err != nil {
		t.Fatal(err)
	}
	_, err = s.operations.GetOperation(ctx, &longrunning.GetOperationRequest{Name: op.GetName()})
	wantError(t, err, codes.NotFound, "OPERATION_NOT_FOUND")
}

func TestReclusterCancelAndFailure(t *testing.T) {
	p := seeded(t)
	cfg := config(t, p)
	paused := pausing{p.Stories, make(chan struct{}), make(chan struct{})}
	cfg.Stories = paused
	s := start(t, cfg)
	ctx := t.Context()
	run := func() *longrunning.Operation {
		t.Helper()
		op, err := s.clusters.Recluster(ctx, &throughlinev1.ReclusterRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return op
	}
	wait := func(op *longrunning.Operation) *longrunning.Operation {
		t.Helper()
		done, err := s.operations.WaitOperation(ctx, &longrunning.WaitOperationRequest{Name: op.GetName()})
		if err != nil || !done.GetDone() {
			t.Fatalf("%v, %v", done, err)
		}
		return done
	}
	p.store.FailFrom(1, storetest.Method("Scroll"), false, status.Error(codes.Internal, "a secret of the store"))
	failed := wait(run())
	wantError(t, status.FromProto(failed.GetError()).Err(), codes.Internal, "INTERNAL")
	if text := failed.GetError().String(); strings.Contains(text, "secret") {
		t.Errorf("the client reads %q", text)
	}
	p.store.Stop()
	op := run()
	<-paused.halfway
	if _, err := s.operations.CancelOperation(ctx, &longrunning.CancelOperationRequest{Name: op.GetName()}); err != nil {
		t.Fatal(err)
	}
	wantError(t, status.FromProto(wait(op).GetError()).Err(), codes.Canceled, "CANCELLED")

	// A job that runs when the server stops is cancelled and waited for; goleak sees the rest.
	run()
	<-paused.halfway
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
}

func TestListOperations(t *testing.T) {
	p := empty(t)
	cfg := config(t, p)
	next := 0
	cfg.NewID = func() string { next++; return fmt.Sprintf("id%03d", next) }
	cfg.Logger = discard()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.operations.close()
	for range keptOperations + 2 {
		op, err := s.startReclustering(p.Stories, stories.ReclusterOptions{DryRun: true})
		if err != nil {
			t.Fatal(err)
		}
		service := &operationsService{server: s}
		if _, err := service.WaitOperation(t.Context(), &longrunning.WaitOperationRequest{Name: op.GetName()}); err != nil {
			t.Fatal(err)
		}
	}
	service := &operationsService{server: s}
	request := &longrunning.ListOperationsRequest{Name: "operations", PageSize: 30}
	var names []string
	for {
		page, err := service.ListOperations(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range page.GetOperations() {
			names = append(names, op.GetName())
		}
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
			break
		}
	}
	if len(names) != keptOperations || !slices.IsSortedFunc(names, func(a, b string) int { return cmp.Compare(b, a) }) {
		t.Errorf("%d operations: %v", len(names), names)
	}
	for field, in := range map[string]*longrunning.ListOperationsRequest{
		"filter":                 {Filter: "done=true"},
		"name":                   {Name: "other"},
		"page_size":              {PageSize: -1},
		"page_token":             {PageToken: "x"},
		"return_partial_success": {ReturnPartialSuccess: true},
	} {
		_, err := service.ListOperations(t.Context(), in)
		if got := detailsOf(classify(err).toStatus("").Err()); got.code != codes.InvalidArgument || got.fields[field] == "" {
			t.Errorf("%s: %v", field, err)
		}
	}
}
