package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"forkpoint/reports"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
)

// places are what real servers left, and what a test changes of it for the
// length of one case.
type places struct {
	t            *testing.T
	primary, old string // data directories: on timeline 3, and left on 2
	loose        string // a folder for single files
	undo         []func()
}

func (p *places) put(path, content string) string {
	p.t.Helper()
	was, err := os.ReadFile(path)
	if err == nil {
		p.undo = append(p.undo, func() { p.must(os.WriteFile(path, was, 0o644)) })
	} else {
		p.undo = append(p.undo, func() { p.must(os.RemoveAll(path)) })
	}
	p.must(os.WriteFile(path, []byte(content), 0o644))
	return path
}

func (p *places) remove(path string) {
	p.t.Helper()
	was := p.read(path)
	p.undo = append(p.undo, func() { p.must(os.WriteFile(path, []byte(was), 0o644)) })
	p.must(os.Remove(path))
}

func (p *places) read(path string) string {
	p.t.Helper()
	b, err := os.ReadFile(path)
	p.must(err)
	return string(b)
}

func (p *places) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// history is the primary's file of a timeline.
func (p *places) history(tli pg.TimelineID) string {
	return filepath.Join(p.primary, "pg_wal", tli.HistoryName())
}

// edit changes the position in a row of a history file's text.
func edit(text string, row int, change func(pg.LSN) pg.LSN) string {
	lines := strings.Split(text, "\n")
	n := 0
	for i, line := range lines {
		cells := strings.SplitN(line, "\t", 3)
		if len(cells) < 3 {
			continue
		}
		if n == row {
			lsn, err := pg.ParseLSN(cells[1])
			if err != nil {
				panic(err) // a file of a server
			}
			cells[1] = change(lsn).String()
			lines[i] = strings.Join(cells, "\t")
		}
		n++
	}
	return strings.Join(lines, "\n")
}

func by(n int) func(pg.LSN) pg.LSN {
	return func(l pg.LSN) pg.LSN { return pg.LSN(int64(l) + int64(n)) }
}

// TestHistoryValidateDamage damages the files of real servers, one way at a
// time, and wants the finding for it, with the file and line at fault.
func TestHistoryValidateDamage(t *testing.T) {
	t.Parallel()
	pair := pgtest.NewPair(t, oracle(t)...)
	pair.Primary.Exec("CREATE TABLE shared AS SELECT generate_series(1, 5000) n")
	for _, round := range []string{"first", "second"} {
		pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) { write(s, side+"_"+round) })
		if round == "first" {
			rewound(t, pair)
		}
	}
	d := diagnosis(t, 3, "-D", pair.Old.Dir(), "--source-server", pair.Primary.ConnString())
	end, begin := d.TargetEnd, d.Fork.LSN
	pair.Primary.Stop(pgtest.Fast)
	stranger := pgtest.New(t, append(oracle(t), pgtest.Fresh())...)
	p := &places{t: t, primary: pair.Primary.Dir(), old: pair.Old.Dir(), loose: pgtest.Scratch(t)}
	two, three := p.read(p.history(2)), p.read(p.history(3))
	if strings.Count(three, "\t0/") != 2 {
		t.Fatalf("timeline 3 has the history\n%s", three)
	}
	loose := func(tli pg.TimelineID, text string) string {
		return p.put(filepath.Join(p.loose, tli.HistoryName()), text)
	}
	cases := []struct {
		code   string
		damage func() []string // and what to look at
	}{
		{"history-syntax", func() []string {
			p.put(p.history(3), strings.Join(slices.Concat(strings.SplitAfter(three, "\n")[2:], strings.SplitAfter(three, "\n")[:2]), "\n"))
			return []string{p.primary}
		}},
		{"history-empty", func() []string { p.put(p.history(3), ""); return []string{p.primary} }},
		{"history-name", func() []string { return []string{p.put(filepath.Join(p.loose, "0000000a.history"), two)} }},
		{"history-unreadable", func() []string {
			path := loose(2, two)
			p.must(os.Remove(path))
			p.must(os.Symlink(path, path)) // what an open ends in, whoever the user is
			return []string{p.loose}
		}},
		{"history-zero", func() []string {
			p.put(p.history(3), edit(three, 1, func(pg.LSN) pg.LSN { return 0 }))
			return []string{p.primary}
		}},
		{"history-backwards", func() []string {
			return []string{loose(3, edit(three, 1, func(pg.LSN) pg.LSN { return 0x100028 }))}
		}},
		{"history-first", func() []string {
			return []string{p.put(filepath.Join(p.loose, "00000001.history"), "1\t0/3000060\tx\n")}
		}},
		{"history-copies", func() []string {
			rows := strings.SplitAfter(three, "\n")
			return []string{p.primary, loose(3, rows[len(rows)-2])}
		}},
		{"history-two-names", func() []string { return []string{p.primary, loose(5, three)} }},
		{"history-conflict", func() []string { return []string{p.primary, loose(2, edit(two, 0, by(-0x100)))} }},
		{"history-ancestors", func() []string { p.put(p.history(3), edit(three, 0, by(-0x100))); return []string{p.primary} }},
		{"history-hole", func() []string { loose(3, three); loose(5, three); return []string{p.loose} }},
		{"history-missing", func() []string { p.remove(p.history(3)); return []string{p.primary} }},
		{"history-dialect", func() []string {
			return []string{loose(2, strings.Replace(two, "\t0/", "\t0/0000000000", 1))}
		}},
		{"history-odd-row", func() []string { return []string{loose(2, strings.Replace(two, "1\t", "+1\t", 1))} }},
		{"other-cluster", func() []string { return []string{p.primary, stranger.Dir()} }},
		{"past-switch-point", func() []string { return []string{p.primary, p.old} }},
		{"switch-record", func() []string {
			p.put(p.history(3), edit(three, 1, by(-8)))
			return []string{p.primary}
		}},
		{"switch-inside-record", func() []string {
			p.put(filepath.Join(p.old, "pg_wal", "00000003.history"), edit(three, 1, by(-8)))
			return []string{p.old}
		}},
		{"switch-beyond-wal", func() []string {
			p.put(filepath.Join(p.old, "pg_wal", "00000003.history"), edit(three, 1, func(pg.LSN) pg.LSN { return end + 0x100 }))
			return []string{p.old}
		}},
		{"segment-unknown-timeline", func() []string {
			p.put(filepath.Join(p.primary, "pg_wal", "0000000700000000000000FF"), "")
			return []string{p.primary}
		}},
		{"switch-not-compared", func() []string { loose(3, three); return []string{p.loose} }},
		{"segment-not-compared", func() []string {
			name := pair.Old.SegmentSize().Name(3, pair.Old.SegmentSize().Number(begin))
			damaged := []byte(p.read(filepath.Join(p.primary, "pg_wal", name)))
			damaged[len(damaged)/2]++
			p.put(filepath.Join(p.loose, name), string(damaged))
			return []string{p.primary, p.loose}
		}},
		{"ready-diverged", func() []string {
			size := pair.Old.SegmentSize()
			p.put(filepath.Join(p.old, "pg_wal", "archive_status", size.Name(2, size.Number(end))+".ready"), "")
			return []string{p.old, p.history(3)}
		}},
	}
	for _, c := range cases {
		looked := c.damage()
		status, out := forkpoint(t, append([]string{"history", "validate", "--format", "json", "--fail-on", "notice"}, looked...)...)
		var check reports.HistoryCheck
		if err := json.Unmarshal([]byte(out), &check); err != nil {
			t.Fatalf("%s: %v\n%s", c.code, err, out)
		}
		i := slices.IndexFunc(check.Findings, func(f reports.Finding) bool { return f.Code == c.code })
		switch {
		case status != 3 || i < 0:
			t.Errorf("%s: status %d, findings %+v", c.code, status, check.Findings)
		case check.Findings[i].Title == "" || check.Findings[i].Hint == "" && check.Findings[i].Detail == "":
			t.Errorf("%s: no words: %+v", c.code, check.Findings[i])
		}
		for _, undo := range slices.Backward(p.undo) {
			undo()
		}
		p.undo = nil
	}
	mustForkpoint(t, "history", "validate", "--fail-on", "notice", p.primary)
}
