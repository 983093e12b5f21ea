// SPDX-License-Identifier: MIT

package troupe

import "strconv"

// Ref names an actor. It is a plain comparable value: use it as a map key,
// store it, send it in a message.
//
// A Ref with an empty Node is location-transparent: virtual actors, stub
// shards and singletons are found wherever they live. Actors made by Spawn and
// pool members live on one node only and carry its name.
//
// The zero Ref names nobody; see IsZero.
type Ref struct {
	// Kind is the registered name of the actor's type.
	Kind string `troupe:"1"`
	// Node is set for actors that live on one node only.
	Node string `troupe:"2"`
	// ID is the key when Name is empty.
	ID int64 `troupe:"3"`
	// Name is the key when it is not empty.
	Name string `troupe:"4"`
}

// ID returns the Ref of the actor of that kind with an integer key. Integer
// keys cost no allocation anywhere; prefer them on hot paths.
func ID(kind string, id int64) Ref { return Ref{Kind: kind, ID: id} }

// Name returns the Ref of the actor of that kind with a string key. The empty
// string is not a key: Name(kind, "") is the same as ID(kind, 0).
func Name(kind, name string) Ref { return Ref{Kind: kind, Name: name} }

// IsZero reports whether r names nobody.
func (r Ref) IsZero() bool { return r == Ref{} }

// String returns "kind/key" or "kind@node/key", for logs and error texts.
func (r Ref) String() string {
	if r.IsZero() {
		return "nobody"
	}
	key := r.Name
	if key == "" {
		key = strconv.FormatInt(r.ID, 10)
	}
	if r.Node != "" {
		return r.Kind + "@" + r.Node + "/" + key
	}
	return r.Kind + "/" + key
}
