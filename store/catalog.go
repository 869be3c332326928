package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/mattn/go-sqlite3"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// Catalog is an open catalog.
type Catalog struct {
	db     *sql.DB
	path   string
	packer blockmap.Packer
	// relations and clusters remember row numbers; emptied when a transaction
	// fails, for it may have made them.
	relations map[relationKey]int64
	clusters  map[clusterKey]clusterRow
	forks     map[int64]pg.RelFork // by the number of the row in relations; nil until they are needed
	ahead     ahead
}

// Permissions of a new catalog: it tells what is in the database.
const fileMode fs.FileMode = 0o600

// settings are those of each connection. The log of a catalog is forced to disk
// with every commit: once a segment is in the catalog, the file may go.
const settings = "_busy_timeout=" + usualWait + "&_foreign_keys=on&_txlock=immediate&_synchronous=FULL"

// closeWait is how long Close waits for the connection.
const closeWait = 3 * time.Second

// Open opens the catalog at path for reading and writing. A missing file, or
// an empty one, becomes a new catalog; an older schema is brought up to date.
func Open(ctx context.Context, path string) (*Catalog, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, fmt.Errorf("open catalog: %w", err)
	}
	f.Close() // nothing was written
	c, err := connect(ctx, path, fileURL(path, settings))
	if err != nil {
		return nil, err
	}
	if err := c.migrate(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// OpenReadOnly opens an existing catalog that others may write to meanwhile.
func OpenReadOnly(ctx context.Context, path string) (*Catalog, error) {
	c, err := openExisting(ctx, path, "")
	if cannotOpen(err) && missing(path+"-wal") {
		// Without write permission on the directory SQLite cannot make the
		// shared memory that readers and writers meet in. Where there is no
		// log there is no writer either, and the file is all there is.
		return openExisting(ctx, path, "&immutable=1")
	}
	return c, err
}

// OpenUntouched opens an existing catalog for reading and leaves no file beside
// it, as [OpenReadOnly] may. Where nobody writes to it the file is taken as it
// lies; nobody should begin to until it is closed.
func OpenUntouched(ctx context.Context, path string) (*Catalog, error) {
	if missing(path + "-wal") {
		return openExisting(ctx, path, "&immutable=1")
	}
	return openExisting(ctx, path, "")
}

// openExisting opens a catalog for reading.
func openExisting(ctx context.Context, path, mode string) (*Catalog, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("open catalog: %w", err)
	}
	c, err := connect(ctx, path, fileURL(path, settings+"&mode=ro"+mode))
	if err != nil {
		return nil, notAllowed(path, err)
	}
	if err := c.requireCurrent(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// OpenMemory makes an empty catalog that leaves nothing on disk.
func OpenMemory(ctx context.Context) (*Catalog, error) {
	c, err := connect(ctx, ":memory:", "file::memory:?"+settings)
	if err != nil {
		return nil, err
	}
	if err := c.migrate(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Path is what the catalog was opened with; ":memory:" for one without a file.
func (c *Catalog) Path() string { return c.path }

// Close closes the catalog. What was saved stays saved if it fails.
func (c *Catalog) Close() error {
	// An interrupt lasts until the next statement: SQLite would leave the log
	// behind rather than take it into the file. The limit is for a caller who
	// still has rows open, and with them the only connection.
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	c.db.ExecContext(ctx, "SELECT 1")
	if err := c.db.Close(); err != nil {
		return fmt.Errorf("close catalog %s: %w", c.path, err)
	}
	return nil
}

// connect opens the database and makes sure that it is one. There is one
// connection, because a catalog in memory lives in it, and because the
// catalog belongs to one goroutine anyway.
func connect(ctx context.Context, path, dsn string) (*Catalog, error) {
	db, err := sql.Open("sqlite3", dsn)
	if err != nil {
		return nil, fmt.Errorf("open catalog %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	c := &Catalog{db: db, path: path}
	c.forget()
	if err := c.checkApplication(ctx); err != nil {
		db.Close()
		return nil, err
	}
	return c, nil
}

func (c *Catalog) forget() {
	c.relations, c.clusters, c.forks = map[relationKey]int64{}, map[clusterKey]clusterRow{}, nil
}

func fileURL(path, query string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		abs = path // SQLite then reports what is wrong with it
	}
	u := url.URL{Scheme: "file", Path: abs, RawQuery: query}
	return u.String()
}

func cannotOpen(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && (e.Code == sqlite3.ErrCantOpen || e.Code == sqlite3.ErrReadonly)
}

// notAllowed is err, or that the file may not be read, which SQLite does not
// tell from other failures to open it.
func notAllowed(path string, err error) error {
	if !cannotOpen(err) {
		return err
	}
	f, cause := os.Open(path)
	if cause != nil {
		return fmt.Errorf("open catalog: %w", cause)
	}
	f.Close() // nothing was written
	return err
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}
