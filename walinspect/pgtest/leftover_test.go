package pgtest

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestNothingIsLeftBehind runs this test binary again, with a test that ends
// badly while its server runs. The server must be gone at once, the directory
// when the next test has started.
func TestNothingIsLeftBehind(t *testing.T) {
	skipShort(t)
	for _, end := range []string{"failure", "panic", "crash", "kill -9"} {
		t.Run(end, func(t *testing.T) {
			home := badEnd(t, end)
			if err := await("server to end", func() (bool, error) { return len(pidsIn(home)) == 0, nil }); err != nil {
				t.Fatal(err)
			}
			badEnd(t, "failure") // sweeps
			if _, err := os.Stat(filepath.Dir(home)); err == nil {
				t.Errorf("%s is still there", filepath.Dir(home))
			}
		})
	}
}

// badEnd runs TestBadEnd and returns the directory of its server.
func badEnd(t *testing.T, end string) (home string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestBadEnd$", "-test.count=1")
	cmd.Env = append(os.Environ(), "FORKPOINT_BAD_END="+end)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if dir, found := strings.CutPrefix(lines.Text(), "home "); found {
			home = dir
			if end == "kill -9" {
				cmd.Process.Kill()
			}
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Fatalf("the test that should end with a %s ended well", end)
	}
	if home == "" {
		t.Fatalf("the test that should end with a %s started no server", end)
	}
	return home
}

// TestBadEnd is run by TestNothingIsLeftBehind.
func TestBadEnd(t *testing.T) {
	end := os.Getenv("FORKPOINT_BAD_END")
	if end == "" {
		return // it is no test of its own
	}
	s := Run(t, SegSize(1))
	conn := s.Conn("postgres")
	if _, err := conn.Exec(t.Context(), "BEGIN; CREATE TABLE t ()"); err != nil {
		t.Fatal(err)
	}
	os.Stdout.WriteString("home " + s.home + "\n")
	switch end {
	case "failure":
		t.Fatal("failure")
	case "panic":
		panic("panic")
	case "crash":
		go func() { panic("in a goroutine that is not the test's") }()
	}
	select {}
}
