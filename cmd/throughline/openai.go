package main

import (
	"log/slog"
	"net/http"

	"throughline/embed"
	"throughline/internal/openaiapi"
)

// embeddingHandlers make a server an embedding endpoint for others.
func embeddingHandlers(embedder embed.Embedder, logger *slog.Logger) (map[string]http.Handler, error) {
	api, err := openaiapi.New(openaiapi.Config{Embedder: embedder, Logger: logger})
	if err != nil {
		return nil, err
	}
	handlers := make(map[string]http.Handler)
	for _, path := range openaiapi.Paths {
		handlers[path] = api
	}
	return handlers, nil
}
