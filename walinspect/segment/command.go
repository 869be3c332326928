package segment

import (
	"errors"
	"fmt"
	"strings"
)

// ErrBadCommand is matched by errors about a restore_command that cannot be used.
var ErrBadCommand = errors.New("unusable restore_command")

// CheckCommand tells whether a restore_command can be used. %r, the last
// restart point, is refused as in pg_rewind: there is none here, and commands
// that know it delete what lies before it.
func CheckCommand(command string) error {
	if strings.TrimSpace(command) == "" {
		return fmt.Errorf("%w: it is empty", ErrBadCommand)
	}
	_, err := expandCommand(command, "", "")
	return err
}

// expandCommand puts the name of the file and the path to restore it to in
// place of %f and %p (replace_percent_placeholders in
// src/common/percentrepl.c). As in the server nothing is quoted: the command
// line does that itself.
func expandCommand(command, file, path string) (string, error) {
	var b strings.Builder
	for rest := command; ; {
		before, after, found := strings.Cut(rest, "%")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		if after == "" {
			return "", fmt.Errorf("%w %q: it ends with a single %%", ErrBadCommand, command)
		}
		switch after[0] {
		case 'f':
			b.WriteString(file)
		case 'p':
			b.WriteString(path)
		case '%':
			b.WriteByte('%')
		case 'r':
			return "", fmt.Errorf("%w %q: %%r has no meaning outside of recovery", ErrBadCommand, command)
		default:
			return "", fmt.Errorf("%w %q: unknown placeholder %%%c", ErrBadCommand, command, after[0])
		}
		rest = after[1:]
	}
}

// ShellWord quotes what a shell would take apart, for commands that are shown to
// be typed.
func ShellWord(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\n'\"\\$&|;<>()*?`#~!{}[]") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
