package main

import (
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"forkpoint/reports"
)

// helpWidth is the number of columns that help texts are wrapped at.
const helpWidth = 100

// wantArgs refuses a wrong number of arguments and says what they should be.
// most is 0 where there may be any number of them.
func wantArgs(least, most int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usagef("missing argument: want %s", what)
		case most > 0 && len(args) > most:
			return usagef("unexpected argument %q: want %s", args[most], what)
		}
		return nil
	}
}

// noArgs refuses arguments altogether.
func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("unexpected argument %q: only flags are taken", args[0])
	}
	return nil
}

// flagUsages lists flags with what they mean, wrapped.
func flagUsages(flags *pflag.FlagSet) string {
	type entry struct{ head, usage string }
	var entries []entry
	width := 0
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		head, usage := flagHead(f)
		width = max(width, len(head))
		entries = append(entries, entry{head, usage})
	})
	var b strings.Builder
	for _, e := range entries {
		margin := strings.Repeat(" ", width+4)
		lines := strings.Split(text.WrapSoft(e.usage, helpWidth-len(margin)), "\n")
		fmt.Fprintf(&b, "  %-*s  %s\n", width, e.head, strings.TrimRight(lines[0], " "))
		for _, line := range lines[1:] {
			fmt.Fprintf(&b, "%s%s\n", margin, strings.TrimSpace(line))
		}
	}
	return strings.TrimRight(b.String(), "\n")
}

// flagHead is a flag as it is typed, and what it means with its default.
func flagHead(f *pflag.Flag) (head, usage string) {
	value, usage := pflag.UnquoteUsage(f)
	head = "    --" + f.Name
	if f.Shorthand != "" {
		head = "-" + f.Shorthand + ", --" + f.Name
	}
	if kind := f.Value.Type(); value != "" && kind != "bool" && kind != "count" {
		head += " " + value
	}
	switch f.DefValue {
	case "", "0", "false", "none", "[]":
	default:
		usage += " (default " + f.DefValue + ")"
	}
	return head, usage
}

// stopHelp lists the reasons for which reading of the log ends.
func stopHelp() string {
	var b strings.Builder
	for _, reason := range reports.StopReasons() {
		fmt.Fprintf(&b, "  %-16s %s\n", reason, reports.StopText(reason))
	}
	return strings.TrimRight(b.String(), "\n")
}

const usageTemplate = `Usage:{{if .Runnable}}
  {{.UseLine}}{{end}}{{if .HasAvailableSubCommands}}
  {{.CommandPath}} COMMAND [flags]{{end}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}

Commands:{{range .Commands}}{{if or .IsAvailableCommand (eq .Name "help")}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{flagUsages .LocalFlags}}{{end}}{{if .HasAvailableInheritedFlags}}

Global flags:
{{flagUsages .InheritedFlags}}{{end}}

Exit status:
{{exitStatuses}}{{if .HasAvailableSubCommands}}

"{{.CommandPath}} COMMAND --help" tells more about a command.{{end}}
`
