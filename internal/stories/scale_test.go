package stories

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"throughline/embed"
	"throughline/internal/corpus"
	"throughline/internal/evidence"
	"throughline/internal/store"
)

// blind gives every text the same vector.
type blind struct{ hashed }

func (blind) Embed(ctx context.Context, _ embed.Kind, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i := range out {
		out[i] = make([]float32, dims)
		out[i][3] = 1
	}
	return out, ctx.Err()
}

// coarse is hashed into few numbers, so that unrelated texts are alike.
type coarse struct{ hashed }

func (coarse) Embed(ctx context.Context, kind embed.Kind, texts []string) ([][]float32, error) {
	out, err := hashed{}.Embed(ctx, kind, texts)
	for _, v := range out {
		for d := 24; d < dims; d++ {
			v[d%24] += v[d]
			v[d] = 0
		}
	}
	return out, err
}

// long stores n articles of two paragraphs that say the same thing twice.
func (h *harness) long(n int) {
	for i := range n {
		text := told(fmt.Sprint("event", i), 0)
		h.putArticle(store.Article{ID: fmt.Sprintf("long%03d", i)}, text+" "+strings.ToUpper(text))
	}
}

func TestScaleIsMeasuredAndKept(t *testing.T) {
	h := newHarness(t, t.Cleanup, coarse{}, byWords())
	h.cfg.Reference = hashed{}
	h.long(corpus.ScaleFrom - 1)
	if measured, err := h.scale(t.Context()); err != nil || measured {
		t.Fatalf("measured on a few articles: %v, %v", measured, err)
	}
	h.long(corpus.ScaleFrom + 20)
	h.recluster()
	kept, err := h.store.Scale(t.Context())
	if err != nil || kept == nil || kept.Articles < corpus.ScaleFrom || kept.Separation < .9 || kept.Factor == 1 {
		t.Fatalf("kept %+v, %v", kept, err)
	}
	if measured, err := h.scale(t.Context()); err != nil || measured {
		t.Errorf("measured again: %v, %v", measured, err)
	}
	// A new process takes what was kept, without embedding anything.
	h.corpus.SetScale(evidence.Scale{})
	h.restart()
	h.cfg.Reference = blind{}
	if measured, err := h.scale(t.Context()); err != nil || measured {
		t.Errorf("a new process: %v, %v", measured, err)
	}
	a, b := &evidence.Profile{Dense: make([]float32, dims)}, &evidence.Profile{Dense: make([]float32, dims)}
	a.Dense[0], b.Dense[0] = 1, 1
	if got := h.corpus.Compare(a, b).Centred; got < .99*kept.Factor || got > 1.01*kept.Factor {
		t.Errorf("a cosine of 1 counts %v, the factor is %v", got, kept.Factor)
	}
}

func TestInertVectorsAreRefused(t *testing.T) {
	h := newHarness(t, t.Cleanup, blind{}, byWords())
	h.cfg.Reference = hashed{}
	h.long(corpus.ScaleFrom + 10)
	_, err := h.Recluster(t.Context(), ReclusterOptions{}, func(string, float64) {})
	var inert *evidence.InertError
	if !errors.As(err, &inert) || !strings.Contains(err.Error(), "hashed") {
		t.Fatalf("reclustering with vectors that say nothing: %v", err)
	}
	if got := h.kinds(0); len(got) != 0 {
		t.Errorf("the ledger tells of %q", got)
	}
	if _, err := h.cut(t.Context()); !errors.As(err, &inert) {
		t.Errorf("filing with them: %v", err)
	}
}

func TestInertCutIsRefused(t *testing.T) {
	h := newHarness(t, t.Cleanup, coarse{}, byWords())
	h.cfg.Reference = hashed{}
	h.long(corpus.ScaleFrom + 10)
	if _, err := h.scale(t.Context()); err != nil {
		t.Fatal(err)
	}
	for cut, want := range map[float64]bool{-100: true, 100: true, 0: false} {
		err := h.checkCut(cut)
		var inert *InertCutError
		if errors.As(err, &inert) != want {
			t.Errorf("a cut at %v: %v", cut, err)
		}
	} // Nothing reaches the cut, so that reclustering would end all stories.
	h.model.Intercept = -60
	var inert *InertCutError
	if _, err := h.Recluster(t.Context(), ReclusterOptions{}, func(string, float64) {}); !errors.As(err, &inert) || inert.Together != 0 {
		t.Errorf("reclustering: %v", err)
	}
	if got := h.kinds(0); len(got) != 0 {
		t.Errorf("the ledger tells of %q", got)
	}
}
