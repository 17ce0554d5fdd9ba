// Embed measures the built-in model for embed.py, which starts it for each kind of kernels, with
// each number of workers, so that they can take turns in one run.
//
// It first writes a line about itself. For each line {"texts": [...], "batch": n, "vectors": false}
// it embeds the texts, n in a call, and writes a line with the processor and wall time in seconds.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"throughline/embed"
	"throughline/embed/minilm"
)

type hello struct {
	Kernels string  `json:"kernels"`
	Load    float64 `json:"load"` // wall seconds of loading the model and embedding one text
	CPU     float64 `json:"cpu"`  // processor seconds of the same
}

type request struct {
	Texts   []string `json:"texts"`
	Batch   int      `json:"batch"`
	Vectors bool     `json:"vectors"`
}

type reply struct {
	CPU     float64     `json:"cpu"`
	Wall    float64     `json:"wall"`
	Mallocs uint64      `json:"mallocs"` // allocations during the embedding
	Vectors [][]float32 `json:"vectors,omitempty"`
}

func main() {
	kernels := flag.String("kernels", "", "kernels to use; empty: the fastest")
	workers := flag.Int("workers", 1, "workers, and cores that the process may use")
	flag.Parse()
	if err := run(context.Background(), *kernels, *workers, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "embed:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, kernels string, workers int, in io.Reader, out io.Writer) error {
	runtime.GOMAXPROCS(workers)
	started, before := time.Now(), cpuSeconds()
	model, err := minilm.New(minilm.Options{Workers: workers, Kernels: kernels})
	if err != nil {
		return err
	}
	if _, err := model.Embed(ctx, embed.Document, []string{"first"}); err != nil {
		return err
	}
	encoder := json.NewEncoder(out)
	if err := encoder.Encode(hello{Kernels: model.Kernels(), Load: time.Since(started).Seconds(), CPU: cpuSeconds() - before}); err != nil {
		return err
	}
	decoder := json.NewDecoder(bufio.NewReader(in))
	for {
		var q request
		if err := decoder.Decode(&q); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		answer, err := measure(ctx, model, q)
		if err != nil {
			return err
		}
		if err := encoder.Encode(answer); err != nil {
			return err
		}
	}
}

func measure(ctx context.Context, model *minilm.Model, q request) (reply, error) {
	if q.Batch < 1 {
		q.Batch = len(q.Texts)
	}
	var r reply
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	mallocs := memory.Mallocs
	started, before := time.Now(), cpuSeconds()
	for first := 0; first < len(q.Texts); first += q.Batch {
		vectors, err := model.Embed(ctx, embed.Document, q.Texts[first:min(first+q.Batch, len(q.Texts))])
		if err != nil {
			return r, err
		}
		if q.Vectors {
			r.Vectors = append(r.Vectors, vectors...)
		}
	}
	r.Wall, r.CPU = time.Since(started).Seconds(), cpuSeconds()-before
	runtime.ReadMemStats(&memory)
	r.Mallocs = memory.Mallocs - mallocs
	return r, nil
}
