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
}

// pgRewindOption is one option: its long name, its letter or 0, and where its
// value goes, either a text or a switch.
type pgRewindOption struct {
	long   string
	letter byte
	text   *string
	on     *bool
}

func (o *pgRewindOptions) table() []pgRewindOption {
	return []pgRewindOption{
		{"target-pgdata", 'D', &o.target, nil},
		{"write-recovery-conf", 'R', nil, &o.recoveryConf},
		{"source-pgdata", 0, &o.sourceDir, nil},
		{"source-server", 0, &o.sourceServer, nil},
		{"no-ensure-shutdown", 0, nil, &o.noEnsure},
		{"config-file", 0, &o.configFile, nil},
		{"sync-method", 0, &o.syncMethod, nil},
		{"dry-run", 'n', nil, &o.dryRun},
		{"no-sync", 'N', nil, &o.noSync},
		{"progress", 'P', nil, &o.progress},
		{"restore-target-wal", 'c', nil, &o.restoreWAL},
		{"debug", 0, nil, &o.debug},
	}
}

// parsePgRewind reads the command line as getopt_long does for pg_rewind:
// options in any order, long ones shortened as far as they stay unique, letters
// in one word, values in the same word or the next. Help and version count only
// as the first argument.
func parsePgRewind(args []string) (*pgRewindOptions, error) {
	o := &pgRewindOptions{}
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
			return nil, &pgRewindUsage{err.Error(), true}
		}
	}
	return o, o.check(rest)
}

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
	switch {
	case len(found) == 0:
		return nil, fmt.Errorf("unrecognized option '--%s'", name)
	case len(found) > 1:
		return nil, fmt.Errorf("option '--%s' is ambiguous", name)
	case found[0].on != nil && hasValue:
		return nil, fmt.Errorf("option '--%s' doesn't allow an argument", found[0].long)
	case found[0].on != nil:
		*found[0].on = true
		return args, nil
	case !hasValue && len(args) == 0:
		return nil, fmt.Errorf("option '--%s' requires an argument", found[0].long)
	case !hasValue:
		value, args = args[0], args[1:]
	}
	*found[0].text = value
	return args, nil
}

func (o *pgRewindOptions) letters(word string, args []string) ([]string, error) {
	for i := 0; i < len(word); i++ {
		var found *pgRewindOption
		for _, opt := range o.table() {
			if opt.letter == word[i] {
				found = &opt
			}
		}
		switch {
		case found == nil:
			return nil, fmt.Errorf("invalid option -- '%c'", word[i])
		case found.on != nil:
			*found.on = true
			continue
		case i+1 < len(word):
			*found.text = word[i+1:]
		case len(args) == 0:
			return nil, fmt.Errorf("option requires an argument -- '%c'", word[i])
		default:
			*found.text, args = args[0], args[1:]
		}
		break
	}
	return args, nil
}

// check asks for what must be there, in pg_rewind's order and words.
func (o *pgRewindOptions) check(rest []string) error {
	text := ""
	switch {
	case o.sourceServer == "" && o.sourceDir == "":
		text = "no source specified (--source-pgdata or --source-server)"
	case o.sourceServer != "" && o.sourceDir != "":
		text = "only one of --source-pgdata or --source-server can be specified"
	case o.target == "":
		text = "no target data directory specified (--target-pgdata)"
	case o.recoveryConf && o.sourceServer == "":
		text = "no source server information (--source-server) specified for --write-recovery-conf"
	case len(rest) > 0:
		text = fmt.Sprintf("too many command-line arguments (first is \"%s\")", rest[0])
	case o.syncMethod != "" && o.syncMethod != "fsync" && o.syncMethod != "syncfs":
		return &pgRewindUsage{fmt.Sprintf("unrecognized sync method: %s", o.syncMethod), false}
	default:
		return nil
	}
	return &pgRewindUsage{"error: " + text, true}
}

// pgRewindUsage is a command line that pg_rewind would refuse.
type pgRewindUsage struct {
	text string
	hint bool // point to the help
}

func (e *pgRewindUsage) Error() string { return e.text }
