package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
)

// isPgRewind tells whether the program was called under the name of
// pg_rewind, by a link or a copy.
func isPgRewind(argv0 string) bool {
	return strings.TrimSuffix(filepath.Base(argv0), ".exe") == "pg_rewind"
}

// runAsPgRewind serves callers that know nothing but pg_rewind: its options
// are those of the rewind command, its messages carry its name, and its exit
// status is 0 or 1.
func runAsPgRewind(ctx context.Context, app *app, args []string) int {
	err := executePgRewind(ctx, app, args)
	if err == nil {
		return 0
	}
	fmt.Fprintf(app.stderr, "pg_rewind: error: %v\n", err)
	if hint := hintOf(err); hint != "" {
		fmt.Fprintf(app.stderr, "pg_rewind: hint: %s\n", hint)
	}
	return 1
}

func executePgRewind(ctx context.Context, app *app, args []string) error {
	root := newRootCommand(app)
	root.SetArgs(append([]string{"rewind"}, args...))
	_, err := root.ExecuteContextC(ctx)
	return err
}
