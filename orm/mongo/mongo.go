// SPDX-License-Identifier: MIT

// Package mongo is the document store on MongoDB.
//
// The collection of a document type has one MongoDB document per key:
//
//	{_id: key, g: generation, e: epoch, s: seq, v: schema version,
//	 data: the document as JSON text, absent if there is none,
//	 ix_...: one field per indexed field}
//
// Writes of one owner to several collections are not atomic together: the
// store does not use transactions, which only replica sets have. Each document
// is.
package mongo

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/troupe-go/troupe/orm"
)

// Options configure a Store. A zero field has the documented default.
type Options struct {
	// Database is the name of the database. Defaults to "troupe".
	Database string
	// Prefix is put before the names of collections. Defaults to "doc_".
	Prefix string
	// Writers is how many batches are written at the same time. Defaults to 4.
	Writers int
}

// Store is a document store on MongoDB.
type Store struct {
	client *mongo.Client
	db     *mongo.Database
	opts   Options

	// migrated has "table" and "table.column" of all that Migrate has made:
	// MongoDB itself knows no missing collection.
	migrated sync.Map
}

// Open returns a store on the server that uri names. It does not wait for the
// connection. Writes are acknowledged by a majority with a journal.
func Open(uri string, opts Options) (*Store, error) {
	if opts.Database == "" {
		opts.Database = "troupe"
	}
	if opts.Prefix == "" {
		opts.Prefix = "doc_"
	}
	if opts.Writers == 0 {
		opts.Writers = 4
	}
	journaled := true
	durable := &writeconcern.WriteConcern{W: "majority", Journal: &journaled}
	client, err := mongo.Connect(options.Client().ApplyURI(uri).SetWriteConcern(durable))
	if err != nil {
		return nil, fmt.Errorf("orm/mongo: %w", err)
	}
	return &Store{client: client, db: client.Database(opts.Database), opts: opts}, nil
}

var _ orm.Store = (*Store)(nil)

// Capabilities implements orm.Store.
func (s *Store) Capabilities() orm.Capabilities {
	return orm.Capabilities{Writers: s.opts.Writers, MaxBatchBytes: 16 << 20}
}

// Close closes all connections.
func (s *Store) Close() error { return s.client.Disconnect(context.Background()) }

func (s *Store) collection(t *orm.Table) (*mongo.Collection, error) {
	if _, ok := s.migrated.Load(t.Name); !ok {
		return nil, fmt.Errorf("%w: no collection for %s: open the DB with its type", orm.ErrSchema, t.Name)
	}
	for _, c := range t.Columns {
		if _, ok := s.migrated.Load(t.Name + "." + c.Name); !ok {
			return nil, fmt.Errorf("%w: no field %s.%s: open the DB with its type", orm.ErrSchema, t.Name, c.Name)
		}
	}
	return s.db.Collection(s.opts.Prefix + t.Name), nil
}

// stored is a document as MongoDB has it.
type stored struct {
	Key        string  `bson:"_id"`
	Generation int64   `bson:"g"`
	Epoch      int64   `bson:"e"`
	Seq        int64   `bson:"s"`
	Schema     int     `bson:"v"`
	Data       *string `bson:"data,omitempty"`
}

func (d *stored) row() orm.Row {
	row := orm.Row{Key: d.Key, Schema: d.Schema, Token: d.token()}
	if d.Data != nil {
		row.Data = []byte(*d.Data)
	}
	return row
}

func (d *stored) token() orm.Token {
	return orm.Token{Generation: uint64(d.Generation), Epoch: uint64(d.Epoch), Seq: uint64(d.Seq)}
}

// LoadFence implements orm.Store: it reads the row's token, and installs the
// fence and returns the row in one findAndModify, if the token is still the
// same.
func (s *Store) LoadFence(ctx context.Context, t *orm.Table, key string, fence orm.Fence) (orm.Row, error) {
	c, err := s.collection(t)
	if err != nil {
		return orm.Row{}, err
	}
	for {
		var was stored
		err := c.FindOne(ctx, bson.D{{Key: "_id", Value: key}}).Decode(&was)
		absent := errors.Is(err, mongo.ErrNoDocuments)
		if err != nil && !absent {
			return orm.Row{}, err
		}
		if !orm.CanLoad(was.token(), fence) {
			return orm.Row{}, fmt.Errorf("row has token %v: %w", was.token(), orm.ErrFenced)
		}
		token := orm.LoadToken(was.token(), fence)
		if absent {
			_, err = c.InsertOne(ctx, stored{
				Key: key, Generation: int64(token.Generation),
				Epoch: int64(token.Epoch), Seq: int64(token.Seq),
			})
			if mongo.IsDuplicateKeyError(err) {
				continue // somebody else created it
			}
			return orm.Row{Key: key, Token: token}, err
		}
		var now stored
		err = c.FindOneAndUpdate(ctx, matching(key, was.token()), bson.D{{Key: "$set", Value: tokenFields(token)}},
			options.FindOneAndUpdate().SetReturnDocument(options.After)).Decode(&now)
		if errors.Is(err, mongo.ErrNoDocuments) {
			continue // it changed since it was read
		}
		return now.row(), err
	}
}

// matching selects the row while it carries exactly that token.
func matching(key string, token orm.Token) bson.D {
	return append(bson.D{{Key: "_id", Value: key}}, tokenFields(token)...)
}

func tokenFields(t orm.Token) bson.D {
	return bson.D{
		{Key: "g", Value: int64(t.Generation)}, {Key: "e", Value: int64(t.Epoch)}, {Key: "s", Value: int64(t.Seq)},
	}
}
