// SPDX-License-Identifier: MIT

package game

import (
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/gate"
)

// The errors a client sees, by number.
var (
	ErrPoor     = &troupe.UserError{Code: 1, Text: "not enough gold"}
	ErrNoItem   = &troupe.UserError{Code: 2, Text: "no such item"}
	ErrCount    = &troupe.UserError{Code: 3, Text: "that is not a number of things"}
	ErrName     = &troupe.UserError{Code: 4, Text: "a name has 3 to 16 letters, digits or dashes"}
	ErrSecret   = &troupe.UserError{Code: 5, Text: "this name belongs to somebody else"}
	ErrNobody   = &troupe.UserError{Code: 6, Text: "nobody has this name"}
	ErrOffline  = &troupe.UserError{Code: 7, Text: "not online; write a letter"}
	ErrText     = &troupe.UserError{Code: 8, Text: "a text has 1 to 200 characters"}
	ErrChannel  = &troupe.UserError{Code: 9, Text: "no such channel"}
	ErrGuild    = &troupe.UserError{Code: 10, Text: "this needs a guild that exists and that you may join"}
	ErrLetter   = &troupe.UserError{Code: 11, Text: "no such letter"}
	ErrFull     = &troupe.UserError{Code: 12, Text: "no more room"}
	ErrTooFast  = &troupe.UserError{Code: 13, Text: "too fast"}
	ErrNotThere = &troupe.UserError{Code: 14, Text: "you are not in the world; join first"}
)

// Limits of the game.
const (
	maxText         = 200
	maxStack        = 9999
	maxLetters      = 100
	maxOutbox       = 10
	keepPurchases   = 256
	keepSeenLetters = 256
	maxGuild        = 100
	startGold       = 500
	startHP         = 100
)

// Stack is a number of one item in a bag.
type Stack struct {
	Item  int32
	Count int32
}

// Self is a player's own sheet.
type Self struct {
	ID     int64
	Name   string
	Look   int32
	Level  int32
	XP     int64
	NextXP int64
	Gold   int64
	HP     int32
	MaxHP  int32
	Zone   int64
	X, Y   float32
	Guild  string
	Bag    []Stack
	Node   string
}

// Receipt proves a purchase. The client's number is in it.
type Receipt struct {
	Number int64
	Item   int32
	Count  int32
	Price  int64
	Gold   int64 // what is left
	At     time.Time
}

// Ware is an item for sale.
type Ware struct {
	Item    int32
	Name    string
	Icon    string
	Price   int64
	Heal    int32
	Attack  int32
	Defense int32
	Sold    bool // in the shop; other items are only found
}

// Letter is mail. What it carries can be claimed once.
type Letter struct {
	ID      int64
	From    string
	To      int64
	Subject string
	Text    string
	Gold    int64
	Item    int32
	Count   int32
	At      time.Time
}

// Standing is a place in the rank list.
type Standing struct {
	ID    int64
	Name  string
	Level int32
	XP    int64
	Guild string
}

// Place says where a player's actor and zone live.
type Place struct {
	PlayerNode string
	Zone       int64
	ZoneName   string
	ZoneNode   string
	Neighbours []int64 // north, east, south, west; 0 for none
}

// Visitor is a player as a zone needs it.
type Visitor struct {
	ID      int64
	Name    string
	Look    int32
	Level   int32
	HP      int32
	MaxHP   int32
	Attack  int32
	Defense int32
	X, Y    float32
	Session gate.SessionRef
}

// ZoneStatus is what the console shows of a zone.
type ZoneStatus struct {
	ID       int64
	Name     string
	Node     string
	Players  int32
	Monsters int32
	Moves    int64
	Ticks    int64
	TickMean time.Duration
	TickMax  time.Duration // of the last 100 ticks
}

// levelOf returns the level that experience gives, and what the next one needs.
func levelOf(xp int64) (level int32, next int64) {
	level, next = 1, 50
	for xp >= next && level < 99 {
		level++
		next += int64(level) * 50
	}
	return level, next
}
