// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe"
)

// Bank is what its actors find with troupe.Service.
type Bank struct {
	Books *Books
	Chaos *Chaos
}

func bankOf(from troupe.Caller) (*Bank, error) {
	bank, ok := troupe.Service[*Bank](from)
	if !ok {
		return nil, errors.New("the node has no bank")
	}
	return bank, nil
}

// Chaos panics now and then.
type Chaos struct {
	Probability float64
}

// Strike panics with the probability, on the turn of whoever calls it.
func (c *Chaos) Strike() {
	if rand.Float64() < c.Probability {
		panic("chaos")
	}
}

// Options are the command's flags.
type Options struct {
	Accounts  int
	Transfers int
	Tellers   int // goroutines that order transfers
	Initial   int64
	Chaos     float64
	Log       io.Writer // nil: no log
}

// Summary is what a run came to.
type Summary struct {
	Outcomes    [len(stateNames)]int64
	Attempts    int64 // calls of Run, one for each transfer if nothing goes wrong
	Panics      int64
	Activations int64
	Elapsed     time.Duration
}

// run opens a bank, lets tellers order random transfers at the same time, and
// audits the books. The error is the audit's, or says what could not be done.
func run(ctx context.Context, o Options) (s Summary, err error) {
	bank := &Bank{Books: NewBooks(o.Accounts, o.Initial), Chaos: &Chaos{o.Chaos}}
	node, err := open(ctx, bank, o)
	if err != nil {
		return s, err
	}
	begin := time.Now()
	err = order(ctx, node, o, &s)
	s.Elapsed = time.Since(begin)
	if err == nil {
		err = count(ctx, node, o)
	}
	err = errors.Join(err, node.Stop(ctx)) // after this, nobody books any more
	for _, kind := range []string{"account", "transfer"} {
		s.Panics += node.Count(kind, troupe.CountPanics)
		s.Activations += node.Count(kind, troupe.CountActivations)
	}
	return s, errors.Join(err, bank.Books.Audit(o.Initial))
}

// open starts the node. Chaos panics much more often than a healthy program, so
// restarts have no limit and hardly a delay. Only some accounts are kept in
// memory, to see that passivation loses nothing either.
func open(ctx context.Context, bank *Bank, o Options) (*troupe.Node, error) {
	logger := slog.New(slog.DiscardHandler)
	if o.Log != nil {
		logger = slog.New(slog.NewTextHandler(o.Log, nil))
	}
	node, err := troupe.New(troupe.Config{Name: "bank", Logger: logger})
	if err != nil {
		return nil, err
	}
	troupe.Provide(node, bank)
	restart := troupe.Supervise(troupe.Supervision{MaxRestarts: -1, Backoff: time.Millisecond, MaxBackoff: time.Millisecond})
	err = node.Register(
		troupe.Virtual[Account]("account", restart, troupe.MaxActive(max(1, o.Accounts/2))),
		troupe.Virtual[Transfer]("transfer", restart, troupe.MaxActive(1000)),
	)
	if err != nil {
		return nil, err
	}
	return node, node.Start(ctx)
}

// order lets the tellers work off the transfers, and counts what comes of them.
func order(ctx context.Context, node *troupe.Node, o Options, s *Summary) error {
	var next, attempts atomic.Int64
	var outcomes [len(stateNames)]atomic.Int64
	errs := make(chan error, o.Tellers)
	var tellers sync.WaitGroup
	for range o.Tellers {
		tellers.Add(1)
		go func() {
			defer tellers.Done()
			for {
				id := next.Add(1)
				if id > int64(o.Transfers) {
					return
				}
				state, tries, err := transfer(ctx, node, id, o)
				attempts.Add(tries)
				if err != nil {
					errs <- err
					return
				}
				outcomes[state].Add(1)
			}
		}()
	}
	tellers.Wait()
	s.Attempts = attempts.Load()
	for i := range outcomes {
		s.Outcomes[i] = outcomes[i].Load()
	}
	close(errs)
	return <-errs
}

// count asks all accounts what they hold: memory must agree with the books.
func count(ctx context.Context, node *troupe.Node, o Options) error {
	var total int64
	for id := range int64(o.Accounts) {
		balance, err := AccountOf(node, id).Balance(ctx)
		if err != nil {
			return err
		}
		total += balance
	}
	if want := o.Initial * int64(o.Accounts); total != want {
		return fmt.Errorf("the accounts say that they hold %d, want %d", total, want)
	}
	return nil
}

// maxTries bounds how often one transfer is tried.
const maxTries = 1000

// transfer orders one random transfer and insists until it is decided.
func transfer(ctx context.Context, node *troupe.Node, id int64, o Options) (State, int64, error) {
	from, distance := rand.Int64N(int64(o.Accounts)), 1+rand.Int64N(int64(o.Accounts-1))
	to, amount := (from+distance)%int64(o.Accounts), 1+rand.Int64N(1+o.Initial/4)
	for tries := int64(1); ; tries++ {
		state, err := TransferOf(node, id).Run(ctx, from, to, amount)
		switch {
		case err == nil:
			return state, tries, nil
		case ctx.Err() != nil || tries >= maxTries:
			return state, tries, fmt.Errorf("transfer %d after %d tries: %w", id, tries, err)
		}
	}
}
