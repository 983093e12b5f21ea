// SPDX-License-Identifier: MIT

package gen

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/troupe-go/troupe/cmd/troupe/internal/model"
)

// list prints a table of all handlers.
func list(w io.Writer, pkgs []*model.Package) error {
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "KIND\tMETHOD\tNUMBER\tACCESS\tMAX BYTES\tPARAMETERS\tRESULTS")
	for _, p := range pkgs {
		for _, k := range p.Kinds {
			for _, m := range k.Methods {
				limit := "node's"
				if m.MaxBytes > 0 {
					limit = strconv.Itoa(m.MaxBytes)
				}
				fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\t%s\n", k.Name, m.Name, m.Number, m.Access, limit, fields(m.Args), fields(m.Reply))
			}
		}
	}
	return table.Flush()
}

func fields(m *model.Message) string {
	if len(m.Fields) == 0 {
		return "-"
	}
	var parts []string
	for _, f := range m.Fields {
		text := f.LockType()
		if f.Param != "" {
			text = f.Param + " " + text
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}
