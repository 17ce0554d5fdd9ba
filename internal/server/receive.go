package server

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc/codes"
)

// arrival is one request of a stream, or the error that ended it: io.EOF where the client ended it.
type arrival[T any] struct {
	request T
	err     error
}

// receive reads the requests of a stream into a channel that holds at most size of them. An error
// is the last arrival. The goroutine that reads ends with the stream, which is after its handler;
// so not the handler but the server waits for it, at shutdown.
func receive[T any](s *Server, ctx context.Context, recv func() (T, error), size int) <-chan arrival[T] {
	out := make(chan arrival[T], size)
	s.receivers.Go(func() {
		for {
			request, err := recv()
			select {
			case out <- arrival[T]{request, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	})
	return out
}

// gatherBytes is how much is taken together at most, in bytes, unless one request alone is larger.
const gatherBytes = 4 << 20

// gather waits for the next request and takes what has arrived behind it, at most so many and
// gatherBytes. A client that waits for each answer is served at once, and one that does not gets
// batches, without a timer. Requests that came before an error are returned with it.
func gather[T any](draining context.Context, arrived <-chan arrival[T], most int, size func(T) int) ([]T, error) {
	var taken []T
	select {
	case <-draining.Done():
		return nil, shuttingDown()
	case a := <-arrived:
		if a.err != nil {
			return nil, a.err
		}
		taken = append(taken, a.request)
	}
	bytes := size(taken[0])
	for len(taken) < most && bytes < gatherBytes {
		select {
		case a := <-arrived:
			if a.err != nil {
				return taken, a.err
			}
			taken = append(taken, a.request)
			bytes += size(a.request)
		default:
			return taken, nil
		}
	}
	return taken, nil
}

// inChunks calls handle with the requests of a stream, as gather takes them, until the client ends
// it. What handle returns comes before an error of the stream.
func inChunks[T any](s *Server, ctx context.Context, recv func() (T, error), most int, size func(T) int, handle func([]T) error) error {
	arrived := receive(s, ctx, recv, most)
	for {
		chunk, err := gather(s.draining, arrived, most, size)
		if failed := handle(chunk); failed != nil {
			return failed
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func shuttingDown() error {
	return retryAfter(codes.Unavailable, "SHUTTING_DOWN", "the server is shutting down", time.Second)
}
