package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path"
	"time"

	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
)

// One directory is listed by one query; its rows come in the order of the
// names' bytes. What vanishes between being named and being looked at has NULL
// for its size.
const (
	listColumns = "SELECT f.name, s.size, s.isdir, s.modification"
	listFrom    = `pg_catalog.pg_ls_dir(%[1]s, true, false) AS f(name)
  CROSS JOIN LATERAL pg_catalog.pg_stat_file(%[1]s || '/' || f.name, true) AS s`
	listOrder = ` ORDER BY f.name COLLATE pg_catalog."C"`

	// A tablespace is a link, or in place a directory, and of links only these
	// can be told.
	listTablespaces = listColumns + `, CASE WHEN t.oid IS NOT NULL THEN pg_catalog.pg_tablespace_location(t.oid) END
FROM ` + listFrom + ` LEFT JOIN pg_catalog.pg_tablespace AS t ON t.oid::text = f.name` + listOrder
)

// maxDepth ends a listing that goes round in circles: a link to a parent looks
// like a directory.
const maxDepth = 64

var errStop = errors.New("the caller wants no more")

// Files lists one directory at a time, so memory is bounded: rows are passed
// on as they arrive. Only what follows a subdirectory in the same directory is
// kept until the subdirectory is done.
func (s *Server) Files(ctx context.Context) iter.Seq2[datadir.File, error] {
	return yielding(func(pass func(datadir.File) error) error {
		l := lister{s, pass}
		return l.list(ctx, "", 0)
	})
}

// yielding is what list passes on, as a sequence. A caller that wants no more
// is never called again, whatever list then returns: where the run was stopped
// meanwhile, a session that is given up returns why and not errStop.
func yielding(list func(pass func(datadir.File) error) error) iter.Seq2[datadir.File, error] {
	return func(yield func(datadir.File, error) bool) {
		more := true
		err := list(func(f datadir.File) error {
			if more = more && yield(f, nil); !more {
				return errStop
			}
			return nil
		})
		if err != nil && more {
			yield(datadir.File{}, err)
		}
	}
}

type lister struct {
	server *Server
	pass   func(datadir.File) error
}

// list passes on everything in a directory.
func (l *lister) list(ctx context.Context, dir string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("list %s: more than %d directories deep; is there a link that leads back?", dir, maxDepth)
	}
	var kept []datadir.File
	err := l.rows(ctx, dir, func(f datadir.File) error {
		if kept != nil || enters(f) {
			kept = append(kept, f)
			return nil
		}
		return l.pass(f)
	})
	if err != nil {
		return err
	}
	for _, f := range kept {
		if err := l.pass(f); err != nil {
			return err
		}
		if enters(f) {
			if err := l.list(ctx, f.Path, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// enters tells whether the content of f is listed; links are of tablespaces.
// What file systems keep at their roots the server may not read, and a
// tablespace can be such a root.
func enters(f datadir.File) bool {
	return (f.Kind == datadir.Directory || f.Kind == datadir.Symlink) && path.Base(f.Path) != "lost+found"
}

// rows reads the entries of one directory. After a lost connection those that
// were passed on already are skipped.
func (l *lister) rows(ctx context.Context, dir string, pass func(datadir.File) error) error {
	last := ""
	op := "list " + dir
	if dir == "" {
		op = "list data directory"
	}
	for try := 1; ; try++ {
		err := l.server.do(ctx, op, func(ctx context.Context, sess *session) (progressed bool, err error) {
			skip := last
			err = l.server.entries(ctx, sess, dir, func(name string, f datadir.File) error {
				switch {
				case skip != "" && name <= skip, name == last: // twice is what renaming can do to a listing
					return nil
				case name < last:
					return fmt.Errorf("%q comes after %q", name, last)
				}
				last, progressed = name, true
				return pass(f)
			})
			return progressed, err
		})
		if !errors.Is(err, errAgain) || try == listTries {
			return err
		}
		if err := pause(ctx, listPause); err != nil {
			return err
		}
	}
}

// A directory is listed again where a tablespace was just being dropped.
const (
	listTries = 5
	listPause = 50 * time.Millisecond
)

// errAgain is matched by what another look may find otherwise.
var errAgain = errors.New("changed while it was looked at")

// entries asks for the entries of a directory.
func (s *Server) entries(ctx context.Context, sess *session, dir string, pass func(name string, f datadir.File) error) error {
	columns := 4
	if dir == "pg_tblspc" {
		columns = 5
	}
	sql, params := s.listQuery(dir)
	err := sess.query(ctx, sql, params, columns, func(r *row) error {
		name := r.text(0)
		f, there, err := s.entry(dir, name, r)
		if err != nil || r.err != nil || !there {
			return err
		}
		return pass(name, f)
	})
	if dir == "pg_tblspc" && hasCode(err, codeUndefinedFile) {
		return fmt.Errorf("%s: %w: %w", dir, errAgain, plainError(err))
	}
	return err
}

func (s *Server) listQuery(dir string) (string, []param) {
	switch {
	case dir == "":
		return listColumns + " FROM " + fmt.Sprintf(listFrom, "'.'::text") + listOrder, nil
	case dir == "pg_tblspc":
		return fmt.Sprintf(listTablespaces, "$1::text"), []param{textParam(dir)}
	case s.odd(dir):
		from, expr, params := s.oddPath(dir, nil)
		return listColumns + " FROM " + from + ", LATERAL " + fmt.Sprintf(listFrom, expr) + listOrder, params
	}
	return listColumns + " FROM " + fmt.Sprintf(listFrom, "$1::text") + listOrder, []param{textParam(dir)}
}

// entry makes a file of a row; false if it is not there any more.
func (s *Server) entry(dir, name string, r *row) (f datadir.File, there bool, err error) {
	if f.Path, err = checkEntry(dir, name); err != nil {
		return f, false, err
	}
	located := dir == "pg_tblspc" && !r.null(4)
	if r.null(1) {
		if located {
			return f, false, fmt.Errorf("%s: %w: nothing is where the link points", f.Path, errAgain)
		}
		return f, false, nil
	}
	f.ModTime = r.time(3)
	switch isDir := r.bool(2); {
	case located:
		f.Kind, f.Mode = datadir.Symlink, fs.ModeSymlink
		f.Link = r.text(4)
		inPlace, err := checkLink(f.Path, f.Link)
		if err != nil {
			return f, false, err
		}
		if inPlace {
			f.Kind, f.Mode, f.Link = datadir.Directory, fs.ModeDir, ""
		}
	case isDir:
		f.Kind, f.Mode = datadir.Directory, fs.ModeDir
	default:
		f.Size = r.int64(1)
		if f.Size < 0 {
			return f, false, fmt.Errorf("size of %s is given as %d", f.Path, f.Size)
		}
		if rel, is := pg.ParseRelPath(f.Path, s.versionDir); is {
			f.Rel = &rel
		}
	}
	return f, true, nil
}
