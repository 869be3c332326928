package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"forkpoint/rewind"
	"forkpoint/rewind/plan"
)

// TestFailureModes holds docs/failure-modes.md to the code: every test that it
// names exists, every line has a test or an answer that is more than a word.
func TestFailureModes(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(house, "docs", "failure-modes.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err = filepath.WalkDir(house, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, found := range declared.FindAllStringSubmatch(string(source), -1) {
			tests[found[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test\\w+)`")
	lines := 0
	for line := range strings.Lines(string(text)) {
		names := named.FindAllStringSubmatch(line, -1)
		for _, name := range names {
			if !tests[name[1]] {
				t.Errorf("there is no test %s: %s", name[1], line)
			}
		}
		cells := strings.Split(line, "|")
		if len(cells) != 6 || !regexp.MustCompile(`^ [A-Z]\d`).MatchString(cells[1]) {
			continue
		}
		lines++
		if len(names) == 0 && len(strings.Fields(cells[3])) < 10 {
			t.Errorf("neither a test nor a reason: %s", line)
		}
	}
	if lines < 60 {
		t.Errorf("only %d lines are read", lines)
	}
}

// TestAutomationDocument: docs/automation.md has every field, event and phase.
func TestAutomationDocument(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(house, "docs", "automation.md"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{rewind.EventSchema, rewind.ResultSchema, plan.Schema, "forkpoint/rewind-outcome/1", "forkpoint/error/1"}
	for _, kind := range []rewind.EventKind{rewind.EventPhase, rewind.EventSame, rewind.EventFork, rewind.EventNoRewind, rewind.EventCheckpoint,
		rewind.EventPlan, rewind.EventProgress, rewind.EventBarred, rewind.EventDone} {
		want = append(want, string(kind))
	}
	for _, phase := range []rewind.Phase{rewind.PhaseSurvey, rewind.PhaseIndex, rewind.PhasePlan, rewind.PhaseStage, rewind.PhaseCopy,
		rewind.PhaseFinish, rewind.PhaseSync, rewind.PhaseUndo} {
		want = append(want, string(phase))
	}
	for _, document := range []any{rewind.Event{}, rewind.Result{}, rewind.Written{}, rewind.Timed{}, rewind.Part{}, outcome{}, errorReport{}} {
		fields := reflect.TypeOf(document)
		for i := range fields.NumField() {
			if name, _, _ := strings.Cut(fields.Field(i).Tag.Get("json"), ","); name != "-" {
				want = append(want, name)
			}
		}
	}
	for _, name := range want {
		if !strings.Contains(string(b), "`"+name+"`") {
			t.Errorf("docs/automation.md does not mention `%s`", name)
		}
	}
}
