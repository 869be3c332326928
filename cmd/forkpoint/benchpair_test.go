package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"forkpoint/walinspect/pgtest"
)

// benchPair is two stopped clusters after a fail-over, in the directories old
// (to be rewound) and new (the source) of a folder that outlives the benchmark:
// they take minutes to make.
type benchPair struct {
	dir  string
	pg   pgtest.Install
	kind string
}

// benchKinds are the pairs that rewinds are measured on.
//
// heavy: most blocks of the tables changed after the fork, and the source has
// kept all the WAL of loading them. light: many transactions between the last
// common checkpoint and the fork, few after it.
var benchKinds = []string{"light", "heavy"}

// benchMajor is the version whose pg_rewind forkpoint is measured against.
const benchMajor = 15

// openBenchPair finds or makes the pair of a kind in the folder that
// FORKPOINT_BENCH_DIR names. FORKPOINT_BENCH_SCALE is pgbench's scale, 15 MB of
// table each.
func openBenchPair(b *testing.B, kind string) *benchPair {
	b.Helper()
	in, err := pgtest.Find(benchMajor)
	if err != nil {
		b.Fatal(err)
	}
	scale := benchNumber(b, "FORKPOINT_BENCH_SCALE", 80)
	base := os.Getenv("FORKPOINT_BENCH_DIR")
	if base == "" {
		base = filepath.Join(os.TempDir(), "forkpoint-bench")
	}
	p := &benchPair{filepath.Join(base, fmt.Sprintf("%s-%d", kind, scale)), in, kind}
	if _, err := os.Stat(filepath.Join(p.dir, "complete")); err == nil {
		return p
	}
	if err := os.RemoveAll(p.dir); err != nil {
		b.Fatal(err)
	}
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		b.Fatal(err)
	}
	if err := pgtest.Own(p.dir); err != nil {
		b.Fatal(err)
	}
	p.build(b, scale)
	p.run(b, "sync")
	if err := os.WriteFile(filepath.Join(p.dir, "complete"), nil, 0o644); err != nil {
		b.Fatal(err)
	}
	return p
}

func (p *benchPair) old() string { return filepath.Join(p.dir, "old") }
func (p *benchPair) new() string { return filepath.Join(p.dir, "new") }

// build makes the pair in pgtest's place and copies what remains.
func (p *benchPair) build(b *testing.B, scale int) {
	b.Logf("making the %s pair in %s", p.kind, p.dir)
	pair := pgtest.NewPair(b, pgtest.Major(benchMajor),
		pgtest.Conf("shared_buffers", "256MB"), pgtest.Conf("max_wal_size", "16GB"), pgtest.Conf("wal_keep_size", "16GB"))
	bench := func(s *pgtest.Server, args ...string) {
		b.Helper()
		if _, _, err := s.Program("pgbench", append(args, s.ConnString())...); err != nil {
			b.Fatal(err)
		}
	}
	bench(pair.Primary, "-i", "-q", "-s", strconv.Itoa(scale))
	pair.Primary.Checkpoint()
	if p.kind == "light" {
		bench(pair.Primary, "-T", "30", "-c", "4")
	}
	pair.Split()
	if p.kind == "light" {
		pair.Old.Exec("UPDATE pgbench_accounts SET abalance = 1 WHERE aid <= 100")
		bench(pair.Primary, "-n", "-c", "4", "-t", "250")
	} else {
		pair.Old.Exec("UPDATE pgbench_accounts SET abalance = 1 WHERE aid % 2 = 0")
		bench(pair.Old, "-n", "-c", "4", "-T", "20")
		bench(pair.Primary, "-n", "-c", "4", "-T", "10")
	}
	pair.Primary.Checkpoint()
	pair.Old.Stop(pgtest.Fast)
	pair.Primary.Stop(pgtest.Fast)
	p.run(b, "cp", "-a", pair.Old.Dir(), p.old())
	p.run(b, "cp", "-a", pair.Primary.Dir(), p.new())
}

// target makes a fresh copy of the old primary and waits until nothing of that
// is left to be written.
func (p *benchPair) target(b *testing.B) string {
	b.Helper()
	dir := filepath.Join(p.dir, "target")
	p.run(b, "rm", "-rf", dir, dir+".forkpoint")
	p.run(b, "cp", "-a", "--reflink=auto", p.old(), dir)
	p.run(b, "sync")
	return dir
}

// serve runs the source's server until the benchmark ends and returns how to
// connect to it.
func (p *benchPair) serve(b *testing.B) string {
	b.Helper()
	const port = "5432" // of a socket in a folder of its own
	program := func(name string) string { return filepath.Join(p.pg.BinDir, name) }
	p.run(b, program("pg_ctl"), "start", "-w", "-D", p.new(), "-l", filepath.Join(p.dir, "log"),
		"-o", fmt.Sprintf("-k %s -p %s -c fsync=on", p.dir, port))
	b.Cleanup(func() { p.run(b, program("pg_ctl"), "stop", "-w", "-m", "fast", "-D", p.new()) })
	return fmt.Sprintf("host=%s port=%s user=postgres dbname=postgres", p.dir, port)
}

// run runs a program as the servers' user.
func (p *benchPair) run(b *testing.B, name string, args ...string) {
	b.Helper()
	cmd := pgtest.RunAs(exec.Command(name, args...))
	cmd.SysProcAttr.Pdeathsig = 0 // a server that is started outlives it
	if err := cmd.Run(); err != nil {
		b.Fatalf("%s %q: %s", name, args, err)
	}
}

// benchNumber is a size that the environment may set.
func benchNumber(b *testing.B, name string, usual int) int {
	b.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		b.Fatalf("%s=%q is not a number", name, text)
	}
	return n
}
