// SPDX-License-Identifier: MIT

// Package server runs the game: the nodes of this process with their gates, the
// database, and the web page with login and console.
package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/examples/mmo/content"
	"github.com/troupe-go/troupe/examples/mmo/game"
	"github.com/troupe-go/troupe/gate"
	"github.com/troupe-go/troupe/orm"
)

// Config configures a Server.
type Config struct {
	// Nodes is how many nodes run in this process. Defaults to 1.
	Nodes int
	// Node, when not 0, makes this process node number Node of a cluster of
	// processes: it listens for the others on Listen, is one of Bootstrap or
	// asks the addresses of Join.
	Node      int
	Listen    string
	Join      []string
	Bootstrap []troupe.Server
	// DataDir is where nodes keep the cluster's log. Defaults to a directory
	// that is removed at the end.
	DataDir string
	// TTL is the lease of a node. Defaults to 3 s.
	TTL time.Duration
	// Database is a file, or "memory:" for one that is removed at the end,
	// which is the default.
	Database string
	// ContentDir overrides embedded tables. Defaults to none.
	ContentDir string
	// HTTP is the page's address. Defaults to 127.0.0.1:8080.
	HTTP string
	// Page is the built web page.
	Page fs.FS
	// Logger defaults to discarding.
	Logger *slog.Logger
}

// Server is the game in one process.
type Server struct {
	cfg      Config
	log      *slog.Logger
	content  *content.Content
	keys     *gate.Keys
	database *database
	begun    time.Time
	ctx      context.Context // ends with Stop
	cancel   context.CancelFunc
	gmToken  string
	page     *http.Server
	url      string
	pageDone chan error

	mu        sync.Mutex
	instances []*Instance // nil while a node is down
	takeovers []time.Duration
	closing   bool
	rolling   bool

	kills      atomic.Int64
	background sync.WaitGroup // restarts
	addresses  []string
	dataDir    string
}

// ErrDown: no node of this process is up.
var ErrDown = errors.New("no node is up; try again")

// Start starts everything, or nothing and says why.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	s := &Server{cfg: cfg, log: cfg.Logger, keys: gate.NewKeys(), begun: time.Now(), gmToken: randomText()}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.cfg.Nodes = max(s.cfg.Nodes, 1)
	if s.cfg.Node > 0 {
		s.cfg.Nodes = 1
	}
	if s.cfg.TTL == 0 {
		s.cfg.TTL = 3 * time.Second
	}
	if s.cfg.Database == "" {
		s.cfg.Database = "memory:"
	}
	if s.cfg.HTTP == "" {
		s.cfg.HTTP = "127.0.0.1:8080"
	}
	var err error
	if s.content, err = content.Open(cfg.ContentDir); err != nil {
		return nil, err
	}
	if s.database, err = openDatabase(s.cfg.Database); err != nil {
		return nil, err
	}
	if err := s.chooseDataDir(); err != nil {
		return nil, err
	}
	if err := s.chooseAddresses(); err != nil {
		return nil, err
	}
	s.instances = make([]*Instance, s.cfg.Nodes)
	if err := s.startNodes(ctx); err != nil {
		return nil, errors.Join(err, s.Stop(ctx))
	}
	if err := s.startPage(); err != nil {
		return nil, errors.Join(err, s.Stop(ctx))
	}
	return s, nil
}

func (s *Server) chooseDataDir() (err error) {
	s.dataDir = s.cfg.DataDir
	if s.dataDir == "" {
		s.dataDir, err = os.MkdirTemp("", "mmo-log-")
	}
	return err
}

func (s *Server) startNodes(ctx context.Context) error {
	errs := make(chan error, s.cfg.Nodes)
	for index := range s.cfg.Nodes {
		go func() {
			i, err := s.start(ctx, index)
			if err != nil {
				err = fmt.Errorf("node %d: %w", index+1, err)
			}
			s.mu.Lock()
			s.instances[index] = i
			s.mu.Unlock()
			errs <- err
		}()
	}
	var all error
	for range s.cfg.Nodes {
		all = errors.Join(all, <-errs)
	}
	return all
}

func (s *Server) startPage() error {
	l, err := net.Listen("tcp", s.cfg.HTTP)
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	handler, err := s.handler()
	if err != nil {
		return errors.Join(err, l.Close())
	}
	s.url = "http://" + l.Addr().String()
	s.page = &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	s.pageDone = make(chan error, 1)
	go func() { s.pageDone <- s.page.Serve(l) }()
	return nil
}

// URL is the page's address.
func (s *Server) URL() string { return s.url }

// GMToken opens the console's commands.
func (s *Server) GMToken() string { return s.gmToken }

// Instances returns the nodes that are up.
func (s *Server) Instances() []*Instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	var up []*Instance
	for _, i := range s.instances {
		if i != nil {
			up = append(up, i)
		}
	}
	return up
}

// node returns some node that is up.
func (s *Server) node() (*Instance, error) {
	up := s.Instances()
	if len(up) == 0 {
		return nil, ErrDown
	}
	return up[int(time.Now().UnixNano()/1000)%len(up)], nil
}

// nodeNear returns the node of that name, or another one if it is not up here.
func (s *Server) nodeNear(name string) (*Instance, error) {
	for _, i := range s.Instances() {
		if i.Name == name {
			return i, nil
		}
	}
	return s.node()
}

// Login reserves a name, makes the character if it is new, and returns a gate
// and a token.
func (s *Server) Login(ctx context.Context, name, secret string) (gate.Info, string, error) {
	gates, err := s.gates(ctx)
	if err != nil {
		return gate.Info{}, "", err
	}
	best, ok := gate.LeastLoaded(gates, "")
	if !ok {
		return gate.Info{}, "", ErrDown
	}
	player, err := s.authenticate(ctx, best.Name, name, secret)
	if err != nil {
		return gate.Info{}, "", err
	}
	now := time.Now()
	claims := gate.Claims{Purpose: gate.PurposeLogin, Expires: now.Add(time.Minute), Issued: now.UnixMilli(), Player: player}
	return best, s.keys.Sign(claims), nil
}

// While owners that have just died are replaced, a login waits: it tries for
// loginTime, each time for loginTry at most. All that it does may be repeated.
const (
	loginTime  = 8 * time.Second
	loginTry   = time.Second
	loginPause = 100 * time.Millisecond
)

func (s *Server) authenticate(ctx context.Context, near, name, secret string) (player troupe.Ref, err error) {
	for begun := time.Now(); ; {
		player, err = s.tryAuthenticate(ctx, near, name, secret)
		var no *troupe.UserError
		if err == nil || errors.As(err, &no) || ctx.Err() != nil || s.isClosing() || time.Since(begun) > loginTime {
			return player, err
		}
		s.pause(loginPause)
	}
}

// tryAuthenticate works from the node near, if it is up: a new character comes
// to life there, beside its gate.
func (s *Server) tryAuthenticate(ctx context.Context, near, name, secret string) (troupe.Ref, error) {
	i, err := s.nodeNear(near)
	if err != nil {
		return troupe.Ref{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, loginTry)
	defer cancel()
	id, err := game.ReserveName(ctx, i.Node, name, secret)
	if err != nil {
		return troupe.Ref{}, err
	}
	if err := game.PlayerOf(i.Node, id).Born(ctx, name); err != nil {
		return troupe.Ref{}, err
	}
	return troupe.ID(game.KindPlayer, id), nil
}

// Stop ends everything in order: the page, then the nodes. What was
// acknowledged is in the database afterwards.
func (s *Server) Stop(ctx context.Context) error {
	var err error
	if s.page != nil {
		_ = s.page.Close() // streams of the console do not end by themselves
		<-s.pageDone
	}
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	s.cancel()
	s.background.Wait()
	up := s.Instances()
	errs := make(chan error, len(up))
	for _, i := range up {
		go func() { errs <- i.stop(ctx, false) }()
	}
	for range up {
		// When all leave at once the last ones have nobody to tell that they
		// left. Their documents are saved all the same.
		if e := <-errs; !errors.Is(e, troupe.ErrNoQuorum) {
			err = errors.Join(err, e)
		}
	}
	s.mu.Lock()
	clear(s.instances)
	s.mu.Unlock()
	return err
}

// Close removes a temporary database. Audit works until then.
func (s *Server) Close() error {
	err := s.database.close()
	if s.cfg.DataDir == "" {
		err = errors.Join(err, os.RemoveAll(s.dataDir))
	}
	return err
}

// Audit reads every character from the database, after Stop.
func (s *Server) Audit(ctx context.Context, each func(id string, d *game.PlayerData)) error {
	store, err := s.database.open(ctx)
	if err != nil {
		return err
	}
	db, err := orm.Open(ctx, store, orm.Config{Types: game.Documents()})
	if err != nil {
		return errors.Join(err, store.Close())
	}
	err = find(ctx, db, func(f orm.Found[game.PlayerData]) { each(f.Key, &f.Data) })
	return errors.Join(err, db.Close(ctx))
}

// Tables are the game's tables.
func (s *Server) Tables() *content.Tables { return s.content.Tables() }

// Teleport is the GM's command of that name, called by name as a console does.
func (s *Server) Teleport(ctx context.Context, player, zone int64, x, y float32) error {
	i, err := s.node()
	if err != nil {
		return err
	}
	return i.Node.Call(ctx, troupe.ID(game.KindPlayer, player), "Teleport", nil, zone, x, y)
}
