package datadir

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// leaseRefused tells whether the kernel refuses a read lease on the file, which
// it does while anybody has it open for writing. A lease that it gives is given
// back at once; whoever opens the file meanwhile waits for that. File systems
// without leases refuse for another reason.
func leaseRefused(f *os.File) bool {
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_RDLCK); err != nil {
		return errors.Is(err, unix.EAGAIN)
	}
	_, _ = unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_UNLCK) // closing the file does it too
	return false
}
