// Package pgtest runs real PostgreSQL servers for tests: any major version that
// the machine has, any WAL segment size, primaries, standbys and fail-overs.
//
//	primary := pgtest.New(t, pgtest.Major(17), pgtest.SegSize(1))
//	primary.Start()
//	primary.Exec("CREATE TABLE t AS SELECT generate_series(1, 10) AS n")
//	standby := primary.NewStandby()
//	standby.Start()
//	primary.WaitCaughtUp(standby)
//
// The servers come from fetch.sh, which "make pg" runs; see [Find] for the
// places that are searched. They run as the OS user postgres (or nobody) where
// the test runs as root, because the server refuses root; [RunAs] starts other
// commands as that user.
//
// Nothing is left behind. A server's processes and directories go when its test
// ends, however it ends; where the whole test binary is killed, the kernel
// stops the servers (Pdeathsig) and the next test that starts removes their
// directories. Every wait is for a condition and has a limit.
//
// The methods take no context and return no error unless their name begins with
// Try: they fail the test, which is what nearly every caller wants.
package pgtest
