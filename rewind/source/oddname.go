package source

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"unicode/utf8"
)

// singleByte are the encodings in which every byte is a character, beginnings
// of their names (src/common/encnames.c).
var singleByte = []string{"SQL_ASCII", "LATIN", "ISO_8859_", "WIN", "KOI8"}

// odd tells whether the server would not take the path as a parameter, because
// it may not be valid in the encoding of the database. A listing gives such
// names all the same.
func (s *Server) odd(path string) bool {
	ascii := true
	for i := range len(path) {
		ascii = ascii && path[i] < utf8.RuneSelf
	}
	if ascii {
		return false
	}
	for _, prefix := range singleByte {
		if strings.HasPrefix(s.encoding, prefix) {
			return false
		}
	}
	return s.encoding != "UTF8" || !utf8.ValidString(path)
}

// oddPath gives FROM items, and an expression over them that stands for a path
// which cannot be a parameter: directory by directory the name is looked for
// among those that the server lists, comparing bytes. There is no row where
// the path is gone.
func (s *Server) oddPath(path string, params []param) (from, expr string, all []param) {
	parts := strings.Split(path, "/")
	plain := 0
	for plain < len(parts) && !s.odd(parts[plain]) {
		plain++
	}
	start := "."
	if plain > 0 {
		start = strings.Join(parts[:plain], "/")
	}
	params = append(params, textParam(start))
	var b strings.Builder
	fmt.Fprintf(&b, "(SELECT $%d::text AS path) AS p0", len(params))
	for i, part := range parts[plain:] {
		params = append(params, byteaParam(part))
		fmt.Fprintf(&b, `, LATERAL (SELECT p%d.path || '/' || d.name AS path
  FROM pg_catalog.pg_ls_dir(p%[1]d.path, true, false) AS d(name) WHERE pg_catalog.textsend(d.name) = $%[2]d::bytea) AS p%[3]d`,
			i, len(params), i+1)
	}
	return b.String(), fmt.Sprintf("p%d.path", len(parts)-plain), params
}

// readOdd is session.readFile for such a path.
func (s *Server) readOdd(ctx context.Context, sess *session, path string, to *[]byte) error {
	from, expr, params := s.oddPath(path, nil)
	err := error(fs.ErrNotExist)
	if asked := sess.query(ctx, "SELECT pg_catalog.pg_read_binary_file("+expr+") FROM "+from, params, 1, func(r *row) error {
		*to, err = append([]byte{}, r.bytes(0)...), nil
		return nil
	}); asked != nil {
		return asked
	}
	return err
}
