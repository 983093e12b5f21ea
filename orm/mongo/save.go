// SPDX-License-Identifier: MIT

package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/troupe-go/troupe/orm"
)

// Save implements orm.Store: one unordered bulk write per collection.
func (s *Store) Save(ctx context.Context, groups []orm.Group) ([]orm.Outcome, error) {
	writes := make(map[*orm.Table][]*orm.Write)
	for _, g := range groups {
		for i := range g {
			writes[g[i].Table] = append(writes[g[i].Table], &g[i])
		}
	}
	behind := make(map[*orm.Write]bool)
	for table, part := range writes {
		if err := s.saveTable(ctx, table, part, behind); err != nil {
			return nil, err
		}
	}
	out := make([]orm.Outcome, len(groups))
	for i, g := range groups {
		out[i] = orm.Saved
		for j := range g {
			if behind[&g[j]] {
				out[i] = orm.Fenced
			}
		}
	}
	return out, nil
}

// saveTable applies writes and adds those that did not take effect to behind.
func (s *Store) saveTable(ctx context.Context, t *orm.Table, writes []*orm.Write, behind map[*orm.Write]bool) error {
	c, err := s.collection(t)
	if err != nil {
		return err
	}
	models := make([]mongo.WriteModel, len(writes))
	for i, w := range writes {
		models[i] = mongo.NewUpdateOneModel().SetFilter(bson.D{
			{Key: "_id", Value: w.Key},
			{Key: "g", Value: int64(w.Token.Generation)},
			{Key: "e", Value: int64(w.Token.Epoch)},
			{Key: "s", Value: bson.D{
				{Key: "$gte", Value: int64(w.Token.FirstSeq())}, {Key: "$lt", Value: int64(w.Token.Seq)},
			}},
		}).SetUpdate(update(w))
	}
	res, err := c.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
	if err != nil || res.MatchedCount == int64(len(writes)) {
		return err
	}
	return unapplied(ctx, c, writes, behind)
}

func update(w *orm.Write) bson.D {
	set := bson.D{{Key: "s", Value: int64(w.Token.Seq)}, {Key: "v", Value: w.Schema}}
	for i, c := range w.Table.Columns {
		set = append(set, bson.E{Key: c.Name, Value: w.Index[i]})
	}
	if w.Data == nil {
		return bson.D{{Key: "$set", Value: set}, {Key: "$unset", Value: bson.D{{Key: "data", Value: ""}}}}
	}
	return bson.D{{Key: "$set", Value: append(set, bson.E{Key: "data", Value: string(w.Data)})}}
}

func unapplied(ctx context.Context, c *mongo.Collection, writes []*orm.Write, behind map[*orm.Write]bool) error {
	keys := make(bson.A, len(writes))
	for i, w := range writes {
		keys[i] = w.Key
	}
	cur, err := c.Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: keys}}}},
		options.Find().SetProjection(bson.D{{Key: "g", Value: 1}, {Key: "e", Value: 1}, {Key: "s", Value: 1}}))
	if err != nil {
		return err
	}
	var rows []stored
	if err := cur.All(ctx, &rows); err != nil {
		return err
	}
	tokens := make(map[string]orm.Token, len(rows))
	for _, row := range rows {
		tokens[row.Key] = row.token()
	}
	for _, w := range writes {
		if token, ok := tokens[w.Key]; !ok || token != w.Token {
			behind[w] = true
		}
	}
	return nil
}
