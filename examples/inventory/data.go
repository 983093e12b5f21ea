// SPDX-License-Identifier: MIT

package main

import "github.com/troupe-go/troupe/orm"

// inventoryV1 is the document as the first release of the game stored it. It is
// frozen: documents of that time must load for ever.
type inventoryV1 struct {
	Gold  int
	Items []string
}

// Inventory is the document today: nested, with counts and enchantments.
type Inventory struct {
	Gold  int64 `orm:"index"`
	Bag   map[string]Stack
	Worn  *Equipment
	Notes []string
}

// Stack is a number of equal items.
type Stack struct {
	Count        int32
	Enchantments []Enchantment
}

// Enchantment is nested two levels deep.
type Enchantment struct {
	Name  string
	Power float64
}

// Equipment is what the player wears.
type Equipment struct {
	Head, Hand string
}

// fromV1 is the upgrade: a list of names becomes a map of stacks.
func fromV1(old inventoryV1) (Inventory, error) {
	next := Inventory{Gold: int64(old.Gold), Bag: make(map[string]Stack)}
	for _, name := range old.Items {
		stack := next.Bag[name]
		stack.Count++
		next.Bag[name] = stack
	}
	next.Notes = []string{"brought over from the first release"}
	return next, nil
}

func inventoryType() *orm.Type {
	return orm.Document[Inventory]("inventory", orm.Version(2), orm.UpgradeFrom(1, fromV1))
}

func firstReleaseType() *orm.Type {
	return orm.Document[inventoryV1]("inventory")
}
