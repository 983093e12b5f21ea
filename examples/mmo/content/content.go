// SPDX-License-Identifier: MIT

// Package content holds the tables that designers edit: monsters, items, the
// shop, zones. They are JSON files, embedded, and a directory can override them
// one by one while the game runs.
package content

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
)

//go:embed tables/*.json
var embedded embed.FS

// ErrContent: a table refers to something that does not exist, or a number
// makes no sense.
var ErrContent = errors.New("content: bad table")

// Item is something that fits into a bag.
type Item struct {
	ID      int32  `json:"id"`
	Name    string `json:"name"`
	Icon    string `json:"icon"`
	Price   int64  `json:"price"`
	Heal    int32  `json:"heal"`
	Attack  int32  `json:"attack"`
	Defense int32  `json:"defense"`
}

// Drop is what a monster may leave behind.
type Drop struct {
	Item   int32   `json:"item"`
	Chance float64 `json:"chance"`
}

// Monster is a kind of monster. Speed is in units per second, Aggro the
// distance in units from which it attacks, Respawn in seconds.
type Monster struct {
	ID      int32   `json:"id"`
	Name    string  `json:"name"`
	Look    uint8   `json:"look"`
	HP      uint16  `json:"hp"`
	Damage  int32   `json:"damage"`
	Speed   float32 `json:"speed"`
	Aggro   float32 `json:"aggro"`
	XP      int64   `json:"xp"`
	Gold    int64   `json:"gold"`
	Respawn float32 `json:"respawn"`
	Drops   []Drop  `json:"drops"`
}

// Spawn is a place where monsters live.
type Spawn struct {
	Monster int32   `json:"monster"`
	Count   int     `json:"count"`
	X       float32 `json:"x"`
	Y       float32 `json:"y"`
	Radius  float32 `json:"radius"`
}

// Zone is a square of the world and its neighbours, 0 for none.
type Zone struct {
	ID     int64      `json:"id"`
	Name   string     `json:"name"`
	Look   uint8      `json:"look"`
	Town   [2]float32 `json:"town"`
	North  int64      `json:"north"`
	East   int64      `json:"east"`
	South  int64      `json:"south"`
	West   int64      `json:"west"`
	Spawns []Spawn    `json:"spawns"`
}

// Tables are all tables of one version. They are not changed once loaded.
type Tables struct {
	Items    map[int32]Item
	Monsters map[int32]Monster
	Zones    map[int64]Zone
	// Shop lists the items for sale, in order.
	Shop []Item
	// ZoneIDs are the keys of Zones in the order of the file.
	ZoneIDs []int64
}

// Content is the current version of the tables. Any goroutine may use it.
type Content struct {
	dir string
	now atomic.Pointer[Tables]
}

// Open loads the tables. Files in dir, if it is not empty, take the place of
// the embedded ones of the same name.
func Open(dir string) (*Content, error) {
	c := &Content{dir: dir}
	return c, c.Reload()
}

// Tables returns the current version. Ask again for each use that may see a
// newer one.
func (c *Content) Tables() *Tables { return c.now.Load() }

// Reload reads the files again. When one of them is bad, the error says which
// and the old tables stay.
func (c *Content) Reload() error {
	t := &Tables{Items: map[int32]Item{}, Monsters: map[int32]Monster{}, Zones: map[int64]Zone{}}
	var (
		items    []Item
		monsters []Monster
		zones    []Zone
		shop     []int32
	)
	for name, into := range map[string]any{"items.json": &items, "monsters.json": &monsters, "zones.json": &zones, "shop.json": &shop} {
		if err := c.read(name, into); err != nil {
			return err
		}
	}
	for _, i := range items {
		t.Items[i.ID] = i
	}
	for _, m := range monsters {
		t.Monsters[m.ID] = m
	}
	for _, z := range zones {
		t.Zones[z.ID] = z
		t.ZoneIDs = append(t.ZoneIDs, z.ID)
	}
	for _, id := range shop {
		item, ok := t.Items[id]
		if !ok {
			return fmt.Errorf("%w: shop.json: no item %d", ErrContent, id)
		}
		t.Shop = append(t.Shop, item)
	}
	if err := t.check(); err != nil {
		return err
	}
	c.now.Store(t)
	return nil
}

func (c *Content) read(name string, into any) error {
	var data []byte
	err := fs.ErrNotExist
	if c.dir != "" {
		data, err = fs.ReadFile(os.DirFS(c.dir), name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		data, err = embedded.ReadFile("tables/" + name)
	}
	if err != nil {
		return fmt.Errorf("content: %w", err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("content: %s: %w", name, err)
	}
	return nil
}

func (t *Tables) check() error {
	if len(t.Zones) == 0 {
		return fmt.Errorf("%w: no zones", ErrContent)
	}
	for _, i := range t.Items {
		if i.ID <= 0 || i.Price <= 0 {
			return fmt.Errorf("%w: item %d: id and price must be positive", ErrContent, i.ID)
		}
	}
	for _, m := range t.Monsters {
		if m.HP == 0 || m.Speed < 0 || m.Gold < 0 {
			return fmt.Errorf("%w: monster %d: hp must be positive, speed and gold not negative", ErrContent, m.ID)
		}
		for _, d := range m.Drops {
			if _, ok := t.Items[d.Item]; !ok {
				return fmt.Errorf("%w: monster %d drops item %d, which does not exist", ErrContent, m.ID, d.Item)
			}
		}
	}
	for _, z := range t.Zones {
		for _, n := range []int64{z.North, z.East, z.South, z.West} {
			if _, ok := t.Zones[n]; n != 0 && !ok {
				return fmt.Errorf("%w: zone %d borders on zone %d, which does not exist", ErrContent, z.ID, n)
			}
		}
		for _, s := range z.Spawns {
			if _, ok := t.Monsters[s.Monster]; !ok || s.Count < 0 || s.Count > 1000 {
				return fmt.Errorf("%w: zone %d: spawn of %d monsters %d", ErrContent, z.ID, s.Count, s.Monster)
			}
		}
	}
	return nil
}
