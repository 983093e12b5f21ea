// SPDX-License-Identifier: MIT

package game

import "encoding/json"

// The events that are pushed to clients. EventFrame is binary (package aoi),
// the others are JSON: they are rare.
const (
	EventFrame  int32 = 1 // volatile
	EventSelf   int32 = 2 // SelfEvent
	EventZone   int32 = 3 // ZoneEvent: you are in this zone now
	EventChat   int32 = 4 // ChatEvent
	EventMail   int32 = 5 // MailEvent
	EventPlace  int32 = 6 // PlaceEvent: you are put here, whatever you thought
	EventNotice int32 = 7 // NoticeEvent
)

// SelfEvent is a change of the player's sheet.
type SelfEvent struct {
	Level  int32  `json:"level"`
	XP     int64  `json:"xp"`
	NextXP int64  `json:"nextXp"`
	Gold   int64  `json:"gold"`
	HP     int32  `json:"hp"`
	MaxHP  int32  `json:"maxHp"`
	Why    string `json:"why,omitempty"`
}

// ZoneEvent tells a player where it is. Ids are text: they exceed what
// JavaScript's numbers hold.
type ZoneEvent struct {
	Zone       int64    `json:"zone"`
	Name       string   `json:"name"`
	Look       uint8    `json:"look"`
	Node       string   `json:"node"`
	Player     int64    `json:"player,string"`
	Handle     uint16   `json:"handle"`
	X          float32  `json:"x"`
	Y          float32  `json:"y"`
	TownX      float32  `json:"townX"`
	TownY      float32  `json:"townY"`
	Neighbours [4]int64 `json:"neighbours"`
	Tick       int      `json:"tickMillis"`
}

// ChatEvent is a line of chat.
type ChatEvent struct {
	Channel string `json:"channel"`
	From    string `json:"from"`
	Text    string `json:"text"`
	At      int64  `json:"at"` // milliseconds since 1970
}

// MailEvent says that there is a new letter.
type MailEvent struct {
	From    string `json:"from"`
	Subject string `json:"subject"`
}

// PlaceEvent puts a player somewhere.
type PlaceEvent struct {
	X   float32 `json:"x"`
	Y   float32 `json:"y"`
	Why string  `json:"why,omitempty"`
}

// NoticeEvent is a line for the log on the screen.
type NoticeEvent struct {
	Text string `json:"text"`
}

// encodeEvent returns the JSON of one of the events above, which are made of
// types that always encode.
func encodeEvent(e any) []byte {
	data, err := json.Marshal(e)
	if err != nil {
		return []byte("{}")
	}
	return data
}
