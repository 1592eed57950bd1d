package demo

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/atonehq/atone/cmd/signup/signup"
)

// mood is the CRM's behaviour for one contact.
type mood string

const (
	moodFine     mood = "fine"
	moodFlaky    mood = "flaky"    // 503 once or twice, then fine
	moodSlow     mood = "slow"     // fine, but only just in time
	moodRejected mood = "rejected" // 422, for good
	moodStalled  mood = "stalled"  // stored, but the answer always comes too late: in doubt
)

// person is one sign-up.
type person struct {
	Form signup.Form `json:"form"`
	Key  string      `json:"key"`
	Mood mood        `json:"mood"`
	// Failures is how often the CRM answers 503 first; Latency how long it takes.
	Failures int           `json:"failures"`
	Latency  time.Duration `json:"latency"`
}

var firstNames = []string{"Ada", "Alan", "Barbara", "Claude", "Donald", "Edsger", "Frances", "Grace", "Hedy", "Ivan",
	"Jean", "Katherine", "Leslie", "Margaret", "Niklaus", "Ole", "Peter", "Radia", "Shafi", "Tony"}

// people draws n sign-ups; the same seed draws the same people. About half of the sign-ups succeed
// at once. If n is four or more, at least one is flaky, one rejected and one stalled.
func people(n int, seed uint64) []person {
	r := rand.New(rand.NewPCG(seed, 0x5106))
	deck := make([]mood, n)
	for i := range deck {
		switch i % 10 {
		case 0, 4, 7:
			deck[i] = moodFlaky
		case 1, 6:
			deck[i] = moodRejected
		case 2:
			deck[i] = moodStalled
		case 5:
			deck[i] = moodSlow
		default:
			deck[i] = moodFine
		}
	}
	r.Shuffle(n, func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
	all := make([]person, n)
	for i := range all {
		name := firstNames[(i+int(seed%20))%len(firstNames)]
		p := person{Mood: deck[i], Key: fmt.Sprintf("signup-%03d", i+1), Latency: time.Duration(30+r.IntN(90)) * time.Millisecond}
		p.Form = signup.Form{Name: name, Email: fmt.Sprintf("%s.%03d@example.org", lower(name), i+1)}
		switch p.Mood {
		case moodFlaky:
			p.Failures = 1 + r.IntN(2)
		case moodSlow:
			p.Latency = time.Duration(350+r.IntN(150)) * time.Millisecond
		case moodStalled:
			p.Latency = time.Second
		}
		all[i] = p
	}
	return all
}

func lower(name string) string { return string(name[0]|0x20) + name[1:] }
