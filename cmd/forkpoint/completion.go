package main

import (
	"github.com/spf13/cobra"

	"forkpoint/walinspect/pg"
)

// completions are the values that a shell can offer for flags which take one
// of a few words.
func completions() map[string][]string {
	var forks []string
	for fork := pg.MainFork; fork <= pg.InitFork; fork++ {
		forks = append(forks, fork.String())
	}
	return map[string][]string{
		"copy":        {"exact", "classic"},
		"fail-on":     {"notice", "warning", "damage"},
		"fork":        forks,
		"format":      {"text", "json", "html"},
		"rmgr":        rmgrNames(),
		"sync-method": {"fsync", "syncfs"},
	}
}

// completeFlags offers them wherever a command has such a flag. All other
// values are files and folders, which shells offer by themselves.
func completeFlags(cmd *cobra.Command) error {
	for name, words := range completions() {
		if cmd.Flags().Lookup(name) == nil {
			continue
		}
		if err := cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
			return err
		}
	}
	for _, child := range cmd.Commands() {
		if err := completeFlags(child); err != nil {
			return err
		}
	}
	return nil
}
