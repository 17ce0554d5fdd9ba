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
	"google.golang.org/protobuf/types/known/durationpb"

	"throughline/internal/points"
	throughlinev1 "throughline/proto/throughline/v1"
)

// jobPoll is how long one call waits for the job of a server, and so how often the bar moves.
const jobPoll = time.Second

// cancelWait is how long telling a server to stop may take, when this program was told to.
const cancelWait = 5 * time.Second

// arrangeRemote has a running server arrange its store anew and follows the job. The job ends when this program is stopped.
func (c *clusterCmd) arrangeRemote(ctx context.Context, p *program, addr string) (_ *arrangement, err error) {
	if c.Output != "" && !c.Apply {
		return nil, usageError{fmt.Errorf("the server at %s does not tell the labels of a dry run: leave out --output, or add --apply, or stop the server", addr)}
	}
	a, err := p.dialServer(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	job, err := a.clusters.Recluster(ctx, &throughlinev1.ReclusterRequest{DryRun: !c.Apply, TopicCount: int32(c.Topics)})
	if err != nil {
		return nil, err
	}
	if job, err = p.follow(ctx, longrunning.NewOperationsClient(a.conn), job); err != nil {
		return nil, err
	}
	if failed := job.GetError(); failed != nil {
		return nil, status.ErrorProto(failed)
	}
	done := &throughlinev1.ReclusterResponse{}
	if err := job.GetResponse().UnmarshalTo(done); err != nil {
		return nil, fmt.Errorf("the outcome of job %s: %w", job.GetName(), err)
	}
	if done.GetArticles() == 0 {
		return nil, errNoStore
	}
	found := &arrangement{ids: []string{}}
	if c.Output != "" {
		if found, err = listFiled(ctx, a); err != nil {
			return nil, err
		}
	}
	found.totals = &totals{
		Items: int(done.GetArticles()), Stories: int(done.GetStories()), Topics: int(done.GetTopics()), Themes: int(done.GetThemes()),
		OneOffs: int(done.GetOneOffArticles()), Largest: int(done.GetLargestStoryArticles()),
	}
	found.changes = &changes{
		Applied: c.Apply, Created: int(done.GetStoriesCreated()), Merged: int(done.GetStoriesMerged()), Split: int(done.GetStoriesSplit()),
		Renamed: int(done.GetStoriesRenamed()), Deleted: int(done.GetStoriesDeleted()), Moved: int(done.GetArticlesMoved()),
	}
	return found, nil
}

// follow waits until a job is done.
func (p *program) follow(ctx context.Context, jobs longrunning.OperationsClient, job *longrunning.Operation) (*longrunning.Operation, error) {
	stage := p.stages()
	defer stage.done()
	for !job.GetDone() {
		var progress throughlinev1.ReclusterMetadata
		if job.GetMetadata().UnmarshalTo(&progress) == nil { // without it only the bar stands still
			stage.at(progress.GetStage(), progress.GetProgress())
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

// listFiled asks a server where every article is filed.
func listFiled(ctx context.Context, a *api) (*arrangement, error) {
	var all []points.Assignment
	request := &throughlinev1.ListArticlesRequest{PageSize: exportPage}
	for {
		page, err := a.articles.ListArticles(ctx, request)
		if err != nil {
			return nil, err
		}
		for _, art := range page.GetArticles() {
			all = append(all, points.Assignment{ArticleID: art.GetId(), StoryID: art.GetStoryId(), TopicIDs: art.GetTopicIds()})
		}
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
			slices.SortFunc(all, func(x, y points.Assignment) int { return cmp.Compare(x.ArticleID, y.ArticleID) })
			return arrangementOf(all), nil
		}
	}
}
