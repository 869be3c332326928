package plan

import (
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"forkpoint/blockmap"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/timeline"
)

const (
	testBlock   = 8192
	testSegment = pg.SegmentSize(1 << 20)
	testVersion = "PG_15_202209061"
)

// file makes a listing entry from a path; a trailing slash makes a directory,
// " -> " a link.
func file(spec string, blocks int64) datadir.File {
	f := datadir.File{Path: spec, Size: blocks * testBlock}
	if dir, isDir := strings.CutSuffix(spec, "/"); isDir {
		f.Path, f.Kind, f.Size = dir, datadir.Directory, 0
	}
	if from, to, isLink := strings.Cut(spec, " -> "); isLink {
		f.Path, f.Link, f.Kind, f.Size = from, to, datadir.Symlink, 0
	}
	if rel, ok := pg.ParseRelPath(f.Path, testVersion); ok && f.Kind == datadir.Regular {
		f.Rel = &rel
	}
	return f
}

func listing(files ...datadir.File) Files {
	slices.SortFunc(files, func(a, b datadir.File) int { return ComparePaths(a.Path, b.Path) })
	return func(yield func(datadir.File, error) bool) {
		for _, f := range files {
			if !yield(f, nil) {
				return
			}
		}
	}
}

var _ iter.Seq2[datadir.File, error] = listing()

// input is a fail-over in the middle of segment 5 of timeline 1.
func input(source, target Files) Input {
	fork := testSegment.Start(5) + 0x8000
	return Input{
		Pairs: Pairs(source, target),
		Fork:  timeline.ForkPoint{LSN: fork, Timeline: 1, Source: 2, Target: 1},
		Label: Checkpoint{LSN: testSegment.Start(3) + 0x100, Redo: testSegment.Start(3) + 0x28, Timeline: 1},
		SourcePath: timeline.Path{
			{Timeline: 1, Begin: 0, End: fork},
			{Timeline: 2, Begin: fork, End: pg.MaxLSN},
		},
		SourceEnd: testSegment.Start(7) + 0x1000,
		Before:    &blockmap.Map{}, After: &blockmap.Map{}, Rule: Exact,
		BlockSize: testBlock, BlocksPerFile: 16, WALSegmentSize: testSegment,
	}
}

// actions prints a plan's actions, one a line.
func actions(t *testing.T, in Input) []string {
	t.Helper()
	if in.Restored == nil {
		in.Restored = RestoredIn(pg.Span{From: in.Label.Redo, To: in.Fork.LSN}, in.Before)
	}
	p, err := Decide(in)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, a := range p.Actions {
		line := a.Kind.String() + " " + a.Path
		if a.Blocks != nil {
			for b := range a.Blocks.All() {
				line += " " + pg.OID(b).String()
			}
		}
		lines = append(lines, line)
	}
	return lines
}

func TestDecideFiles(t *testing.T) {
	tests := []struct {
		name           string
		source, target []datadir.File
		keep           []string
		want           []string
	}{
		{name: "control file is written last, by nobody's plan",
			source: []datadir.File{file("global/pg_control", 1)}, target: []datadir.File{file("global/pg_control", 1)}},
		{name: "configuration overwritten unless kept",
			source: []datadir.File{file("postgresql.conf", 1)}, target: []datadir.File{file("postgresql.conf", 2)},
			want: []string{"copy-file postgresql.conf"}},
		{name: "configuration kept",
			source: []datadir.File{file("postgresql.conf", 1)}, target: []datadir.File{file("postgresql.conf", 2)},
			keep: LocalNames()},
		{name: "logs of the incident survive",
			source: []datadir.File{file("log/", 0), file("log/a", 1)}, target: []datadir.File{file("log/", 0), file("log/b", 1)},
			keep: LocalNames()},
		{name: "new database is made before it is filled",
			source: []datadir.File{file("base/5/", 0), file("base/5/16400", 3)},
			want:   []string{"make-dir base/5", "copy-file base/5/16400"}},
		{name: "dropped database goes, files before their directory",
			target: []datadir.File{file("base/5/", 0), file("base/5/16400", 3)},
			want:   []string{"set-aside base/5/16400", "remove-dir base/5"}},
		{name: "slots of the target go",
			target: []datadir.File{file("pg_replslot/", 0), file("pg_replslot/s/", 0), file("pg_replslot/s/state", 1)},
			source: []datadir.File{file("pg_replslot/", 0), file("pg_replslot/x/", 0), file("pg_replslot/x/state", 1)},
			want:   []string{"set-aside pg_replslot/s/state", "remove-dir pg_replslot/s"}},
		{name: "side forks whole",
			source: []datadir.File{file("base/5/16400", 3), file("base/5/16400_fsm", 3), file("base/5/16400_vm", 1)},
			target: []datadir.File{file("base/5/16400", 3), file("base/5/16400_fsm", 3)},
			want:   []string{"copy-fork base/5/16400_fsm", "copy-fork base/5/16400_vm"}},
		{name: "of an unlogged relation only the init fork",
			source: []datadir.File{file("base/5/16400", 9), file("base/5/16400_init", 1), file("base/5/16400_fsm", 1)},
			target: []datadir.File{file("base/5/16400", 3)},
			want:   []string{"copy-fork base/5/16400_init"}},
		{name: "tail of a longer file, length of a shorter one",
			source: []datadir.File{file("base/5/16400", 9), file("base/5/16401", 2)},
			target: []datadir.File{file("base/5/16400", 3), file("base/5/16401", 8)},
			want:   []string{"blocks base/5/16400", "blocks base/5/16401"}},
		{name: "new tablespace",
			source: []datadir.File{file("pg_tblspc/16384 -> /srv/ts", 0), file("pg_tblspc/16384/"+testVersion+"/", 0)},
			want:   []string{"make-link pg_tblspc/16384", "make-dir pg_tblspc/16384/" + testVersion}},
		{name: "temporary relations stay out",
			source: []datadir.File{file("base/5/t3_16400", 3)}, target: []datadir.File{file("base/5/t4_16400", 3)},
			want: []string{"set-aside base/5/t4_16400"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := input(listing(tt.source...), listing(tt.target...))
			in.Keep = tt.keep
			if diff := cmp.Diff(tt.want, actions(t, in)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestKeepForkSegment: the segment with the fork in it, or at its beginning,
// stays where it is asked for and the source has none of that name.
func TestKeepForkSegment(t *testing.T) {
	fork, next := "pg_wal/"+testSegment.Name(1, 5), "pg_wal/"+testSegment.Name(1, 6)
	for _, at := range []pg.LSN{testSegment.Start(5), testSegment.Start(5) + 0x8000} {
		for _, keep := range []bool{true, false} {
			in := input(listing(), listing(file(fork, 128), file(next, 128)))
			in.Fork.LSN, in.SourcePath[0].End, in.SourcePath[1].Begin = at, at, at
			in.KeepForkSegment = keep
			p, err := Decide(in)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			if keep {
				want = []string{fork}
			}
			if diff := cmp.Diff(want, p.KeptWAL); diff != "" {
				t.Errorf("fork at %s, keep %v: %s", at, keep, diff)
			}
		}
	}
}

func TestDecideWAL(t *testing.T) {
	seg := func(tli pg.TimelineID, n uint64) string { return "pg_wal/" + testSegment.Name(tli, n) }
	mark := func(tli pg.TimelineID, n uint64, state string) string {
		return "pg_wal/archive_status/" + testSegment.Name(tli, n) + state
	}
	source := listing(
		file(seg(1, 2), 128), file(seg(1, 3), 128), file(seg(1, 4), 128), file(seg(1, 5), 128), file(seg(1, 5)+".partial", 128),
		file(seg(2, 5), 128), file(seg(2, 6), 128), file(seg(2, 7), 128), file(seg(2, 8), 128),
		file("pg_wal/00000002.history", 1), file(mark(2, 5, ".done"), 0), file(mark(2, 8, ".ready"), 0))
	target := listing(
		file(seg(1, 2), 128), file(seg(1, 4), 128), file(seg(1, 5), 128), file(seg(1, 6), 128),
		file(mark(1, 4, ".done"), 0), file(mark(1, 5, ".ready"), 0),
		file("pg_wal/00000003.history", 1), file("pg_wal/xlogtemp.12", 1))
	want := []string{
		"fetch-wal " + seg(1, 3), // replay needs it, the target lost it
		"fetch-wal pg_wal/00000002.history",
		"fetch-wal " + seg(2, 5), "fetch-wal " + seg(2, 6), "fetch-wal " + seg(2, 7),
		"copy-file " + mark(2, 5, ".done"),
		"set-aside " + seg(1, 5), "set-aside " + seg(1, 6), // past the fork
		"set-aside pg_wal/00000003.history",
		"set-aside " + mark(1, 5, ".ready"),
		"set-aside pg_wal/xlogtemp.12",
	}
	if diff := cmp.Diff(want, actions(t, input(source, target))); diff != "" {
		t.Error(diff)
	}
}

func TestDecideBlocks(t *testing.T) {
	rel := pg.RelFork{RelFileLocator: pg.RelFileLocator{Spc: pg.DefaultTablespace, DB: 5, Rel: 16400}}
	tag := func(b pg.BlockNumber) pg.BlockTag { return pg.BlockTag{RelFork: rel, Block: b} }
	files := func() Input {
		f := []datadir.File{file("base/5/16400", 16), file("base/5/16400.1", 10)}
		in := input(listing(slices.Clone(f)...), listing(slices.Clone(f)...))
		in.Before.Touch(tag(1), true)
		in.Before.Touch(tag(2), false)
		in.Before.Touch(tag(17), true)
		in.After.Touch(tag(17), true)
		in.After.Touch(tag(3), false)
		in.After.Touch(tag(40), false) // beyond both files
		return in
	}
	t.Run("what replay restores is spared", func(t *testing.T) {
		want := []string{"blocks base/5/16400 2 3", "blocks base/5/16400.1 1"}
		if diff := cmp.Diff(want, actions(t, files())); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a block that the target has in part is copied whole", func(t *testing.T) {
		in := files()
		torn := file("base/5/16400.1", 10)
		torn.Size -= testBlock + testBlock/2
		in.Pairs = Pairs(listing(file("base/5/16400", 16), file("base/5/16400.1", 10)), listing(file("base/5/16400", 16), torn))
		want := []string{"blocks base/5/16400 2 3", "blocks base/5/16400.1 1 8"}
		if diff := cmp.Diff(want, actions(t, in)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("the classic rule spares nothing", func(t *testing.T) {
		in := files()
		in.Rule = Classic
		want := []string{"blocks base/5/16400 1 2 3", "blocks base/5/16400.1 1"}
		if diff := cmp.Diff(want, actions(t, in)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a cut after the fork takes the rest", func(t *testing.T) {
		in := files()
		in.After.Cut(rel, 24)
		want := []string{"blocks base/5/16400 2 3", "blocks base/5/16400.1 1 8 9"}
		if diff := cmp.Diff(want, actions(t, in)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("unlogged hints take what replay does not restore", func(t *testing.T) {
		in := files()
		in.Hinted = &blockmap.Map{}
		in.Hinted.Touch(tag(0), false)
		in.Hinted.Touch(tag(1), false)
		want := []string{"blocks base/5/16400 0 2 3", "blocks base/5/16400.1 1"}
		if diff := cmp.Diff(want, actions(t, in)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestDecideRefusesOtherType(t *testing.T) {
	_, err := Decide(input(listing(file("log/", 0)), listing(file("log -> /var/log/pg", 0))))
	var typeErr *TypeError
	if !errors.As(err, &typeErr) || typeErr.Path != "log" {
		t.Fatalf("got %v, want a TypeError for log", err)
	}
}

// TestPairs joins two random listings and compares with a join by map.
func TestPairs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[ab./_1]{1,4}`)
		makeFiles := func(label string) []datadir.File {
			var files []datadir.File
			for _, p := range rapid.SliceOfNDistinct(name, 0, 12, rapid.ID[string]).Draw(t, label) {
				files = append(files, datadir.File{Path: p})
			}
			return files
		}
		source, target := makeFiles("source"), makeFiles("target")
		want := map[string][2]bool{}
		for _, f := range source {
			want[f.Path] = [2]bool{true, false}
		}
		for _, f := range target {
			want[f.Path] = [2]bool{want[f.Path][0], true}
		}
		got := map[string][2]bool{}
		for p, err := range Pairs(listing(source...), listing(target...)) {
			if err != nil {
				t.Fatal(err)
			}
			got[p.Path] = [2]bool{p.Source != nil, p.Target != nil}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestPairsRefusesDisorder(t *testing.T) {
	back := func(yield func(datadir.File, error) bool) {
		_ = yield(datadir.File{Path: "b"}, nil) && yield(datadir.File{Path: "a"}, nil)
	}
	for _, err := range Pairs(back, listing()) {
		if err != nil {
			return
		}
	}
	t.Fatal("a listing out of order was taken")
}

// TestDropUnknownWAL: what no server reads in pg_wal goes only where pg_rewind
// is wanted, and history files of the shared past do not go even there.
func TestDropUnknownWAL(t *testing.T) {
	label := "pg_wal/" + testSegment.Name(1, 2) + ".00000028.backup"
	for _, drop := range []bool{true, false} {
		in := input(listing(), listing(file(label, 1), file("pg_wal/00000001.history", 1), file("pg_wal/mine", 1)))
		in.DropUnknownWAL = drop
		var want []string
		if drop {
			want = []string{"set-aside " + label, "set-aside pg_wal/mine"}
		}
		if diff := cmp.Diff(want, actions(t, in)); diff != "" {
			t.Errorf("drop %v: %s", drop, diff)
		}
	}
}

// A block that is said to be restored, but by no part of the log, is copied.
func TestDecideWithoutProof(t *testing.T) {
	in := input(listing(file("base/5/16384", 8)), listing(file("base/5/16384", 8)))
	rel, _ := pg.ParseRelPath("base/5/16384", testVersion)
	in.Before.Touch(pg.BlockTag{RelFork: rel.RelFork, Block: 1}, true)
	in.Before.Touch(pg.BlockTag{RelFork: rel.RelFork, Block: 2}, true)
	proven := blockmap.NewSet()
	proven.AddRange(2, 3)
	in.Restored = []Restored{{pg.Span{From: in.Label.Redo, To: in.Fork.LSN}, map[pg.RelFork]*blockmap.Set{rel.RelFork: proven}}}
	p, err := Decide(in)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Actions) != 1 || p.Actions[0].Blocks.String() != "1" || p.Totals.Why.Spared != 1 || p.Spared[0].Proof[0].Blocks.String() != "2" {
		t.Errorf("actions %+v, spared %+v", p.Actions, p.Spared)
	}
}
