package main

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"throughline/internal/points"
	"throughline/internal/qdrantlite"
)

// noStore begins the message about a store that has never been written to.
const noStore = "nothing is stored yet"

// explain is the text of an error for people: what happened and, where it is known, what to do.
func explain(err error) string {
	var missing *points.NotFoundError
	switch {
	case errors.Is(err, qdrantlite.ErrLocked):
		return "another throughline process has this store open: ask it with --addr HOST:PORT, or stop it, or name another --data directory"
	case errors.As(err, &missing) && missing.Kind == "store":
		return fmt.Sprintf("%s: %v; put something in with throughline ingest PATH, or throughline serve PATH", noStore, missing)
	}
	var answer interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &answer) {
		return err.Error()
	}
	s := answer.GRPCStatus()
	lines := []string{s.Message()}
	for _, d := range s.Details() {
		if bad, ok := d.(*errdetails.BadRequest); ok {
			for _, v := range bad.GetFieldViolations() {
				lines = append(lines, fmt.Sprintf("  %s: %s", v.GetField(), v.GetDescription()))
			}
		}
	}
	if s.Code() == codes.Unavailable {
		lines = append(lines, "  is the server running at that address?")
	}
	return strings.Join(lines, "\n")
}
