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

	"throughline/internal/report"
	"throughline/internal/store"
	throughlinev1 "throughline/proto/throughline/v1"
)

// jobPoll is how long one call waits for the job of a server, and so how often the bar moves.
const jobPoll = time.Second

// cancelWait is how long telling a server to stop may take, when this program was told to.
const cancelWait = 5 * time.Second

// arrangeRemote has a running server arrange its store anew and follows the job. The job ends when this program is stopped.
func (c *clusterCmd) arrangeRemote(ctx context.Context, p *program, j *job, addr string) (_ *arrangement, err error) {
	if j.limit > 0 {
		return nil, usageError{fmt.Errorf("--max-memory is about this process, and the server at %s would do the work", addr)}
	}
	if len(c.Output) > 0 && !c.Apply {
		return nil, usageError{fmt.Errorf("the server at %s does not tell the labels of a dry run: leave out --output, or add --apply, or stop the server", addr)}
	}
	a, err := p.dialServer(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	j.begin("stories")
	task, err := a.clusters.Recluster(ctx, &throughlinev1.ReclusterRequest{DryRun: !c.Apply, TopicCount: int32(c.Topics)})
	if err != nil {
		return nil, err
	}
	if task, err = j.follow(ctx, longrunning.NewOperationsClient(a.conn), task); err != nil {
		return nil, err
	}
	if failed := task.GetError(); failed != nil {
		return nil, status.ErrorProto(failed)
	}
	done := &throughlinev1.ReclusterResponse{}
	if err := task.GetResponse().UnmarshalTo(done); err != nil {
		return nil, fmt.Errorf("the outcome of job %s: %w", task.GetName(), err)
	}
	if done.GetArticles() == 0 {
		return nil, errNoStore
	}
	j.end("")
	found := arrangementOf(nil)
	if len(c.Output) > 0 {
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
func (j *job) follow(ctx context.Context, jobs longrunning.OperationsClient, task *longrunning.Operation) (*longrunning.Operation, error) {
	for !task.GetDone() {
		var progress throughlinev1.ReclusterMetadata
		if task.GetMetadata().UnmarshalTo(&progress) == nil { // without it only the bar stands still
			j.at(progress.GetStage(), progress.GetProgress())
		}
		next, err := jobs.WaitOperation(ctx, &longrunning.WaitOperationRequest{Name: task.GetName(), Timeout: durationpb.New(jobPoll)})
		switch {
		case err == nil:
			task = next
		case ctx.Err() != nil:
			detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelWait)
			_, stopping := jobs.CancelOperation(detached, &longrunning.CancelOperationRequest{Name: task.GetName()})
			cancel()
			return nil, errors.Join(ctx.Err(), stopping)
		case status.Code(err) != codes.DeadlineExceeded:
			return nil, err
		}
	}
	return task, nil
}

// listFiled asks a server where every article is filed.
func listFiled(ctx context.Context, a *api) (*arrangement, error) {
	var all []filed
	request := &throughlinev1.ListArticlesRequest{PageSize: exportPage}
	for {
		page, err := a.articles.ListArticles(ctx, request)
		if err != nil {
			return nil, err
		}
		for _, art := range page.GetArticles() {
			f := filed{Assignment: store.Assignment{ArticleID: art.GetId(), StoryID: art.GetStoryId(), TopicIDs: art.GetTopicIds(), Probability: art.GetStoryProbability()},
				document: report.Document{ID: art.GetId(), Title: art.GetTitle(), Source: art.GetSource(), URL: art.GetUrl()}}
			if t := art.GetPublishedTime(); t != nil {
				f.document.Published = t.AsTime()
			}
			all = append(all, f)
		}
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
			slices.SortFunc(all, func(x, y filed) int { return cmp.Compare(x.ArticleID, y.ArticleID) })
			found := arrangementOf(all)
			for i, f := range all {
				found.Strength = append(found.Strength, 0)
				if found.Story[i] >= 0 {
					found.Strength[i] = float32(f.Probability)
				}
			}
			return found, nil
		}
	}
}
