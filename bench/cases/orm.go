// SPDX-License-Identifier: MIT

package cases

import (
	"os"
	"time"

	"github.com/troupe-go/troupe/bench/compare"
)

// The variables that say where the databases of orm/* are. Without them, the
// cases that need a server are not there.
const (
	PostgresVariable = "TROUPE_TEST_POSTGRES"
	MySQLVariable    = "TROUPE_TEST_MYSQL"
)

// ormProgram has the contenders of orm/*: their drivers stay out of this
// module.
const ormProgram = "orm"

// ormCases compare documents in databases. peers/orm has the work.
func ormCases() []compare.Case {
	all := []compare.Case{
		ormCase("orm/save/bolt", "durable saves of 2 KiB documents in the embedded store, 1,000 active actors; "+
			"batch is bbolt's own grouping, DB.Batch, with encoding/json and without actors and fences",
			20_000, compare.Ours, "batch"),
		ormCase("orm/dirty/unchanged", "asking a document of 200 values, a quarter of them in nested structs, slices and maps, "+
			"whether it has changed; deepequal is reflect.DeepEqual with a copy, json compares encodings",
			20_000, compare.Ours, "deepequal", "json"),
		ormCase("orm/dirty/changed", "as unchanged, when the last value has changed: all of it is compared",
			20_000, compare.Ours, "deepequal", "json"),
	}
	if os.Getenv(PostgresVariable) != "" {
		all = append(all, ormServerCases("postgres")...)
	}
	if os.Getenv(MySQLVariable) != "" {
		all = append(all, ormServerCases("mysql")...)
	}
	return all
}

func ormServerCases(server string) []compare.Case {
	save := ormCase("orm/save/"+server, "durable saves of 2 KiB documents with two indexed columns, 1,000 active actors, the same durability; "+
		"gorm saves row by row on one connection, as a loop over all players does, gorm16 on 16 connections at a time; "+
		"upsert is a hand-written multi-row upsert, two writers as ours",
		20_000, compare.Ours, "gorm", "gorm16", "upsert")
	for i, who := range save.Contenders {
		if who.Name == "gorm" || who.Name == "gorm16" {
			save.Contenders[i].Scale = 10
		}
	}
	load := ormCase("orm/load/"+server, "reading one document of 2 KiB, one at a time; ours also installs the owner's fence, "+
		"baredriver is the driver's SELECT by a prepared statement",
		5_000, compare.Ours, "baredriver")
	return []compare.Case{save, load}
}

func ormCase(name, about string, n int, contenders ...string) compare.Case {
	c := compare.Case{Name: name, About: about, N: n, Timeout: time.Minute}
	for _, who := range contenders {
		c.Contenders = append(c.Contenders, compare.Contender{Name: who, Program: ormProgram})
	}
	return c
}
