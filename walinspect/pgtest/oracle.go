package pgtest

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"forkpoint/walinspect/pg"
)

// OracleMajors lists the versions for which the machine has one of
// PostgreSQL's client programs, such as pg_rewind. That is 15 where make pg
// could install Debian's package, and what FORKPOINT_PG_<major> adds. Having
// none is a failure under CI.
func OracleMajors(t testing.TB, program string) []int {
	t.Helper()
	skipShort(t)
	var majors []int
	for major := firstMajor; major <= nextMajor; major++ {
		in, err := Find(major)
		if err != nil || !wanted(major) {
			continue
		}
		if _, found := in.Program(program); found {
			majors = append(majors, major)
		}
	}
	if len(majors) == 0 {
		missing(t, "no "+program+" to compare with; as root: apt-get install postgresql-15")
	}
	return majors
}

// HasProgram tells whether the server's installation has a program.
func (s *Server) HasProgram(name string) bool {
	_, found := s.install.Program(name)
	return found
}

// Program runs one of the installation's programs as the servers' user, and
// returns what it wrote to stdout, and to stderr. It skips the test where the
// installation lacks the program, see [OracleMajors].
func (s *Server) Program(name string, args ...string) (stdout, stderr string, err error) {
	s.t.Helper()
	path, found := s.install.Program(name)
	if !found {
		s.t.Skipf("PostgreSQL %d is installed without %s", s.Major(), name)
	}
	var out, errs bytes.Buffer
	cmd := RunAs(exec.Command(path, args...))
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), errs.String(), fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, errs.String())
	}
	return out.String(), errs.String(), nil
}

// must is for programs whose failure is not a result.
func (s *Server) must(name string, args ...string) string {
	s.t.Helper()
	out, _, err := s.Program(name, args...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// PgWaldump is what pg_waldump prints for the records of one timeline that
// begin in the span. It may end early, where the log does.
func (s *Server) PgWaldump(tli pg.TimelineID, span pg.Span, args ...string) string {
	s.t.Helper()
	all := append([]string{"-p", s.data + "/pg_wal", "-t", fmt.Sprint(tli), "-s", span.From.String(), "-e", span.To.String()}, args...)
	out, stderr, err := s.Program("pg_waldump", all...)
	if err != nil && !strings.Contains(stderr, "error in WAL record at") {
		s.t.Fatal(err)
	}
	return out
}

// PgControldata is what pg_controldata prints of the data directory.
func (s *Server) PgControldata() string {
	s.t.Helper()
	return s.must("pg_controldata", "-D", s.data)
}

// PgRewind runs pg_rewind with s, which is stopped, as the target.
func (s *Server) PgRewind(args ...string) (output string, err error) {
	s.t.Helper()
	_, stderr, err := s.Program("pg_rewind", append([]string{"--target-pgdata=" + s.data}, args...)...)
	return stderr, err
}

// PgChecksums verifies all page checksums of the stopped server.
func (s *Server) PgChecksums() error {
	s.t.Helper()
	_, _, err := s.Program("pg_checksums", "--check", "-D", s.data)
	return err
}

// PgDumpAll is a dump of all databases, without what differs between servers
// that hold the same: unlogged tables, which a standby cannot read, the current values of sequences, which a standby has as
// the log says and a primary as it gave them out (compare those with [Dump]),
// and the random words that guard a dump against injection.
func (s *Server) PgDumpAll() string {
	s.t.Helper()
	var kept strings.Builder
	for line := range strings.Lines(s.must("pg_dumpall", "-d", s.ConnString(), "--no-unlogged-table-data")) {
		if !strings.HasPrefix(line, "SELECT pg_catalog.setval(") && !strings.HasPrefix(line, `\restrict `) && !strings.HasPrefix(line, `\unrestrict `) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}
