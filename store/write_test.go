package store

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var errGivenUp = errors.New("given up")

// openFile makes a catalog in a folder of its own, which it returns too.
func openFile(t *testing.T) (c *Catalog, dir string) {
	t.Helper()
	dir = t.TempDir()
	c, err := Open(t.Context(), filepath.Join(dir, "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, dir
}

func filesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestGivenUpWaiting has a writer that waits for another one hear that it is
// to stop, and not that the catalog is locked.
func TestGivenUpWaiting(t *testing.T) {
	t.Parallel()
	holder, _ := openFile(t)
	waiter, err := Open(t.Context(), holder.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer waiter.Close()
	err = holder.write(t.Context(), func(*sql.Tx) error {
		ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, errGivenUp)
		defer cancel()
		return waiter.Save(ctx, everything())
	})
	if !errors.Is(err, errGivenUp) {
		t.Errorf("the writer that waited ended with %v", err)
	}
	if err := waiter.Save(t.Context(), everything()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestCloseWithRows closes a catalog while rows are read.
func TestCloseWithRows(t *testing.T) {
	t.Parallel()
	c, _ := openFile(t)
	rows, err := c.db.QueryContext(t.Context(), "SELECT 1 UNION ALL SELECT 2")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	closed := make(chan error, 1)
	go func() { closed <- c.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("Close hangs")
	}
}

// TestPanickingWriter has a panic of a writer come out, and the next one write.
func TestPanickingWriter(t *testing.T) {
	t.Parallel()
	c, _ := openFile(t)
	came := make(chan any, 1)
	go func() {
		defer func() { came <- recover() }()
		c.write(t.Context(), func(tx *sql.Tx) error {
			if err := c.saveSegment(t.Context(), tx, everything()); err != nil {
				return err
			}
			panic(errGivenUp)
		})
	}()
	select {
	case got := <-came:
		if got != errGivenUp {
			t.Fatalf("what came out is %v", got)
		}
	case <-time.After(time.Minute):
		t.Fatal("the panic does not come out")
	}
	if n, err := c.CountCut(t.Context(), Cut{}); err != nil || n != 0 {
		t.Errorf("%d segments are there, %v", n, err)
	}
	if err := c.Save(t.Context(), everything()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestGivenUpSave closes a catalog right after a writer was stopped.
func TestGivenUpSave(t *testing.T) {
	t.Parallel()
	for range 20 {
		c, dir := openFile(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		err := c.write(ctx, func(tx *sql.Tx) error {
			if err := c.saveSegment(ctx, tx, everything()); err != nil {
				return err
			}
			cancel(errGivenUp)
			return c.saveSegment(ctx, tx, oltp(9))
		})
		if err == nil {
			t.Fatal("a stopped writer came through")
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"catalog.db"}, filesIn(t, dir)); diff != "" {
			t.Fatalf("left behind (-want +got):\n%s", diff)
		}
	}
}

// TestGivenUpStatement closes a catalog right after a statement was interrupted.
func TestGivenUpStatement(t *testing.T) {
	t.Parallel()
	c, dir := openFile(t)
	if err := c.Save(t.Context(), everything()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	const endless = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n`
	if _, err := c.db.ExecContext(ctx, endless); err == nil {
		t.Fatal("an endless statement ended")
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"catalog.db"}, filesIn(t, dir)); diff != "" {
		t.Errorf("left behind (-want +got):\n%s", diff)
	}
}

// TestGivenUpCopy stops a copy later and later, until one is not stopped.
func TestGivenUpCopy(t *testing.T) {
	t.Parallel()
	c, _ := openFile(t)
	for n := range uint64(20) {
		if err := c.Save(t.Context(), oltp(n+1)); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	for limit := 100 * time.Microsecond; ; limit = limit * 13 / 10 {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		err := c.Copy(ctx, filepath.Join(dir, "copy.db"))
		cancel()
		if err == nil {
			return
		}
		if left := filesIn(t, dir); len(left) > 0 {
			t.Fatalf("stopped after %s with %v, and there is %q", limit, err, left)
		}
	}
}
