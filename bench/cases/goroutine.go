// SPDX-License-Identifier: MIT

package cases

import (
	"sync"

	"github.com/troupe-go/troupe/bench/compare"
)

// goroutineLibrary is what one writes without a library: a goroutine per actor
// that reads its channel. It is the strictest baseline: the message is a small
// struct by value (no allocation), nobody can give up waiting, and nothing is
// known of the other side but its channel.
func goroutineLibrary() Library {
	return Library{
		Name: "goroutine", Send: goroutineSend, Call: goroutineCall,
		PingPong: goroutinePingPong, Spawn: goroutineSpawn,
	}
}

// request is the message of the goroutine contenders.
type request struct {
	value int64
	reply chan int64 // nil: one-way
}

// goroutineCapacity is the channels' length in send, call and pingpong.
const goroutineCapacity = 1024

func goroutineSend(b *compare.B, shape SendShape) func(n int) {
	tallies := shape.Tallies()
	channels := make([]chan request, shape.Receivers)
	for i := range channels {
		ch := make(chan request, goroutineCapacity)
		channels[i] = ch
		b.Cleanup(func() { close(ch) })
		go func() {
			for m := range ch {
				tallies[i].Add(m.value)
			}
		}()
	}
	return Flood(shape, tallies, func(receiver, count int) {
		ch := channels[receiver]
		for v := range int64(count) {
			ch <- request{value: v + 1}
		}
	})
}

func goroutineCall(b *compare.B, callers int) func(n int) {
	ch := make(chan request, goroutineCapacity)
	b.Cleanup(func() { close(ch) })
	go func() {
		for m := range ch {
			m.reply <- m.value + 1
		}
	}()
	return CallAll(callers, func(value int64) int64 {
		reply := make(chan int64, 1)
		ch <- request{value: value, reply: reply}
		return <-reply
	})
}

func goroutinePingPong(b *compare.B) func(n int) {
	ping, pong := make(chan request, goroutineCapacity), make(chan request, goroutineCapacity)
	b.Cleanup(func() { close(ping); close(pong) })
	done := make(chan struct{}, 1)
	go func() {
		for m := range ping {
			pong <- m
		}
	}()
	go func() {
		for m := range pong {
			if m.value--; m.value == 0 {
				done <- struct{}{}
				continue
			}
			ping <- m
		}
	}()
	return func(n int) {
		ping <- request{value: int64(n)}
		<-done
	}
}

func goroutineSpawn(b *compare.B) func(n int) {
	channels := make([]chan request, b.N)
	b.Cleanup(func() {
		for _, ch := range channels {
			close(ch)
		}
	})
	var greeted sync.WaitGroup
	return Crowd(b, func(i int) {
		ch := make(chan request, 8)
		channels[i] = ch
		go func() {
			var state int64
			for m := range ch {
				state += m.value
				greeted.Done()
			}
		}()
	}, func(n int) {
		greeted.Add(n)
		for _, ch := range channels[:n] {
			ch <- request{value: 1}
		}
		greeted.Wait()
	})
}
