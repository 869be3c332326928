package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
)

// profileEnv names a folder in which each run leaves a profile of what the
// processor did, for "make profile" and for whoever finds a command slow.
const profileEnv = "FORKPOINT_PROFILE"

// profile begins one where it is asked for. That it cannot does not end the
// command.
func (a *app) profile() (end func()) {
	dir := os.Getenv(profileEnv)
	if dir == "" {
		return func() {}
	}
	f, err := os.Create(filepath.Join(dir, fmt.Sprintf("forkpoint-%d.pprof", os.Getpid())))
	if err == nil {
		err = pprof.StartCPUProfile(f)
	}
	if err != nil {
		a.log.Warn("no profile is written", "folder", dir, "err", err)
		return func() {}
	}
	return func() {
		pprof.StopCPUProfile()
		if err := f.Close(); err != nil {
			a.log.Warn("the profile is not whole", "path", f.Name(), "err", err)
		}
	}
}
