package segment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// shellCall is one run of a command line.
type shellCall struct {
	line    string
	dir     string
	timeout time.Duration
}

// exitError is a status other than zero.
type exitError struct{ status int }

func (e exitError) Error() string {
	switch e.status {
	case 126:
		return "exit status 126: the command cannot be executed"
	case 127:
		return "exit status 127: the command is not found"
	}
	if e.status > 128 {
		return fmt.Sprintf("ended by signal %d", e.status-128)
	}
	return fmt.Sprintf("exit status %d", e.status)
}

// errTimeout is the cause of a context that a time limit ended.
var errTimeout = errors.New("the time limit is over")

// runShell runs a command line in a process group of its own, which is killed
// as a whole at the time limit or when the context ends. It returns the end of
// what the command printed, ready to be put behind an error message.
func runShell(ctx context.Context, c shellCall) (string, error) {
	limited, cancel := context.WithTimeoutCause(ctx, c.timeout, errTimeout)
	defer cancel()
	out, err := newOutput()
	if err != nil {
		return "", err
	}
	defer out.Close() // it has no name, nothing of it is needed
	cmd := exec.CommandContext(limited, "/bin/sh", "-c", c.line)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "FORKPOINT_RESTORE=1")
	cmd.Stdout, cmd.Stderr = out.File, out.File
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

	err = cmd.Run()
	if limited.Err() != nil {
		if errors.Is(context.Cause(limited), errTimeout) {
			return out.tail(), fmt.Errorf("%w after %s", errTimeout, c.timeout)
		}
		return out.tail(), context.Cause(limited)
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return out.tail(), err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return out.tail(), exitError{128 + int(status.Signal())}
	}
	return out.tail(), exitError{exit.ExitCode()}
}

// output is a file without a name for what a command prints. Unlike a pipe it
// lets the call end though a process that the command left behind, as programs
// do that fetch ahead, still holds it.
type output struct{ *os.File }

func newOutput() (output, error) {
	f, err := os.CreateTemp("", "forkpoint-*.out")
	if err != nil {
		return output{}, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close() // nothing of it is needed
		return output{}, err
	}
	return output{f}, nil
}

// tail is the end of what was printed, on one line and in brackets.
func (o output) tail() string {
	var b [1024]byte
	end, err := o.Seek(0, io.SeekEnd)
	if err != nil {
		return ""
	}
	n, _ := o.ReadAt(b[:], max(0, end-int64(len(b)))) // the end of the file is no error here
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(b[:n]), "?")), " ")
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}
