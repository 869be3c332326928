package segment_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
)

func restore(t *testing.T, c segment.RestoreConfig) *segment.Restore {
	t.Helper()
	if c.Delay == 0 {
		c.Delay = time.Millisecond
	}
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	if c.Size == 0 {
		c.Size = mb
	}
	r, err := segment.NewRestore(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCheckCommand(t *testing.T) {
	for _, tt := range []struct {
		command string
		bad     string // part of the message
	}{
		{command: "cp /archive/%f %p"},
		{command: "fetch --percent 100%% '%f' > \"%p\""},
		{command: "true"},
		{command: "  ", bad: "empty"},
		{command: "cp /archive/%f %p; clean %r", bad: "%r"},
		{command: "cp %f %p %x", bad: "%x"},
		{command: "cp %f %p 50%", bad: "single %"},
	} {
		err := segment.CheckCommand(tt.command)
		if (err != nil) != (tt.bad != "") || err != nil && (!errors.Is(err, segment.ErrBadCommand) || !strings.Contains(err.Error(), tt.bad)) {
			t.Errorf("CheckCommand(%q): %v, want a message with %q", tt.command, err, tt.bad)
		}
	}
}

func TestRestore(t *testing.T) {
	name := pg.SegmentSize(mb).Name(1, 1)
	count := `echo . >> calls; `
	for _, tt := range []struct {
		title   string
		command string
		timeout time.Duration
		want    string // part of the error; "" for success
		absent  bool
		calls   int
	}{
		{title: "found", command: count + `cp good %p`, calls: 1},
		{title: "environment", command: count + `test "$FORKPOINT_RESTORE" = 1 && cp good %p`, calls: 1},
		{title: "name is passed", command: count + `test %f = ` + name + ` && cp good %p`, calls: 1},
		{title: "absent", command: count + `echo no such key >&2; exit 1`, want: "no such key", absent: true, calls: 1},
		{title: "absent, as some programs say it", command: count + `exit 74`, want: "exit status 74", absent: true, calls: 1},
		{title: "no program", command: count + `/no/such/program %f %p`, want: "127", calls: 3},
		{title: "killed", command: count + `kill -9 $$`, want: "signal 9", calls: 3},
		{title: "killed inside", command: count + `sh -c 'kill -15 $$'`, want: "signal 15", calls: 3},
		{title: "too slow", command: count + `sleep 600`, timeout: 50 * time.Millisecond, want: "time limit", calls: 3},
		{title: "too short a file", command: count + `head -c 1000 good > %p`, want: "1000 bytes, want 1048576", calls: 3},
		{title: "no file", command: count + `true`, want: "without making the file", calls: 3},
		{title: "works the third time", command: count + `test $(wc -l < calls) -ge 3 || kill -9 $$; cp good %p`, calls: 3},
		{title: "leaves a process behind", command: count + `sleep 5 & cp good %p`, calls: 1},
	} {
		t.Run(tt.title, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, make([]byte, mb), dir, "good")
			r := restore(t, segment.RestoreConfig{Command: tt.command, WorkDir: dir, Timeout: tt.timeout})
			f, err := r.Open(t.Context(), name)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) || errors.Is(err, fs.ErrNotExist) != tt.absent {
				t.Fatalf("Open: %v; want %q, absent %t", err, tt.want, tt.absent)
			}
			if calls, err := os.ReadFile(filepath.Join(dir, "calls")); err != nil || strings.Count(string(calls), ".") != tt.calls {
				t.Errorf("%d calls, %v; want %d", strings.Count(string(calls), "."), err, tt.calls)
			}
			if err == nil {
				f.Close()
			}
		})
	}
}

func TestRestoreKeepsAndSharesFiles(t *testing.T) {
	dir, kept := t.TempDir(), t.TempDir()
	write(t, make([]byte, mb), dir, "good")
	c := segment.RestoreConfig{Command: `echo . >> calls; cp good %p`, WorkDir: dir, Dir: kept, Size: mb}
	name := pg.SegmentSize(mb).Name(1, 1)

	r := restore(t, c)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			f, err := r.Open(t.Context(), name)
			if err != nil {
				t.Error(err)
				return
			}
			f.Close()
		})
	}
	wg.Wait()
	f, err := restore(t, c).Open(t.Context(), name) // another run
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if calls, err := os.ReadFile(filepath.Join(dir, "calls")); err != nil || string(calls) != ".\n" {
		t.Errorf("calls: %q, %v; want one", calls, err)
	}
	if left, err := os.ReadDir(kept); err != nil || len(left) != 1 || left[0].Name() != name {
		t.Errorf("left in the directory: %v, %v", left, err)
	}
}

func TestRestoreCancelled(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "script"), []byte("echo > started\nsleep 600\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cause := errors.New("the user said so")
	ctx, cancel := context.WithCancelCause(t.Context())
	r := restore(t, segment.RestoreConfig{Command: "sh script", WorkDir: dir})
	done := make(chan error)
	go func() {
		_, err := r.Open(ctx, pg.SegmentSize(mb).Name(1, 1))
		done <- err
	}()
	for {
		if _, err := os.Stat(filepath.Join(dir, "started")); err == nil {
			break
		}
	}
	cancel(cause)
	if err := <-done; !errors.Is(err, cause) {
		t.Fatalf("Open: %v, want the cause", err)
	}
}
