package server

import (
	"bufio"
	"bytes"
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

// jsonStream is a streaming method over plain HTTP, which the transcoder leaves out: one JSON object a line, requests in
// the body or, for a method with one request, in the query; responses as they come. An error before the first response is
// an ordinary HTTP error; after it, the last line is {"error": STATUS}.
type jsonStream struct {
	server  *Server
	pattern string // of http.ServeMux
	method  string // full name
	service any
	desc    grpc.StreamDesc
}

func (s *Server) jsonStreams() []*jsonStream {
	return []*jsonStream{
		{s, "POST /v1/articles:ingest", throughlinev1.ArticleService_IngestArticles_FullMethodName,
			&articleService{server: s}, streamOf(throughlinev1.ArticleService_ServiceDesc, "IngestArticles")},
		{s, "POST /v1/related:batch", throughlinev1.CoverageService_BatchRelated_FullMethodName,
			&coverageService{server: s}, streamOf(throughlinev1.CoverageService_ServiceDesc, "BatchRelated")},
		{s, "GET /v1/stories:watch", throughlinev1.ClusterService_WatchStories_FullMethodName,
			&clusterService{server: s}, streamOf(throughlinev1.ClusterService_ServiceDesc, "WatchStories")},
	}
}

func streamOf(service grpc.ServiceDesc, name string) grpc.StreamDesc {
	for _, desc := range service.Streams {
		if desc.StreamName == name {
			return desc
		}
	}
	return grpc.StreamDesc{}
}

func (j *jsonStream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if id := r.Header.Get(requestIDHeader); id != "" {
		ctx = metadata.NewIncomingContext(ctx, metadata.Pairs(requestIDHeader, id))
	}
	control := http.NewResponseController(w)
	// HTTP/1 otherwise reads the whole body before the first response. HTTP/2 is duplex anyway and says it cannot be set.
	if err := control.EnableFullDuplex(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		j.server.log.DebugContext(ctx, "no full duplex", "error", err)
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

// httpStream is a stream of JSON lines as the handlers know streams. Like any, one goroutine reads and one writes.
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

// SetHeader keeps what the interceptors set; it is sent with the first response.
func (h *httpStream) SetHeader(md metadata.MD) error {
	for key, values := range md {
		for _, value := range values {
			h.w.Header().Add(key, value)
		}
	}
	return nil
}

func (h *httpStream) SendHeader(md metadata.MD) error { return h.SetHeader(md) }

// SetTrailer does nothing: no handler here sets one.
func (h *httpStream) SetTrailer(metadata.MD) {}

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

func (h *httpStream) writeLine(line []byte) error {
	if !h.begun {
		h.begun = true
		h.w.Header().Set("Content-Type", "application/x-ndjson")
		h.w.WriteHeader(http.StatusOK)
	}
	if _, err := h.w.Write(append(line, '\n')); err != nil {
		return status.Error(codes.Canceled, err.Error())
	}
	if err := h.control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
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

// nextLine reads one line of bounded length; io.EOF after the last one.
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

// end tells what ended the stream. err is a status.
func (h *httpStream) end(err error) {
	if err == nil {
		if !h.begun {
			h.w.Header().Set("Content-Type", "application/x-ndjson")
			h.w.WriteHeader(http.StatusOK)
		}
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
	h.w.WriteHeader(httpCode(st.Code()))
	h.w.Write(append(body, '\n'))
}
