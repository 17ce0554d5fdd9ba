package embed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A server that computes one request after another, goes on with those that nobody waits for any
// more, and takes far longer for what is sent at first than a request may take: all texts get their
// vectors, and later calls do not run into it again.
func TestOpenAIGetsAlongWithASlowServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const perText, timeout = time.Second, 10 * time.Second
		turn := make(chan struct{}, 1)
		var late, largest atomic.Int32
		client := &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			n := bytes.Count(body, []byte("text "))
			done := make(chan struct{})
			go func() {
				turn <- struct{}{}
				time.Sleep(time.Duration(n) * perText)
				<-turn
				close(done)
			}()
			select {
			case <-done:
				largest.Store(max(largest.Load(), int32(n)))
				return good(r)
			case <-r.Context().Done():
				late.Add(1)
				return nil, r.Context().Err()
			}
		})}
		o, err := NewOpenAI(t.Context(), OpenAIConfig{BaseURL: "http://host", Model: "m", Timeout: timeout, HTTPClient: client})
		if err != nil {
			t.Fatal(err)
		}
		texts := make([]string, 200)
		for i := range texts {
			texts[i] = fmt.Sprint("text ", i)
		}
		began := time.Now()
		vectors, err := o.Embed(t.Context(), Document, texts)
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range texts {
			want := vectorOf(text)
			unit(want)
			if !slices.Equal(vectors[i], want) {
				t.Fatalf("vector %d is not that of its text", i)
			}
		}
		// What was sent in vain before, more than half as much again, the server computes too.
		if took := time.Since(began); took > 3*time.Duration(len(texts))*perText || largest.Load() > int32(timeout/perText) {
			t.Errorf("%v, requests of up to %d", took, largest.Load())
		}
		if late.Load() == 0 {
			t.Error("the server was not slow")
		}
		before := late.Load()
		if _, err := o.Embed(t.Context(), Document, texts); err != nil || late.Load() != before {
			t.Errorf("the second time: %v, %d more requests without an answer", err, late.Load()-before)
		}
		time.Sleep(time.Hour) // let the server finish what nobody waits for
	})
}

func TestLimiterShrinksAndGrows(t *testing.T) {
	p := newLimiter(4, 32)
	for _, step := range []struct {
		what             func()
		requests, inputs int
	}{
		{func() { p.quick(32) }, 4, 32},
		{func() { p.timedOut(32) }, 2, 16},
		{func() { p.timedOut(32) }, 1, 16}, // was under way already
		{func() { p.timedOut(1) }, 1, 1},
		{func() { p.quick(1) }, 1, 2},
		{func() { p.quick(1) }, 1, 2},
		{func() {
			for n := 2; n <= 31; n++ {
				p.quick(n)
			}
		}, 1, 32},
		{func() { p.quick(32) }, 2, 32},
		{func() { p.quick(32); p.quick(32); p.quick(32) }, 4, 32},
	} {
		if step.what(); p.requests != step.requests || p.inputs != step.inputs || p.batch() != step.inputs {
			t.Fatalf("%d requests of %d, want %d of %d", p.requests, p.inputs, step.requests, step.inputs)
		}
	}
}

func TestLimiterAdmitsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newLimiter(1, 1)
		if err := p.acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		var order []int
		for i := range 3 {
			go func() {
				if err := p.acquire(t.Context()); err != nil {
					t.Error(err)
				}
				order = append(order, i)
				p.release()
			}()
			synctest.Wait()
		}
		enough := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, enough)
		defer cancel()
		if err := p.acquire(ctx); !errors.Is(err, enough) {
			t.Errorf("waited without end: %v", err)
		}
		p.release()
		synctest.Wait()
		if !slices.Equal(order, []int{0, 1, 2}) || p.inFlight != 0 || len(p.waiting) != 0 {
			t.Errorf("order %v, %d in flight, %d waiting", order, p.inFlight, len(p.waiting))
		}
	})
}
