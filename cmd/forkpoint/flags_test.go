package main

import (
	"testing"
	"time"

	"github.com/spf13/pflag"

	"forkpoint/walinspect/pg"
)

func TestFlagValues(t *testing.T) {
	tests := []struct {
		name  string
		value pflag.Value
		in    string
		want  string // as the flag prints it; "" for refused
	}{
		{"LSN", new(lsnFlag), "16/b374d848", "16/B374D848"},
		{"LSN with junk", new(lsnFlag), "0/1 ", ""},
		{"timeline", new(timelineFlag), "3", "3"},
		{"timeline as in a file name", new(timelineFlag), "0x0000000B", "11"},
		{"timeline zero", new(timelineFlag), "0", ""},
		{"bytes", new(sizeFlag), "8192", "8192B"},
		{"kilobytes as PostgreSQL writes them", new(sizeFlag), "512kB", "524288B"},
		{"binary unit", new(sizeFlag), "1 GiB", "1073741824B"},
		{"size below zero", new(sizeFlag), "-1", ""},
		{"size too large", new(sizeFlag), "99999999TB", ""},
		{"size without a number", new(sizeFlag), "MB", ""},
		{"size in words", new(sizeFlag), "12 parsecs", ""},
		{"plain seconds", new(durationFlag), "90", "1m30s"},
		{"minutes", new(durationFlag), "5m", "5m0s"},
		{"negative duration", new(durationFlag), "-1s", ""},
		{"no duration", new(durationFlag), "", ""},
		{"resource managers in any case", new(rmgrFlag), "heap,TRANSACTION", "Transaction,Heap"},
		{"custom resource manager", new(rmgrFlag), "custom130", "custom130"},
		{"unknown resource manager", new(rmgrFlag), "Heap,Heep", ""},
		{"relation", new(relationFlag), "1663/5/16384", "1663/5/16384"},
		{"relation by a path", new(relationFlag), "base/5/16384", ""},
		{"relation with a leading zero", new(relationFlag), "1663/5/016384", ""},
		{"relation with text behind", new(relationFlag), "1663/5/16384 x", ""},
		{"fork", new(forkFlag), "vm", "vm"},
		{"no such fork", new(forkFlag), "toast", ""},
		{"stats", new(statsFlag), "record", "record"},
		{"no such stats", new(statsFlag), "xid", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.value.Set(tt.in)
			if tt.want == "" {
				if err == nil {
					t.Errorf("Set(%q) took it as %s", tt.in, tt.value)
				}
				return
			}
			if err != nil || tt.value.String() != tt.want {
				t.Errorf("Set(%q) = %v, value %q; want %q", tt.in, err, tt.value, tt.want)
			}
		})
	}
}

func TestZeroFlagsPrintNothing(t *testing.T) {
	for _, value := range []pflag.Value{new(lsnFlag), new(timelineFlag), new(durationFlag), new(rmgrFlag), new(relationFlag), new(forkFlag), new(statsFlag)} {
		if s := value.String(); s != "" {
			t.Errorf("zero %s prints %q in help texts", value.Type(), s)
		}
	}
	if d := durationFlag(time.Minute); d.String() != "1m0s" || lsnFlag(pg.MaxLSN) != lsnFlag(1<<64-1) {
		t.Error("values changed on the way")
	}
}
