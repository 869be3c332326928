package main

import (
	"fmt"
	"strings"
)

// pgRewindOptions are pg_rewind's, of all versions from 13 to 19.
type pgRewindOptions struct {
	target, sourceDir, sourceServer string
	configFile, syncMethod          string
	recoveryConf, dryRun, noSync    bool
	progress, restoreWAL, debug     bool
	noEnsure                        bool
	help, version                   bool

	given map[string]bool // long names of options that have a value, "" too
}

// pgRewindOption is one option: its long name, its letter or 0, and where its
// value goes, either a text or a switch.
type pgRewindOption struct {
	long   string
	letter byte
	text   *string
	on     *bool
}

// table is in pg_rewind's order, in which it lists what a word could stand for.
// Help and version are options like others where they do not come first, but
// ones that it has no use for.
func (o *pgRewindOptions) table() []pgRewindOption {
	return []pgRewindOption{
		{"help", 0, nil, nil},
		{"target-pgdata", 'D', &o.target, nil},
		{"write-recovery-conf", 'R', nil, &o.recoveryConf},
		{"source-pgdata", 0, &o.sourceDir, nil},
		{"source-server", 0, &o.sourceServer, nil},
		{"no-ensure-shutdown", 0, nil, &o.noEnsure},
		{"config-file", 0, &o.configFile, nil},
		{"version", 0, nil, nil},
		{"restore-target-wal", 'c', nil, &o.restoreWAL},
		{"dry-run", 'n', nil, &o.dryRun},
		{"no-sync", 'N', nil, &o.noSync},
		{"progress", 'P', nil, &o.progress},
		{"debug", 0, nil, &o.debug},
		{"sync-method", 0, &o.syncMethod, nil},
	}
}

// set gives an option its value.
func (o *pgRewindOptions) set(opt pgRewindOption, value string) error {
	*opt.text = value
	o.given[opt.long] = true
	if opt.text == &o.syncMethod && value != "fsync" && value != "syncfs" {
		return &pgRewindUsage{"error: unrecognized sync method: " + value, false}
	}
	return nil
}

// parsePgRewind reads the command line as getopt_long does for pg_rewind:
// options in any order, long ones shortened as far as they stay unique, letters
// in one word, values in the same word or the next. Help and version count only
// as the first argument.
func parsePgRewind(args []string) (*pgRewindOptions, error) {
	o := &pgRewindOptions{given: map[string]bool{}}
	if len(args) > 0 {
		switch args[0] {
		case "--help", "-?":
			o.help = true
			return o, nil
		case "--version", "-V":
			o.version = true
			return o, nil
		}
	}
	var rest []string
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		var err error
		switch {
		case arg == "--":
			rest = append(rest, args...)
			args = nil
		case strings.HasPrefix(arg, "--"):
			args, err = o.long(arg[2:], args)
		case strings.HasPrefix(arg, "-") && arg != "-":
			args, err = o.letters(arg[1:], args)
		default:
			rest = append(rest, arg)
		}
		if err != nil {
			return nil, err
		}
	}
	return o, o.check(rest)
}

// long reads a long option, in the words of getopt_long in the C library.
func (o *pgRewindOptions) long(word string, args []string) ([]string, error) {
	name, value, hasValue := strings.Cut(word, "=")
	var found []pgRewindOption
	for _, opt := range o.table() {
		if opt.long == name {
			found = []pgRewindOption{opt}
			break
		}
		if strings.HasPrefix(opt.long, name) {
			found = append(found, opt)
		}
	}
	if len(found) == 0 {
		return nil, misused("unrecognized option '--%s'", word)
	}
	if len(found) > 1 {
		text := fmt.Sprintf("option '--%s' is ambiguous; possibilities:", word)
		for _, opt := range found {
			text += " '--" + opt.long + "'"
		}
		return nil, misused("%s", text)
	}
	opt := found[0]
	switch {
	case opt.text == nil && hasValue:
		return nil, misused("option '--%s' doesn't allow an argument", opt.long)
	case opt.text == nil && opt.on == nil:
		return nil, misused("")
	case opt.on != nil:
		*opt.on = true
		return args, nil
	case !hasValue && len(args) == 0:
		return nil, misused("option '--%s' requires an argument", opt.long)
	case !hasValue:
		value, args = args[0], args[1:]
	}
	return args, o.set(opt, value)
}

// letters reads short options in one word.
func (o *pgRewindOptions) letters(word string, args []string) ([]string, error) {
	for i := 0; i < len(word); i++ {
		var found *pgRewindOption
		for _, opt := range o.table() {
			if opt.letter != 0 && opt.letter == word[i] {
				found = &opt
			}
		}
		switch {
		case found == nil:
			return nil, misused("invalid option -- '%c'", word[i])
		case found.on != nil:
			*found.on = true
		case i+1 < len(word):
			return args, o.set(*found, word[i+1:])
		case len(args) == 0:
			return nil, misused("option requires an argument -- '%c'", word[i])
		default:
			return args[1:], o.set(*found, args[0])
		}
	}
	return args, nil
}

// check asks for what must be there, in pg_rewind's order and words. What was
// given as an empty text was given.
func (o *pgRewindOptions) check(rest []string) error {
	server, dir := o.given["source-server"], o.given["source-pgdata"]
	switch {
	case !server && !dir:
		return misused("error: no source specified (--source-pgdata or --source-server)")
	case server && dir:
		return misused("error: only one of --source-pgdata or --source-server can be specified")
	case !o.given["target-pgdata"]:
		return misused("error: no target data directory specified (--target-pgdata)")
	case o.recoveryConf && !server:
		return misused("error: no source server information (--source-server) specified for --write-recovery-conf")
	case len(rest) > 0:
		return misused("error: too many command-line arguments (first is \"%s\")", rest[0])
	}
	return nil
}

func misused(format string, args ...any) error {
	return &pgRewindUsage{fmt.Sprintf(format, args...), true}
}

// pgRewindUsage is a command line that pg_rewind would refuse.
type pgRewindUsage struct {
	text string // "" for nothing but the hint
	hint bool   // point to the help
}

func (e *pgRewindUsage) Error() string { return e.text }
