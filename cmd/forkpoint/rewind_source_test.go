package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"forkpoint/walinspect/pgtest"
)

// granted are the functions that a role needs that is not a superuser.
var granted = []string{
	"pg_catalog.pg_ls_dir(text, boolean, boolean)", "pg_catalog.pg_stat_file(text, boolean)",
	"pg_catalog.pg_read_binary_file(text)", "pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean)",
}

// TestRewindRoleAndSettings: the source's settings, of the server, the
// database and the role, are such that they stop a careless client, and the
// role has the four grants and no more. With three of them it is refused, with
// the statement to run.
func TestRewindRoleAndSettings(t *testing.T) {
	trapMajors(t, func(t *testing.T, major int) {
		pair := pgtest.NewPair(t, trapOptions(major)...)
		pair.Primary.Exec("CREATE TABLE t AS SELECT i, 'shared' AS v FROM generate_series(1, 3000) i", `CREATE ROLE "re winder" LOGIN`)
		for _, f := range granted {
			pair.Primary.Exec(fmt.Sprintf(`GRANT EXECUTE ON FUNCTION %s TO "re winder"`, f))
		}
		pair.Primary.Checkpoint()
		pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) {
			s.Exec("UPDATE t SET v = '" + side + "' WHERE i % 4 = 0")
		})
		source := pair.Primary
		role := strings.Replace(source.ConnString(), "user=postgres", "user='re winder'", 1)
		args := []string{"--source-server", role}
		for i, f := range granted {
			source.Exec(fmt.Sprintf(`REVOKE EXECUTE ON FUNCTION %s FROM "re winder"`, f))
			before := treeState(t, pair.Old.Home())
			want := fmt.Sprintf(`GRANT EXECUTE ON FUNCTION %s TO "re winder";`, f)
			status := 6
			r := bothNames[i%2]
			if r.name == "pg_rewind" {
				status = 1
			}
			if out := r.run(t, status, pair.Old, args...); !strings.Contains(out, want) || strings.Count(out, "GRANT ") != 1 {
				t.Errorf("want %s alone: %s", want, out)
			}
			if got := changedFiles(before, treeState(t, pair.Old.Home())); len(got) > 0 {
				t.Errorf("the refused run changed %q", got)
			}
			source.Exec(fmt.Sprintf(`GRANT EXECUTE ON FUNCTION %s TO "re winder"`, f))
		}

		hostile := []string{
			"statement_timeout = '1s'", "lock_timeout = '10ms'",
			"default_transaction_read_only = on", "idle_in_transaction_session_timeout = '10ms'", "default_transaction_isolation = serializable", "default_transaction_deferrable = on",
			"synchronous_commit = remote_apply", "bytea_output = escape", "client_encoding = 'LATIN1'", "DateStyle = 'German'",
			"search_path = trap, pg_catalog", "row_security = off", "standard_conforming_strings = off", "extra_float_digits = -5",
		}
		if major >= 14 {
			hostile = append(hostile, "idle_session_timeout = '1s'")
		}
		if major >= 17 {
			hostile = append(hostile, "transaction_timeout = '1s'")
		}
		source.Exec("CREATE SCHEMA trap", "GRANT USAGE ON SCHEMA trap TO PUBLIC",
			"CREATE FUNCTION trap.pg_is_in_recovery() RETURNS boolean LANGUAGE sql AS 'SELECT true'",
			"CREATE FUNCTION trap.concat(text, text) RETURNS text LANGUAGE sql AS 'SELECT ''/etc'''",
			"CREATE OPERATOR trap.|| (FUNCTION = trap.concat, LEFTARG = text, RIGHTARG = text)")
		for i, s := range hostile {
			whom := [...]string{`ROLE "re winder"`, "DATABASE postgres"}[i%2] // the superuser is not to be kept from writing
			source.Exec(fmt.Sprintf("ALTER %s SET %s", whom, s))
		}
		source.Exec("ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()")
		// Slow enough for every limit, of a statement and of a quiet session, to pass.
		slow := append(slices.Clone(args), "--max-rate", "2MB", "--jobs", "1")
		bothNames[0].run(t, 0, pair.Old, append(slow, "--dry-run")...)
		bothNames[0].run(t, 0, pair.Old, slow...)
		source.Exec("ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()", "ALTER DATABASE postgres RESET ALL")
		pair.Rejoin(true)
		pgtest.SameData(pair.Primary, pair.Standby)
	})
}
