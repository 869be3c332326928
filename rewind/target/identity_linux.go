package target

import (
	"time"

	"golang.org/x/sys/unix"
)

// bornAt is when the file was made, zero where the file system does not tell.
func bornAt(name string) time.Time {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, name, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BTIME, &st); err != nil || st.Mask&unix.STATX_BTIME == 0 {
		return time.Time{}
	}
	return time.Unix(st.Btime.Sec, int64(st.Btime.Nsec)).UTC()
}
