package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	longrunning "cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"

	"throughline/internal/store"
	"throughline/internal/stories"
	throughlinev1 "throughline/proto/throughline/v1"
)

// TestMembershipsOfADryRun compares what a client gets with what the engine plans.
func TestMembershipsOfADryRun(t *testing.T) {
	p := seeded(t)
	s := start(t, config(t, p))
	ctx := t.Context()
	var titles []string
	dry := func(memberships bool) (name string, found []*throughlinev1.ArticleMembership) {
		t.Helper()
		op, err := s.clusters.Recluster(ctx, &throughlinev1.ReclusterRequest{DryRun: true, TopicCount: 2, IncludeMemberships: memberships})
		if err != nil {
			t.Fatal(err)
		}
		response := responseOf(t, s, op.GetName())
		titles = nil
		for _, story := range response.GetFoundStories() {
			titles = append(titles, story.GetTitle())
		}
		for _, topic := range response.GetFoundTopics() {
			titles = append(titles, topic.GetTitle())
		}
		return op.GetName(), response.GetMemberships()
	}
	plan, err := p.Stories.Recluster(ctx, stories.ReclusterOptions{DryRun: true, Topics: 2, TopicStrengths: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	first, got := dry(true)
	var had, want []string
	for i, m := range plan.Memberships {
		want = append(want, fmt.Sprint(m.ArticleID, m.StoryID, m.Probability, m.ThemeID == "", plan.TopicStrengths[i]))
	}
	for _, m := range got {
		had = append(had, fmt.Sprint(m.GetArticleId(), m.GetStoryId(), m.GetProbability(), m.GetThemeId() == "", float32(m.GetTopicStrength())))
	}
	if len(want) != 13 || !slices.Equal(had, want) {
		t.Errorf("memberships\n%s\nwant\n%s", strings.Join(had, "\n"), strings.Join(want, "\n"))
	}
	planned := []string{}
	for _, story := range plan.Stories {
		planned = append(planned, story.Title)
	}
	for _, topic := range plan.Topics {
		planned = append(planned, topic.Title)
	}
	if len(planned) != 5 || !slices.Equal(titles, planned) {
		t.Errorf("titles %q, want %q", titles, planned)
	}
	list, err := s.operations.ListOperations(ctx, &longrunning.ListOperationsRequest{})
	if err != nil || len(list.GetOperations()) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	var listed throughlinev1.ReclusterResponse
	if err := list.GetOperations()[0].GetResponse().UnmarshalTo(&listed); err != nil || listed.GetArticles() != 13 || len(listed.GetMemberships()) > 0 {
		t.Errorf("a list has %d memberships of %d articles, %v", len(listed.GetMemberships()), listed.GetArticles(), err)
	}
	if _, got := dry(false); len(got)+len(titles) > 0 {
		t.Errorf("%d memberships and titles that nobody asked for", len(got)+len(titles))
	}
	if kept := responseOf(t, s, first).GetMemberships(); len(kept) > 0 {
		t.Errorf("%d memberships are kept beyond the next job", len(kept))
	}
	_, err = s.clusters.Recluster(ctx, &throughlinev1.ReclusterRequest{IncludeMemberships: true})
	wantError(t, err, codes.InvalidArgument, "INVALID_FIELD")
}

// responseOf waits for a job.
func responseOf(t *testing.T, s *running, name string) *throughlinev1.ReclusterResponse {
	t.Helper()
	op, err := s.operations.WaitOperation(t.Context(), &longrunning.WaitOperationRequest{Name: name})
	if err != nil || !op.GetDone() {
		t.Fatalf("%v, %v", op, err)
	}
	response := &throughlinev1.ReclusterResponse{}
	if err := op.GetResponse().UnmarshalTo(response); err != nil {
		t.Fatal(err)
	}
	return response
}

// TestMembershipsThatDoNotFit has ids of a mebibyte, to need few of them.
func TestMembershipsThatDoNotFit(t *testing.T) {
	a := &stories.Arrangement{}
	id := strings.Repeat("x", 1<<20)
	for range maxMemberships>>20 - 1 {
		a.Memberships, a.TopicStrengths = append(a.Memberships, store.Membership{ArticleID: id}), append(a.TopicStrengths, 0)
	}
	if found, err := fromDetails(a); err != nil || len(found.GetMemberships()) != len(a.Memberships) {
		t.Fatalf("%d memberships, %v", len(found.GetMemberships()), err)
	}
	a.Memberships, a.TopicStrengths = append(a.Memberships, store.Membership{ArticleID: id}), append(a.TopicStrengths, 0)
	_, err := fromDetails(a)
	wantError(t, classify(err).toStatus("").Err(), codes.ResourceExhausted, "MEMBERSHIPS_TOO_LARGE")
}
