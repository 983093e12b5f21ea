// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"sync"
)

// Leg is one of the two or three bookings of a transfer.
type Leg uint8

// The legs. A refund takes back a withdrawal whose deposit was refused.
const (
	Withdrawal Leg = iota
	Deposit
	Refund
)

// Entry is one booking. Account, Transfer and Leg together are its identity:
// the same booking made twice is one booking, so everybody may try again.
type Entry struct {
	Account  int64
	Transfer int64
	Leg      Leg
	Amount   int64 // negative for a withdrawal
}

type entryKey struct {
	account, transfer int64
	leg               Leg
}

// Books is the durable memory of the bank: what actors forget when they panic
// or are passivated, they find here again. A real bank has a database in this
// place; this one is enough to lose processes' memory but not money.
//
// Any goroutine may call its methods. Each is atomic.
type Books struct {
	mu        sync.Mutex
	balances  map[int64]int64
	frozen    map[int64]bool
	entries   map[entryKey]int64
	transfers map[int64]Order
}

// NewBooks returns books with accounts 0 to accounts-1 that hold initial each.
// Every tenth account is frozen: it takes no deposits.
func NewBooks(accounts int, initial int64) *Books {
	b := &Books{
		balances: make(map[int64]int64), frozen: make(map[int64]bool),
		entries: make(map[entryKey]int64), transfers: make(map[int64]Order),
	}
	for id := range int64(accounts) {
		b.balances[id] = initial
		b.frozen[id] = id%10 == 9
	}
	return b
}

// LoadAccount returns what is known of an account.
func (b *Books) LoadAccount(id int64) (balance int64, frozen bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	balance, ok := b.balances[id]
	if !ok {
		return 0, false, fmt.Errorf("account %d: %w", id, ErrNoAccount)
	}
	return balance, b.frozen[id], nil
}

// Booked reports whether an entry with that identity is in the books.
func (b *Books) Booked(e Entry) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.entries[entryKey{e.Account, e.Transfer, e.Leg}]
	return ok
}

// Book writes an entry and the balance after it. It refuses a second entry with
// the same identity: the account's duty is to ask Booked first.
func (b *Books) Book(e Entry, balance int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := entryKey{e.Account, e.Transfer, e.Leg}
	if _, ok := b.entries[key]; ok {
		return fmt.Errorf("transfer %d: leg %d is booked already", e.Transfer, e.Leg)
	}
	b.entries[key] = e.Amount
	b.balances[e.Account] = balance
	return nil
}

// LoadOrder returns a transfer's order; the zero Order if there is none.
func (b *Books) LoadOrder(id int64) Order {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.transfers[id]
}

// SaveOrder writes how far a transfer is.
func (b *Books) SaveOrder(id int64, o Order) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.transfers[id] = o
}

// Audit checks that no money was made or lost, in three ways that do not trust
// each other: the sum of the balances, each balance against its own entries,
// and the legs of each transfer against its outcome.
func (b *Books) Audit(initial int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var total int64
	history := make(map[int64]int64)
	legs := make(map[int64]int64)
	for key, amount := range b.entries {
		history[key.account] += amount
		legs[key.transfer] += amount
	}
	for id, balance := range b.balances {
		total += balance
		if balance < 0 {
			return fmt.Errorf("account %d is overdrawn: %d", id, balance)
		}
		if want := initial + history[id]; balance != want {
			return fmt.Errorf("account %d holds %d, its entries say %d", id, balance, want)
		}
	}
	if want := initial * int64(len(b.balances)); total != want {
		return fmt.Errorf("all accounts hold %d, want %d", total, want)
	}
	for id, o := range b.transfers {
		if !o.State.final() {
			return fmt.Errorf("transfer %d was left in state %v", id, o.State)
		}
		if legs[id] != 0 {
			return fmt.Errorf("the legs of transfer %d (%v) add up to %d", id, o.State, legs[id])
		}
	}
	return nil
}
