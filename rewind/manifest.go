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

	"forkpoint/rewind/journal"
	"forkpoint/rewind/target"
)

// manifestFile closes a bundle. It is the last that a rewind or an undo writes,
// and the first that an undo removes.
const manifestFile = "SHA256SUMS"

// seal ends a rewind: it writes the manifest, now that nothing more comes into
// the bundle, and drops what was only needed on the way. The target is whole by
// now, so what goes wrong here, and that the run was told to stop, is for the
// operator to know and no reason to fail.
func (r *run) seal(ctx context.Context) error {
	r.sealBundle(ctx, r.journal.Dir(), r.journal.Header().ID)
	return nil
}

func (r *run) sealBundle(ctx context.Context, bundle, id string) {
	err := r.timed(PartManifest, func() error {
		return writeManifest(ctx, r.target.FS(), bundle, r.sums, func(done, total int64) {
			r.cfg.Progress(Progress{PhaseSeal, done, total, "bytes"})
		})
	})
	if err != nil {
		r.note(fmt.Sprintf("the evidence bundle has no manifest yet, so nothing guards it against changes (%v); %s writes it",
			err, SealCommand(r.cfg.StateDir, id)))
	}
	r.removeStage()
}

// Sealed tells whether a bundle has a manifest.
func Sealed(bundle string) bool { return exists(filepath.Join(bundle, manifestFile)) }

// unsealed tells a journal whose run ended between its last note and the
// manifest.
func (r *run) unsealed(s *journal.Summary) bool {
	return (s.Stage == journal.Done || s.Stage == journal.Undone) && !r.cfg.DryRun && !Sealed(s.Dir)
}

// unseal drops the manifest, durably: what it says will not hold any more.
func (r *run) unseal() error {
	err := r.target.FS().Remove(filepath.Join(r.journal.Dir(), manifestFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = r.target.FS().SyncDir(r.journal.Dir())
	}
	if err != nil {
		return fmt.Errorf("evidence bundle: %w", err)
	}
	return nil
}

// Seal writes the manifest of a bundle to which nothing more comes. progress is
// told how many bytes were read, of how many.
func Seal(ctx context.Context, bundle string, progress func(done, total int64)) (err error) {
	roots := target.NewRoots()
	defer func() { err = errors.Join(err, roots.Close()) }()
	if err := roots.Declare(filepath.Dir(bundle)); err != nil {
		return err
	}
	return writeManifest(ctx, roots, bundle, nil, progress)
}

// writeManifest writes the sums of all files of a bundle, in the form that
// sha256sum --check reads.
func writeManifest(ctx context.Context, fsys target.FS, bundle string, known *sums, progress func(done, total int64)) error {
	names, total, err := bundleFiles(bundle)
	if err != nil {
		return err
	}
	done := int64(0)
	var text strings.Builder
	for _, name := range names {
		sum, err := known.of(ctx, filepath.Join(bundle, name), func(n int) {
			done += int64(n)
			progress(done, total)
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "%s  %s\n", sum, name)
	}
	return replaceFile(fsys, bundle, manifestFile, []byte(text.String()))
}

// CheckManifest reads a bundle and compares it with its manifest. It returns
// what does not fit, one line each; an error where the manifest cannot be read.
func CheckManifest(ctx context.Context, bundle string, progress func(done, total int64)) (wrong []string, files int, err error) {
	f, err := os.Open(filepath.Join(bundle, manifestFile))
	if err != nil {
		return nil, 0, err
	}
	defer f.Close() // read only
	names, total, err := bundleFiles(bundle)
	if err != nil {
		return nil, 0, err
	}
	done := int64(0)
	listed := map[string]bool{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		want, name, found := strings.Cut(lines.Text(), "  ")
		if !found || !filepath.IsLocal(name) {
			wrong = append(wrong, fmt.Sprintf("%s: line %d is not a sum and a name", manifestFile, files+1))
			continue
		}
		files++
		listed[name] = true
		sum, err := sumFile(ctx, filepath.Join(bundle, name), func(n int) {
			done += int64(n)
			progress(done, total)
		})
		switch {
		case errors.Is(err, fs.ErrNotExist):
			wrong = append(wrong, name+": missing")
		case err != nil:
			return nil, 0, err
		case sum != want:
			wrong = append(wrong, name+": changed")
		}
	}
	for _, name := range names {
		if !listed[name] {
			wrong = append(wrong, name+": not in the manifest")
		}
	}
	return wrong, files, lines.Err()
}

// bundleFiles lists the files of a bundle but the manifest, sorted, and adds up
// their sizes.
func bundleFiles(bundle string) (names []string, total int64, err error) {
	err = filepath.WalkDir(bundle, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasPrefix(d.Name(), manifestFile) {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		total += info.Size()
		name, err := filepath.Rel(bundle, path)
		names = append(names, filepath.ToSlash(name))
		return err
	})
	slices.Sort(names)
	return names, total, err
}

// sumBytes is how much of a file is read between two looks at the context.
const sumBytes = 1 << 20

// sumFile is the SHA-256 of a file. read is told of every part that was read.
func sumFile(ctx context.Context, path string, read func(n int)) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close() // read only
	h := sha256.New()
	buf := make([]byte, sumBytes)
	for {
		if err := context.Cause(ctx); err != nil {
			return "", err
		}
		n, err := f.Read(buf)
		h.Write(buf[:n]) // never fails
		read(n)
		if err == io.EOF {
			return hex.EncodeToString(h.Sum(nil)), nil
		}
		if err != nil {
			return "", err
		}
	}
}
