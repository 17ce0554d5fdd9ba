package server

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	throughlinev1 "throughline/proto/throughline/v1"
)

// jsonStream is a streaming method over plain HTTP, which the transcoder does not have. Each line
// is one JSON object: requests in the body, responses as they come. A method with one request takes
// it from the query. An error before the first response is an ordinary HTTP error; after it, the
// last line is {"error": STATUS}.
type jsonStream struct {
	server  *Server
	pattern string // of http.ServeMux
	method  string // full name
	service any
	desc    grpc.StreamDesc
}

// jsonStreams are the streaming methods. Each of these services has one.
func (s *Server) jsonStreams() []*jsonStream {
	one := func(pattern string, service any, of grpc.ServiceDesc) *jsonStream {
		return &jsonStream{s, pattern, "/" + of.ServiceName + "/" + of.Streams[0].StreamName, service, of.Streams[0]}
	}
	return []*jsonStream{
		one("POST /v1/articles:ingest", &articleService{server: s}, throughlinev1.ArticleService_ServiceDesc),
		one("POST /v1/related:batch", &coverageService{server: s}, throughlinev1.CoverageService_ServiceDesc),
		one("GET /v1/stories:watch", &clusterService{server: s}, throughlinev1.ClusterService_ServiceDesc),
	}
}

func (j *jsonStream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if id := r.Header.Get(requestIDHeader); id != "" {
		ctx = metadata.NewIncomingContext(ctx, metadata.Pairs(requestIDHeader, id))
	}
	control := http.NewResponseController(w)
	// Without this, HTTP/1 reads the whole body before the first response. HTTP/2 needs it not and
	// does not support it.
	if err := control.EnableFullDuplex(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		j.server.log.DebugContext(ctx, "HTTP without full duplex", "error", err)
	}
	stream := &httpStream{ctx: ctx, w: w, control: control}
	if j.desc.ClientStreams {
		stream.lines = bufio.NewReaderSize(r.Body, 64<<10)
		stream.longest = j.server.cfg.MaxMessage
	} else {
		stream.query = r.URL.Query()
	}
	info := &grpc.StreamServerInfo{FullMethod: j.method, IsClientStream: j.desc.ClientStreams, IsServerStream: j.desc.ServerStreams}
	err := j.server.stream(j.service, stream, info, j.desc.Handler)
	stream.end(err)
}

// httpStream is a stream of JSON lines as a grpc.ServerStream. One goroutine may read and one may
// write.
type httpStream struct {
	ctx     context.Context
	w       http.ResponseWriter
	control *http.ResponseController

	lines   *bufio.Reader // requests; nil when the query is the one request
	longest int           // of a line, in bytes
	line    int
	query   url.Values // the one request; nil once read

	begun bool // the header is out
}

func (h *httpStream) Context() context.Context { return h.ctx }

// SetHeader sends headers with the first response.
func (h *httpStream) SetHeader(md metadata.MD) error {
	h.addHeader("", md)
	return nil
}

func (h *httpStream) addHeader(prefix string, md metadata.MD) {
	for key, values := range md {
		for _, value := range values {
			h.w.Header().Add(prefix+key, value)
		}
	}
}

func (h *httpStream) SendHeader(md metadata.MD) error { return h.SetHeader(md) }

// SetTrailer sends trailers after the last response.
func (h *httpStream) SetTrailer(md metadata.MD) { h.addHeader(http.TrailerPrefix, md) }

func (h *httpStream) SendMsg(m any) error {
	message, ok := m.(proto.Message)
	if !ok {
		return fmt.Errorf("a response of type %T is not a message", m)
	}
	line, err := protojson.Marshal(message)
	if err != nil {
		return err
	}
	return h.writeLine(line)
}

func (h *httpStream) begin() {
	if !h.begun {
		h.begun = true
		h.w.Header().Set("Content-Type", "application/x-ndjson")
		h.w.WriteHeader(http.StatusOK)
	}
}

func (h *httpStream) writeLine(line []byte) error {
	h.begin()
	_, err := h.w.Write(append(line, '\n'))
	if err == nil {
		err = h.control.Flush()
	}
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return status.Error(codes.Canceled, err.Error())
	}
	return nil
}

func (h *httpStream) RecvMsg(m any) error {
	message, ok := m.(proto.Message)
	if !ok {
		return fmt.Errorf("a request of type %T is not a message", m)
	}
	if h.lines == nil {
		return h.fromQuery(message)
	}
	for {
		line, err := h.nextLine()
		if err != nil {
			return err
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if err := protojson.Unmarshal(line, message); err != nil {
			return status.Errorf(codes.InvalidArgument, "line %d: %v", h.line, err)
		}
		return nil
	}
}

// nextLine reads one line of at most h.longest bytes. After the last one it returns io.EOF.
func (h *httpStream) nextLine() ([]byte, error) {
	h.line++
	var line []byte
	for {
		part, err := h.lines.ReadSlice('\n')
		if len(line)+len(part) > h.longest {
			return nil, status.Errorf(codes.ResourceExhausted, "line %d is longer than %d bytes", h.line, h.longest)
		}
		line = append(line, part...)
		switch {
		case err == nil:
			return line, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			if len(line) == 0 {
				return nil, io.EOF
			}
			return line, nil
		default:
			return nil, status.Error(codes.Canceled, err.Error())
		}
	}
}

// fromQuery reads the one request from the query. WatchStories is the only such method.
func (h *httpStream) fromQuery(m proto.Message) error {
	if h.query == nil {
		return io.EOF
	}
	query := h.query
	h.query = nil
	request, ok := m.(*throughlinev1.WatchStoriesRequest)
	if !ok {
		return fmt.Errorf("a request of type %T cannot be read from a query", m)
	}
	for name, values := range query {
		var err error
		last := values[len(values)-1]
		switch strings.ToLower(strings.ReplaceAll(name, "_", "")) {
		case "aftersequence":
			request.AfterSequence, err = strconv.ParseInt(last, 10, 64)
		case "storyids":
			request.StoryIds = values
		case "stopatend":
			request.StopAtEnd, err = strconv.ParseBool(last)
		default:
			err = errors.New("there is no such field")
		}
		if err != nil {
			return status.Errorf(codes.InvalidArgument, "query parameter %s: %v", name, err)
		}
	}
	return nil
}

// end writes how the stream ended. err is a status, nil for success.
func (h *httpStream) end(err error) {
	if err == nil {
		h.begin()
		return
	}
	st := status.Convert(err)
	body, failed := protojson.Marshal(st.Proto())
	if failed != nil {
		body = fmt.Appendf(nil, `{"code":%d}`, st.Code())
	}
	if h.begun {
		h.writeLine(fmt.Appendf(nil, `{"error":%s}`, body)) // a client that went away needs no answer
		return
	}
	h.w.Header().Set("Content-Type", "application/json")
	h.w.WriteHeader(cmp.Or(httpCodes[st.Code()], http.StatusInternalServerError))
	h.w.Write(append(body, '\n'))
}
