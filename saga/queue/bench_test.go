package queue_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/saga/queue"
)

// BenchmarkRouter sends messages through a real Watermill router to a consumer handler that
// does nothing: over this queue, and over Watermill's GoChannel for comparison. Each
// operation is one message, published by one of 64 callers that keep one message each on the way
// (round-trip), or by one that does not wait (flood).
// cpu-ns/op is the CPU time of the whole process, the router's own work included.
func BenchmarkRouter(b *testing.B) {
	brokers := map[string]func(b *testing.B) (message.Publisher, message.Subscriber){
		"queue": func(b *testing.B) (message.Publisher, message.Subscriber) {
			q := newQueue(b, queue.Config{})
			return q.Publisher(), q.Group("")
		},
		"gochannel": func(b *testing.B) (message.Publisher, message.Subscriber) {
			g := gochannel.NewGoChannel(gochannel.Config{OutputChannelBuffer: 256}, watermill.NopLogger{})
			b.Cleanup(func() { require.NoError(b, g.Close()) })
			return g, g
		},
	}
	for name, broker := range brokers {
		b.Run(name+"/flood", func(b *testing.B) {
			pub, sub := broker(b)
			var handled atomic.Int64
			all := make(chan struct{})
			route(b, sub, func(*message.Message) error {
				if handled.Add(1) == int64(b.N) {
					close(all)
				}
				return nil
			})
			measure(b, func() {
				for i := range b.N {
					require.NoError(b, pub.Publish("work", newWork(i)))
				}
				<-all
			})
		})
		b.Run(name+"/round-trip", func(b *testing.B) {
			pub, sub := broker(b)
			var callers [64]chan struct{}
			for i := range callers {
				callers[i] = make(chan struct{}, 1)
			}
			route(b, sub, func(msg *message.Message) error {
				caller, err := strconv.Atoi(msg.Metadata.Get("caller"))
				callers[caller] <- struct{}{}
				return err
			})
			var next atomic.Int64
			b.SetParallelism(len(callers) / 2)
			measure(b, func() {
				b.RunParallel(func(pb *testing.PB) {
					me := int(next.Add(1)-1) % len(callers)
					for i := 0; pb.Next(); i++ {
						msg := newWork(i)
						msg.Metadata.Set("caller", strconv.Itoa(me))
						require.NoError(b, pub.Publish("work", msg))
						<-callers[me]
					}
				})
			})
		})
	}
}

var payload = []byte(`{"order":"4711","customer":"a@example.com","lines":[{"sku":"x-1","quantity":2}],"total":1999}`)

func newWork(i int) *message.Message {
	msg := message.NewMessage(strconv.Itoa(i), payload)
	msg.Metadata.Set("run", "0190a1b2")
	return msg
}

// route runs a router with one consumer handler on the topic "work" until the benchmark ends.
func route(b *testing.B, sub message.Subscriber, handle message.NoPublishHandlerFunc) {
	router := message.NewDefaultRouter(watermill.NopLogger{})
	router.AddConsumerHandler("work", "work", sub, handle)
	ended := make(chan error, 1)
	go func() { ended <- router.Run(context.Background()) }()
	<-router.Running()
	b.Cleanup(func() {
		require.NoError(b, router.Close())
		require.NoError(b, <-ended)
	})
}

func measure(b *testing.B, run func()) {
	b.ReportAllocs()
	before := cpuTime(b)
	b.ResetTimer()
	run()
	b.StopTimer()
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

// cpuTime is the CPU time that this process has used, in user and system mode.
func cpuTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
