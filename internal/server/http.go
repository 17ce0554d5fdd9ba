package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/vanguard"
	"connectrpc.com/vanguard/vanguardgrpc"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"
)

// webServer serves the HTTP port. HTTP/2 without TLS is on, so that gRPC works here too.
func (s *Server) webServer() *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler: s.http, Protocols: protocols,
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
	}
}

// handler routes the HTTP port: the page, the paths for operators, and the API as JSON, Connect,
// gRPC-Web and gRPC.
func (s *Server) handler() (http.Handler, error) {
	transcoder, err := vanguardgrpc.NewTranscoder(s.grpc,
		vanguard.WithCodec(func(types vanguard.TypeResolver) vanguard.Codec {
			// Unknown fields are refused, as a misspelt filter would widen a search.
			return &vanguard.JSONCodec{
				MarshalOptions:   protojson.MarshalOptions{Resolver: types},
				UnmarshalOptions: protojson.UnmarshalOptions{Resolver: types},
			}
		}),
		vanguard.WithDefaultServiceOptions(vanguard.WithMaxMessageBufferBytes(uint32(s.cfg.MaxMessage))),
		// The one method of the API without an HTTP annotation in its proto, which is not ours.
		vanguard.WithRules(&annotations.HttpRule{
			Selector: "google.longrunning.Operations.WaitOperation",
			Pattern:  &annotations.HttpRule_Post{Post: "/v1/{name=operations/**}:wait"}, Body: "*",
		}),
		vanguard.WithUnknownHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			writeStatus(w, http.StatusNotFound, &apiError{code: codes.NotFound, reason: "NO_SUCH_PATH",
				message: "there is nothing at " + r.URL.Path})
		})),
	)
	if err != nil {
		return nil, fmt.Errorf("make the HTTP form of the API: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", explainErrors(s.connectCalls(transcoder)))
	for _, stream := range s.jsonStreams() {
		mux.Handle(stream.pattern, stream)
	}
	for pattern, h := range s.cfg.Handlers {
		mux.Handle(pattern, s.counted(pattern, h))
	}
	mux.HandleFunc("GET /{$}", index)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}))
	// Pages of other sites must not write through a user's browser. Programs are not affected.
	return http.NewCrossOriginProtection().Handler(mux), nil
}

// connectCalls treats JSON that is posted to the name of a method as a Connect call. curl does not
// send the header of such a call by itself.
func (s *Server) connectCalls(next http.Handler) http.Handler {
	const header = "Connect-Protocol-Version"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.known[r.URL.Path] && r.Method == http.MethodPost && r.Header.Get("Content-Type") == "application/json" && r.Header.Get(header) == "" {
			r = r.Clone(r.Context())
			r.Header.Set(header, "1")
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	state, err := s.health.Check(r.Context(), &grpc_health_v1.HealthCheckRequest{})
	if err != nil || state.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		plain(w, http.StatusServiceUnavailable, "not ready")
		return
	}
	plain(w, http.StatusOK, "ready")
}

func plain(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	fmt.Fprintln(w, text)
}

// writeStatus answers with an error in the form of all errors of the JSON API.
func writeStatus(w http.ResponseWriter, code int, e *apiError) {
	body, err := protojson.Marshal(e.toStatus("").Proto())
	if err != nil {
		body = []byte(`{"code":13}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	w.Write(append(body, '\n')) // a client that went away needs no answer
}

// explainErrors adds details to the errors that the transcoder makes itself, e.g. for JSON that
// cannot be read, and gives its plain-text ones the form of the rest. It also accepts JSON under
// the content type that curl sends by default.
func explainErrors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/v1/") {
			next.ServeHTTP(w, r)
			return
		}
		r = r.Clone(r.Context())
		if r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
			r.Header.Set("Content-Type", "application/json")
		}
		// The transcoder splits the path and then decodes the parts. In a decoded path, an id with
		// a slash or a colon would be several parts.
		r.URL.Path, r.URL.RawPath = r.URL.EscapedPath(), ""
		e := &explainer{ResponseWriter: w}
		next.ServeHTTP(e, r)
		e.finish()
	})
}

// explainer holds back the body of an error until it is complete.
type explainer struct {
	http.ResponseWriter
	code int
	body *bytes.Buffer // of an error; nil for everything else, which passes
}

func (e *explainer) WriteHeader(code int) {
	if e.code != 0 {
		return
	}
	e.code = code
	if code >= http.StatusBadRequest {
		e.body = &bytes.Buffer{}
		return
	}
	e.ResponseWriter.WriteHeader(code)
}

func (e *explainer) Write(b []byte) (int, error) {
	if e.code == 0 {
		e.WriteHeader(http.StatusOK)
	}
	if e.body != nil {
		return e.body.Write(b)
	}
	return e.ResponseWriter.Write(b)
}

// Flush passes on what is not held back.
func (e *explainer) Flush() {
	if e.body == nil {
		if f, ok := e.ResponseWriter.(http.Flusher); ok {
			f.Flush()
		}
	}
}

// Unwrap is for http.ResponseController.
func (e *explainer) Unwrap() http.ResponseWriter { return e.ResponseWriter }

func (e *explainer) finish() {
	if e.body == nil {
		return
	}
	header := e.Header()
	if header.Get("Content-Encoding") != "" {
		e.pass()
		return
	}
	var st spb.Status
	if !json.Valid(e.body.Bytes()) || protojson.Unmarshal(e.body.Bytes(), &st) != nil {
		st = spb.Status{Code: int32(codeOfHTTP(e.code)), Message: strings.TrimSpace(e.body.String())}
	}
	if len(st.Details) == 0 {
		// The services add details to all their errors, so this one is of the transcoder. It
		// reports what it cannot read as UNKNOWN.
		reason := "MALFORMED_REQUEST"
		switch {
		case st.Code == int32(codes.Unknown):
			st.Code, e.code = int32(codes.InvalidArgument), http.StatusBadRequest
		case e.code >= http.StatusInternalServerError:
			reason = "INTERNAL"
		}
		if info, err := anypb.New(&errdetails.ErrorInfo{Reason: reason, Domain: Domain}); err == nil {
			st.Details = append(st.Details, info)
		}
	}
	body, err := protojson.Marshal(&st)
	if err != nil {
		e.pass()
		return
	}
	header.Set("Content-Type", "application/json")
	header.Del("Content-Length")
	e.ResponseWriter.WriteHeader(e.code)
	e.ResponseWriter.Write(append(body, '\n'))
}

func (e *explainer) pass() {
	e.ResponseWriter.WriteHeader(e.code)
	e.ResponseWriter.Write(e.body.Bytes())
}

// codesOfHTTP are the gRPC codes for HTTP statuses; see codeOfHTTP for the others.
var codesOfHTTP = map[int]codes.Code{
	http.StatusNotFound: codes.NotFound, http.StatusRequestEntityTooLarge: codes.ResourceExhausted,
	http.StatusMethodNotAllowed: codes.Unimplemented, http.StatusNotImplemented: codes.Unimplemented,
	http.StatusServiceUnavailable: codes.Unavailable,
}

func codeOfHTTP(code int) codes.Code {
	if known, ok := codesOfHTTP[code]; ok {
		return known
	}
	if code >= http.StatusInternalServerError {
		return codes.Internal
	}
	return codes.InvalidArgument
}

// index is the page, with calls to try.
func index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	fmt.Fprint(w, indexPage)
}

const indexPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Throughline</title>
<style>body { font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem } code { background: #8882; padding: .1em .3em }</style>
<h1>Throughline</h1>
<p>This port answers the API as JSON. Some calls to start from:</p>
<ul>
<li><a href="/v1/stories">/v1/stories</a>: stories, the latest first
<li><a href="/v1/topics">/v1/topics</a>: topics and themes
<li><a href="/v1/articles">/v1/articles</a>: articles; one of them at <code>/v1/articles/ID</code>
<li><code>/v1/articles/ID/related</code>: what else was written about it
<li><a href="/v1/search?query=election">/v1/search?query=election</a>: articles by words
<li><a href="/v1/stories:watch?stop_at_end=true">/v1/stories:watch?stop_at_end=true</a>: what happened to stories
</ul>
<p>For operators: <a href="/healthz">/healthz</a>, <a href="/readyz">/readyz</a>, <a href="/metrics">/metrics</a>.</p>
</html>
`

// httpCodes are the HTTP statuses for gRPC ones, as google/rpc/code.proto has them; 500 for the
// others.
var httpCodes = map[codes.Code]int{
	codes.OK:                 http.StatusOK,
	codes.Canceled:           499, // client closed request
	codes.InvalidArgument:    http.StatusBadRequest,
	codes.FailedPrecondition: http.StatusBadRequest,
	codes.OutOfRange:         http.StatusBadRequest,
	codes.DeadlineExceeded:   http.StatusGatewayTimeout,
	codes.NotFound:           http.StatusNotFound,
	codes.AlreadyExists:      http.StatusConflict,
	codes.Aborted:            http.StatusConflict,
	codes.PermissionDenied:   http.StatusForbidden,
	codes.Unauthenticated:    http.StatusUnauthorized,
	codes.ResourceExhausted:  http.StatusTooManyRequests,
	codes.Unimplemented:      http.StatusNotImplemented,
	codes.Unavailable:        http.StatusServiceUnavailable,
}
