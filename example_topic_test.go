// SPDX-License-Identifier: MIT

package troupe_test

import (
	"context"
	"fmt"

	"github.com/troupe-go/troupe"
)

// Weather is what is published. All messages of a topic have one type.
type Weather struct{ Sky string }

// Farm listens to the weather from its first message on.
type Farm struct {
	troupe.Actor
	sky         string
	unsubscribe func()
}

// OnActivate subscribes: a subscription ends with the instance.
func (f *Farm) OnActivate(context.Context) error {
	var err error
	f.unsubscribe, err = troupe.Subscribe(f, "weather", func(_ context.Context, w Weather) { f.sky = w.Sky })
	return err
}

// Sky returns the last weather that the farm heard of.
func (f *Farm) Sky(context.Context) (string, error) { return f.sky, nil }

// Close ends the subscription.
func (f *Farm) Close(context.Context) error {
	f.unsubscribe()
	return nil
}

// How does one message reach all who are interested? Publish puts it into the
// mailbox of each actor that subscribed to the topic.
func ExampleSubscribe() {
	node := startNode(troupe.Config{}, troupe.Virtual[Farm]("farm"))
	defer stopNode(node)

	ctx := context.Background()
	sky := func(id int64) string {
		var s string
		if err := node.Call(ctx, troupe.ID("farm", id), "Sky", &s); err != nil {
			fmt.Println(err)
		}
		return s
	}
	sky(1) // activates
	sky(2)
	fmt.Println(troupe.Publish(node, "weather", Weather{"rain"}))
	fmt.Println(sky(1), sky(2))

	_ = node.Call(ctx, troupe.ID("farm", 2), "Close", nil)
	fmt.Println(troupe.Publish(node, "weather", Weather{"sun"}))
	fmt.Println(sky(1), sky(2))

	fmt.Println(troupe.Publish(node, "weather", "hail")) // not a Weather
	// Output:
	// <nil>
	// rain rain
	// <nil>
	// sun rain
	// publish "weather": troupe: bad arguments: subscribers take troupe_test.Weather, got string
}
