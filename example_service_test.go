// SPDX-License-Identifier: MIT

package troupe_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/troupe-go/troupe"
)

// Dictionary is something that is not an actor and safe for concurrent use.
type Dictionary struct{ words map[string]string }

// Translator looks words up.
type Translator struct {
	troupe.Actor
	dictionary *Dictionary
}

// OnActivate finds the dictionary.
func (t *Translator) OnActivate(context.Context) error {
	var ok bool
	if t.dictionary, ok = troupe.Service[*Dictionary](t); !ok {
		return fmt.Errorf("no dictionary was provided")
	}
	return nil
}

// Translate translates.
func (t *Translator) Translate(_ context.Context, word string) (string, error) {
	return t.dictionary.words[strings.ToLower(word)], nil
}

// How do actors find the database, the configuration, the clock? They are made
// by the node, so nothing can be passed to a constructor. Provide puts a value
// beside the node, Service finds it by its type.
func ExampleProvide() {
	node, err := troupe.New(troupe.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	troupe.Provide(node, &Dictionary{words: map[string]string{"dragon": "Drache"}})
	if err := node.Register(troupe.Virtual[Translator]("translator")); err != nil {
		fmt.Println(err)
		return
	}
	if err := node.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	defer stopNode(node)

	var word string
	err = node.Call(context.Background(), troupe.ID("translator", 1), "Translate", &word, "Dragon")
	fmt.Println(word, err)
	// Output:
	// Drache <nil>
}
