//go:build torture

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"forkpoint/walinspect/pgtest"
)

// TestRewindClients lets Patroni and repmgr, as Debian has them, call this
// program for pg_rewind. It is part of make torture, for it uses fixed ports
// and needs packages that nothing else does.
func TestRewindClients(t *testing.T) {
	needs := map[string][]string{"repmgr": {"/usr/bin/repmgr"}, "patroni": {"/usr/bin/patroni", "/usr/bin/etcd", "/usr/bin/psql"}}
	for name, programs := range needs {
		t.Run(name, func(t *testing.T) {
			for _, p := range append(programs, "/usr/lib/postgresql/15/bin/pg_ctl") {
				if _, err := os.Stat(p); err != nil {
					t.Fatal("as root: make clients")
				}
			}
			program := filepath.Join(filepath.Dir(pgtest.Executable(t)), "pg_rewind")
			if err := os.Symlink(pgtest.Executable(t), program); err != nil {
				t.Fatal(err)
			}
			script, err := os.ReadFile("testdata/clients/" + name + ".sh")
			if err != nil {
				t.Fatal(err)
			}
			out, err := pgtest.RunAs(exec.Command("bash", "-c", string(script), name, program, pgtest.Scratch(t))).CombinedOutput()
			t.Logf("%s", out)
			if err != nil {
				t.Error(err)
			}
		})
	}
}
