package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"buf.build/go/protovalidate"
	longrunning "cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	throughlinev1 "throughline/proto/throughline/v1"
)

// Config is what a Server is made of. Reader, Logger and Now are needed; what zero values of the
// rest mean is said beside them. The methods of a missing engine are UNIMPLEMENTED.
type Config struct {
	Reader  Reader
	Writer  Writer // nil: the server is read-only
	Related Related
	Stories Stories
	// Ready reports whether the engines can answer. It is called every ReadyEvery. nil: they always
	// can.
	Ready func(ctx context.Context) error

	Logger *slog.Logger
	Now    func() time.Time
	NewID  func() string // ids of requests and operations; nil: random UUIDs

	// Handlers answer further paths of the HTTP port, by their pattern for [http.ServeMux]. They go
	// before the API, which has all other paths of /v1/.
	Handlers map[string]http.Handler

	Timeout    time.Duration // of a unary call whose client set no deadline; 0: 30 s
	Drain      time.Duration // how long running calls may take to end at shutdown; 0: 10 s
	ReadyEvery time.Duration // 0: 5 s
	MaxMessage int           // largest request in bytes; 0: 16 MiB
}

const (
	keepPages   = 15 * time.Minute // how long a ranked list is kept for its next page
	keepResults = 20_000           // how many results such lists may hold together, some 5 kB each
	maxStreams  = 1000             // concurrent calls of one connection
)

func (c Config) withDefaults() (Config, error) {
	if c.Reader == nil || c.Logger == nil || c.Now == nil {
		return c, errors.New("server: Config needs Reader, Logger and Now")
	}
	if c.NewID == nil {
		c.NewID = uuid.NewString
	}
	c.Timeout = cmp.Or(c.Timeout, 30*time.Second)
	c.Drain = cmp.Or(c.Drain, 10*time.Second)
	c.ReadyEvery = cmp.Or(c.ReadyEvery, 5*time.Second)
	c.MaxMessage = cmp.Or(c.MaxMessage, 16<<20)
	return c, nil
}

// Services are the services whose health is reported. "" stands for all of them.
var Services = []string{
	throughlinev1.ArticleService_ServiceDesc.ServiceName,
	throughlinev1.CoverageService_ServiceDesc.ServiceName,
	throughlinev1.ClusterService_ServiceDesc.ServiceName,
	longrunning.Operations_ServiceDesc.ServiceName,
}

// Server is the API on two ports. Make one with New; it serves once.
type Server struct {
	cfg        Config
	log        *slog.Logger
	validator  protovalidate.Validator
	registry   *prometheus.Registry // what /metrics shows
	metrics    *metrics
	pager      *pager
	results    *resultCache
	operations *operations
	health     *health.Server
	grpc       *grpc.Server
	http       http.Handler
	known      map[string]bool // full names of all methods

	// draining ends when the server begins to stop. It ends streams that would never end by
	// themselves.
	draining context.Context
	drain    context.CancelFunc
	// receivers are the goroutines that read streams of requests. They end with their streams.
	receivers sync.WaitGroup
}

// New makes a server. It checks all that can be checked before the first call.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, log: cfg.Logger, known: map[string]bool{},
		pager: newPager(), results: newResultCache(cfg.Now, keepPages, keepResults), registry: prometheus.NewRegistry()}
	s.draining, s.drain = context.WithCancel(context.Background())
	if s.validator, err = newValidator(); err != nil {
		return nil, err
	}
	if s.metrics, err = newMetrics(s.registry); err != nil {
		return nil, fmt.Errorf("register the server's metrics: %w", err)
	}
	s.operations = newOperations(cfg.Now, cfg.NewID)
	s.grpc = grpc.NewServer(
		grpc.ChainUnaryInterceptor(s.unary),
		grpc.ChainStreamInterceptor(s.stream),
		grpc.UnknownServiceHandler(unknownMethod),
		grpc.ForceServerCodecV2(newCodec()),
		grpc.MaxRecvMsgSize(cfg.MaxMessage),
		// The library's defaults trust the client: any number of streams, 16 MiB of headers, two
		// minutes for a handshake.
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxHeaderListSize(64<<10),
		grpc.ConnectionTimeout(20*time.Second),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 2 * time.Minute, Timeout: 20 * time.Second}),
		// A long watch needs pings to stay open behind proxies. The default allows one in five
		// minutes.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 20 * time.Second, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true),
	)
	throughlinev1.RegisterArticleServiceServer(s.grpc, &articleService{server: s})
	throughlinev1.RegisterCoverageServiceServer(s.grpc, &coverageService{server: s})
	throughlinev1.RegisterClusterServiceServer(s.grpc, &clusterService{server: s})
	longrunning.RegisterOperationsServer(s.grpc, &operationsService{server: s})
	s.health = health.NewServer()
	grpc_health_v1.RegisterHealthServer(s.grpc, s.health)
	reflection.Register(s.grpc) // v1 and v1alpha
	for service, info := range s.grpc.GetServiceInfo() {
		for _, m := range info.Methods {
			s.known["/"+service+"/"+m.Name] = true
		}
	}
	s.setReady(false)
	if s.http, err = s.handler(); err != nil {
		return nil, err
	}
	return s, nil
}

// Serve answers calls on both listeners until ctx ends. It then gives running calls Config.Drain to
// end, closes the listeners and returns when all that it started has ended; nil after such a stop.
// httpListener may be nil.
func (s *Server) Serve(ctx context.Context, grpcListener, httpListener net.Listener) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := s.grpc.Serve(grpcListener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			return fmt.Errorf("serve gRPC on %s: %w", grpcListener.Addr(), err)
		}
		return nil
	})
	var web *http.Server
	if httpListener != nil {
		web = s.webServer()
		group.Go(func() error {
			if err := web.Serve(httpListener); err != nil && !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve HTTP on %s: %w", httpListener.Addr(), err)
			}
			return nil
		})
	}
	group.Go(func() error {
		s.watchReadiness(ctx)
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		s.stop(web)
		return nil
	})
	err := group.Wait()
	s.receivers.Wait()
	return err
}

// stop refuses new calls, ends watches and jobs, and waits at most Config.Drain for other calls.
func (s *Server) stop(web *http.Server) {
	s.setReady(false)
	s.drain()
	s.operations.close()
	limit, cancel := context.WithTimeout(context.Background(), s.cfg.Drain)
	defer cancel()
	var wait sync.WaitGroup
	if web != nil {
		// Its calls run inside the gRPC server.
		wait.Go(func() {
			if err := web.Shutdown(limit); err != nil {
				s.log.Warn("calls over HTTP were cut off at shutdown", "after", s.cfg.Drain, "error", err)
				if err := web.Close(); err != nil {
					s.log.Debug("close the HTTP server", "error", err)
				}
			}
		})
	}
	wait.Go(func() {
		graceful := make(chan struct{})
		go func() {
			s.grpc.GracefulStop()
			close(graceful)
		}()
		select {
		case <-graceful:
		case <-limit.Done():
			s.log.Warn("calls over gRPC were cut off at shutdown", "after", s.cfg.Drain)
			s.grpc.Stop()
			<-graceful
		}
	})
	wait.Wait()
}

// watchReadiness reports SERVING while the engines can answer, and NOT_SERVING while they cannot.
func (s *Server) watchReadiness(ctx context.Context) {
	before := error(errNotAsked)
	for ctx.Err() == nil {
		now := s.checkReady(ctx)
		if ctx.Err() != nil {
			return
		}
		if (now == nil) != (before == nil) || before == errNotAsked {
			if now == nil {
				s.log.Info("ready")
			} else {
				s.log.Warn("not ready", "error", now)
			}
			s.setReady(now == nil)
		}
		before = now
		select {
		case <-ctx.Done():
		case <-s.draining.Done():
			return
		case <-time.After(s.cfg.ReadyEvery):
		}
	}
}

var errNotAsked = errors.New("not asked yet")

func (s *Server) checkReady(ctx context.Context) error {
	if s.cfg.Ready == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, max(s.cfg.ReadyEvery, time.Second))
	defer cancel()
	return s.cfg.Ready(ctx)
}

// setReady reports the health of every service. One without an engine is never ready.
func (s *Server) setReady(ready bool) {
	built := map[string]bool{
		"": true,
		throughlinev1.ArticleService_ServiceDesc.ServiceName:  true,
		throughlinev1.CoverageService_ServiceDesc.ServiceName: s.cfg.Related != nil,
		throughlinev1.ClusterService_ServiceDesc.ServiceName:  s.cfg.Stories != nil,
		longrunning.Operations_ServiceDesc.ServiceName:        s.cfg.Stories != nil,
	}
	for service, has := range built {
		state := grpc_health_v1.HealthCheckResponse_NOT_SERVING
		if ready && has {
			state = grpc_health_v1.HealthCheckResponse_SERVING
		}
		s.health.SetServingStatus(service, state)
	}
}

// writer returns the writer, or the error where there is none.
func (s *Server) writer() (Writer, error) {
	if s.cfg.Writer == nil {
		return nil, errReadOnly
	}
	return s.cfg.Writer, nil
}
