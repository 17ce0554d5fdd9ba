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
	"throughline/internal/batch"
	"throughline/internal/store"
)

// explain returns the text of an error and, where it is known, what to do.
func (p *program) explain(ctx context.Context, err error) string {
	var missing *store.NotFoundError
	var memory *batch.MemoryError
	switch {
	case ctx.Err() != nil && errors.Is(err, context.Canceled) || status.Code(err) == codes.Canceled:
		return "interrupted"
	case errors.Is(err, store.ErrLocked):
		who := "another throughline process"
		if addr := runningServer(p.cli.Data); addr != "" {
			who = "the server at " + addr
		}
		return fmt.Sprintf("the store in %s is open in %s: stop that first, or give another --data directory", p.cli.Data, who)
	case errors.As(err, &missing) && missing.Kind == "store":
		return fmt.Sprintf("nothing is stored in %s: run throughline ingest PATH or throughline serve PATH first", p.storeName())
	case errors.Is(err, store.ErrLeaseHeld):
		return err.Error() + "\n  to ingest through a running server: throughline ingest --addr HOST:PORT PATH"
	case errors.Is(err, store.ErrUnavailable):
		return err.Error() + "\n  --qdrant is the address of Qdrant's gRPC port, usually 6334"
	case errors.Is(err, store.ErrUnauthorized):
		return err.Error() + "\n  give the key in QDRANT_API_KEY or --qdrant-api-key-file"
	case errors.As(err, &memory):
		return err.Error() + fmt.Sprintf("\n  give --max-memory %dMB or more, or cluster in parts", (memory.Need+999_999)/1_000_000)
	}
	var answer interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &answer) {
		return err.Error()
	}
	return explainStatus(answer.GRPCStatus(), p.cli.Timeout.String())
}

// explainStatus returns the text of a server's error.
func explainStatus(s *status.Status, timeout string) string {
	lines := []string{s.Message()}
	ours := false
	for _, d := range s.Details() {
		ours = true
		switch d := d.(type) {
		case *errdetails.BadRequest:
			for _, v := range d.GetFieldViolations() {
				if !strings.Contains(s.Message(), v.GetDescription()) {
					lines = append(lines, fmt.Sprintf("  %s: %s", v.GetField(), v.GetDescription()))
				}
			}
		case *errdetails.ErrorInfo:
			if d.GetReason() == "MEMBERSHIPS_TOO_LARGE" {
				lines = append(lines, "  leave out --output, or add --apply, or stop the server and cluster its store directly")
			}
		}
	}
	switch {
	case s.Code() == codes.DeadlineExceeded:
		lines = append(lines, "  to wait longer: --timeout, now "+timeout)
	case s.Code() == codes.Unavailable && !ours: // the connection, not the server
		lines = append(lines, "  is a throughline server running at that address?")
	}
	return strings.Join(lines, "\n")
}

// storeName says where articles are stored.
func (p *program) storeName() string {
	if p.cli.Qdrant != "" {
		return fmt.Sprintf("the Qdrant at %s under the prefix %q", p.cli.Qdrant, p.cli.Prefix)
	}
	if p.cli.Prefix != defaultPrefix {
		return fmt.Sprintf("%s under the prefix %q", p.cli.Data, p.cli.Prefix)
	}
	return p.cli.Data
}

// rejection is why an item was rejected, with its path once.
func rejection(err error) string {
	var file *fs.PathError
	if text := err.Error(); errors.As(err, &file) {
		return strings.Replace(text, file.Error(), file.Err.Error(), 1)
	}
	return err.Error()
}

// flagOf is the flag of each field of the endpoint's configuration.
var flagOf = map[string]string{
	"BaseURL": "--base-url", "APIKey": "OPENAI_API_KEY or --api-key-file", "Model": "--model", "Dimensions": "--dimensions",
	"MaxTokens": "--max-tokens", "MaxBatch": "--max-batch",
}

// asUsage turns an error of the configuration into one of the flag.
func asUsage(err error) error {
	var field *embed.ConfigError
	if !errors.As(err, &field) || flagOf[field.Field] == "" {
		return err
	}
	return usageError{fmt.Errorf("%s %s", flagOf[field.Field], field.Problem)}
}
