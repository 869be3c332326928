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
	"os"
	"path/filepath"
	"slices"
	"strings"

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
	dir := filepath.Join(r.journal.Dir(), evidenceDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
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
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			return fmt.Errorf("evidence bundle: %w", err)
		}
	}
	if r.cfg.Evidence == nil {
		return nil
	}
	if err := r.cfg.Evidence(ctx, dir); err != nil {
		return fmt.Errorf("evidence bundle: %w", err)
	}
	return nil
}

// closeEvidence writes the manifest once nothing more comes into the bundle.
func (r *run) closeEvidence() error {
	if err := WriteManifest(r.journal.Dir()); err != nil {
		return fmt.Errorf("evidence bundle: %w", err)
	}
	return nil
}

// WriteManifest writes the sums of all files of a bundle, in the form that
// sha256sum --check reads.
func WriteManifest(bundle string) (err error) {
	names, err := bundleFiles(bundle)
	if err != nil {
		return err
	}
	temp := filepath.Join(bundle, manifestFile+".new")
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for _, name := range names {
		sum, err := sumFile(filepath.Join(bundle, name))
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(f, "%s  %s\n", sum, name); err != nil {
			return err
		}
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return os.Rename(temp, filepath.Join(bundle, manifestFile))
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
