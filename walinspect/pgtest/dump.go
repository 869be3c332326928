package pgtest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// rowsShown is up to how many rows a table is dumped row by row. Larger tables
// are dumped as a count and a hash, which is enough to tell that two differ.
const rowsShown = 500

// Dump is the content of all databases that can be connected to, in a form that
// two servers share exactly when they hold the same data: every row of every
// table, system catalogs included, so that even file numbers are compared.
//
// Left out is what servers do not share: unlogged and temporary tables. A
// sequence is shown with the value that the log has for it: the primary takes
// 32 values from the log at a time, and a standby knows only the last of them.
func Dump(s *Server) string {
	s.t.Helper()
	var b strings.Builder
	for _, row := range s.Query("SELECT datname FROM pg_database WHERE datallowconn ORDER BY datname COLLATE \"C\"") {
		conn, err := s.connect(row[0])
		if err != nil {
			s.t.Fatal(err)
		}
		fmt.Fprintf(&b, "database %s\n", row[0])
		err = dumpDatabase(conn, &b)
		conn.Close(context.Background())
		if err != nil {
			s.t.Fatalf("dump database %s: %s", row[0], err)
		}
	}
	return b.String()
}

const relationsToDump = `
	SELECT c.oid::regclass::text, c.relkind::text
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relkind IN ('r', 'm', 'S') AND c.relpersistence = 'p' AND n.nspname <> 'information_schema'
	ORDER BY c.oid::regclass::text COLLATE "C"`

func dumpDatabase(conn *pgx.Conn, b *strings.Builder) error {
	// Names come with their schemas, whatever the order of rows in catalogs.
	if _, err := conn.Exec(context.Background(), "SET search_path = pg_catalog"); err != nil {
		return err
	}
	relations, err := queryText(conn, relationsToDump)
	if err != nil {
		return err
	}
	for _, r := range relations {
		query := "SELECT t::text FROM ONLY " + r[0] + " t"
		if r[1] == "S" {
			query = fmt.Sprintf(`SELECT format('%%s %%s', last_value + log_cnt * seqincrement, is_called)
				FROM %s, pg_sequence WHERE seqrelid = '%s'::regclass`, r[0], strings.ReplaceAll(r[0], "'", "''"))
		}
		rows, err := queryText(conn, query)
		if err != nil {
			return err
		}
		writeRows(b, r[0], rows)
	}
	return nil
}

func writeRows(b *strings.Builder, relation string, rows [][]string) {
	lines := make([]string, len(rows))
	for i, row := range rows {
		lines[i] = row[0]
	}
	slices.Sort(lines)
	fmt.Fprintf(b, "table %s: %d rows\n", relation, len(lines))
	if len(lines) > rowsShown {
		h := sha256.New()
		for _, line := range lines {
			fmt.Fprintln(h, line)
		}
		fmt.Fprintf(b, "  sha256 %x\n", h.Sum(nil))
		return
	}
	for _, line := range lines {
		fmt.Fprintf(b, "  %s\n", clip(line))
		if len(line) > len(clip(line)) {
			fmt.Fprintf(b, "    sha256 %x\n", sha256.Sum256([]byte(line)))
		}
	}
}

// SameData fails the test when two servers do not hold the same, see [Dump].
// The two must have caught up with each other.
func SameData(a, b *Server) {
	a.t.Helper()
	left, right := strings.Split(Dump(a), "\n"), strings.Split(Dump(b), "\n")
	if slices.Equal(left, right) {
		return
	}
	a.t.Errorf("data of %s and %s differ, first lines that only one has:\n%s", a, b, strings.Join(firstDifferences(left, right), "\n"))
}

// firstDifferences lists some lines that only one of two dumps has, each after
// the table that it belongs to.
func firstDifferences(left, right []string) []string {
	var out []string
	report := func(mark string, lines, other []string) {
		have := map[string]int{}
		for _, line := range other {
			have[line]++
		}
		table, shown := "", 0
		for _, line := range lines {
			if !strings.HasPrefix(line, " ") {
				table = line
			}
			if have[line]--; have[line] >= 0 || shown == 10 {
				continue
			}
			shown++
			out = append(out, mark+" "+table+" | "+line)
		}
	}
	report("<", left, right)
	report(">", right, left)
	return out
}
