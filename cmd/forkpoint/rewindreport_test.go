package main

import (
	"strings"
	"testing"

	"forkpoint/rewind"
)

// TestRewindNext: whoever needs no rewind is told what to start, and whether it
// is a standby already.
func TestRewindNext(t *testing.T) {
	for _, tt := range []struct {
		name   string
		result rewind.Result
		want   string
	}{
		{"not needed", rewind.Result{}, "No recovery settings were written"},
		{"not needed, with -R", rewind.Result{Recovery: true}, "standby.signal and primary_conninfo are written. Start the server"},
	} {
		r := &rewindReport{Result: &tt.result, target: "/data/old"}
		if got := r.next(); !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	for _, r := range []*rewindReport{{Result: &rewind.Result{DryRun: true}}, {Result: &rewind.Result{}, undone: true}} {
		if got := r.next(); got != "" {
			t.Errorf("%+v: %q", r, got)
		}
	}
}
