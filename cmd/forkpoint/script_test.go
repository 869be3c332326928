package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
)

var update = flag.Bool("update", false, "rewrite the golden files of the scripts")

// TestMain lets the test binary stand in for forkpoint, and for pg_rewind: the
// scripts run real processes with real exit statuses.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"forkpoint": main, "pg_rewind": main, "faultworld": faultProgram})
}

// TestScripts runs testdata/script/*.txtar. Besides testscript's own commands
// they have
//
//	status N command...    run a command and want this exit status
//	datadir DIR [NAME=VALUE...]   make a data directory without data
//	wal DIR [NAME=VALUE...]       write WAL, see scriptWAL
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("TZ", "UTC")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status":  scriptStatus,
			"datadir": scriptDataDir,
			"wal":     scriptWAL,
		},
	})
}

func scriptStatus(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if neg || err != nil || len(args) < 2 {
		ts.Fatalf("usage: status N command...")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// scriptDataDir makes what forkpoint looks at in a data directory: version,
// control file and pg_wal.
func scriptDataDir(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	c := pgcontrol.Control{
		SystemID: 7300000000000000001, Version: 1300, CatalogVersion: 202209061, Major: 15, State: pgcontrol.ShutDown,
		Time: time.Unix(1772334000, 0), Checkpoint: 0x2000028, MaxAlign: 8, BlockSize: 8192, RelSegSize: 131072,
		WALBlockSize: 8192, SegmentSize: 1 << 20, NameDataLen: 64, IndexMaxKeys: 32, ToastMaxChunk: 1996,
		LargeObjectBlock: 2048, Float8ByVal: true, DataChecksums: 1, WALLevel: pgcontrol.WALLevelReplica,
		CheckpointCopy: pgcontrol.Checkpoint{Redo: 0x2000028, Timeline: 1, PrevTimeline: 1, FullPageWrites: true, Time: time.Unix(1772334000, 0)},
	}
	for _, arg := range args[1:] {
		if err := setControl(&c, arg); err != nil {
			ts.Fatalf("datadir: %v", err)
		}
	}
	raw, err := c.Encode()
	ts.Check(err)
	for _, sub := range []string{"global", "pg_wal", "base"} {
		ts.Check(os.MkdirAll(filepath.Join(dir, sub), 0o700))
	}
	ts.Check(os.WriteFile(filepath.Join(dir, "PG_VERSION"), fmt.Appendf(nil, "%d\n", c.Major), 0o600))
	ts.Check(os.WriteFile(filepath.Join(dir, "global", "pg_control"), raw, 0o600))
}

func setControl(c *pgcontrol.Control, arg string) error {
	name, value, _ := strings.Cut(arg, "=")
	number, _ := strconv.ParseUint(value, 10, 64)
	var err error
	switch name {
	case "timeline":
		c.CheckpointCopy.Timeline, c.CheckpointCopy.PrevTimeline = pg.TimelineID(number), pg.TimelineID(number)
	case "checkpoint":
		c.Checkpoint, err = pg.ParseLSN(value)
		c.CheckpointCopy.Redo = c.Checkpoint
	case "system":
		c.SystemID = number
	case "state":
		c.State = pgcontrol.State(number)
	case "checksums":
		c.DataChecksums = uint32(number)
	default:
		err = fmt.Errorf("unknown setting %q", name)
	}
	return err
}
