// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"fmt"

	"github.com/troupe-go/troupe"
)

//go:generate go run github.com/troupe-go/troupe/cmd/troupe gen

// What the bank refuses. The codes let callers on any node branch with
// errors.Is.
var (
	ErrPoor      = &troupe.UserError{Code: 1, Text: "not enough money"}
	ErrFrozen    = &troupe.UserError{Code: 2, Text: "the account is frozen"}
	ErrNoAccount = &troupe.UserError{Code: 3, Text: "no such account"}
)

// Account is one account. Its turn is its transaction: nobody else changes the
// balance between the check and the booking.
type Account struct {
	troupe.Actor
	bank    *Bank
	balance int64
	frozen  bool
}

// OnActivate loads the account: before its first message, after a passivation
// and after a panic.
func (a *Account) OnActivate(context.Context) error {
	var err error
	if a.bank, err = bankOf(a); err != nil {
		return err
	}
	a.balance, a.frozen, err = a.bank.Books.LoadAccount(a.ID())
	return err
}

// Withdraw takes amount away for a transfer. It fails with ErrPoor. It may be
// called again for the same transfer.
func (a *Account) Withdraw(_ context.Context, transfer, amount int64) error {
	return a.book(Entry{Account: a.ID(), Transfer: transfer, Leg: Withdrawal, Amount: -amount})
}

// Deposit adds amount for a transfer. It fails with ErrFrozen. It may be called
// again for the same transfer.
func (a *Account) Deposit(_ context.Context, transfer, amount int64) error {
	if a.frozen {
		return ErrFrozen
	}
	return a.book(Entry{Account: a.ID(), Transfer: transfer, Leg: Deposit, Amount: amount})
}

// Refund takes back the withdrawal of a transfer. It may be called again, and
// is never refused: a compensation that can fail is none.
func (a *Account) Refund(_ context.Context, transfer, amount int64) error {
	return a.book(Entry{Account: a.ID(), Transfer: transfer, Leg: Refund, Amount: amount})
}

// Balance returns what the account holds.
func (a *Account) Balance(context.Context) (int64, error) { return a.balance, nil }

// book makes an entry, once: first in the books, then in memory. A panic before
// the books leaves nothing behind; one after them leaves a booked entry whose
// caller does not know, tries again, and finds it booked.
func (a *Account) book(e Entry) error {
	if a.bank.Books.Booked(e) {
		return nil
	}
	if a.balance+e.Amount < 0 {
		return ErrPoor
	}
	a.bank.Chaos.Strike()
	if err := a.bank.Books.Book(e, a.balance+e.Amount); err != nil {
		return fmt.Errorf("account %d: %w", a.ID(), err)
	}
	a.balance += e.Amount
	a.bank.Chaos.Strike()
	return nil
}
