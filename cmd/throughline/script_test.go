package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// The test binary is the program too, so scripts run the real one in a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"throughline": main})
}

// TestScripts runs every script in testdata/script. Beside the commands of testscript there are:
//
//	exits CODE COMMAND...        the command ends with this exit code
//	bytes FILE TEXT              write TEXT, with the escapes of a Go string
//	articles FILE N              write N short articles on N subjects
//	endpoint VAR DIM [AFTER]     an OpenAI-compatible endpoint with vectors of DIM; the requests that follow the first AFTER are
//	                             not answered and leave the file "stalled"
//	chat VAR FILE                an OpenAI-compatible endpoint that writes titles, and a line into FILE for every question
//	waitfor FILE                 until the file is there
//	eventually REGEXP COMMAND... run COMMAND until its output has a match
//	ready FILE                   until the server whose address is in the file says SERVING
//	keep VAR REGEXP              keep what the group of REGEXP found in the last output
//	lines N                      the last output has N lines
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("XDG_DATA_HOME", e.WorkDir) // the store is $WORK/throughline unless a script says otherwise
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "bytes": writeBytes, "articles": writeArticles, "endpoint": endpoint, "waitfor": waitFor,
			"ready": ready, "keep": keep, "lines": lines, "chat": chat, "eventually": eventuallyPrints,
		},
	})
}

func arguments(ts *testscript.TestScript, neg bool, args []string, least, most int, usage string) {
	if neg || len(args) < least || len(args) > most {
		ts.Fatalf("usage: %s", usage)
	}
}

func number(ts *testscript.TestScript, text string) int {
	n, err := strconv.Atoi(text)
	ts.Check(err)
	return n
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 2, 1000, "exits CODE COMMAND...")
	want, got := number(ts, args[0]), 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func writeBytes(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 2, 2, "bytes FILE TEXT")
	text, err := strconv.Unquote(`"` + args[1] + `"`)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

func writeArticles(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 2, 2, "articles FILE N")
	var b strings.Builder
	for i := range number(ts, args[1]) {
		fmt.Fprintf(&b, `{"id":"n%d","title":"Number %d","text":"This is what is said about the number %d."}`+"\n", i, i, i)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o600))
}

// endpoint serves vectors that depend on the words of a text, so that equal texts are equal and
// others are not.
func endpoint(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 2, 3, "endpoint VAR DIM [AFTER]")
	dim, after := number(ts, args[1]), int64(-1)
	if len(args) == 3 {
		after = int64(number(ts, args[2]))
	}
	var asked atomic.Int64
	done := make(chan struct{})
	stalled := ts.MkAbs("stalled")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			Model string   `json:"model"`
			Input []string `json:"input"`
		}
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil || r.URL.Path != "/v1/embeddings" {
			http.Error(w, "not an embedding request", http.StatusBadRequest)
			return
		}
		if key := r.Header.Get("Authorization"); key != "Bearer right" {
			http.Error(w, `{"error":{"message":"wrong key","type":"invalid_request_error"}}`, http.StatusUnauthorized)
			return
		}
		if n := asked.Add(1); after >= 0 && n > after {
			if err := os.WriteFile(stalled, nil, 0o600); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			select {
			case <-r.Context().Done():
			case <-done:
			}
			return
		}
		type item struct {
			Object    string    `json:"object"`
			Index     int       `json:"index"`
			Embedding []float32 `json:"embedding"`
		}
		items := []item{}
		for i, text := range request.Input {
			vector := make([]float32, dim)
			vector[0] = 1
			for _, word := range strings.Fields(text) {
				h := uint32(2166136261)
				for _, c := range []byte(word) {
					h = (h ^ uint32(c)) * 16777619
				}
				vector[h%uint32(dim)]++
			}
			items = append(items, item{"embedding", i, vector})
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"object": "list", "model": request.Model, "data": items, "usage": map[string]int{}})
	}))
	ts.Setenv(args[0], server.URL+"/v1")
	ts.Defer(func() {
		close(done)
		server.Close()
	})
}

// patience is how long a script waits for something that comes in a moment on an idle machine.
const patience = time.Minute

// eventually calls try until it says yes.
func eventually(ts *testscript.TestScript, what string, try func() bool) {
	for end := time.Now().Add(patience); !try(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("%s: not within %s", what, patience)
		}
	}
}

func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 1, 1, "waitfor FILE")
	eventually(ts, args[0], func() bool {
		_, err := os.Stat(ts.MkAbs(args[0]))
		return err == nil
	})
}

func ready(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 1, 1, "ready FILE")
	waitFor(ts, neg, args)
	conn, err := grpc.NewClient(strings.TrimSpace(ts.ReadFile(args[0])), grpc.WithTransportCredentials(insecure.NewCredentials()))
	ts.Check(err)
	defer conn.Close()
	eventually(ts, "a server that is ready", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		state, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
		return err == nil && state.GetStatus() == grpc_health_v1.HealthCheckResponse_SERVING
	})
}

func keep(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 2, 2, "keep VAR REGEXP")
	pattern, err := regexp.Compile(`(?m)` + args[1])
	ts.Check(err)
	found := pattern.FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) != 2 {
		ts.Fatalf("no match for %q with one group", args[1])
	}
	ts.Setenv(args[0], found[1])
}

func lines(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 1, 1, "lines N")
	if got, want := strings.Count(ts.ReadFile("stdout"), "\n"), number(ts, args[0]); got != want {
		ts.Fatalf("%d lines, want %d", got, want)
	}
}

// chat serves titles: the title of the first article that it is shown, cited, or, of a subject that
// has the word "nonsense" in it, something else. Requests without the key "chat-key" are refused.
// FILE gets a line for every question.
func chat(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 2, 2, "chat VAR FILE")
	asked := ts.MkAbs(args[1])
	ts.Check(os.WriteFile(asked, nil, 0o600))
	var mu sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			Model    string
			Messages []struct{ Role, Content string }
		}
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil || r.URL.Path != "/v1/chat/completions" || len(request.Messages) != 2 {
			http.Error(w, "not a chat request", http.StatusBadRequest)
			return
		}
		if r.Header.Get("Authorization") != "Bearer chat-key" {
			http.Error(w, `{"error":{"message":"wrong key"}}`, http.StatusUnauthorized)
			return
		}
		var articles []struct {
			Number      int
			Title, Text string
		}
		if err := json.Unmarshal([]byte(request.Messages[1].Content), &articles); err != nil || len(articles) == 0 {
			http.Error(w, `{"error":{"message":"no articles"}}`, http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		f, err := os.OpenFile(asked, os.O_APPEND|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = fmt.Fprintf(f, "%d %s\n", len(articles), articles[0].Title)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		answer := `I would call it "Nonsense".`
		if !strings.Contains(request.Messages[1].Content, "nonsense") {
			title, _ := json.Marshal("In short: " + articles[0].Title)
			answer = fmt.Sprintf(`{"title": %s, "articles": [1]}`, title)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"choices": []any{map[string]any{"message": map[string]any{"role": "assistant", "content": answer}}}})
	}))
	ts.Setenv(args[0], server.URL+"/v1")
	ts.Defer(server.Close)
}

func eventuallyPrints(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 2, 1000, "eventually REGEXP COMMAND...")
	pattern, err := regexp.Compile(`(?m)` + args[0])
	ts.Check(err)
	eventually(ts, args[0], func() bool { return ts.Exec(args[1], args[2:]...) == nil && pattern.MatchString(ts.ReadFile("stdout")) })
}
