// SPDX-License-Identifier: MIT

package prom

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/troupe-go/troupe"
)

// active reads the number of active actors when it is asked.
type active struct {
	node *troupe.Node
	desc *prometheus.Desc
}

// Active returns a collector of troupe_active{kind,node}: the actors that are
// in memory on the node. It reads the number at each scrape.
func Active(node *troupe.Node) prometheus.Collector {
	return active{node, prometheus.NewDesc(DefaultNamespace+"_active", "Actors in memory.",
		[]string{"kind"}, prometheus.Labels{"node": node.Name()})}
}

// Describe implements prometheus.Collector.
func (a active) Describe(ch chan<- *prometheus.Desc) { ch <- a.desc }

// Collect implements prometheus.Collector.
func (a active) Collect(ch chan<- prometheus.Metric) {
	for _, kind := range a.node.Kinds() {
		ch <- prometheus.MustNewConstMetric(a.desc, prometheus.GaugeValue, float64(a.node.Active(kind.Name)), kind.Name)
	}
}
