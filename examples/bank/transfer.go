// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/troupe-go/troupe"
)

// State is how far a transfer is.
//
//	ordered ──Withdraw──> withdrawn ──Deposit──> done
//	   │                      │
//	   └─ErrPoor──> refused   └─ErrFrozen──> refunding ──Refund──> refunded
type State uint8

// The states. Refused, Done and Refunded are final.
const (
	Ordered State = iota
	Withdrawn
	Refunding
	Refused
	Done
	Refunded
)

var stateNames = [...]string{"ordered", "withdrawn", "refunding", "refused", "done", "refunded"}

func (s State) String() string { return stateNames[s] }

func (s State) final() bool { return s >= Refused }

// Order is a transfer as it is in the books.
type Order struct {
	From, To, Amount int64
	State            State
}

// Transfer is the coordinator of one transfer, a virtual actor whose key is the
// transfer's number. Each step is idempotent and its result is in the books
// before the next begins. So a coordinator that panicked anywhere goes on where
// it was when somebody calls Run again.
type Transfer struct {
	troupe.Actor
	bank  *Bank
	order Order
}

// OnActivate loads how far the transfer is.
func (t *Transfer) OnActivate(context.Context) error {
	var err error
	if t.bank, err = bankOf(t); err != nil {
		return err
	}
	t.order = t.bank.Books.LoadOrder(t.ID())
	return nil
}

// Run carries the transfer out and returns its final state. Call it with the
// same arguments until it answers. While it waits for an account, only this
// transfer waits.
func (t *Transfer) Run(ctx context.Context, from, to, amount int64) (State, error) {
	if amount <= 0 || from == to {
		return Refused, fmt.Errorf("transfer %d: bad order", t.ID())
	}
	if t.order == (Order{}) {
		t.save(Order{From: from, To: to, Amount: amount})
	}
	for !t.order.State.final() {
		if err := t.step(ctx); err != nil {
			return t.order.State, err
		}
		t.bank.Chaos.Strike()
	}
	return t.order.State, nil
}

// step does what the state asks for. Errors other than a refusal leave the
// state: whether the account has booked is not known, so the step is repeated.
func (t *Transfer) step(ctx context.Context) error {
	o := t.order
	next := o
	var err error
	switch o.State {
	case Ordered:
		err = AccountOf(t, o.From).Withdraw(ctx, t.ID(), o.Amount)
		next.State = Withdrawn
		if errors.Is(err, ErrPoor) || errors.Is(err, ErrNoAccount) {
			next.State, err = Refused, nil
		}
	case Withdrawn:
		err = AccountOf(t, o.To).Deposit(ctx, t.ID(), o.Amount)
		next.State = Done
		if errors.Is(err, ErrFrozen) || errors.Is(err, ErrNoAccount) {
			next.State, err = Refunding, nil
		}
	case Refunding:
		err = AccountOf(t, o.From).Refund(ctx, t.ID(), o.Amount)
		next.State = Refunded
	}
	if err == nil {
		t.save(next)
	}
	return err
}

func (t *Transfer) save(o Order) {
	t.bank.Books.SaveOrder(t.ID(), o)
	t.order = o
}
