package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"forkpoint/walinspect/pg"
)

// Values of flags. Each refuses what it cannot read, so that the message
// carries the flag's name, and says what it wants.

// lsnFlag is a log position such as 16/B374D848.
type lsnFlag pg.LSN

func (f *lsnFlag) Set(s string) error {
	lsn, err := pg.ParseLSN(s)
	*f = lsnFlag(lsn)
	return err
}

func (f *lsnFlag) Type() string { return "LSN" }

func (f *lsnFlag) String() string {
	if *f == 0 || pg.LSN(*f) == pg.MaxLSN {
		return ""
	}
	return pg.LSN(*f).String()
}

// timelineFlag is a timeline number.
type timelineFlag pg.TimelineID

func (f *timelineFlag) Set(s string) error {
	tli, err := pg.ParseTimeline(s)
	*f = timelineFlag(tli)
	return err
}

func (f *timelineFlag) Type() string { return "TLI" }

func (f *timelineFlag) String() string {
	if *f == 0 {
		return ""
	}
	return pg.TimelineID(*f).String()
}

// sizeFlag is a number of bytes, with or without a unit. As in PostgreSQL's
// settings every unit is a power of 1024.
type sizeFlag uint64

var sizeUnits = map[string]uint64{"": 1, "B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}

func (f *sizeFlag) Set(s string) error {
	digits := strings.TrimRight(s, "kKmMgGtTiIbB ")
	unit := strings.ToUpper(strings.TrimSpace(s[len(digits):]))
	factor, known := sizeUnits[strings.Replace(unit, "IB", "B", 1)]
	n, err := strconv.ParseUint(digits, 10, 64)
	if !known || err != nil || n > math.MaxInt64/factor {
		return fmt.Errorf("want a size such as 512kB, 16MB or 1GB")
	}
	*f = sizeFlag(n * factor)
	return nil
}

func (f *sizeFlag) Type() string { return "SIZE" }

func (f *sizeFlag) String() string {
	if *f == 0 {
		return ""
	}
	return fmt.Sprintf("%dB", uint64(*f))
}

// durationFlag is a time span; a plain number counts seconds, as in the
// settings of the server's client library.
type durationFlag time.Duration

func (f *durationFlag) Set(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil && strings.Trim(s, "0123456789") == "" && s != "" {
		d, err = time.ParseDuration(s + "s")
	}
	if err != nil || d < 0 {
		return fmt.Errorf("want a time span such as 30s, 5m or 1h30m")
	}
	*f = durationFlag(d)
	return nil
}

func (f *durationFlag) Type() string { return "DURATION" }

func (f *durationFlag) String() string {
	if *f == 0 {
		return ""
	}
	return time.Duration(*f).String()
}

// rmgrFlag collects resource managers by name, without regard to case.
type rmgrFlag map[pg.RmgrID]bool

func (f *rmgrFlag) Set(s string) error {
	for _, name := range strings.Split(s, ",") {
		id, err := pg.ParseRmgr(strings.TrimSpace(name))
		if err != nil {
			return fmt.Errorf("want one of %s, or custom128 to custom255", strings.Join(rmgrNames(), ", "))
		}
		if *f == nil {
			*f = rmgrFlag{}
		}
		(*f)[id] = true
	}
	return nil
}

func rmgrNames() []string {
	var names []string
	for _, id := range pg.Rmgrs() {
		names = append(names, id.String())
	}
	return names
}

func (f *rmgrFlag) Type() string { return "NAME" }

func (f *rmgrFlag) String() string {
	var names []string
	for _, id := range slices.Sorted(maps.Keys(*f)) {
		names = append(names, id.String())
	}
	return strings.Join(names, ",")
}

// relationFlag is a relation's storage, tablespace/database/relation.
type relationFlag struct {
	pg.RelFileLocator
	set bool
}

func (f *relationFlag) Set(s string) error {
	var rest string
	n, err := fmt.Sscanf(s+" end", "%d/%d/%d %s", &f.Spc, &f.DB, &f.Rel, &rest)
	if err != nil || n != 4 || f.RelFileLocator.String() != s {
		return fmt.Errorf("want tablespace/database/relation by number, such as 1663/5/16384")
	}
	f.set = true
	return nil
}

func (f *relationFlag) Type() string { return "SPC/DB/REL" }

func (f *relationFlag) String() string {
	if !f.set {
		return ""
	}
	return f.RelFileLocator.String()
}

// forkFlag is a fork of a relation by name.
type forkFlag struct {
	pg.ForkNumber
	set bool
}

func (f *forkFlag) Set(s string) (err error) {
	f.ForkNumber, err = pg.ParseFork(s)
	f.set = true
	return err
}

func (f *forkFlag) Type() string { return "FORK" }

func (f *forkFlag) String() string {
	if !f.set {
		return ""
	}
	return f.ForkNumber.String()
}

// addFormat is the flag that all commands with an answer share.
func addFormat(fs *pflag.FlagSet, format pflag.Value) {
	fs.Var(format, "format", "output `format`: text, json, or html for a page that a browser shows")
}

var (
	_ pflag.Value = (*lsnFlag)(nil)
	_ pflag.Value = (*timelineFlag)(nil)
	_ pflag.Value = (*sizeFlag)(nil)
	_ pflag.Value = (*durationFlag)(nil)
	_ pflag.Value = (*rmgrFlag)(nil)
	_ pflag.Value = (*relationFlag)(nil)
	_ pflag.Value = (*forkFlag)(nil)
)
