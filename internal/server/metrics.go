package server

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
)

// metrics counts and times calls. Labels have few values: see Server.label.
type metrics struct {
	calls   *prometheus.CounterVec   // service, method, code
	seconds *prometheus.HistogramVec // service, method
	running *prometheus.GaugeVec     // service, method
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "throughline", Name: "calls_total", Help: "Finished calls by gRPC status code.",
		}, []string{"service", "method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "throughline", Name: "call_seconds", Help: "How long calls took; streams until their end.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"service", "method"}),
		running: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "throughline", Name: "calls_running", Help: "Calls that have not finished.",
		}, []string{"service", "method"}),
	}
	for _, c := range []prometheus.Collector{m.calls, m.seconds, m.running} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// start counts a call that begins. The returned function counts its end.
func (m *metrics) start(fullMethod string, now func() time.Time) func(codes.Code) {
	service, method := splitMethod(fullMethod)
	began := now()
	running := m.running.WithLabelValues(service, method)
	running.Inc()
	return func(code codes.Code) {
		running.Dec()
		m.calls.WithLabelValues(service, method, code.String()).Inc()
		m.seconds.WithLabelValues(service, method).Observe(now().Sub(began).Seconds())
	}
}

func splitMethod(full string) (service, method string) {
	service, method, _ = strings.Cut(strings.TrimPrefix(full, "/"), "/")
	return service, method
}
