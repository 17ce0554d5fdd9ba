package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"throughline/embed"
	"throughline/internal/qdrantlite"
	"throughline/internal/store"
)

// explain is the text of an error for people: what happened and, where it is known, what to do.
func (p *program) explain(ctx context.Context, err error) string {
	var missing *store.NotFoundError
	switch {
	case ctx.Err() != nil && errors.Is(err, context.Canceled) || status.Code(err) == codes.Canceled:
		return "interrupted"
	case errors.Is(err, qdrantlite.ErrLocked):
		who := "another throughline process"
		if addr := runningServer(p.cli.Data); addr != "" {
			who = "the server at " + addr
		}
		return fmt.Sprintf("%s has the store in %s open: stop it first, or name another --data directory", who, p.cli.Data)
	case errors.As(err, &missing) && missing.Kind == "store":
		return fmt.Sprintf("nothing is stored yet in %s: put something in with throughline ingest PATH, or throughline serve PATH", p.storeName())
	case errors.Is(err, store.ErrLeaseHeld):
		return err.Error() + "\n  a running server takes articles in too: throughline ingest --addr HOST:PORT PATH"
	case errors.Is(err, store.ErrUnavailable):
		return err.Error() + "\n  --qdrant takes the address of Qdrant's gRPC port, usually 6334"
	case errors.Is(err, store.ErrUnauthorized):
		return err.Error() + "\n  the key comes from QDRANT_API_KEY or --qdrant-api-key-file"
	}
	var answer interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &answer) {
		return err.Error()
	}
	return explainStatus(answer.GRPCStatus(), p.cli.Timeout.String())
}

// explainStatus is the text of an error that a server answered.
func explainStatus(s *status.Status, timeout string) string {
	lines := []string{s.Message()}
	ours := false
	for _, d := range s.Details() {
		ours = true
		if bad, ok := d.(*errdetails.BadRequest); ok {
			for _, v := range bad.GetFieldViolations() {
				if !strings.Contains(s.Message(), v.GetDescription()) {
					lines = append(lines, fmt.Sprintf("  %s: %s", v.GetField(), v.GetDescription()))
				}
			}
		}
	}
	switch {
	case s.Code() == codes.DeadlineExceeded:
		lines = append(lines, "  more time: --timeout, now "+timeout)
	case s.Code() == codes.Unavailable && !ours: // the connection, not the server
		lines = append(lines, "  is a throughline server running at that address?")
	}
	return strings.Join(lines, "\n")
}

// storeName says where articles are kept.
func (p *program) storeName() string {
	if p.cli.Qdrant != "" {
		return fmt.Sprintf("the Qdrant at %s under the prefix %q", p.cli.Qdrant, p.cli.Prefix)
	}
	if p.cli.Prefix != defaultPrefix {
		return fmt.Sprintf("%s under the prefix %q", p.cli.Data, p.cli.Prefix)
	}
	return p.cli.Data
}

// rejection is why an item was rejected. Errors of the file system name the path once more than people need.
func rejection(err error) string {
	var file *fs.PathError
	if text := err.Error(); errors.As(err, &file) {
		return strings.Replace(text, file.Error(), file.Err.Error(), 1)
	}
	return err.Error()
}

// flagOf is the flag behind each field of the endpoint's configuration.
var flagOf = map[string]string{
	"BaseURL": "--base-url", "APIKey": "OPENAI_API_KEY or --api-key-file", "Model": "--model", "Dimensions": "--dimensions",
	"MaxTokens": "--max-tokens", "MaxBatch": "--max-batch",
}

// asUsage names the flag that is wrong where a configuration is.
func asUsage(err error) error {
	var field *embed.ConfigError
	if !errors.As(err, &field) || flagOf[field.Field] == "" {
		return err
	}
	return usageError{fmt.Errorf("%s %s", flagOf[field.Field], field.Problem)}
}
