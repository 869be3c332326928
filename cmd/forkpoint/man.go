package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newManCommand(app *app) *cobra.Command {
	return &cobra.Command{
		Use:   "man [FOLDER]",
		Short: "Write the manual pages",
		Long: `Write the manual pages, one for each command, into a folder; without one the
page of forkpoint itself goes to stdout.`,
		Example: `  forkpoint man /usr/local/share/man/man1
  forkpoint man | man -l -`,
		Args: wantArgs(0, 1, "at most one folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return writeManPage(app.stdout, cmd.Root())
			}
			return writeManPages(args[0], cmd.Root())
		},
	}
}

func writeManPages(folder string, cmd *cobra.Command) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("make the folder for manual pages: %w", err)
	}
	if err := writeManFile(filepath.Join(folder, manName(cmd)+".1"), cmd); err != nil {
		return err
	}
	for _, child := range cmd.Commands() {
		if !child.IsAvailableCommand() || child.Name() == "completion" {
			continue
		}
		if err := writeManPages(folder, child); err != nil {
			return err
		}
	}
	return nil
}

func writeManFile(path string, cmd *cobra.Command) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write manual page: %w", err)
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	return writeManPage(f, cmd)
}

func manName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// writeManPage writes the page of one command in the man macros. It is made
// from the same texts as --help.
func writeManPage(w io.Writer, cmd *cobra.Command) error {
	out := bufio.NewWriter(w)
	name := manName(cmd)
	fmt.Fprintf(out, ".TH %q 1 \"\" %q \"forkpoint\"\n", strings.ToUpper(name), "forkpoint "+version())
	fmt.Fprintf(out, ".SH NAME\n%s \\- %s\n", roff(name), roff(cmd.Short))
	fmt.Fprintf(out, ".SH SYNOPSIS\n.B %s\n", roff(cmd.CommandPath()))
	if rest := strings.TrimPrefix(cmd.UseLine(), cmd.CommandPath()); rest != "" {
		fmt.Fprintf(out, "%s\n", roff(strings.TrimSpace(rest)))
	}
	fmt.Fprint(out, ".SH DESCRIPTION\n")
	manText(out, cmd.Long+"\n")
	manFlags(out, "OPTIONS", cmd.NonInheritedFlags())
	manFlags(out, "GLOBAL OPTIONS", cmd.InheritedFlags())
	if cmd.Example != "" {
		fmt.Fprintf(out, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(cmd.Example))
	}
	fmt.Fprint(out, ".SH EXIT STATUS\n")
	for _, s := range statuses {
		fmt.Fprintf(out, ".TP\n.B %d\n%s\n", s.status, roff(s.meaning))
	}
	manSeeAlso(out, cmd)
	return out.Flush()
}

// manText fills paragraphs and leaves indented lines as they are.
func manText(w io.Writer, text string) {
	verbatim := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		indented := strings.HasPrefix(line, "  ")
		switch {
		case indented && !verbatim:
			fmt.Fprint(w, ".nf\n")
		case !indented && verbatim:
			fmt.Fprint(w, ".fi\n")
		}
		verbatim = indented
		if line == "" {
			line = ".PP"
			fmt.Fprintln(w, line)
			continue
		}
		fmt.Fprintln(w, roff(line))
	}
	if verbatim {
		fmt.Fprint(w, ".fi\n")
	}
}

func manFlags(w io.Writer, title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	fmt.Fprintf(w, ".SH %s\n", title)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		head := `\fB\-\-` + roff(f.Name) + `\fR`
		if f.Shorthand != "" {
			head = `\fB\-` + roff(f.Shorthand) + `\fR, ` + head
		}
		if kind := f.Value.Type(); value != "" && kind != "bool" && kind != "count" {
			head += ` \fI` + roff(value) + `\fR`
		}
		fmt.Fprintf(w, ".TP\n%s\n%s\n", head, roff(usage))
	})
}

func manSeeAlso(w io.Writer, cmd *cobra.Command) {
	var names []string
	if cmd.HasParent() {
		names = append(names, manName(cmd.Parent()))
	}
	for _, child := range cmd.Commands() {
		if child.IsAvailableCommand() && child.Name() != "completion" {
			names = append(names, manName(child))
		}
	}
	for i, name := range names {
		if i == 0 {
			fmt.Fprint(w, ".SH SEE ALSO\n")
		}
		comma := ","
		if i == len(names)-1 {
			comma = ""
		}
		fmt.Fprintf(w, ".BR %s (1)%s\n", roff(name), comma)
	}
}

// roff escapes what the formatter would take for a request or a font.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
