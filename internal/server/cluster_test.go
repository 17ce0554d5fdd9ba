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

	"throughline/internal/store"
	"throughline/internal/stories"
	throughlinev1 "throughline/proto/throughline/v1"
)

func TestListStories(t *testing.T) {
	s := start(t, config(t, seeded()))
	for name, c := range map[string]struct {
		in   *throughlinev1.ListStoriesRequest
		want string
	}{
		"latest":  {&throughlinev1.ListStoriesRequest{}, "s2 s1 s3"},
		"largest": {&throughlinev1.ListStoriesRequest{Order: throughlinev1.StoryOrder_STORY_ORDER_LARGEST}, "s1 s3 s2"},
		"sources": {&throughlinev1.ListStoriesRequest{Sources: []string{"Courier", "Blog"}}, "s1 s3"},
		"topic":   {&throughlinev1.ListStoriesRequest{TopicIds: []string{"t2"}}, "s2"},
		"theme":   {&throughlinev1.ListStoriesRequest{TopicIds: []string{"h1"}}, "s2 s1"},
		"size":    {&throughlinev1.ListStoriesRequest{MinArticles: 3}, "s1 s3"},
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

// The entries that top keeps are those that sorting everything gives, page after page.
func TestTopAgreesWithSorting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfN(rapid.SampledFrom([]int64{math.MinInt64, -1, 0, 1, 2, math.MaxInt64}), 0, 30).Draw(t, "keys")
		size := rapid.IntRange(1, 7).Draw(t, "size")
		all := make([]rank, len(keys))
		for i, k := range keys {
			all[i] = rank{k, rapid.Int64Range(0, 1).Draw(t, "then"), fmt.Sprintf("%02d", i)}
		}
		want := slices.Clone(all)
		slices.SortFunc(want, func(a, b rank) int {
			return cmp.Or(-cmp.Compare(a.Key, b.Key), -cmp.Compare(a.Then, b.Then), cmp.Compare(a.ID, b.ID))
		})
		all = rapid.Permutation(all).Draw(t, "order")
		var got []rank
		var after *rank
		for {
			best := top[rank]{after: after, most: size}
			for _, r := range all {
				best.offer(r, r)
			}
			for _, e := range best.entries {
				got = append(got, e.value)
			}
			if !best.more {
				break
			}
			cursor, err := best.entries[len(best.entries)-1].rank.cursor()
			if err != nil {
				t.Fatal(err)
			}
			if after, err = rankAt(cursor); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func TestGetStory(t *testing.T) {
	s := start(t, config(t, seeded()))
	got, err := s.clusters.GetStory(t.Context(), &throughlinev1.GetStoryRequest{StoryId: "s0", MaxArticles: 3}) // merged into s1
	if err != nil {
		t.Fatal(err)
	}
	if got.GetId() != "s1" || ids(got.GetArticles()) != "a0 a1 a2" || !got.GetArticlesTruncated() {
		t.Fatalf("%s: %s, truncated %v", got.GetId(), ids(got.GetArticles()), got.GetArticlesTruncated())
	}
	all, err := s.clusters.GetStory(t.Context(), &throughlinev1.GetStoryRequest{StoryId: "s1"})
	if err != nil || len(all.GetArticles()) != 7 || all.GetArticlesTruncated() {
		t.Fatalf("%v, %v", all, err)
	}
	_, err = s.clusters.GetStory(t.Context(), &throughlinev1.GetStoryRequest{StoryId: "nope"})
	if e := wantError(t, err, codes.NotFound, "STORY_NOT_FOUND"); e.what != "throughline.v1.Story nope" {
		t.Errorf("ResourceInfo says %q", e.what)
	}
}

func TestTopics(t *testing.T) {
	s := start(t, config(t, seeded()))
	ctx := t.Context()
	for want, in := range map[string]*throughlinev1.ListTopicsRequest{
		"h1 t1 t2": {},
		"t1 t2":    {Level: throughlinev1.TopicLevel_TOPIC_LEVEL_TOPIC},
		"h1":       {Level: throughlinev1.TopicLevel_TOPIC_LEVEL_THEME},
		"":         {ParentId: "other"},
	} {
		got, err := s.clusters.ListTopics(ctx, in)
		if err != nil || ids(got.GetTopics()) != want {
			t.Errorf("%v: %s, %v; want %s", in, ids(got.GetTopics()), err, want)
		}
	}
	theme, err := s.clusters.GetTopic(ctx, &throughlinev1.GetTopicRequest{TopicId: "h1"})
	if err != nil || ids(theme.GetTopics()) != "t1 t2" || ids(theme.GetStories()) != "s1 s2" {
		t.Fatalf("%v, %v", theme, err)
	}
	topic, err := s.clusters.GetTopic(ctx, &throughlinev1.GetTopicRequest{TopicId: "t2", MaxStories: 1})
	if err != nil || len(topic.GetTopics()) != 0 || ids(topic.GetStories()) != "s2" || topic.GetParentId() != "h1" {
		t.Fatalf("%v, %v", topic, err)
	}
	_, err = s.clusters.GetTopic(ctx, &throughlinev1.GetTopicRequest{TopicId: "nope"})
	wantError(t, err, codes.NotFound, "TOPIC_NOT_FOUND")
}

func TestFindStory(t *testing.T) {
	s := start(t, config(t, seeded()))
	got, err := s.clusters.FindStory(t.Context(), &throughlinev1.FindStoryRequest{Title: "Election", Text: "Votes were counted."})
	if err != nil || got.GetStoryId() != "s2" || got.GetMatches()[0].GetProbability() != .9 {
		t.Fatalf("%v, %v", got, err)
	}
	got, err = s.clusters.FindStory(t.Context(), &throughlinev1.FindStoryRequest{Text: "Nothing alike."})
	if err != nil || got.GetStoryId() != "" || len(got.GetMatches()) != 0 {
		t.Fatalf("%v, %v", got, err)
	}
	_, err = s.clusters.FindStory(t.Context(), &throughlinev1.FindStoryRequest{Text: "Nothing.", PublishedTime: &timestamppb.Timestamp{Seconds: 250_000_000_000}})
	wantError(t, err, codes.InvalidArgument, "INVALID_FIELD", "published_time")
	_, err = s.clusters.FindStory(t.Context(), &throughlinev1.FindStoryRequest{})
	wantError(t, err, codes.InvalidArgument, "INVALID_FIELD", "text")
}

func TestWatchStories(t *testing.T) {
	m := seeded()
	m.record(store.Event{Kind: store.StoryCreated, StoryID: "s1", ArticleIDs: []string{"a0", "a1"}, Time: day(1)})
	m.record(store.Event{Kind: store.StoryMerged, StoryID: "s1", OtherStoryIDs: []string{"s0"}})
	m.record(store.Event{Kind: store.StoryCreated, StoryID: "s2"})
	s := start(t, config(t, m))

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
		t.Errorf("all: %v", got)
	}
	if got := read(&throughlinev1.WatchStoriesRequest{StopAtEnd: true, AfterSequence: 2}); !slices.Equal(got, []int64{3}) {
		t.Errorf("after 2: %v", got)
	}
	if got := read(&throughlinev1.WatchStoriesRequest{StopAtEnd: true, StoryIds: []string{"s2"}}); !slices.Equal(got, []int64{3}) {
		t.Errorf("of s2: %v", got)
	}

	ctx, cancel := context.WithCancel(t.Context())
	stream, err := s.clusters.WatchStories(ctx, &throughlinev1.WatchStoriesRequest{AfterSequence: 3})
	if err != nil {
		t.Fatal(err)
	}
	m.record(store.Event{Kind: store.StoryRenamed, StoryID: "s2", Title: "The election"})
	got, err := stream.Recv()
	if err != nil || got.GetEvent().GetSequence() != 4 || got.GetEvent().GetKind() != throughlinev1.StoryEventKind_STORY_EVENT_KIND_RENAMED {
		t.Fatalf("%v, %v", got, err)
	}
	cancel()
	if _, err := stream.Recv(); status.Code(err) != codes.Canceled {
		t.Fatal(err)
	}

	// A watch ends when the server does, with a code that says to come back.
	stream, err = s.clusters.WatchStories(t.Context(), &throughlinev1.WatchStoriesRequest{AfterSequence: 3})
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

func TestReclusterIsAnOperation(t *testing.T) {
	m := seeded()
	halfway, proceed := make(chan struct{}), make(chan struct{})
	m.recluster = func(ctx context.Context, opts stories.ReclusterOptions, progress stories.Progress) (stories.Summary, error) {
		progress("linking", .5)
		close(halfway)
		select {
		case <-proceed:
			return stories.Summary{Articles: 9, Stories: 2, Created: 1}, nil
		case <-ctx.Done():
			return stories.Summary{}, ctx.Err()
		}
	}
	s := start(t, config(t, m))
	ctx := t.Context()
	op, err := s.clusters.Recluster(ctx, &throughlinev1.ReclusterRequest{DryRun: true})
	if err != nil || op.GetDone() {
		t.Fatalf("%v, %v", op, err)
	}
	<-halfway
	got, err := s.operations.GetOperation(ctx, &longrunning.GetOperationRequest{Name: op.GetName()})
	if err != nil {
		t.Fatal(err)
	}
	var metadata throughlinev1.ReclusterMetadata
	if err := got.GetMetadata().UnmarshalTo(&metadata); err != nil {
		t.Fatal(err)
	}
	if got.GetDone() || metadata.GetStage() != "linking" || metadata.GetProgress() != .5 || !metadata.GetDryRun() || metadata.GetEndTime() != nil {
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
	close(proceed)
	waited, err = s.operations.WaitOperation(ctx, &longrunning.WaitOperationRequest{Name: op.GetName()})
	if err != nil {
		t.Fatal(err)
	}
	var response throughlinev1.ReclusterResponse
	if err := waited.GetResponse().UnmarshalTo(&response); err != nil {
		t.Fatal(err)
	}
	if !waited.GetDone() || response.GetArticles() != 9 || response.GetStories() != 2 || response.GetStoriesCreated() != 1 {
		t.Fatalf("done: %v", &response)
	}
	if _, err := s.operations.DeleteOperation(ctx, &longrunning.DeleteOperationRequest{Name: op.GetName()}); err != nil {
		t.Fatal(err)
	}
	_, err = s.operations.GetOperation(ctx, &longrunning.GetOperationRequest{Name: op.GetName()})
	wantError(t, err, codes.NotFound, "OPERATION_NOT_FOUND")
}

func TestReclusterCancelAndFailure(t *testing.T) {
	m := seeded()
	fail := errors.New("nothing")
	m.recluster = func(ctx context.Context, _ stories.ReclusterOptions, _ stories.Progress) (stories.Summary, error) {
		if fail != nil {
			return stories.Summary{}, fail
		}
		<-ctx.Done()
		return stories.Summary{}, ctx.Err()
	}
	s := start(t, config(t, m))
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
	fail = errors.New("a secret of the store")
	failed := wait(run())
	wantError(t, status.FromProto(failed.GetError()).Err(), codes.Internal, "INTERNAL")
	if text := failed.GetError().String(); strings.Contains(text, "secret") {
		t.Errorf("the client reads %q", text)
	}
	fail = nil
	op := run()
	if _, err := s.operations.CancelOperation(ctx, &longrunning.CancelOperationRequest{Name: op.GetName()}); err != nil {
		t.Fatal(err)
	}
	wantError(t, status.FromProto(wait(op).GetError()).Err(), codes.Canceled, "CANCELLED")

	// A job that runs when the server stops is cancelled and waited for; goleak sees the rest.
	run()
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
}

func TestListOperations(t *testing.T) {
	m := seeded()
	m.recluster = func(context.Context, stories.ReclusterOptions, stories.Progress) (stories.Summary, error) {
		return stories.Summary{}, nil
	}
	cfg := config(t, m)
	next := 0
	cfg.NewID = func() string { next++; return fmt.Sprintf("id%03d", next) }
	cfg.Logger = discard()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.operations.close()
	for range keptOperations + 5 {
		op, err := s.startReclustering(library{m}, stories.ReclusterOptions{DryRun: true})
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
		if got := tellFrom(classify(err).toStatus("").Err()); got.code != codes.InvalidArgument || got.fields[field] == "" {
			t.Errorf("%s: %v", field, err)
		}
	}
}
