package server

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
)

// arrival is one request of a stream, or what ended it: io.EOF for the client's orderly end.
type arrival[T any] struct {
	request T
	err     error
}

// receive reads the requests of a stream into a channel that holds at most size of them; an error is the last arrival. The
// reader ends with the stream, at the latest when its handler returns; the server waits for it at shutdown. (The handler
// cannot: what it reads from ends only after the handler.)
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

// gatherBytes is how much is taken together at most, unless one request alone is larger.
const gatherBytes = 4 << 20

// gather waits for the next request and takes whatever has arrived behind it, within bounds. So a client that waits for
// each answer is served at once, and one that does not gets batches, with no timer that would suit neither. What came
// before an error is returned with it.
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

func shuttingDown() error {
	return retryAfter(codes.Unavailable, "SHUTTING_DOWN", "the server is shutting down", time.Second)
}
