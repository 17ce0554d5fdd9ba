package state

import (
	"context"
	"flag"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"throughline/embed"
	"throughline/embed/embedtest"
	"throughline/internal/formats"
	"throughline/internal/seedtest"
)

var update = flag.Bool("update", false, "write usual.txt")

// TestUsualTexts checks that the texts of general news are the beginnings of the sample articles.
func TestUsualTexts(t *testing.T) {
	dir, err := seedtest.Dir()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for valid, err := range formats.Read(t.Context(), []string{dir}, formats.Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		a := valid.Article()
		words := strings.Fields(a.Title + ". " + a.Text())
		lines = append(lines, strings.Join(words[:min(len(words), 60)], " "))
	}
	slices.Sort(lines)
	want := strings.Join(lines, "\n") + "\n"
	if *update {
		if err := os.WriteFile("usual.txt", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if usualTexts != want && !*update {
		t.Error("usual.txt is not made of the sample articles; run this test with -update")
	}
}

// leaning embeds any text as a vector that leans to the direction of ones.
type leaning struct{ embed.Embedder }

func (l leaning) Embed(ctx context.Context, kind embed.Kind, texts []string) ([][]float32, error) {
	vectors, err := l.Embedder.Embed(ctx, kind, texts)
	for _, v := range vectors {
		for i := range v {
			v[i] = v[i]*.3 + 1/float32(math.Sqrt(float64(len(v))))
		}
	}
	return vectors, err
}

func TestUsualVector(t *testing.T) {
	mean, err := UsualVector(t.Context(), leaning{&embedtest.Hashed{Dims: 32}})
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, x := range mean {
		sum += float64(x)
	}
	if len(mean) != 32 || sum/math.Sqrt(32) < .9 {
		t.Errorf("mean vector %v, want one of ones", mean)
	}
}
