// SPDX-License-Identifier: MIT

package prom

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/troupe-go/troupe/orm"
)

// ormSubsystem is the second part of the names of documents' metrics.
const ormSubsystem = "orm"

// Documents is an orm.Metrics and a prometheus.Collector:
//
//	documents := prom.NewDocuments(prom.Options{})
//	db, err := orm.Open(ctx, store, orm.Config{Metrics: documents})
//	registry.MustRegister(documents, prom.Unsaved(db, prom.Options{}))
//
// The names are troupe_orm_flushes_total, troupe_orm_documents_total,
// troupe_orm_flush_seconds and so on: one per counter and sample of package
// orm, whose documentation says what they count. All methods may be called from
// any goroutine.
type Documents struct {
	counters []prometheus.Counter   // by orm.Counter
	samples  []prometheus.Histogram // by orm.Sample
}

// NewDocuments returns metrics to give to orm.Config.Metrics and to register.
// DepthBuckets is not used; SecondsBuckets defaults to powers of four from 16 us
// to 268 s.
func NewDocuments(o Options) *Documents {
	if o.Namespace == "" {
		o.Namespace = DefaultNamespace
	}
	if o.SecondsBuckets == nil {
		o.SecondsBuckets = prometheus.ExponentialBuckets(16e-6, 4, 13)
	}
	d := &Documents{}
	for _, c := range orm.Counters() {
		d.counters = append(d.counters, prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: o.Namespace, Subsystem: ormSubsystem, Name: c.String() + "_total",
			ConstLabels: o.ConstLabels, Help: "Number of " + c.String() + " of the database.",
		}))
	}
	for _, s := range orm.Samples() {
		d.samples = append(d.samples, prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: o.Namespace, Subsystem: ormSubsystem, Name: s.String(),
			ConstLabels: o.ConstLabels, Buckets: o.SecondsBuckets,
			Help: "Distribution of " + strings.ReplaceAll(s.String(), "_", " ") + " of the database.",
		}))
	}
	return d
}

// Add implements orm.Metrics.
func (d *Documents) Add(c orm.Counter, n int64) {
	if int(c) < len(d.counters) && n > 0 {
		d.counters[c].Add(float64(n))
	}
}

// Observe implements orm.Metrics.
func (d *Documents) Observe(s orm.Sample, value float64) {
	if int(s) < len(d.samples) {
		d.samples[s].Observe(value)
	}
}

// Describe implements prometheus.Collector.
func (d *Documents) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range d.counters {
		c.Describe(ch)
	}
	for _, s := range d.samples {
		s.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (d *Documents) Collect(ch chan<- prometheus.Metric) {
	for _, c := range d.counters {
		c.Collect(ch)
	}
	for _, s := range d.samples {
		s.Collect(ch)
	}
}

// unsaved reads what waits for the database when it is asked.
type unsaved struct {
	db     *orm.DB
	gauges []gauge
}

type gauge struct {
	desc *prometheus.Desc
	of   func(orm.Stats) float64
}

// Unsaved returns a collector of what waits for the database, read at each
// scrape: troupe_orm_oldest_unsaved_seconds, the one to raise an alarm on, and
// troupe_orm_pending_documents, _pending_bytes, _touched and _owners.
func Unsaved(db *orm.DB, o Options) prometheus.Collector {
	if o.Namespace == "" {
		o.Namespace = DefaultNamespace
	}
	u := &unsaved{db: db}
	add := func(name, help string, of func(orm.Stats) float64) {
		full := prometheus.BuildFQName(o.Namespace, ormSubsystem, name)
		u.gauges = append(u.gauges, gauge{prometheus.NewDesc(full, help, nil, o.ConstLabels), of})
	}
	add("oldest_unsaved_seconds", "Age of the oldest change that may be unsaved.",
		func(s orm.Stats) float64 { return s.OldestUnsaved.Seconds() })
	add("pending_documents", "Encoded documents that wait for the database.",
		func(s orm.Stats) float64 { return float64(s.PendingDocs) })
	add("pending_bytes", "Size of the encoded documents that wait for the database.",
		func(s orm.Stats) float64 { return float64(s.PendingBytes) })
	add("touched", "Owners that ran and were not looked at since.",
		func(s orm.Stats) float64 { return float64(s.Touched) })
	add("owners", "Owners with loaded documents.",
		func(s orm.Stats) float64 { return float64(s.Owners) })
	return u
}

// Describe implements prometheus.Collector.
func (u *unsaved) Describe(ch chan<- *prometheus.Desc) {
	for _, g := range u.gauges {
		ch <- g.desc
	}
}

// Collect implements prometheus.Collector.
func (u *unsaved) Collect(ch chan<- prometheus.Metric) {
	s := u.db.Stats()
	for _, g := range u.gauges {
		ch <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, g.of(s))
	}
}

var (
	_ orm.Metrics          = (*Documents)(nil)
	_ prometheus.Collector = (*Documents)(nil)
)
