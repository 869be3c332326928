// Command forkpoint examines PostgreSQL write-ahead log, tells where two
// clusters parted and what each holds that the other does not, and turns an
// old primary into a standby of the new one.
//
// Each command has a file of its own, in three parts: the options with their
// flags, the cobra command with its help, and a run function that opens what
// was named, asks one package and shows the answer. The meaning of the exit
// status is in exit.go; nothing but main ends the process.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

func main() {
	os.Exit(run(untilSignal(), os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// memoryLimit makes the collector work harder before the process grows beyond
// what a database host can spare, bytes. It is no hard limit.
const memoryLimit = 64 << 20

// collectAt lets the heap grow to so many percent above what is in use before
// the collector runs, as long as that stays below the limit.
const collectAt = 400

// untilSignal is a context that the first interrupt ends: the work then says in
// which phase it was. From then on the default handling is back, so a second one
// kills. One that comes when all is done does not, for the status says what was
// done.
func untilSignal() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		sig := <-signals
		signal.Stop(signals)
		cancel(&cancelledError{signal: sig})
	}()
	return ctx
}

// run is the whole program but for signals and its end.
func run(ctx context.Context, args []string, stdin *os.File, stdout, stderr *os.File) int {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
		if os.Getenv("GOGC") == "" {
			debug.SetGCPercent(collectAt)
		}
	}
	app := newApp(stdin, stdout, stderr)
	defer app.profile()()
	if isPgRewind(args[0]) {
		return runAsPgRewind(ctx, app, args[1:])
	}
	return execute(ctx, app, args[1:])
}
