// SPDX-License-Identifier: MIT

// Package prom shows a node's measurements to Prometheus.
//
//	metrics := prom.New(prom.Options{})
//	registry.MustRegister(metrics)
//	node, err := troupe.New(troupe.Config{Metrics: metrics})
//	registry.MustRegister(prom.Active(node))
//
// The names are troupe_turns_total{kind}, troupe_drops_total{kind,reason},
// troupe_turn_seconds{kind} and so on: one per counter and sample of the root
// package, whose documentation says what they count.
package prom

import (
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/troupe-go/troupe"
)

// DefaultNamespace is the first part of all names.
const DefaultNamespace = "troupe"

// Options configure New. The zero value is ready to use.
type Options struct {
	// Namespace is the first part of all names. Defaults to DefaultNamespace.
	Namespace string
	// ConstLabels are added to all metrics, for example the node's name when
	// several nodes share a registry. Defaults to none.
	ConstLabels prometheus.Labels
	// SecondsBuckets are the histogram bounds of durations. Defaults to powers
	// of four from 1 us to 17 s.
	SecondsBuckets []float64
	// DepthBuckets are the histogram bounds of mailbox depths. Defaults to
	// powers of four from 1 to 65,536.
	DepthBuckets []float64
}

// Metrics is a troupe.Metrics and a prometheus.Collector. A kind's series
// appear with its first measurement.
//
// All methods may be called from any goroutine. A measurement costs one look-up
// in a concurrent map and one atomic add; it allocates only for the first of a
// kind.
type Metrics struct {
	counters []*prometheus.CounterVec // by Counter; drops share one
	reasons  []string                 // by Counter: the label of a drop
	samples  []*prometheus.HistogramVec
	kinds    sync.Map // kind name to *series
}

// series are one kind's metrics.
type series struct {
	counters []prometheus.Counter
	samples  []prometheus.Observer
}

// dropPrefix marks the counters that become one metric with a reason.
const dropPrefix = "drop_"

// New returns metrics to give to Config.Metrics and to register.
func New(o Options) *Metrics {
	if o.Namespace == "" {
		o.Namespace = DefaultNamespace
	}
	if o.SecondsBuckets == nil {
		o.SecondsBuckets = prometheus.ExponentialBuckets(1e-6, 4, 13)
	}
	if o.DepthBuckets == nil {
		o.DepthBuckets = prometheus.ExponentialBuckets(1, 4, 9)
	}
	m := &Metrics{}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: o.Namespace, Name: name + "_total", Help: help, ConstLabels: o.ConstLabels,
		}, append([]string{"kind"}, labels...))
	}
	drops := counter("drops", "Messages that no handler took, by reason.", "reason")
	for _, c := range troupe.Counters() {
		if reason, ok := strings.CutPrefix(c.String(), dropPrefix); ok {
			m.counters = append(m.counters, drops)
			m.reasons = append(m.reasons, reason)
			continue
		}
		m.counters = append(m.counters, counter(c.String(), "Number of "+strings.ReplaceAll(c.String(), "_", " ")+"."))
		m.reasons = append(m.reasons, "")
	}
	for _, s := range troupe.Samples() {
		buckets := o.DepthBuckets
		if strings.HasSuffix(s.String(), "_seconds") {
			buckets = o.SecondsBuckets
		}
		m.samples = append(m.samples, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: o.Namespace, Name: s.String(), ConstLabels: o.ConstLabels, Buckets: buckets,
			Help: "Distribution of " + strings.ReplaceAll(s.String(), "_", " ") + ", sampled.",
		}, []string{"kind"}))
	}
	return m
}

// Add implements troupe.Metrics.
func (m *Metrics) Add(c troupe.Counter, kind string, n int64) {
	if s := m.of(kind); int(c) < len(s.counters) && n > 0 {
		s.counters[c].Add(float64(n))
	}
}

// Observe implements troupe.Metrics.
func (m *Metrics) Observe(sample troupe.Sample, kind string, value float64) {
	if s := m.of(kind); int(sample) < len(s.samples) {
		s.samples[sample].Observe(value)
	}
}

// of returns the metrics of a kind.
func (m *Metrics) of(kind string) *series {
	if s, ok := m.kinds.Load(kind); ok {
		return s.(*series)
	}
	s := &series{}
	for i, vec := range m.counters {
		labels := []string{kind}
		if m.reasons[i] != "" {
			labels = append(labels, m.reasons[i])
		}
		s.counters = append(s.counters, vec.WithLabelValues(labels...))
	}
	for _, vec := range m.samples {
		s.samples = append(s.samples, vec.WithLabelValues(kind))
	}
	kept, _ := m.kinds.LoadOrStore(kind, s)
	return kept.(*series)
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.collectors() {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.collectors() {
		c.Collect(ch)
	}
}

// collectors lists each vector once: the drops share one.
func (m *Metrics) collectors() []prometheus.Collector {
	var all []prometheus.Collector
	for i, c := range m.counters {
		if !slices.Contains(m.counters[:i], c) {
			all = append(all, c)
		}
	}
	for _, s := range m.samples {
		all = append(all, s)
	}
	return all
}

var (
	_ troupe.Metrics       = (*Metrics)(nil)
	_ prometheus.Collector = (*Metrics)(nil)
)
