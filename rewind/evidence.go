package rewind

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"forkpoint/rewind/target"
	"forkpoint/walinspect/timeline"
)

// The evidence bundle is the journal's directory: the old bytes and the files
// that were set aside, which undo needs, and beside them what tells a person
// later what happened: both control files, the histories, the report in all
// forms, what the catalog knows. A manifest of SHA-256 sums closes it.

const (
	evidenceDir  = "evidence"
	manifestFile = "SHA256SUMS"
)

// saveEvidence writes what is known into the bundle, before anything changes.
func (r *run) saveEvidence(ctx context.Context) error {
	fsys, dir := r.target.FS(), filepath.Join(r.journal.Dir(), evidenceDir)
	if err := target.MakeDir(fsys, dir); err != nil {
		return fmt.Errorf("evidence bundle: %w", err)
	}
	files := map[string][]byte{
		"target-pg_control": r.sit.target.raw,
		"source-pg_control": r.sit.source.raw,
	}
	for side, path := range map[string]timeline.Path{"target": r.sit.target.path, "source": r.sit.source.path} {
		read := r.targetHistory
		if side == "source" {
			read = r.sourceHistory(ctx)
		}
		if b, err := read(path.Tip()); err == nil {
			files[side+"-"+path.Tip().HistoryName()] = b
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := target.WriteFile(fsys, filepath.Join(dir, name), files[name]); err != nil {
			return fmt.Errorf("evidence bundle: %w", err)
		}
	}
	if r.cfg.Evidence != nil {
		if err := r.cfg.Evidence(ctx, dir, r.examination(&Examination{Parted: true})); err != nil {
			return fmt.Errorf("evidence bundle: %w", err)
		}
	}
	if err := fsys.SyncDir(dir); err != nil {
		return fmt.Errorf("evidence bundle: %w", err)
	}
	return nil
}

// closeEvidence ends a rewind: it writes the manifest, now that nothing more
// comes into the bundle, and drops what was only needed on the way. The target
// is whole by now, so what goes wrong here is for the operator to know and no
// reason to fail.
func (r *run) closeEvidence() {
	if err := writeManifest(r.target.FS(), r.journal.Dir(), r.sums.of); err != nil {
		r.note(fmt.Sprintf("the evidence bundle has no manifest, so nothing guards it against changes: %v", err))
	}
	r.removeStage()
}

// removeStage removes the log that was fetched for replay, once nobody needs it
// any more.
func (r *run) removeStage() {
	if err := target.RemoveTree(r.target.FS(), r.stageDir()); err != nil {
		r.note(fmt.Sprintf("WAL that was fetched could not be removed: %v", err))
	}
}

// dropStaged removes what a run fetched that ended before it changed anything.
// A run that was interrupted keeps it.
func (r *run) dropStaged() error {
	if r.changed || r.resumed != nil || r.staged.dir == "" {
		return nil
	}
	if err := target.RemoveTree(r.target.FS(), r.staged.dir); err != nil {
		return fmt.Errorf("state directory: remove WAL that was fetched: %w", err)
	}
	return nil
}

// writeManifest writes the sums of all files of a bundle, in the form that
// sha256sum --check reads.
func writeManifest(fsys target.FS, bundle string, sum func(name string) (string, error)) error {
	names, err := bundleFiles(bundle)
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, name := range names {
		sum, err := sum(filepath.Join(bundle, name))
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "%s  %s\n", sum, name)
	}
	temp := filepath.Join(bundle, manifestFile+".new")
	if err := target.WriteFile(fsys, temp, []byte(text.String())); err != nil {
		return err
	}
	if err := fsys.Rename(temp, filepath.Join(bundle, manifestFile)); err != nil {
		return err
	}
	return fsys.SyncDir(bundle)
}

// CheckManifest reads a bundle and compares it with its manifest. It returns
// what does not fit, one line each; an error where the manifest cannot be read.
func CheckManifest(ctx context.Context, bundle string) (wrong []string, files int, err error) {
	f, err := os.Open(filepath.Join(bundle, manifestFile))
	if err != nil {
		return nil, 0, err
	}
	defer f.Close() // read only
	listed := map[string]bool{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if err := context.Cause(ctx); err != nil {
			return nil, 0, err
		}
		want, name, found := strings.Cut(lines.Text(), "  ")
		if !found || !filepath.IsLocal(name) {
			wrong = append(wrong, fmt.Sprintf("%s: line %d is not a sum and a name", manifestFile, files+1))
			continue
		}
		files++
		listed[name] = true
		sum, err := sumFile(filepath.Join(bundle, name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			wrong = append(wrong, name+": missing")
		case err != nil:
			return nil, 0, err
		case sum != want:
			wrong = append(wrong, name+": changed")
		}
	}
	names, err := bundleFiles(bundle)
	if err != nil {
		return nil, 0, err
	}
	for _, name := range names {
		if !listed[name] {
			wrong = append(wrong, name+": not in the manifest")
		}
	}
	return wrong, files, lines.Err()
}

// bundleFiles lists the files of a bundle but the manifest, sorted.
func bundleFiles(bundle string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(bundle, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasPrefix(d.Name(), manifestFile) {
			return err
		}
		name, err := filepath.Rel(bundle, path)
		names = append(names, filepath.ToSlash(name))
		return err
	})
	slices.Sort(names)
	return names, err
}

func sumFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close() // read only
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
