package journal

import (
	"context"
	"time"

	"github.com/atonehq/atone/domain"
)

// A silence of TellSilence is told in the program's log and in the metrics. After RefuseSilence the
// coordinator is not ready: an election in a cluster takes less.
const (
	TellSilence   = time.Second
	RefuseSilence = 2 * time.Second
)

// Silence is for how long the log has not answered appends; 0 while it does, and while nobody
// appends.
func (j *Journal) Silence() time.Duration {
	silence := j.silence()
	if l, ok := j.Log.(domain.SilenceTeller); ok {
		silence = max(silence, l.Silence())
	}
	return silence
}

// Watch tells when the log falls silent, and when it answers again, until ctx ends. While it is
// silent, Watch asks for an answer by an append to the stream without events, which writes nothing.
func (j *Journal) Watch(ctx context.Context, stream string) {
	tick := time.NewTicker(TellSilence / 4)
	defer tick.Stop()
	told := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		switch s := j.Silence(); {
		case s >= TellSilence && !told:
			told = true
			j.logger.Warn("the log does not answer: appends wait and are tried again", "for", s.Round(time.Millisecond))
		case s < TellSilence && told:
			told = false
			j.logger.Info("the log answers again")
		}
		if told { // perhaps no one else appends, and so finds out that it answers again
			j.probe(ctx, stream)
		}
	}
}

func (j *Journal) probe(ctx context.Context, stream string) {
	ctx, stop := context.WithTimeout(ctx, RefuseSilence)
	defer stop()
	_, _ = j.Append(ctx, stream, domain.AnyRevision) // the answer is noted, whatever it is
}
