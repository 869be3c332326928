package main

import (
	"archive/tar"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"forkpoint/walinspect/pgtest"
)

// TestEvidence looks after the bundle of a rewind: one without a manifest is
// told of and sealed, one that was changed is not sealed over, one that was
// packed, dropped and unpacked again still takes the rewind back, and what is
// left after that has a manifest that fits.
func TestEvidence(t *testing.T) {
	pgtest.TheseMajors(t, []int{13, 18}, func(t *testing.T, major int) {
		t.Parallel()
		pair := pgtest.NewPair(t, trapOptions(major)...)
		pair.Primary.Exec("CREATE TABLE t AS SELECT i, 'shared' AS v FROM generate_series(1, 3000) i", "CHECKPOINT")
		pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) { s.Exec("UPDATE t SET v = '" + side + "' WHERE i % 4 = 0") })
		dir := pair.Old.Dir()
		before := tree(t, dir)
		mustForkpoint(t, "rewind", "-D", dir, "--source-server", pair.Primary.ConnString())
		bundles, err := filepath.Glob(dir + ".forkpoint/rewind-*")
		if err != nil || len(bundles) != 1 {
			t.Fatal(bundles, err)
		}
		bundle, manifest := bundles[0], bundles[0]+"/SHA256SUMS"
		id := strings.TrimPrefix(filepath.Base(bundle), "rewind-")
		says := func(want int, text string, args ...string) {
			t.Helper()
			status, out := forkpoint(t, append([]string{"evidence"}, append(args, "-D", dir)...)...)
			if status != want || !strings.Contains(strings.Join(strings.Fields(out), " "), text) {
				t.Errorf("evidence %q: exit status %d, want %d and %q: %s", args, status, want, text, out)
			}
		}
		says(0, "as the manifest says", "verify")
		says(6, "has a manifest", "seal")
		says(1, "there is no evidence bundle nonsense", "show", "nonsense")
		removeFile(t, manifest)
		says(3, "forkpoint evidence seal --state-dir "+dir+".forkpoint "+id+" writes it", "verify")
		told, stop := context.WithCancelCause(t.Context())
		stop(&cancelledError{signal: os.Interrupt})
		if err := verifyEvidence(told, newApp(nil, os.Stderr, os.Stderr), evidenceOptions{target: dir}, id); statusOf(err) != statusCancelled {
			t.Errorf("a signal while the journal was read: %v", err)
		}
		says(0, "wrote the manifest", "seal", id)
		says(0, "as the manifest says", "verify", id)
		spoil(t, bundle+"/evidence/report.txt", func(b []byte) []byte { return append(b, '!') })
		says(3, "evidence/report.txt: changed", "verify")
		spoil(t, bundle+"/evidence/report.txt", func(b []byte) []byte { return b[:len(b)-1] })

		packed := filepath.Join(pair.Old.Home(), "packed")
		says(0, "wrote "+packed, "pack", "-o", packed)
		says(0, "removed "+bundle, "drop", id)
		unpack(t, packed, dir+".forkpoint")
		says(0, "as the manifest says", "verify", id)
		mustForkpoint(t, "rewind", "--undo", "-D", dir)
		if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
			t.Errorf("undone from what was packed (-want +got)\n%s", diff)
		}
		says(0, "undone", "list")
		says(0, "as the manifest says", "verify", id)
		pair.Old.Start()
		pair.Old.Stop(pgtest.Fast)
	})
}

// unpack puts an archive of a bundle into a state directory, as the servers'
// user.
func unpack(t *testing.T, archive, state string) {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() // read only
	z, err := zstd.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(state, h.Name)
		if h.FileInfo().IsDir() {
			err = os.Mkdir(name, h.FileInfo().Mode())
		} else if b, e := io.ReadAll(r); e != nil {
			err = e
		} else {
			err = os.WriteFile(name, b, h.FileInfo().Mode())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := pgtest.Own(state); err != nil {
		t.Fatal(err)
	}
}
