package main

import (
	"context"
	"encoding/json"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A server is the embedding endpoint of another run of the program: in the same space, with the
// same vectors.
func TestServeIsAnEndpoint(t *testing.T) {
	data := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	var out, errs watched
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"}, strings.NewReader(""), &out, &errs)
	}()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("%v\n%s", err, errs.String())
		}
	}()
	address := regexp.MustCompile(`http://\S+:\d+`)
	var url string
	for deadline := time.Now().Add(time.Minute); url == ""; time.Sleep(10 * time.Millisecond) {
		url = address.FindString(out.String())
		if time.Now().After(deadline) {
			t.Fatalf("no address in %q", out.String())
		}
	}
	const texts = "A strong earthquake shook the coast.\n\nEin starkes Beben, 地震 🌊\n"
	here := execute(ctx, data, texts, "embed").mustSucceed(t)
	there := execute(ctx, data, texts, "embed", "--embedder", "openai", "--base-url", url+"/v1", "--model", "all-MiniLM-L6-v2").mustSucceed(t)
	want, got := strings.Split(here.stdout, "\n"), strings.Split(there.stdout, "\n")
	if len(want) != 4 || len(got) != 4 {
		t.Fatalf("%d and %d lines", len(want)-1, len(got)-1)
	}
	for _, i := range []int{0, 2} { // the client sends a full stop for the empty text: other servers refuse it
		var a, b []float64
		if json.Unmarshal([]byte(want[i]), &a) != nil || json.Unmarshal([]byte(got[i]), &b) != nil || len(a) != 384 || len(b) != 384 {
			t.Fatalf("no vectors: %.60s, %.60s", want[i], got[i])
		}
		for j := range a {
			if math.Abs(a[j]-b[j]) > 1e-7 {
				t.Fatalf("text %d: number %d is %g from the endpoint, %g here", i, j, b[j], a[j])
			}
		}
	}
	if x := execute(ctx, data, texts, "embed", "--embedder", "openai", "--base-url", url+"/v1", "--model", "another"); x.err == nil || !strings.Contains(x.stderr, `this server has "all-MiniLM-L6-v2"`) {
		t.Errorf("another model: %v\n%s", x.err, x.stderr)
	}
}
