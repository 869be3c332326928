package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/mattn/go-sqlite3"
)

// A writer waits for the others this long. SQLite does not hear of the end of a
// context while it waits, so it is asked for short waits.
const (
	writerWait = 10 * time.Second
	usualWait  = "10000" // the same in ms, for SQLite
	shortWait  = "50"    // ms

	setWait = "PRAGMA busy_timeout = "
)

// write runs f in a transaction that is rolled back if f fails. The end of ctx
// ends the statements that f runs with it. The transaction itself has no end:
// database/sql would roll it back on the side, and a catalog that is closed
// meanwhile would leave its log behind.
func (c *Catalog) write(ctx context.Context, f func(*sql.Tx) error) (err error) {
	c.ahead.clear()
	committed := false
	defer func() {
		if !committed {
			c.forget()
		}
		if err != nil {
			err = fmt.Errorf("write to catalog %s: %w", c.path, err)
		}
	}()
	conn, err := c.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() // gives it back
	tx, err := begin(ctx, conn)
	if err != nil {
		return err
	}
	defer tx.Rollback() // where it was not committed; closing conn would wait for it, also in a panic
	if err = f(tx); err != nil {
		return err
	}
	err = tx.Commit()
	committed = err == nil
	return err
}

// begin starts a transaction as soon as no other process writes.
func begin(ctx context.Context, conn *sql.Conn) (tx *sql.Tx, err error) {
	whole := context.WithoutCancel(ctx)
	if _, err := conn.ExecContext(ctx, setWait+shortWait); err != nil {
		return nil, err
	}
	defer conn.ExecContext(whole, setWait+usualWait) // sets a number in memory
	for since := time.Now(); ; {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		tx, err = conn.BeginTx(whole, nil)
		if !isBusy(err) || time.Since(since) >= writerWait {
			return tx, err
		}
	}
}

func isBusy(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && e.Code == sqlite3.ErrBusy
}
