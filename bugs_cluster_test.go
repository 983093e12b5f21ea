// SPDX-License-Identifier: MIT

package troupe_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/troupetest"
)

// sleeper tells under which lease its turns run.
type sleeper struct{ troupe.Actor }

func (s *sleeper) Home(context.Context) (string, error) { return s.Node().Name(), nil }

// Hold asks for another turn and ends when goOn is closed.
func (s *sleeper) Hold(_ context.Context, goOn chan struct{}, lease chan string) error {
	err := s.Do(func(context.Context) { lease <- s.Node().Health().Lease })
	<-goOn
	return err
}

// The gate is asked before every turn: also before those of Do and of
// continuations that were queued while the lease was alive.
func TestNoTurnOnAnExpiredLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := troupetest.Start(t, troupetest.Config{
			Kinds: func(int) []troupe.Kind { return []troupe.Kind{troupe.Virtual[sleeper]("sleeper")} },
		})
		ctx, ref := context.Background(), troupe.ID("sleeper", 1)
		var home string
		require.NoError(t, c.Node(0).Call(ctx, ref, "Home", &home))
		owner := int(home[1] - '0')
		goOn, lease := make(chan struct{}), make(chan string, 1)
		require.NoError(t, c.Node(owner).Send(ref, "Hold", goOn, lease))
		synctest.Wait()
		c.Isolate(owner)
		time.Sleep(10 * time.Second) // more than the TTL
		close(goOn)
		synctest.Wait()
		select {
		case l := <-lease:
			require.Equal(t, "live", l)
		default: // it was dropped with its instance
		}
	})
}
