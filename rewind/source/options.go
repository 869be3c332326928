package source

import (
	"log/slog"
	"time"
)

// Options are what a live source needs besides its connection string. Of the
// durations, zero stands for the default and a negative one for no limit.
type Options struct {
	// Jobs is how many files are read at a time, each over a connection of its
	// own; 1 if it is less.
	Jobs int

	// ApplicationName is used where the connection string, service and
	// environment give none; "forkpoint" if empty.
	ApplicationName string

	// ConnectTimeout limits each attempt to connect where connect_timeout is
	// not set: 30 s.
	ConnectTimeout time.Duration

	// WaitReady is how long the first connection waits for a server that is
	// not there yet: not at all.
	WaitReady time.Duration

	// IdleTimeout is how long the server may let us wait for a byte: 2 min.
	// The listing of a huge directory takes the server a while.
	IdleTimeout time.Duration

	// RetryFor is how long a lost connection is tried to be made again,
	// counted from the last progress: 60 s. Negative: it is not tried.
	RetryFor time.Duration

	// Timeout limits the life of the source: none.
	Timeout time.Duration

	// Rate limits what is fetched, in bytes per second; 0 for no limit.
	Rate int64

	// Log is told of reconnections and of what is left undone; may be nil.
	Log *slog.Logger
}

const (
	defaultConnectTimeout = 30 * time.Second
	defaultIdleTimeout    = 2 * time.Minute
	defaultRetryFor       = time.Minute
)

func (o Options) withDefaults() Options {
	o.Jobs = max(o.Jobs, 1)
	if o.ApplicationName == "" {
		o.ApplicationName = "forkpoint"
	}
	o.ConnectTimeout = limit(o.ConnectTimeout, defaultConnectTimeout)
	o.IdleTimeout = limit(o.IdleTimeout, defaultIdleTimeout)
	o.RetryFor = limit(o.RetryFor, defaultRetryFor)
	o.WaitReady = max(o.WaitReady, 0)
	o.Timeout = max(o.Timeout, 0)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// limit is a limit in force, where zero stands for none.
func limit(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return max(d, 0)
}
