package target

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// alive tells whether another process has this number.
func alive(pid int) bool {
	if pid <= 0 || pid == os.Getpid() || pid == os.Getppid() {
		return false
	}
	err := unix.Kill(pid, 0)
	return err == nil || errors.Is(err, unix.EPERM)
}
