package server

import (
	"context"
	"math"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"throughline/internal/score"
	"throughline/internal/stories"
	throughlinev1 "throughline/proto/throughline/v1"
)

// targeted records the target that reclustering is asked for.
type targeted struct {
	Stories
	got *score.Target
}

func (r *targeted) Recluster(ctx context.Context, opts stories.ReclusterOptions, progress stories.Progress) (*stories.Arrangement, error) {
	r.got = opts.Target
	return r.Stories.Recluster(ctx, opts, progress)
}

// TestReclusterTarget checks that a request without a target leaves it to the engine, and that the
// response has the one that was used.
func TestReclusterTarget(t *testing.T) {
	p := seeded(t)
	cfg := config(t, p)
	engine := &targeted{Stories: p.Stories}
	cfg.Stories = engine
	s := start(t, cfg)
	threshold := 0.0
	for _, c := range []struct {
		in   *throughlinev1.ReclusterRequest
		want *score.Target
	}{
		{&throughlinev1.ReclusterRequest{}, nil},
		{&throughlinev1.ReclusterRequest{Granularity: proto.Int32(0)}, &score.Target{}},
		{&throughlinev1.ReclusterRequest{Granularity: proto.Int32(4)}, &score.Target{Granularity: 4}},
		{&throughlinev1.ReclusterRequest{Granularity: proto.Int32(-4), Precision: proto.Float64(0)}, &score.Target{Granularity: -4}},
		{&throughlinev1.ReclusterRequest{Precision: proto.Float64(.9), Granularity: proto.Int32(0)}, &score.Target{Precision: .9}},
	} {
		c.in.DryRun = true
		op, err := s.clusters.Recluster(t.Context(), c.in)
		if err != nil {
			t.Fatal(err)
		}
		out := responseOf(t, s, op.GetName())
		if (engine.got == nil) != (c.want == nil) || c.want != nil && *engine.got != *c.want {
			t.Errorf("%v: target %+v, want %+v", c.in, engine.got, c.want)
		}
		var used score.Target
		if c.want != nil {
			used = *c.want
		} else {
			threshold = out.GetThreshold()
		}
		if out.GetPrecision() != used.Precision || int(out.GetGranularity()) != used.Granularity {
			t.Errorf("%v: the response has precision %v and granularity %v", c.in, out.GetPrecision(), out.GetGranularity())
		}
		if moved := out.GetThreshold() - threshold; used.Precision == 0 && math.Abs(moved-score.GranularityStep*float64(used.Granularity)) > .6 {
			t.Errorf("%v: the threshold is %v, without a target %v", c.in, out.GetThreshold(), threshold)
		}
	}
	for _, c := range []struct {
		in    *throughlinev1.ReclusterRequest
		field string
	}{
		{&throughlinev1.ReclusterRequest{Granularity: proto.Int32(score.MaxGranularity + 1)}, "granularity"},
		{&throughlinev1.ReclusterRequest{Granularity: proto.Int32(-score.MaxGranularity - 1)}, "granularity"},
		{&throughlinev1.ReclusterRequest{Precision: proto.Float64(.9), Granularity: proto.Int32(1)}, "granularity"},
		{&throughlinev1.ReclusterRequest{Precision: proto.Float64(1)}, "precision"},
		{&throughlinev1.ReclusterRequest{Precision: proto.Float64(-.1)}, "precision"},
		{&throughlinev1.ReclusterRequest{Precision: proto.Float64(math.NaN())}, "precision"},
	} {
		_, err := s.clusters.Recluster(t.Context(), c.in)
		wantError(t, err, codes.InvalidArgument, "INVALID_FIELD", c.field)
	}
}
