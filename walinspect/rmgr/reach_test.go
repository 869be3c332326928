package rmgr

import (
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkpoint/walinspect/pg"
)

// unreached are the operations that no sample has, with the reason and the
// versions. Those of the first group are compared elsewhere.
var unreached = []struct {
	operation, why string
	majors         []int // all that have samples if nil
}{
	{"Gin CREATE_PTREE", "longer than a sample; TestPgWaldump compares it", nil},
	{"Gist PAGE_SPLIT", "longer than a sample; TestPgWaldump and the fixtures compare it", nil},
	{"XLOG END_OF_RECOVERY", "written at a promotion; the fixtures have it", nil},
	{"XLOG FPW_CHANGE", "written at start with another setting; the fixtures have it", nil},

	{"XLOG OVERWRITE_CONTRECORD", "written after a crash inside a record: TestCrashInsideRecord reads it", nil},
	{"XLOG NOOP", "no server writes it", nil},
	{"XLOG ASSIGN_LSN", "written for unlogged or skipped changes of indexes under wal_level = minimal", []int{19}},
	{"Gist ASSIGN_LSN", "written under wal_level = minimal", []int{13, 15, 17, 18}},
	{"CLOG TRUNCATE", "takes a million transactions and VACUUM of all databases", nil},
	{"CommitTs TRUNCATE", "takes the same", nil},
	{"CommitTs SETTS", "written by older minors of 13 only where the time comes by replication", []int{13}},
	{"MultiXact TRUNCATE_ID", "takes more than a page of multixacts and VACUUM of all databases", nil},
	{"MultiXact ZERO_OFF_PAGE", "takes more than a page of multixacts", []int{15, 17, 18, 19}},
	{"MultiXact ZERO_MEM_PAGE", "takes more than a page of members", []int{19}},
	{"Btree INSERT_META", "written when a page below a fast root of one page is split, after many deletions", nil},
	{"Gin DELETE_PAGE", "takes a posting tree of many pages that VACUUM finds empty", nil},
	{"Hash MOVE_PAGE_CONTENTS", "takes overflow pages that VACUUM empties in part", nil},
	{"Heap HOT_UPDATE+INIT", "no server writes it: a HOT update stays on its page, which is not new", nil},
}

// TestSamplesReachEveryOperation: of each operation that a version has, a
// record and pg_waldump's line for it are among the samples.
func TestSamplesReachEveryOperation(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/records.*.txt.gz")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			seen, major := map[string]bool{}, 0
			for _, s := range readSamples(t, file) {
				major = s.rec.Major()
				seen[s.rec.Rmgr.String()+" "+OpName(&s.rec)] = true
			}
			missing := map[string]bool{}
			for id := pg.RmgrID(0); id.Builtin(); id++ {
				for op := range uint8(16) {
					name := opName(major, id, op<<4)
					if full := id.String() + " " + name; name != "" && !seen[full] {
						missing[full] = true
					}
				}
			}
			var excused []string
			for _, u := range unreached {
				if u.majors == nil || slices.Contains(u.majors, major) {
					excused = append(excused, u.operation)
				}
			}
			slices.Sort(excused)
			if diff := cmp.Diff(excused, slices.Sorted(maps.Keys(missing))); diff != "" {
				t.Errorf("operations without a sample (-known +found)\n%s", diff)
			}
		})
	}
}
