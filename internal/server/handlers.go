package server

import (
	"net/http"

	"google.golang.org/grpc/codes"
)

// counted counts and times the calls of one of Config.Handlers as a method of a service named http.
func (s *Server) counted(pattern string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorded := &recorder{ResponseWriter: w, code: http.StatusOK}
		done := s.metrics.start("/http"+pattern, s.cfg.Now)
		defer func() { done(recorded.grpcCode()) }()
		next.ServeHTTP(recorded, r)
	})
}

// recorder remembers the status that was answered.
type recorder struct {
	http.ResponseWriter
	code int
}

func (r *recorder) WriteHeader(code int) {
	r.code = code
	r.ResponseWriter.WriteHeader(code)
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) grpcCode() codes.Code {
	switch {
	case r.code < http.StatusBadRequest:
		return codes.OK
	case r.code == http.StatusTooManyRequests:
		return codes.ResourceExhausted
	}
	return codeOfHTTP(r.code)
}
