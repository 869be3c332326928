package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// house is the root of the module, seen from this package.
const house = "../.."

// layers lists, for each package, what it may import beyond the standard
// library: our packages by their path in the module, others by module. A new
// package or a new edge is added here on purpose, or the build is red. The
// arrows only go from bytes to blocks to catalog to reports and rewinds: see
// docs/architecture.md.
var layers = map[string]string{
	"walinspect/pg":         "",
	"walinspect/codec":      "github.com/klauspost/compress github.com/pierrec/lz4/v4 github.com/ulikunitz/xz",
	"walinspect/timeline":   "walinspect/pg",
	"walinspect/pgcontrol":  "walinspect/pg",
	"walinspect/bufpage":    "walinspect/pg",
	"walinspect/walsummary": "walinspect/pg",
	"walinspect":            "walinspect/pg walinspect/codec walinspect/pgcontrol golang.org/x/sys",
	"walinspect/rmgr":       "walinspect/pg walinspect/pgcontrol walinspect",
	"walinspect/segment":    "walinspect/pg walinspect/codec walinspect/timeline walinspect golang.org/x/sync",
	"walinspect/walstream":  "walinspect/pg github.com/jackc/pgx/v5",
	"walinspect/lineage":    "walinspect/pg walinspect/timeline walinspect walinspect/rmgr walinspect/segment",
	"walinspect/datadir":    "walinspect/pg walinspect/timeline walinspect/pgcontrol golang.org/x/sys",
	"walinspect/waltest":    "walinspect/pg walinspect",
	"walinspect/pgtest":     "walinspect/pg github.com/jackc/pgx/v5",

	"blockmap": "walinspect/pg github.com/RoaringBitmap/roaring/v2 github.com/bits-and-blooms/bitset github.com/klauspost/compress",
	"blockmap/indexer": "walinspect/pg walinspect/timeline walinspect walinspect/rmgr walinspect/segment walinspect/walsummary " +
		"walinspect/pgcontrol blockmap golang.org/x/sync",
	"blockmap/relname": "walinspect/pg walinspect/pgcontrol walinspect/bufpage walinspect/datadir github.com/jackc/pgx/v5",

	"store": "walinspect/pg walinspect/timeline blockmap github.com/mattn/go-sqlite3",

	"reports":        "walinspect/pg walinspect/timeline walinspect/pgcontrol walinspect/segment walinspect/lineage blockmap store",
	"reports/render": "reports github.com/dustin/go-humanize github.com/jedib0t/go-pretty/v6",

	"rewind/source":         "walinspect/pg walinspect/timeline walinspect/pgcontrol walinspect/datadir github.com/jackc/pgx/v5 golang.org/x/sync golang.org/x/sys golang.org/x/time",
	"rewind/plan":           "walinspect/pg walinspect/timeline walinspect/pgcontrol walinspect/datadir blockmap",
	"rewind/target":         "walinspect/pg walinspect/datadir golang.org/x/sync golang.org/x/sys",
	"rewind/target/faultfs": "rewind/target",
	"rewind/journal":        "walinspect/pg rewind/plan rewind/target github.com/klauspost/compress github.com/gofrs/flock",
	"rewind/compare":        "walinspect/pg walinspect/bufpage walinspect/datadir blockmap reports rewind/source rewind/plan",
	"rewind": "walinspect/pg walinspect/timeline walinspect/pgcontrol walinspect/bufpage walinspect walinspect/segment walinspect/datadir " +
		"walinspect/lineage blockmap rewind/source rewind/plan rewind/target rewind/journal golang.org/x/sync golang.org/x/sys",
}

// TestLayers also demands that every package says what it is for.
func TestLayers(t *testing.T) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Doc", "./...")
	cmd.Dir = house
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s\n%s", err, &stderr)
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var pkg struct {
			ImportPath, Doc string
			Imports         []string
		}
		if err := dec.Decode(&pkg); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(pkg.ImportPath, "forkpoint/")
		if pkg.Doc == "" {
			t.Errorf("package %s has no documentation", name)
		}
		allowed, listed := layers[name]
		switch {
		case name == "cmd/forkpoint": // wires everything
		case !listed:
			t.Errorf("package %s is not in the layer table", name)
		default:
			checkImports(t, name, strings.Fields(allowed), pkg.Imports)
		}
	}
}

func checkImports(t *testing.T, name string, allowed, imports []string) {
	t.Helper()
	for _, imp := range imports {
		dep, ours := strings.CutPrefix(imp, "forkpoint/")
		host, _, _ := strings.Cut(imp, "/")
		foreign := strings.Contains(host, ".") // the standard library has no dots
		permits := func(a string) bool {
			return dep == a || foreign && strings.HasPrefix(dep, a+"/")
		}
		if (ours || foreign) && !slices.ContainsFunc(allowed, permits) {
			t.Errorf("%s imports %s", name, dep)
		}
	}
}

// rooms are the only entries that the top level has.
var rooms = strings.Fields("cmd walinspect blockmap rewind store reports testdata docs go.mod go.sum Makefile README.md LICENSE CHANGELOG.md")

func TestTopLevel(t *testing.T) {
	entries, err := os.ReadDir(house)
	if err != nil {
		t.Fatal(err)
	}
	made := []string{"forkpoint", "bin"} // by make build, and ignored by git
	var found []string
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") || slices.Contains(made, name) {
			continue
		}
		found = append(found, name)
		if !slices.Contains(rooms, name) {
			t.Errorf("%s does not belong at the top level", name)
		}
	}
	for _, name := range rooms {
		if !slices.Contains(found, name) {
			t.Errorf("%s is missing", name)
		}
	}
}

// maxLines is how long a file may be before it is two files.
const maxLines = 400

// readers are the packages that never write a file.
var readers = strings.Fields(`walinspect walinspect/pg walinspect/codec walinspect/timeline walinspect/pgcontrol walinspect/bufpage
	walinspect/walsummary walinspect/rmgr walinspect/lineage walinspect/datadir blockmap blockmap/indexer blockmap/relname reports reports/render rewind/plan`)

// writers are the files of the command line that write, all of them outside of
// data directories: catalogs, bundles, images, manual pages, what was fetched,
// results. What goes into a data directory goes through rewind/target.
var writers = strings.Fields(`app.go evidence.go evidencepack.go inspectimages.go man.go profile.go restorewal.go rewindresult.go walrestore.go`)

// writing are the functions of package os that change a file system.
var writing = strings.Fields(`Create CreateTemp WriteFile OpenFile Rename Remove RemoveAll Mkdir MkdirAll MkdirTemp Chmod Chown Lchown
	Truncate Symlink Link`)

// TestFiles holds every source file to what can be seen in it.
func TestFiles(t *testing.T) {
	err := filepath.WalkDir(house, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != house && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".go" {
			return nil
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(house, path)
		if err != nil {
			return err
		}
		for _, fault := range faults(t, filepath.ToSlash(name), source) {
			t.Errorf("%s %s", name, fault)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// faults lists what a file has that it must not.
func faults(t *testing.T, name string, source []byte) (list []string) {
	if n := bytes.Count(source, []byte("\n")); n > maxLines {
		list = append(list, fmt.Sprintf("has %d lines, more than %d", n, maxLines))
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, source, 0)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.ToSlash(filepath.Dir(name))
	test := strings.HasSuffix(name, "_test.go")
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Recv == nil && n.Name.Name == "init" {
				list = append(list, "has a function init")
			}
		case *ast.SelectorExpr:
			pkg, ok := n.X.(*ast.Ident)
			if !ok {
				break
			}
			switch call := pkg.Name + "." + n.Sel.Name; {
			case call == "time.Sleep" && (test || dir == "walinspect/pgtest"):
				list = append(list, "sleeps instead of waiting for a condition")
			case (call == "os.Exit" || strings.HasPrefix(call, "log.Fatal")) && name != "cmd/forkpoint/main.go" && !test:
				list = append(list, "ends the process")
			case pkg.Name == "os" && slices.Contains(writing, n.Sel.Name) && !test && slices.Contains(readers, dir):
				list = append(list, "uses "+call+" in a package that only reads")
			case pkg.Name == "os" && slices.Contains(writing, n.Sel.Name) && !test && dir == "cmd/forkpoint" && !slices.Contains(writers, filepath.Base(name)):
				list = append(list, "uses "+call+" though it is not among the writers")
			}
		}
		return true
	})
	return list
}

// TestReadmeHasTheExitStatuses keeps the README's table in step with exit.go.
func TestReadmeHasTheExitStatuses(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(house, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	readme := strings.ReplaceAll(string(b), "`", "")
	for _, s := range statuses {
		if row := fmt.Sprintf("| %d | %s |", s.status, s.meaning); !strings.Contains(readme, row) {
			t.Errorf("README.md lacks the row %q", row)
		}
	}
}

// TestFaults keeps the house test itself from going blind.
func TestFaults(t *testing.T) {
	tests := []struct{ name, file, body, want string }{
		{"sleep in a test", "store/x_test.go", "time.Sleep(1)", "sleeps"},
		{"sleep outside of tests", "store/x.go", "time.Sleep(1)", ""},
		{"exit", "store/x.go", "os.Exit(1)", "ends the process"},
		{"fatal", "rewind/x.go", "log.Fatalf(``)", "ends the process"},
		{"exit in main", "cmd/forkpoint/main.go", "os.Exit(1)", ""},
		{"write where nothing is written", "blockmap/x.go", "os.WriteFile(``, nil, 0)", "only reads"},
		{"write where files are written", "rewind/target/x.go", "os.WriteFile(``, nil, 0)", ""},
		{"write in a command that reads", "cmd/forkpoint/x.go", "os.Rename(``, ``)", "not among the writers"},
		{"long file", "store/x.go", strings.Repeat("\n", maxLines+1), "lines"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := fmt.Sprint(faults(t, tt.file, []byte("package x\nfunc f() {\n"+tt.body+"\n}\n")))
			if !strings.Contains(got, tt.want) || tt.want == "" && got != "[]" {
				t.Errorf("faults = %s, want %q", got, tt.want)
			}
		})
	}
}
