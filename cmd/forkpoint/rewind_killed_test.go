package main

import (
	"bufio"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"forkpoint/rewind/target"
	"forkpoint/walinspect/pgtest"
)

// TestRewindKilled kills rewinds at random moments, from a running and from a
// stopped source. Afterwards the same command is run again, which may be killed
// too, and the target must start and be equal to its source in every way that
// can be compared; or the rewind is undone, which may be killed too, and every
// file must be as it was. "make torture" does it two hundred times, with small
// and with larger targets of all versions.
func TestRewindKilled(t *testing.T) {
	seed := chosenSeed(t)
	chance := func(major int, n uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, uint64(major)<<8|n)) }
	if torture() {
		pgtest.EachMajor(t, func(t *testing.T, major int) {
			newKilling(t, major, 200, chance(major, 1)).rounds(t, 17)
			newKilling(t, major, 3000, chance(major, 2)).rounds(t, 17)
		})
		return
	}
	pgtest.TheseMajors(t, []int{13, 18}, func(t *testing.T, major int) { newKilling(t, major, 200, chance(major, 1)).rounds(t, 4) })
}

// chosenSeed is the seed in FORKPOINT_SEED, or a new one, and says which.
func chosenSeed(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("FORKPOINT_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	t.Logf("FORKPOINT_SEED=%d", seed)
	return seed
}

// torture tells whether the long variants of tests are wanted.
func torture() bool { return os.Getenv("FORKPOINT_TORTURE") != "" }

// killing is a pair whose old primary is rewound again and again.
type killing struct {
	pair   *pgtest.Pair
	chance *rand.Rand
	dir    string            // the target
	orig   string            // a copy of it as it was
	before map[string]string // see tree
	dump   string            // of the old primary, as it comes up if nothing is rewound
	tail   time.Duration     // from the first change to the end of a rewind
	whole  time.Duration
	middle int // how many were hit between first and last change
}

func newKilling(t *testing.T, major, rows int, chance *rand.Rand) *killing {
	pair := pgtest.NewPair(t, pgtest.Major(major), pgtest.SegSize(1),
		pgtest.Conf("wal_keep_size", "512MB"), pgtest.Conf("allow_in_place_tablespaces", "on"))
	pair.Primary.Workload("shared", rows)
	pair.Primary.Checkpoint()
	pair.Diverge(pgtest.Kill9, func(s *pgtest.Server, side string) { s.Workload(side, rows) })
	return killingOf(t, pair, chance)
}

// killingOf is for a pair that has diverged already.
func killingOf(t *testing.T, pair *pgtest.Pair, chance *rand.Rand) *killing {
	k := &killing{pair: pair, chance: chance, dir: pair.Old.Dir(), orig: pair.Old.Dir() + ".orig"}
	copyDir(t, k.dir, k.orig)
	k.before = tree(t, k.orig)
	k.dump = k.oldDump()
	resetDir(t, k.orig, k.dir)
	began := time.Now()
	barred := k.run(t, 0, k.live()...)
	k.whole = time.Since(began)
	k.tail = k.whole - barred
	t.Logf("a rewind takes %v, %v of it after the first change", k.whole, k.tail)
	return k
}

// oldDump starts the target as the primary that it was.
func (k *killing) oldDump() string {
	k.pair.Old.Start()
	defer k.pair.Old.Stop(pgtest.Fast)
	return pgtest.Dump(k.pair.Old)
}

func (k *killing) live() []string {
	return []string{"rewind", "-R", "-D", k.dir, "--source-server", k.pair.Primary.ConnString(), "--format", "json"}
}

func (k *killing) local() []string {
	return []string{"rewind", "-D", k.dir, "--source-pgdata", k.pair.Primary.Dir(), "--format", "json"}
}

func (k *killing) undo() []string { return []string{"rewind", "--undo", "-D", k.dir} }

func (k *killing) rounds(t *testing.T, n int) {
	for round := range n {
		resetDir(t, k.orig, k.dir)
		what := []string{"resume", "undo", "resume killed", "undo killed", "resume killed, undo"}[round%5]
		live := round%3 != 1
		k.round(t, round, what, live)
		if t.Failed() {
			t.Fatalf("round %d: %s, live=%v", round, what, live)
		}
	}
	t.Logf("%d rounds; %d rewinds were killed between their first and last change", n, k.middle)
}

func (k *killing) round(t *testing.T, round int, what string, live bool) {
	command := k.live()
	if !live {
		command = k.local()
		k.pair.Primary.Stop(pgtest.Fast)
		defer func() {
			if !k.pair.Primary.Running() {
				k.pair.Primary.Start()
			}
		}()
	}
	k.kill(t, command...)
	if strings.Contains(what, "resume killed") {
		k.kill(t, command...)
	}
	if !strings.Contains(what, "undo") {
		mustForkpoint(t, command...)
		mustForkpoint(t, "verify", "-D", k.dir)
		if !live {
			k.pair.Primary.Start()
			k.pair.Old.Follow(k.pair.Primary)
		}
		k.sameAsSource(t)
		return
	}
	if what == "undo killed" {
		k.kill(t, k.undo()...)
	}
	mustForkpoint(t, k.undo()...)
	if diff := cmp.Diff(k.before, tree(t, k.dir)); diff != "" {
		t.Fatalf("round %d: undo left differences\n%s", round, diff)
	}
	if torture() && k.oldDump() != k.dump {
		t.Errorf("round %d: the old primary comes up with other data", round)
	}
}

// sameAsSource starts the rewound target and holds it against its source.
func (k *killing) sameAsSource(t *testing.T) {
	t.Helper()
	primary, old := k.pair.Primary, k.pair.Old
	old.Start()
	primary.WaitCaughtUp(old)
	sameDumps(t, primary, old)
	if torture() {
		amcheckStandby(primary, old)
	}
	old.Stop(pgtest.Fast)
	checkPages(t, old)
}

// kill runs a command and kills it at a random moment: three times of four
// after the first change of the target, else at any time.
func (k *killing) kill(t *testing.T, args ...string) {
	t.Helper()
	if k.chance.IntN(4) == 0 || args[1] == "--undo" {
		k.run(t, 1+time.Duration(k.chance.Int64N(int64(k.whole))), args...)
	} else {
		k.run(t, -1-time.Duration(k.chance.Int64N(int64(k.tail))), args...)
	}
	if label, err := os.ReadFile(filepath.Join(k.dir, target.LabelFile)); err == nil && strings.Contains(string(label), "forkpoint") {
		k.middle++
	}
}

// run runs a command and kills it so long after its start or, where after is
// negative, after it says that it changes the target; 0 lets it end. It returns
// when that was said.
func (k *killing) run(t *testing.T, after time.Duration, args ...string) (barred time.Duration) {
	t.Helper()
	cmd := pgtest.RunAs(exec.Command(programPath(t), args...))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if after > 0 {
		defer time.AfterFunc(after, func() { cmd.Process.Kill() }).Stop()
	}
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadString('\n')
		if strings.Contains(line, `"event":"barred"`) {
			barred = time.Since(began)
			if after < 0 {
				defer time.AfterFunc(-after, func() { cmd.Process.Kill() }).Stop()
			}
		}
		if err != nil {
			break
		}
	}
	if err := cmd.Wait(); err != nil && after == 0 {
		t.Fatalf("forkpoint %q: %v", args, err)
	}
	return barred
}

func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// resetDir makes the target what it was, without any trace of a rewind.
func resetDir(t *testing.T, orig, dir string) {
	t.Helper()
	for _, d := range []string{dir, dir + ".forkpoint"} {
		if err := os.RemoveAll(d); err != nil {
			t.Fatal(err)
		}
	}
	copyDir(t, orig, dir)
}

// tree is treeState with the times of files.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	names := describe(t, dir, func(info fs.FileInfo) string { return fmt.Sprint(info.ModTime().UnixNano()) })
	delete(names, "postmaster.pid") // of the server that was killed: who locks the directory clears it away
	if len(names) < 100 {
		t.Fatalf("%s holds only %v", dir, slices.Sorted(maps.Keys(names)))
	}
	return names
}
