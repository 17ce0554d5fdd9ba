package embed_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"throughline/embed"
	"throughline/embed/minilm"
)

// The built-in model needs no server, no download and no key. Vectors have length 1, so their dot
// product is the cosine.
func Example() {
	model, err := minilm.New(minilm.Options{})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	articles := []string{
		"Ferries to the islands stop after a crack is found in the pier",
		"The central bank raises its rate for the third time this year",
		"A late goal sends the hosts into the final",
	}
	documents, err := model.Embed(ctx, embed.Document, articles)
	if err != nil {
		log.Fatal(err)
	}
	query, err := model.Embed(ctx, embed.Query, []string{"Who won the football match?"})
	if err != nil {
		log.Fatal(err)
	}
	best, similarity := 0, float32(-1)
	for i, document := range documents {
		var dot float32
		for j, x := range document {
			dot += x * query[0][j]
		}
		if dot > similarity {
			best, similarity = i, dot
		}
	}
	fmt.Println(articles[best])
	fmt.Printf("%+v\n", model.Space())
	// Output:
	// A late goal sends the hosts into the final
	// {Model:all-MiniLM-L6-v2 Dimensions:384 DocumentPrefix: QueryPrefix: MaxTokens:256}
}

// A server of the same model makes vectors of the same space, whatever it calls the model.
func ExampleNewOpenAI() {
	// Stands in for a real one, which takes longer to start.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"data": [{"index": 0, "embedding": [3, 4]}]}`)
	}))
	defer server.Close()
	endpoint, err := embed.NewOpenAI(context.Background(), embed.OpenAIConfig{
		BaseURL:    server.URL + "/v1",
		Model:      "all-minilm",
		Count:      minilm.CountTokens, // exact for this model; without it, texts are cut by an estimate
		HTTPClient: server.Client(),
	})
	if err != nil {
		log.Fatal(err)
	}
	vectors, err := endpoint.Embed(context.Background(), embed.Document, []string{"a text"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(vectors, endpoint.Space().Model, endpoint.Space().Dimensions)
	// Output:
	// [[0.6 0.8]] all-MiniLM-L6-v2 2
}
