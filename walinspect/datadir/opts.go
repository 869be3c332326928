package datadir

import (
	"os"
	"strings"
)

// startedWith is the value that the server was given for a parameter on its
// command line the last time it was started, "" for none. The server writes
// its arguments down, each in double quotes, and escapes nothing
// (CreateOptsFile in src/backend/postmaster/postmaster.c).
func (d *Dir) startedWith(name string) string {
	text, err := os.ReadFile(d.join("postmaster.opts"))
	if err != nil {
		return "" // nothing that was ever started
	}
	value := ""
	for i, word := range strings.Split(strings.TrimSpace(string(text)), `"`) {
		if i%2 == 0 {
			continue // the program, and what is between the quotes
		}
		word = strings.TrimPrefix(strings.TrimPrefix(word, "--"), "-c")
		key, v, found := strings.Cut(word, "=")
		if found && strings.ReplaceAll(key, "-", "_") == name {
			value = v
		}
	}
	return value
}
