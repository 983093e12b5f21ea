// SPDX-License-Identifier: MIT

// Package lock keeps the numbers and types that are on the wire in a committed
// file, and finds edits that old and new code would not understand alike.
package lock

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/troupe-go/troupe/cmd/troupe/internal/model"
)

// FileName is the lock's name in its package's directory.
const FileName = "troupe.lock.json"

// File is the content of a lock.
type File struct {
	// Version is that of this format: 1.
	Version int `json:"version"`
	// Kinds maps registered names to handlers.
	Kinds map[string]*Kind `json:"kinds"`
	// Messages maps the keys of structs to their fields.
	Messages map[string]*Message `json:"messages,omitempty"`
}

// Kind is one actor kind.
type Kind struct {
	Methods map[string]*Method `json:"methods"`
	// Retired lists the numbers of methods that were removed. They are not
	// given away again.
	Retired []int32 `json:"retired,omitempty"`
}

// Method is one handler.
type Method struct {
	Number int32    `json:"number"`
	Access string   `json:"access"`
	Args   *Message `json:"args"`
	Reply  *Message `json:"reply"`
}

// Message is the fields of a message by number.
type Message struct {
	Fields map[string]Field `json:"fields"`
	// Retired lists the numbers of fields that were removed. They are not
	// given away again.
	Retired []int32 `json:"retired,omitempty"`
}

// Field is one field. Renaming one is compatible.
type Field struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

const version = 1

// Read returns the lock of a package, an empty one if the file is missing.
func Read(dir string) (*File, error) {
	name := filepath.Join(dir, FileName)
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return &File{Version: version}, nil
	}
	if err != nil {
		return nil, err
	}
	f := new(File)
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(f); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if f.Version != version {
		return nil, fmt.Errorf("%s: version %d, this program knows %d", name, f.Version, version)
	}
	return f, nil
}

// Bytes returns the file's content: sorted, one line per fact.
func (f *File) Bytes() ([]byte, error) {
	data, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(data, '\n'), nil
}

// Number gives every method of p its number: the one in old, or the next free
// one in order of the source.
func (f *File) Number(p *model.Package) {
	for _, k := range p.Kinds {
		old := f.Kinds[k.Name]
		if old == nil {
			old = new(Kind)
		}
		next := int32(1)
		for _, m := range old.Methods {
			next = max(next, m.Number+1)
		}
		for _, n := range old.Retired {
			next = max(next, n+1)
		}
		for _, m := range k.Methods {
			if known, ok := old.Methods[m.Name]; ok {
				m.Number = known.Number
				continue
			}
			m.Number = next
			next++
		}
	}
}

// Of returns the lock of p, whose methods have numbers. It remembers the
// numbers that old had and p has not.
func Of(p *model.Package, old *File) *File {
	f := &File{Version: version, Kinds: make(map[string]*Kind), Messages: make(map[string]*Message)}
	for _, k := range p.Kinds {
		kind := &Kind{Methods: make(map[string]*Method)}
		f.Kinds[k.Name] = kind
		before := old.Kinds[k.Name]
		if before == nil {
			before = new(Kind)
		}
		for _, m := range k.Methods {
			was := before.Methods[m.Name]
			if was == nil {
				was = new(Method)
			}
			kind.Methods[m.Name] = &Method{
				Number: m.Number, Access: string(m.Access),
				Args: messageOf(m.Args, was.Args), Reply: messageOf(m.Reply, was.Reply),
			}
		}
		kind.Retired = retired(before.Retired, func(yield func(int32)) {
			for name, m := range before.Methods {
				if kind.Methods[name] == nil {
					yield(m.Number)
				}
			}
		})
	}
	for _, m := range p.Messages {
		f.Messages[m.Key] = messageOf(m, old.Messages[m.Key])
	}
	return f
}

func messageOf(m *model.Message, old *Message) *Message {
	out := &Message{Fields: make(map[string]Field)}
	for _, f := range m.Fields {
		out.Fields[strconv.Itoa(int(f.Num))] = Field{Name: f.Name, Type: f.LockType()}
	}
	if old != nil {
		out.Retired = retired(old.Retired, func(yield func(int32)) {
			for num := range old.Fields {
				if _, ok := out.Fields[num]; !ok {
					n, _ := strconv.ParseInt(num, 10, 32)
					yield(int32(n))
				}
			}
		})
	}
	return out
}
