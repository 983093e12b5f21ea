// SPDX-License-Identifier: MIT

package ormbench

import (
	"context"
	"encoding/json"
	"fmt"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// gormPlayer is the row: the same document and columns.
type gormPlayer struct {
	ID    int64  `gorm:"primaryKey;autoIncrement:false"`
	Level int32  `gorm:"index"`
	Guild string `gorm:"index;size:255"`
	Data  string
}

// TableName names the table.
func (gormPlayer) TableName() string { return "ormbench_gorm" }

// Gorm saves row by row, each in a transaction of its own, as an application
// does that calls db.Save for every player.
type Gorm struct {
	db      *gorm.DB
	conns   int
	players []Player
}

// NewGorm connects to "postgres" or "mysql".
func NewGorm(driver, dsn string, load Load) (*Gorm, error) {
	load = load.withDefaults()
	dialector := postgres.Open(dsn)
	if driver == "mysql" {
		dialector = mysql.Open(dsn)
	}
	db, err := gorm.Open(dialector, &gorm.Config{
		Logger: logger.Discard, PrepareStmt: true, SkipDefaultTransaction: true,
	})
	if err != nil {
		return nil, err
	}
	pool, err := db.DB()
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(load.Conns)
	pool.SetMaxIdleConns(load.Conns)
	g := &Gorm{db: db, conns: load.Conns, players: make([]Player, load.Actors)}
	for i := range g.players {
		g.players[i].Fill(int64(i + 1))
	}
	return g, db.AutoMigrate(&gormPlayer{})
}

// Name implements Contender.
func (g *Gorm) Name() string { return fmt.Sprintf("gorm, row by row, %d conns", g.conns) }

// Save implements Contender.
func (g *Gorm) Save(ctx context.Context, id, round int64) error {
	p := &g.players[id-1]
	p.Gold = round
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	row := gormPlayer{ID: id, Level: p.Level, Guild: p.Guild, Data: string(data)}
	return g.db.WithContext(ctx).Save(&row).Error
}

// Close implements Contender.
func (g *Gorm) Close() error {
	pool, err := g.db.DB()
	if err != nil {
		return err
	}
	err = g.db.Migrator().DropTable(&gormPlayer{})
	if cerr := pool.Close(); err == nil {
		err = cerr
	}
	return err
}
