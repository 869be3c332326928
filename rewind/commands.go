package rewind

import (
	"fmt"
	"path/filepath"

	"forkpoint/rewind/journal"
	"forkpoint/walinspect/segment"
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
	return "forkpoint rewind --undo -D " + segment.ShellWord(r.cfg.Target.Path())
}

// SealCommand writes the manifest of a bundle that has none.
func SealCommand(state, id string) string {
	return fmt.Sprintf("forkpoint evidence seal --state-dir %s %s", segment.ShellWord(state), id)
}

// dropBundle is how to get rid of a bundle that nobody needs.
func dropBundle(s *journal.Summary) string {
	return fmt.Sprintf("forkpoint evidence drop --force --state-dir %s %s removes it", segment.ShellWord(filepath.Dir(s.Dir)), s.Header.ID)
}
