package pgtest

import (
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// account is the OS user that servers run as.
type account struct {
	uid, gid int
	other    bool // not the user of this process
}

// nobody is the user that owns nothing on Linux.
const nobody = 65534

// serverAccount is the user of this process, unless that is root.
var serverAccount = sync.OnceValue(func() account {
	if os.Geteuid() != 0 {
		return account{uid: os.Getuid(), gid: os.Getgid()}
	}
	if u, err := user.Lookup("postgres"); err == nil {
		uid, errUID := strconv.Atoi(u.Uid)
		gid, errGID := strconv.Atoi(u.Gid)
		if errUID == nil && errGID == nil {
			return account{uid, gid, true}
		}
	}
	return account{nobody, nobody, true}
})

// RunAs makes cmd run as the servers' OS user, and end when this process does.
// The working directory becomes / unless one is set, because that user may not
// be able to enter the present one. PostgreSQL's variables are taken out of the
// environment, and messages are in English.
func RunAs(cmd *exec.Cmd) *exec.Cmd {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	// SIGQUIT is the server's immediate shutdown: it removes its shared
	// memory, which SIGKILL would leave.
	cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	if acc := serverAccount(); acc.other {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(acc.uid), Gid: uint32(acc.gid)}
	}
	if cmd.Dir == "" {
		cmd.Dir = "/"
	}
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	kept := cmd.Env[:0:0]
	for _, v := range cmd.Env {
		if !strings.HasPrefix(v, "PG") && !strings.HasPrefix(v, "LC_") && !strings.HasPrefix(v, "LANG") {
			kept = append(kept, v)
		}
	}
	cmd.Env = append(kept, "LC_ALL=C", "TZ=UTC")
	return cmd
}

// Own gives a file or a whole tree to the servers' OS user. Links are not
// followed.
func Own(path string) error {
	acc := serverAccount()
	if !acc.other {
		return nil
	}
	return filepath.WalkDir(path, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, acc.uid, acc.gid)
	})
}
