package rewind

import (
	"fmt"
	"path/filepath"
	"strings"

	"forkpoint/rewind/journal"
)

// Commands are what a person types to go on, for messages. None may hold a
// password.
type Commands struct {
	Resume string // "" where only the same command again will do
	Undo   string // made of the target where it is empty
}

func (r *run) undoCommand() string {
	if r.cfg.Commands.Undo != "" {
		return r.cfg.Commands.Undo
	}
	return "forkpoint rewind --undo -D " + ShellWord(r.cfg.Target.Path())
}

// SealCommand writes the manifest of a bundle that has none.
func SealCommand(state, id string) string {
	return fmt.Sprintf("forkpoint evidence seal --state-dir %s %s", ShellWord(state), id)
}

// dropBundle is how to get rid of a bundle that nobody needs.
func dropBundle(s *journal.Summary) string {
	return fmt.Sprintf("forkpoint evidence drop --force --state-dir %s %s removes it", ShellWord(filepath.Dir(s.Dir)), s.Header.ID)
}

// ShellWord quotes what a shell would take apart.
func ShellWord(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\n'\"\\$&|;<>()*?`#~!{}[]") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
