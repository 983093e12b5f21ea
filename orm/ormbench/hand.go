// SPDX-License-Identifier: MIT

package ormbench

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
)

// Exec runs a statement with parameters; it is durable when it returns.
type Exec func(ctx context.Context, rows []HandRow) error

// HandRow is a row of the table written by hand.
type HandRow struct {
	ID    int64
	Level int32
	Guild string
	Data  string

	done chan error
}

// Hand is what a careful team writes without an ORM: documents are collected
// and written with one multi-row upsert, unconditionally, by a few writers.
type Hand struct {
	name    string
	exec    Exec
	close   func() error
	players []Player

	queue chan *HandRow
	wg    sync.WaitGroup
}

const handBatch = 500

// NewHand starts writers goroutines over exec.
func NewHand(name string, exec Exec, closeDB func() error, writers int, load Load) *Hand {
	load = load.withDefaults()
	h := &Hand{
		name: name, exec: exec, close: closeDB,
		players: make([]Player, load.Actors), queue: make(chan *HandRow, load.Actors),
	}
	for i := range h.players {
		h.players[i].Fill(int64(i + 1))
	}
	h.wg.Add(writers)
	for range writers {
		go h.write()
	}
	return h
}

// Name implements Contender.
func (h *Hand) Name() string { return h.name }

// Save implements Contender.
func (h *Hand) Save(_ context.Context, id, round int64) error {
	p := &h.players[id-1]
	p.Gold = round
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	row := &HandRow{ID: id, Level: p.Level, Guild: p.Guild, Data: string(data), done: make(chan error, 1)}
	h.queue <- row
	return <-row.done
}

func (h *Hand) write() {
	defer h.wg.Done()
	for first := range h.queue {
		batch := []*HandRow{first}
		for more := true; more && len(batch) < handBatch; {
			select {
			case row, ok := <-h.queue:
				if more = ok; ok {
					batch = append(batch, row)
				}
			default:
				more = false
			}
		}
		rows := make([]HandRow, len(batch))
		for i, row := range batch {
			rows[i] = *row
		}
		err := h.exec(context.Background(), rows)
		for _, row := range batch {
			row.done <- err
		}
	}
}

// Close implements Contender.
func (h *Hand) Close() error {
	close(h.queue)
	h.wg.Wait()
	return h.close()
}

func mysqlUpsert(n int) string {
	return "INSERT INTO ormbench_hand (id, level, guild, data) VALUES " +
		strings.TrimSuffix(strings.Repeat("(?, ?, ?, ?), ", n), ", ") +
		" ON DUPLICATE KEY UPDATE level = VALUES(level), guild = VALUES(guild), data = VALUES(data)"
}

const postgresUpsert = `INSERT INTO ormbench_hand (id, level, guild, data)
SELECT * FROM unnest($1::bigint[], $2::int[], $3::text[], $4::text[])
ON CONFLICT (id) DO UPDATE SET level = excluded.level, guild = excluded.guild, data = excluded.data`

func handTable(dataType string) []string {
	return []string{
		"DROP TABLE IF EXISTS ormbench_hand",
		fmt.Sprintf("CREATE TABLE ormbench_hand (id bigint PRIMARY KEY, level int NOT NULL, guild varchar(255) NOT NULL, data %s NOT NULL)", dataType),
		"CREATE INDEX ormbench_hand_level ON ormbench_hand (level)",
		"CREATE INDEX ormbench_hand_guild ON ormbench_hand (guild)",
	}
}
