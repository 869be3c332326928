package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"forkpoint/rewind"
	"forkpoint/walinspect/pgtest"
)

// TestRewindRefusals: what stands in the way is found before anything is
// changed, by a dry run as well, and without it the run succeeds.
func TestRewindRefusals(t *testing.T) {
	trapMajors(t, func(t *testing.T, major int) {
		pair := pgtest.NewPair(t, trapOptions(major)...)
		pair.Primary.Exec("CREATE TABLE t AS SELECT i, 'shared' AS v FROM generate_series(1, 3000) i", "CHECKPOINT")
		table := pair.Primary.Value("SELECT pg_relation_filepath('t')")
		pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) {
			s.Exec("UPDATE t SET v = '" + side + "' WHERE i % 4 = 0")
		})
		old := pair.Old
		source := []string{"--source-server", pair.Primary.ConnString()}
		file := func(name string) string { return filepath.Join(old.Dir(), name) }
		chmod := func(name string, mode os.FileMode) {
			if err := os.Chmod(file(name), mode); err != nil {
				t.Fatal(err)
			}
		}
		control := old.ReadFile("global/pg_control")
		damage := func(change func(b []byte) []byte) func() {
			return func() { old.WriteFile("global/pg_control", string(change([]byte(control)))) }
		}
		whole := func() { old.WriteFile("global/pg_control", control) }
		traps := []struct {
			name   string
			set    func()
			unset  func()
			status int
			want   string
		}{
			{"table that cannot be written", func() { chmod(table, 0o400) }, func() { chmod(table, 0o600) }, 6, table},
			{"directory that cannot be written", func() { chmod("base", 0o500); chmod(filepath.Dir(table), 0o500) },
				func() { chmod("base", 0o700); chmod(filepath.Dir(table), 0o700) }, 6, filepath.Dir(table)},
			{"configuration that cannot be written", func() { chmod("pg_xact/0000", 0o400) }, func() { chmod("pg_xact/0000", 0o600) }, 6, "pg_xact/0000"},
			{"control file cut", damage(func(b []byte) []byte { return b[:240] }), whole, 1, "pg_control"},
			{"control file empty", damage(func(b []byte) []byte { return nil }), whole, 1, "pg_control"},
			{"control file torn", damage(func(b []byte) []byte { b[40] ^= 1; return b }), whole, 1, "pg_control"},
			{"another system", damage(func(b []byte) []byte { return resealed(b, 0, 7) }), whole, 6, "system identifier"},
		}
		for _, trap := range traps {
			trap.set()
			before := treeState(t, old.Dir())
			for _, args := range [][]string{{"--dry-run"}, nil} {
				t.Log(trap.name, args)
				out := bothNames[0].run(t, trap.status, old, append(source, args...)...)
				if !strings.Contains(out, trap.want) {
					t.Errorf("%s: the message does not name %q: %s", trap.name, trap.want, out)
				}
				if out := bothNames[1].run(t, 1, old, append(source, args...)...); strings.Contains(out, "Done!") {
					t.Errorf("it says Done! before it refuses: %s", out)
				}
			}
			if got := changedFiles(before, treeState(t, old.Dir())); len(got) > 0 {
				t.Errorf("%s: changed %q", trap.name, got)
			}
			if _, err := os.Stat(old.Dir() + ".forkpoint"); err == nil {
				t.Errorf("%s: a state directory was left", trap.name)
			}
			trap.unset()
		}
		for _, r := range bothNames { // the target has no restore_command
			out := r.run(t, 1, old, append(source, "--restore-target-wal")...)
			if quoted := `"restore_command" is not set in the target cluster`; !strings.Contains(out, quoted) && (major >= 17 || !strings.Contains(out, strings.ReplaceAll(quoted, `"`, ""))) {
				t.Errorf("no word of restore_command: %s", out)
			}
		}
		rewound(t, pair)
		// What happened lies in the state directory.
		var o outcome
		b, err := os.ReadFile(pair.Standby.Dir() + ".forkpoint/result.json")
		if err == nil {
			err = json.Unmarshal(b, &o)
		}
		if err != nil || o.Code != "done" || o.Result == nil || !o.Result.Needed {
			t.Errorf("result file: %v\n%s", err, b)
		}
		// Now it runs.
		out := bothNames[0].run(t, 6, pair.Standby, source...)
		if !strings.Contains(out, "is running") {
			t.Errorf("no word of the running server: %s", out)
		}
		out = bothNames[1].run(t, 1, pair.Standby, source...)
		if !strings.Contains(out, "target server must be shut down cleanly") {
			t.Errorf("no word of the running server: %s", out)
		}
	})
}

// resealed changes one byte of a control file and makes its checksum right
// again, wherever that is: the position follows from the version.
func resealed(b []byte, at int, x byte) []byte {
	for end := 200; end < 400; end += 4 {
		if crc(b[:end]) == binary.LittleEndian.Uint32(b[end:]) {
			b[at] ^= x
			binary.LittleEndian.PutUint32(b[end:], crc(b[:end]))
			return b
		}
	}
	panic("no checksum in the control file")
}

func crc(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// TestRewindEvents: programs read one document a line, the result last.
func TestRewindEvents(t *testing.T) {
	trapMajors(t, func(t *testing.T, major int) {
		pair := pgtest.NewPair(t, trapOptions(major)...)
		pair.Primary.Exec("CREATE TABLE t AS SELECT i, 'shared' AS v FROM generate_series(1, 3000) i", "CHECKPOINT")
		pair.Diverge(pgtest.Immediate, func(s *pgtest.Server, side string) {
			s.Exec("UPDATE t SET v = '" + side + "' WHERE i % 4 = 0")
		})
		status, stdout, stderr := runProgram(t, "forkpoint", nil, "rewind", "-D", pair.Old.Dir(), "--source-server", pair.Primary.ConnString(), "-R", "--format", "json")
		if status != 0 {
			t.Fatalf("exit status %d\n%s", status, stderr)
		}
		var seen []string
		var result rewind.Result
		for line := range strings.Lines(stdout) {
			var e struct {
				Schema string           `json:"schema"`
				Kind   rewind.EventKind `json:"event"`
				Phase  rewind.Phase     `json:"phase"`
			}
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatalf("%q: %s", line, err)
			}
			if e.Schema == rewind.ResultSchema {
				if err := json.Unmarshal([]byte(line), &result); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if result.Schema != "" {
				t.Errorf("the result is not the last line")
			}
			if e.Kind != rewind.EventProgress {
				seen = append(seen, strings.TrimSuffix(fmt.Sprintf("%s %s", e.Kind, e.Phase), " "))
			}
		}
		want := "phase survey, fork, phase index, checkpoint, phase plan, plan, room, phase stage, phase copy, barred, phase finish, phase sync, done, phase seal"
		if got := strings.Join(seen, ", "); got != want {
			t.Errorf("events\n%s\nwant\n%s", got, want)
		}
		if !result.Needed || !result.Recovery || result.Written.ToTarget == 0 {
			t.Errorf("result %+v", result)
		}
	})
}
