package strand

import (
	"runtime"
	"sync"
)

// Strand is a call in a goroutine of its own, which moves only while its caller waits for it. The
// zero value is ready to start.
type Strand struct {
	mu   sync.Mutex
	turn sync.Cond
	// moves means that it is the call's turn. exited means that it ended its goroutine.
	moves, exited bool
}

// Start calls f, and returns when it has ended or is put aside. Like f itself it does not return if
// f ends its goroutine. Call it once.
func (s *Strand) Start(f func()) {
	s.moves, s.turn.L = true, &s.mu
	go func() {
		returned := false
		defer func() {
			s.exited = !returned
			s.give()
		}()
		f()
		returned = true
	}()
	s.wait()
}

// Aside gives the turn back to the caller, and returns when the call is resumed.
func (s *Strand) Aside() {
	s.give()
	s.Mine()
}

// Mine returns when it is the call's turn: at once, unless another goroutine of the call has put it
// aside.
func (s *Strand) Mine() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.moves {
		s.turn.Wait()
	}
}

// Resume lets a call go on that was put aside, and returns as [Start] does.
func (s *Strand) Resume() {
	s.mu.Lock()
	s.moves = true
	s.turn.Broadcast()
	s.mu.Unlock()
	s.wait()
}

func (s *Strand) give() {
	s.mu.Lock()
	s.moves = false
	s.turn.Broadcast()
	s.mu.Unlock()
}

func (s *Strand) wait() {
	s.mu.Lock()
	for s.moves {
		s.turn.Wait()
	}
	exited := s.exited
	s.mu.Unlock()
	if exited {
		runtime.Goexit()
	}
}
