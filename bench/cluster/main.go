// Cluster is our side of faiss_peer.py: it searches the rows of one array for those of another, and says how fast that was and what was found.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"throughline/cluster"
	"throughline/cluster/vector"
	"throughline/internal/npy"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// answer is what one size of batch gave.
type answer struct {
	Rate float64   `json:"rate"` // queries per CPU-second
	IDs  [][]int32 `json:"ids"`
}

const wanted = 10

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: cluster ROWS.npy QUERIES.npy")
	}
	rows, err := load(args[0])
	if err != nil {
		return err
	}
	queries, err := load(args[1])
	if err != nil {
		return err
	}
	ctx := context.Background()
	index, err := cluster.NewIndex(ctx, rows, 1)
	if err != nil {
		return err
	}
	out := map[string]any{"kernels": vector.Path()}
	for _, batch := range []int{1, 32, 512} {
		whole := queries.Rows / batch * batch
		var a answer
		before := cpuSeconds()
		for at := 0; at < whole; at += batch {
			some := cluster.Matrix{Rows: batch, Dim: queries.Dim, Data: queries.Data[at*queries.Dim : (at+batch)*queries.Dim]}
			found, err := index.Search(ctx, some, wanted)
			if err != nil {
				return err
			}
			for _, hits := range found {
				ids := make([]int32, len(hits))
				for i, h := range hits {
					ids[i] = h.Row
				}
				a.IDs = append(a.IDs, ids)
			}
		}
		a.Rate = float64(whole) / (cpuSeconds() - before)
		out[fmt.Sprint(batch)] = a
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

func load(path string) (cluster.Matrix, error) {
	f, err := os.Open(path)
	if err != nil {
		return cluster.Matrix{}, err
	}
	defer f.Close() // read from only
	h, data, err := npy.Read(f)
	if err != nil {
		return cluster.Matrix{}, fmt.Errorf("%s: %w", path, err)
	}
	return cluster.Matrix{Rows: h.Rows, Dim: h.Dim, Data: data}, nil
}
