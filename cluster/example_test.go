package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"throughline/cluster"
)

// Vectors of seven texts: three on one event, two on another, and two on their own.
var rows = cluster.Matrix{Rows: 7, Dim: 5, Data: []float32{
	0.9, 0.1, 0.1, 0.3, 0.0,
	0.1, 0.9, 0.2, 0.2, 0.1,
	0.9, 0.2, 0.0, 0.3, 0.1,
	0.2, 0.9, 0.2, 0.3, 0.0,
	0.1, 0.0, 0.9, 0.0, 0.1,
	0.8, 0.1, 0.0, 0.3, 0.0,
	0.0, 0.1, 0.0, 0.1, 0.9,
}}

func ExampleRun() {
	result, err := cluster.Run(context.Background(), rows, cluster.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("stories:", result.Story)
	// Output: stories: [0 1 0 1 -1 0 -1]
}

// Progress comes from one goroutine at a time, and a context that ends stops the work.
func ExampleRun_progress() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	_, err := cluster.Run(ctx, rows, cluster.Options{Progress: func(p cluster.Progress) {
		if p.Done == p.Total {
			fmt.Println(p.Stage, "done")
		}
		if p.Stage == "linkage" {
			cancel()
		}
	}})
	fmt.Println(err)
	// Output:
	// neighbours done
	// context canceled
}

// What took long can be kept and given to the next run.
func ExampleRun_resume() {
	var kept cluster.Parts
	enough := errors.New("enough for today")
	_, err := cluster.Run(context.Background(), rows, cluster.Options{Finished: func(p cluster.Parts) error {
		kept = p
		return enough
	}})
	fmt.Println(err)
	result, err := cluster.Run(context.Background(), rows, cluster.Options{Done: kept})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("stories:", result.Story)
	// Output:
	// enough for today
	// stories: [0 1 0 1 -1 0 -1]
}

func ExampleLink() {
	ctx := context.Background()
	graph, err := cluster.KNN(ctx, rows, cluster.KNNOptions{K: 3})
	if err != nil {
		log.Fatal(err)
	}
	tree, err := cluster.Link(ctx, cluster.Items{Dense: rows}, graph, cluster.LinkOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tree.Cut(0.8))
	// Output:
	// [0 1 0 1 2 0 3]
}

func ExampleKeywords() {
	clusters := [][]cluster.Document{
		{
			{Title: "Harbour bridge closed after storm", Text: "The harbour bridge will stay closed, engineers said."},
			{Title: "Engineers inspect harbour bridge", Text: "The storm damaged two cables of the harbour bridge."},
		},
		{
			{Title: "Central bank raises rates", Text: "The central bank raised its key rate after a storm of criticism."},
			{Title: "Markets expected the rate rise", Text: "The central bank surprised nobody."},
		},
	}
	for _, words := range cluster.Keywords(clusters, cluster.KeywordOptions{N: 1}) {
		fmt.Println(words)
	}
	// Output:
	// [harbour bridge]
	// [central bank]
}

func ExampleBCubed() {
	gold := []int32{0, 0, 0, 1, 1}
	found := []int32{0, 0, 1, 1, 1}
	precision, recall, f1 := cluster.BCubed(gold, found)
	fmt.Printf("%.3f %.3f %.3f\n", precision, recall, f1)
	// Output: 0.733 0.733 0.733
}
