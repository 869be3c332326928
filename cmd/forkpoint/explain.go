package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"forkpoint/reports"
	"forkpoint/reports/render"
)

func newExplainCommand(app *app) *cobra.Command {
	format := render.Text
	cmd := &cobra.Command{
		Use:   "explain [flags] MESSAGE...|-",
		Short: "Say what a message of a server or of pg_rewind means",
		Long: `Say what a message of a server, of pg_rewind or of an archive tool means that
has to do with timelines and WAL, its known causes, and what to run. A whole log
can be given on standard input with "-". The status is 3 where nothing is known.`,
		Example: `  forkpoint explain "could not find common ancestor of the source and target cluster's timelines"
  tail -100 postgresql.log | forkpoint explain -`,
		Args: wantArgs(1, 0, "a message, or - for standard input"),
		RunE: func(_ *cobra.Command, args []string) error {
			text := strings.Join(args, " ")
			if text == "-" {
				b, err := io.ReadAll(io.LimitReader(app.stdin, 16<<20))
				if err != nil {
					return fmt.Errorf("read standard input: %w", err)
				}
				text = string(b)
			}
			e := reports.Explain(text)
			if err := app.show(format, e); err != nil {
				return err
			}
			if len(e.Matches) == 0 {
				return errFindings
			}
			return nil
		},
	}
	addFormat(cmd.Flags(), &format)
	return cmd
}
