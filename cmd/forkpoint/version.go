package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"forkpoint/walinspect/pg"
)

// buildVersion is set by the linker for releases; a build from a checkout
// tells its commit instead.
var buildVersion string

func newVersionCommand(app *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the version of forkpoint and of the servers it knows",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprint(app.stdout, versionText())
			return err
		},
	}
}

func versionText() string {
	return fmt.Sprintf("forkpoint %s\nreads PostgreSQL %d to %d\n", version(), pg.MinMajor, pg.MaxMajor)
}

// version is the release, or the commit that the binary was built from.
func version() string {
	if buildVersion != "" {
		return buildVersion
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	commit, dirty := "", ""
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision" && len(setting.Value) >= 12:
			commit = setting.Value[:12]
		case setting.Key == "vcs.modified" && setting.Value == "true":
			dirty = "+changes"
		}
	}
	if commit == "" {
		return "development"
	}
	return "development-" + commit + dirty
}
