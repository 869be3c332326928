package pgtest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The majors that the tests know. Version 19 has no released package yet, so
// its absence is not a failure, see [Majors].
const (
	firstMajor = 13
	lastMajor  = 18
	nextMajor  = 19
)

// Install is a PostgreSQL installation.
type Install struct {
	Major  int
	BinDir string
}

// Find looks for a major version: in the directory that FORKPOINT_PG_<major>
// names, then in Debian's place, if all client programs are there too, then
// where fetch.sh puts them.
func Find(major int) (Install, error) {
	if dir := os.Getenv("FORKPOINT_PG_" + strconv.Itoa(major)); dir != "" {
		if isProgram(filepath.Join(dir, "postgres")) {
			return Install{major, dir}, nil
		}
		return Install{}, fmt.Errorf("FORKPOINT_PG_%d names %s, which has no postgres", major, dir)
	}
	debian := Install{major, fmt.Sprintf("/usr/lib/postgresql/%d/bin", major)}
	if _, whole := debian.Program("pg_rewind"); whole {
		return debian, nil
	}
	fetched := Install{major, filepath.Join(cacheDir(), strconv.Itoa(major), "bin")}
	for _, in := range []Install{fetched, debian} {
		if _, found := in.Program("postgres"); found {
			return in, nil
		}
	}
	return Install{}, fmt.Errorf("PostgreSQL %d is not installed; run: make pg", major)
}

// Program is the path of one of the installation's programs.
func (i Install) Program(name string) (path string, found bool) {
	path = filepath.Join(i.BinDir, name)
	return path, isProgram(path)
}

// Majors lists the versions that the machine has, oldest first. Where one of 13
// to 18 is missing the test fails under CI; elsewhere the log says what to run.
// [EachMajor] is the usual way to ask.
func Majors(t testing.TB) []int {
	t.Helper()
	skipShort(t)
	var majors []int
	for major := firstMajor; major <= nextMajor; major++ {
		if !wanted(major) {
			continue
		}
		if _, err := Find(major); err == nil {
			majors = append(majors, major)
		} else if major <= lastMajor {
			if underCI() {
				t.Fatal(err)
			}
			t.Log(err)
		}
	}
	if len(majors) == 0 {
		t.Skip("no PostgreSQL server is installed; run: make pg")
	}
	return majors
}

// EachMajor runs a subtest per version that the machine should have. A missing
// one is a failure under CI and a skip elsewhere.
func EachMajor(t *testing.T, test func(t *testing.T, major int)) {
	t.Helper()
	EachMajorFrom(t, firstMajor, test)
}

// EachMajorFrom is [EachMajor] for what servers have had since version first.
func EachMajorFrom(t *testing.T, first int, test func(t *testing.T, major int)) {
	t.Helper()
	var all []int
	for major := first; major <= nextMajor; major++ {
		all = append(all, major)
	}
	TheseMajors(t, all, test)
}

// TheseMajors is [EachMajor] for a test that some versions are enough for.
func TheseMajors(t *testing.T, majors []int, test func(t *testing.T, major int)) {
	t.Helper()
	skipShort(t)
	for _, major := range majors {
		_, err := Find(major)
		if !wanted(major) || err != nil && major > lastMajor {
			continue
		}
		t.Run(fmt.Sprintf("pg%d", major), func(t *testing.T) {
			if err != nil {
				missing(t, err.Error())
			}
			test(t, major)
		})
	}
}

// wanted holds for the majors in FORKPOINT_PG_MAJORS, a list such as "15 18"
// with which a developer shortens a run; without it, for all.
func wanted(major int) bool {
	list := strings.Fields(os.Getenv("FORKPOINT_PG_MAJORS"))
	return len(list) == 0 || slices.Contains(list, strconv.Itoa(major))
}

// skipShort leaves tests with servers out of go test -short.
func skipShort(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs PostgreSQL servers; left out with -short")
	}
}

// missing ends a test for want of something: it fails where everything should
// be installed, and is skipped elsewhere.
func missing(t testing.TB, what string) {
	t.Helper()
	if underCI() {
		t.Fatal(what)
	}
	t.Skip(what)
}

func underCI() bool { return os.Getenv("CI") == "true" }

// cacheDir is where fetch.sh puts servers, and this package its templates.
func cacheDir() string {
	if dir := os.Getenv("FORKPOINT_PG"); dir != "" {
		return dir
	}
	return fmt.Sprintf("/var/tmp/forkpoint-pg-%d", os.Getuid())
}

func isProgram(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0
}
