package server

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// Handlers get their paths, even those within /v1/, and leave the rest to the API; their calls are
// counted.
func TestHandlers(t *testing.T) {
	cfg := config(t, shared(t))
	cfg.Handlers = map[string]http.Handler{
		"/v1/echo/": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodDelete {
				w.WriteHeader(http.StatusTooManyRequests)
			}
			if _, err := io.Copy(w, r.Body); err != nil {
				t.Error(err)
			}
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Errorf("what wraps the writer hides it: %v", err)
			}
		}),
	}
	s := start(t, cfg)
	if code, _, body := exchange(t, "POST", s.http+"/v1/echo/x", "not the API's JSON"); code != 200 || body != "not the API's JSON" {
		t.Errorf("%d %s", code, body)
	}
	if code, _, _ := exchange(t, "DELETE", s.http+"/v1/echo/", "x"); code != 429 {
		t.Errorf("%d", code)
	}
	if code, _, body := exchange(t, "GET", s.http+"/v1/articles/a0", ""); code != 200 || !strings.Contains(body, `"a0"`) {
		t.Errorf("the API: %d %s", code, body)
	}
	_, _, metrics := exchange(t, "GET", s.http+"/metrics", "")
	for _, want := range []string{
		`throughline_calls_total{code="OK",method="v1/echo/",service="http"} 1`,
		`throughline_calls_total{code="ResourceExhausted",method="v1/echo/",service="http"} 1`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s in\n%s", want, metrics)
		}
	}
}
