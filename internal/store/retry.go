package store

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	retryFirst = 50 * time.Millisecond
	retryMost  = 2 * time.Second
	// retryFor is how long a request is retried before its failure is reported: a restart of a node
	// or the election of a new leader takes seconds.
	retryFor = 15 * time.Second
)

// retrier retries a request, with growing pauses and jitter, when the server did not carry it out:
// Unavailable (down, or a shard without replicas) and ResourceExhausted (rate limit; its
// retry-after trailer is honoured). Every request of this package can be repeated: ids are derived,
// so writing twice is writing once, and deleting twice is deleting once. The context's deadline
// bounds all attempts together; a pause that would pass it is not begun.
func retrier(log *slog.Logger) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		pauses := backoff.NewExponentialBackOff()
		pauses.InitialInterval, pauses.MaxInterval = retryFirst, retryMost
		var spent time.Duration
		for {
			var trailer metadata.MD
			err := invoke(ctx, method, req, reply, cc, append(slices.Clip(opts), grpc.Trailer(&trailer))...)
			if !retriable(err) {
				return err
			}
			pause := max(pauses.NextBackOff(), retryAfter(trailer))
			spent += pause
			if deadline, ok := ctx.Deadline(); spent > retryFor || ok && time.Until(deadline) < pause {
				return err
			}
			log.Debug("trying a storage request again", "method", method, "pause", pause, "code", status.Code(err).String())
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return err
			}
		}
	}
}

func retriable(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable:
		return true
	case codes.ResourceExhausted:
		return !tooLarge(err)
	}
	return false
}

// tooLarge reports whether client or server refused the size of a message, which no retry makes
// smaller. gRPC reports it with the code of a rate limit and without details, so the text of the
// message is the only difference.
func tooLarge(err error) bool {
	return strings.Contains(status.Convert(err).Message(), "message larger than max")
}

func retryAfter(trailer metadata.MD) time.Duration {
	if values := trailer.Get("retry-after"); len(values) > 0 {
		if seconds, err := strconv.ParseUint(values[0], 10, 31); err == nil {
			return time.Duration(seconds) * time.Second
		}
	}
	return 0
}
