package pgtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// StopMode is how a server ends.
type StopMode int

const (
	Fast      StopMode = iota // SIGINT: sessions end, shutdown checkpoint
	Immediate                 // SIGQUIT: as after a crash
	Kill9                     // SIGKILL to the server and all its children at once
)

func (m StopMode) String() string { return [...]string{"fast", "immediate", "kill -9"}[m] }

// patience is how long any wait lasts at most. It only matters where a test
// fails.
const patience = 2 * time.Minute

// process is a running server.
type process struct {
	cmd  *exec.Cmd
	dir  string
	done chan struct{} // closed when the server has ended
	err  error         // how it ended; valid after done
}

// Start starts the server and waits until it accepts connections, which a
// standby does when it is consistent.
func (s *Server) Start() {
	s.t.Helper()
	if err := s.TryStart(); err != nil {
		s.t.Fatal(err)
	}
}

// TryStart is [Server.Start] for servers that may refuse to start; the error
// then ends with what the log says.
func (s *Server) TryStart() error {
	if s.Running() {
		return fmt.Errorf("start %s: it is running", s)
	}
	before := len(s.Log())
	p, err := s.launch()
	if err != nil {
		return fmt.Errorf("start %s: %w", s, err)
	}
	s.proc = p
	err = await("server to accept connections", func() (bool, error) {
		select {
		case <-p.done:
			return false, fmt.Errorf("it ended: %w", p.err)
		default:
			return p.ready(), nil
		}
	})
	if err == nil {
		return nil
	}
	p.stop(Immediate)
	s.proc = nil
	return fmt.Errorf("start %s: %w\n%s", s, err, tail(s.Log()[before:], 20))
}

// launch starts the server program itself, without pg_ctl, so that it is our
// child and ends when we do. What makes servers different from each other is
// on the command line, because a rewind replaces postgresql.conf.
func (s *Server) launch() (*process, error) {
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the server has its own descriptor
	program, _ := s.install.Program("postgres")
	args := []string{"-D", s.data, "-c", "unix_socket_directories=" + s.socketDir()}
	if s.port != 0 {
		args = append(args, "-c", "listen_addresses=127.0.0.1", "-p", strconv.Itoa(s.port))
	} else {
		args = append(args, "-c", "listen_addresses=", "-p", strconv.Itoa(socketPort))
	}
	cmd := RunAs(exec.Command(program, args...))
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, dir: s.data, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// ready reads what the server tells pg_ctl: line 8 of postmaster.pid
// (LOCK_FILE_LINE_PM_STATUS in src/include/utils/pidfile.h).
func (p *process) ready() bool {
	b, err := os.ReadFile(filepath.Join(p.dir, "postmaster.pid"))
	lines := strings.Split(string(b), "\n")
	if err != nil || len(lines) < 8 || lines[0] != strconv.Itoa(p.cmd.Process.Pid) {
		return false
	}
	status := strings.TrimSpace(lines[7])
	return status == "ready" || status == "standby"
}

// Running tells whether the server runs.
func (s *Server) Running() bool {
	if s.proc == nil {
		return false
	}
	select {
	case <-s.proc.done:
		return false
	default:
		return true
	}
}

// Stop ends the server and waits until it and its children are gone. A fast
// stop of a primary waits for its standbys to receive everything.
func (s *Server) Stop(mode StopMode) {
	s.t.Helper()
	if s.proc == nil {
		s.t.Fatalf("stop %s: it is not running", s)
	}
	err := s.proc.stop(mode)
	s.proc = nil
	if err != nil {
		s.t.Fatalf("stop %s (%s): %s", s, mode, err)
	}
}

// Restart stops and starts the server.
func (s *Server) Restart(mode StopMode) {
	s.t.Helper()
	s.Stop(mode)
	s.Start()
}

// Reload makes the server read its configuration files again.
func (s *Server) Reload() {
	s.t.Helper()
	if !s.Running() {
		s.t.Fatalf("reload %s: it is not running", s)
	}
	if err := s.proc.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		s.t.Fatal(err)
	}
}

func (p *process) stop(mode StopMode) error {
	switch mode {
	case Fast:
		p.cmd.Process.Signal(syscall.SIGINT)
	case Immediate:
		p.cmd.Process.Signal(syscall.SIGQUIT)
	case Kill9:
		// Stopped first, the server cannot start another child meanwhile.
		p.cmd.Process.Signal(syscall.SIGSTOP)
		for _, pid := range pidsIn(p.dir) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	select {
	case <-p.done:
	case <-time.After(patience):
		killIn(p.dir)
		<-p.done
		return fmt.Errorf("it did not stop within %s and was killed", patience)
	}
	return await("children to end", func() (bool, error) { return len(pidsIn(p.dir)) == 0, nil })
}

// Await polls until the condition holds, and fails the test when that takes
// unreasonably long or the condition returns an error.
func (s *Server) Await(what string, condition func() (bool, error)) {
	s.t.Helper()
	if err := await(what, condition); err != nil {
		s.t.Fatalf("%s: %s", s, err)
	}
}

func await(what string, condition func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	every := time.NewTicker(10 * time.Millisecond)
	defer every.Stop()
	for {
		ok, err := condition()
		if err != nil || ok {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("gave up waiting for %s after %s", what, patience)
		case <-every.C:
		}
	}
}
