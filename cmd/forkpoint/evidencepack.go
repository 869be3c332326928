package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"

	"forkpoint/reports"
	"forkpoint/reports/render"
	"forkpoint/rewind"
)

// packEvidence writes a bundle into one archive, by way of a temporary file.
func packEvidence(ctx context.Context, app *app, opts evidenceOptions, id string) error {
	s, err := opts.find(id)
	if err != nil {
		return err
	}
	out := opts.output
	if out == "" {
		out = s.Header.ID + ".tar.zst"
	}
	if err := packTo(ctx, out+".part", s.Dir); err != nil {
		os.Remove(out + ".part") // nothing is lost if it fails
		return fmt.Errorf("pack %s: %w", s.Dir, err)
	}
	if err := os.Rename(out+".part", out); err != nil {
		return err
	}
	fmt.Fprintf(app.stderr, "wrote %s\n", out)
	return nil
}

func packTo(ctx context.Context, out, dir string) (err error) {
	f, err := os.OpenFile(out, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z, err := zstd.NewWriter(f)
	if err != nil {
		return err
	}
	w := tar.NewWriter(z)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
		return packOne(w, filepath.Dir(dir), path, d)
	})
	return errors.Join(err, w.Close(), z.Close(), f.Sync())
}

// packOne adds a directory or a regular file; a bundle has nothing else.
func packOne(w *tar.Writer, base, path string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil || !d.IsDir() && !info.Mode().IsRegular() {
		return err
	}
	header, err := tar.FileInfoHeader(info, "")
	if err != nil {
		return err
	}
	name, err := filepath.Rel(base, path)
	if err != nil {
		return err
	}
	header.Name = filepath.ToSlash(name)
	if err := w.WriteHeader(header); err != nil || d.IsDir() {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // read only
	_, err = io.Copy(w, f)
	return err
}

// saveReports writes the report in all forms into a bundle: what a rewind has
// found before it changes anything. conninfo is that of a running source.
func saveReports(ctx context.Context, app *app, e *ends, found *rewind.Examination, conninfo, dir string) error {
	input, err := e.gather(ctx, app, found, conninfo, nil)
	if err != nil {
		return err
	}
	divergence := reports.Diverge(*input)
	for format, name := range map[render.Format]string{render.Text: "report.txt", render.JSON: "report.json", render.HTML: "report.html"} {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		err = render.Write(f, divergence, render.Options{Format: format, Width: 100})
		if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
