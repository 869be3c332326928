package pg

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

const versionDir = "PG_15_202209061"

func TestRelPath(t *testing.T) {
	rel := func(spc, db OID, n RelFileNumber, fork ForkNumber, segment uint32) RelFile {
		return RelFile{RelFork{RelFileLocator{spc, db, n}, fork}, segment}
	}
	for path, want := range map[string]RelFile{
		"base/5/16384":       rel(1663, 5, 16384, MainFork, 0),
		"base/5/16384.1":     rel(1663, 5, 16384, MainFork, 1),
		"base/5/16384_fsm":   rel(1663, 5, 16384, FSMFork, 0),
		"base/5/16384_vm.12": rel(1663, 5, 16384, VMFork, 12),
		"base/5/16384_init":  rel(1663, 5, 16384, InitFork, 0),
		"global/1262":        rel(1664, 0, 1262, MainFork, 0),
		"global/1262_vm":     rel(1664, 0, 1262, VMFork, 0),
		"pg_tblspc/16500/PG_15_202209061/5/16384.3": rel(16500, 5, 16384, MainFork, 3),
		"base/4294967295/4294967295.4294967295":     rel(1663, 1<<32-1, 1<<32-1, MainFork, 1<<32-1),
	} {
		got, ok := ParseRelPath(path, versionDir)
		if !ok || got != want {
			t.Errorf("ParseRelPath(%q) = %v, %t; want %v", path, got, ok, want)
		}
		if printed := want.Path(versionDir); printed != path {
			t.Errorf("%v prints as %q, want %q", want, printed, path)
		}
	}
	for _, path := range []string{
		"", "base", "base/5", "base/5/", "base/5/pg_filenode.map", "base/5/PG_VERSION", "base/5/0", "base/5/016384", "base/05/16384",
		"base/5/16384.0", "base/5/16384.01", "base/5/16384_main", "base/5/16384_fsm.", "base/5/16384_", "base/5/16384_FSM", "base/5/16384.1_fsm",
		"base/5/t3_16384", "base/5/16384.x", "base/5/-1", "base/5/+1", "base/5/4294967296", "base/5/16384/x", "/base/5/16384", "./base/5/16384",
		"global/pg_control", "global/5/1262", "pg_tblspc/16500/PG_14_202107181/5/16384", "pg_tblspc/16500/5/16384", "pg_tblspc/1663/PG_15_202209061/5/16384",
		"pg_tblspc/16500/PG_15_202209061/5/pgsql_tmp", "base/pgsql_tmp/16384", "base/5\\16384",
	} {
		if got, ok := ParseRelPath(path, versionDir); ok {
			t.Errorf("ParseRelPath(%q) = %v, want it not to be a relation file", path, got)
		}
	}
}

func FuzzParseRelPath(f *testing.F) {
	for _, seed := range []string{"base/5/16384_fsm.1", "global/1262", "pg_tblspc/16500/PG_15_202209061/5/16384.3", "base/5/t3_16384"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		rel, ok := ParseRelPath(path, versionDir)
		if ok && rel.Path(versionDir) != path {
			t.Fatalf("%q parsed to %v, which prints as %q", path, rel, rel.Path(versionDir))
		}
	})
}

func TestForkNames(t *testing.T) {
	for _, fork := range []ForkNumber{MainFork, FSMFork, VMFork, InitFork} {
		b, err := json.Marshal(map[string]ForkNumber{"fork": fork})
		var back map[string]ForkNumber
		if err != nil || json.Unmarshal(b, &back) != nil || back["fork"] != fork {
			t.Errorf("JSON of %s: %s, %v", fork, b, err)
		}
	}
	if _, err := ParseFork("toast"); err == nil {
		t.Error("toast is taken for a fork")
	}
	if got := ForkNumber(9).String(); got != "fork(9)" {
		t.Errorf("an unknown fork prints as %s", got)
	}
}

func TestXIDPrecedes(t *testing.T) {
	for _, tt := range []struct {
		a, b XID
		want bool
	}{
		{3, 4, true}, {4, 3, false}, {4, 4, false},
		{1<<32 - 1, 3, true}, {3, 1<<32 - 1, false}, // over the wrap
		{0, 3, true}, {2, 1<<32 - 1, true}, {1<<32 - 1, 2, false}, // reserved ones come first
	} {
		if got := tt.a.Precedes(tt.b); got != tt.want {
			t.Errorf("%s precedes %s: %t, want %t", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestOrderAndText(t *testing.T) {
	sorted := []RelFork{
		{RelFileLocator{1663, 1, 9}, MainFork}, {RelFileLocator{1663, 5, 1}, MainFork}, {RelFileLocator{1663, 5, 1}, VMFork},
		{RelFileLocator{1663, 5, 2}, MainFork}, {RelFileLocator{1664, 0, 1}, MainFork},
	}
	if !slices.IsSortedFunc(sorted, RelFork.Compare) {
		t.Error("relations are not in order")
	}
	if got := (BlockTag{sorted[2], 7}).String(); got != "1663/5/1_vm block 7" {
		t.Errorf("a block prints as %q", got)
	}
}

func TestRmgrNames(t *testing.T) {
	for _, r := range append(Rmgrs(), MinCustomRmgr, 255) {
		for _, name := range []string{r.String(), strings.ToUpper(r.String())} {
			if got, err := ParseRmgr(name); err != nil || got != r {
				t.Errorf("ParseRmgr(%q) = %d, %v; want %d", name, got, err, r)
			}
		}
	}
	for _, name := range []string{"", "Heep", "rmgr(22)", "custom127", "custom1"} {
		if got, err := ParseRmgr(name); err == nil {
			t.Errorf("ParseRmgr(%q) = %d", name, got)
		}
	}
	if RmgrID(22).Builtin() || RmgrID(22).Custom() || RmgrID(127).Custom() || !RmgrID(128).Custom() {
		t.Error("the numbers between the built-in and the custom ones belong to nobody")
	}
}

func TestVersions(t *testing.T) {
	seen := map[int]int{}
	for magic := range 1 << 16 {
		if major, known := MajorOfMagic(uint16(magic)); known {
			seen[major]++
		}
	}
	for _, major := range catalogMajors {
		seen[major]++
	}
	for major := MinMajor; major <= MaxMajor; major++ {
		if seen[major] != 2 {
			t.Errorf("version %d has %d of a page magic and a catalog version", major, seen[major])
		}
	}
	if len(seen) != MaxMajor-MinMajor+1 {
		t.Errorf("known versions: %v", seen)
	}
}
