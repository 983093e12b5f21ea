// SPDX-License-Identifier: MIT

package troupe_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/troupe-go/troupe"
)

// Importer handles records, some of which it cannot stand.
type Importer struct{ troupe.Actor }

// Import fails the first time for everybody, and always for a bad record.
func (i *Importer) Import(_ context.Context, record string) error {
	tries, _ := troupe.Service[map[string]int](i)
	tries[record]++
	if record == "bad" || tries[record] == 1 {
		panic("cannot read " + record)
	}
	return nil
}

// Can a message be tried again after a panic? Retries delivers it again after
// the restart, ahead of what is queued, and gives up after some tries: a poison
// message is dead-lettered, not retried for ever. The handler must be
// idempotent.
func ExampleRetries() {
	tries := map[string]int{}
	letters := make(chan troupe.DeadLetter, 1)
	node, err := troupe.New(troupe.Config{
		Logger:     slog.New(slog.DiscardHandler),
		DeadLetter: func(d troupe.DeadLetter) { letters <- d },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	troupe.Provide(node, tries)
	quick := troupe.Supervise(troupe.Supervision{Backoff: time.Millisecond})
	if err := node.Register(troupe.Virtual[Importer]("importer", troupe.Retries(2), quick)); err != nil {
		fmt.Println(err)
		return
	}
	if err := node.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	defer stopNode(node)

	ctx, importer := context.Background(), troupe.ID("importer", 1)
	err = node.Call(ctx, importer, "Import", nil, "good")
	fmt.Println(tries["good"], err)
	err = node.Call(ctx, importer, "Import", nil, "bad")
	fmt.Println(tries["bad"], errors.Is(err, troupe.ErrPoison))
	letter := <-letters
	fmt.Println("dead letter:", letter.To, letter.Method, letter.Reason)
	// Output:
	// 2 <nil>
	// 3 true
	// dead letter: importer/1 Import troupe: poison message
}
