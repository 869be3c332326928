package rewind

import (
	"context"
	"errors"
	"os"
	"testing"

	"forkpoint/rewind/target"
)

// TestStageRemoved: log that was fetched goes with a run that ends before it
// has changed anything, and stays for the one that goes on with an interrupted
// run.
func TestStageRemoved(t *testing.T) {
	for _, changed := range []bool{false, true} {
		r := withPlan(t)
		failure := errors.New("the log does not hold together")
		_, err := r.steps(t.Context(), []step{
			{PhaseStage, func(context.Context) error { return r.openTarget() }},
			{PhaseStage, func(context.Context) error {
				r.staged = staged{dir: r.stageDir()}
				return errors.Join(target.MakeDir(r.target.FS(), r.staged.dir), os.WriteFile(r.staged.dir+"/000000010000000000000001", nil, 0o600))
			}},
			{PhaseStage, func(context.Context) error { r.changed = changed; return failure }},
		})
		r.close()
		if !errors.Is(err, failure) {
			t.Fatal(err)
		}
		if got := exists(r.stageDir()); got != changed {
			t.Errorf("the target was changed: %t; the stage is there: %t", changed, got)
		}
	}
}
