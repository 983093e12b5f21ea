// SPDX-License-Identifier: MIT

package mongo

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/troupe-go/troupe/orm"
)

// Migrate implements orm.Store. A field without an index is filled (again): the
// index is created last.
func (s *Store) Migrate(ctx context.Context, tables []*orm.Table) error {
	for _, t := range tables {
		s.migrated.Store(t.Name, true)
		for _, col := range t.Columns {
			s.migrated.Store(t.Name+"."+col.Name, true)
		}
		c, err := s.collection(t)
		if err != nil {
			return err
		}
		for _, col := range t.Columns {
			if err := s.fill(ctx, c, t, col); err != nil {
				return fmt.Errorf("orm/mongo: fill %s.%s: %w", t.Name, col.Name, err)
			}
			_, err := c.Indexes().CreateOne(ctx, mongo.IndexModel{
				Keys: bson.D{{Key: col.Name, Value: 1}, {Key: "_id", Value: 1}},
			})
			if err != nil {
				return fmt.Errorf("orm/mongo: index %s.%s: %w", t.Name, col.Name, err)
			}
		}
	}
	return nil
}

// fill computes the index fields of documents that lack col.
func (s *Store) fill(ctx context.Context, c *mongo.Collection, t *orm.Table, col orm.Column) error {
	if t.Extract == nil {
		return nil
	}
	cur, err := c.Find(ctx, bson.D{withData, {Key: col.Name, Value: bson.D{{Key: "$exists", Value: false}}}})
	if err != nil {
		return err
	}
	defer cur.Close(ctx) // reading reports errors
	for cur.Next(ctx) {
		var doc stored
		if err := cur.Decode(&doc); err != nil {
			return err
		}
		values, err := t.Extract(doc.Schema, []byte(*doc.Data))
		if err != nil {
			values = t.ZeroIndex() // the document is reported when it is loaded
		}
		set := bson.D{}
		for i, col := range t.Columns {
			set = append(set, bson.E{Key: col.Name, Value: values[i]})
		}
		if _, err := c.UpdateOne(ctx, matching(doc.Key, doc.token()), bson.D{{Key: "$set", Value: set}}); err != nil {
			return err
		}
	}
	return cur.Err()
}

var withData = bson.E{Key: "data", Value: bson.D{{Key: "$exists", Value: true}}}

// Find implements orm.Store.
func (s *Store) Find(ctx context.Context, t *orm.Table, q orm.Query) ([]orm.Row, error) {
	c, err := s.collection(t)
	if err != nil {
		return nil, err
	}
	filter, err := filterOf(t, q)
	if err != nil {
		return nil, err
	}
	dir := 1
	if q.Desc {
		dir = -1
	}
	sort := bson.D{{Key: "_id", Value: dir}}
	if q.OrderBy != "" {
		sort = bson.D{{Key: q.OrderBy, Value: dir}, {Key: "_id", Value: dir}}
	}
	cur, err := c.Find(ctx, filter, options.Find().SetSort(sort).SetLimit(int64(q.Limit)))
	if err != nil {
		return nil, err
	}
	var docs []stored
	if err := cur.All(ctx, &docs); err != nil {
		return nil, err
	}
	found := make([]orm.Row, len(docs))
	for i := range docs {
		found[i] = docs[i].row()
	}
	return found, nil
}

func filterOf(t *orm.Table, q orm.Query) (bson.D, error) {
	all := bson.A{bson.D{withData}}
	for _, c := range q.Where {
		if _, _, ok := t.Column(c.Column); !ok {
			return nil, fmt.Errorf("%w: no field %s.%s: open the DB with its type", orm.ErrSchema, t.Name, c.Column)
		}
		op := map[orm.Op]string{
			orm.Eq: "$eq", orm.Ne: "$ne", orm.Lt: "$lt", orm.Le: "$lte", orm.Gt: "$gt", orm.Ge: "$gte",
		}[c.Op]
		all = append(all, compare(c.Column, op, c.Value))
	}
	if q.After != nil {
		op := "$gt"
		if q.Desc {
			op = "$lt"
		}
		behind := compare("_id", op, q.After.Key)
		if q.OrderBy != "" {
			behind = bson.D{{Key: "$or", Value: bson.A{
				compare(q.OrderBy, op, q.After.Value),
				append(compare(q.OrderBy, "$eq", q.After.Value), behind...),
			}}}
		}
		all = append(all, behind)
	}
	return bson.D{{Key: "$and", Value: all}}, nil
}

func compare(field, op string, value any) bson.D {
	return bson.D{{Key: field, Value: bson.D{{Key: op, Value: value}}}}
}
