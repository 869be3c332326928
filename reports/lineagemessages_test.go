package reports

import "testing"

func TestExplain(t *testing.T) {
	tests := []struct{ text, want string }{
		{"pg_rewind: fatal: could not find common ancestor of the source and target cluster's timelines", "no-common-ancestor"},
		{`pg_rewind: error: could not open file "/data/pg_wal/00000003.history": No such file or directory`, "history-missing"},
		{`could not open file "/d/pg_wal/000000010000000000000003": No such file or directory`, "wal-missing"},
		{"could not find previous WAL record at 0/3000060", "previous-record"},
		{"FATAL:  requested timeline 3 is not a child of this server's history", "not-a-child"},
		{"FATAL:  requested timeline 2 does not contain minimum recovery point 0/5000 on timeline 1", "minimum-recovery-point"},
		{"LOG:  new timeline 2 forked off current database system timeline 1 before current recovery point 0/3000", "past-fork"},
		{"pg_rewind: no rewind required", "no-rewind"},
		{"DETAIL:  Consistent recovery state has not been yet reached.", "not-consistent"},
		{"FATAL:  the database system is not yet accepting connections", "not-consistent"},
		{"PANIC:  WAL contains references to invalid pages", "invalid-pages"},
		{"Timeline IDs must be in increasing sequence.", "history-syntax"},
		{"record with incorrect prev-link 0/1 at 0/2", "prev-link"},
		{"invalid record length at 1/6000090: wanted 24, got 0", "wal-end"},
		{"error reading xlog record: record with zero length at 1/6000090", "wal-end"},
		{"pg_rewind: fatal: target server must be shut down cleanly", "unclean"},
		{`target server needs to use either data checksums or "wal_log_hints = on"`, "hints"},
		{"source and target clusters are from different systems", "other-system"},
		{"unexpected control file size 0, expected 8192", "control-file"},
		{"invalid checkpoint link in backup_label file", "checkpoint-record"},
		{"ERROR:  permission denied for function pg_read_binary_file", "grants"},
		{"requested WAL segment 000000010000000000000003 has already been removed", "wal-removed"},
		{"FATAL:  highest timeline 1 of the primary is behind recovery timeline 2", "behind-recovery-timeline"},
		{`FATAL:  invalid data in file "backup_label"`, "label"},
		{"FATAL:  could not receive data from WAL stream: ERROR:  requested starting point 0/5000000 on timeline 1 is not in this server's history", "start-ahead"},
		{"requested starting point 0/5000000 is ahead of the WAL flush position of this server 0/4000000", "start-ahead"},
		{"unexpected timeline ID 2 in WAL segment 000000010000000000000003, LSN 0/3000000, offset 0", "timeline-in-wal"},
		{"out-of-sequence timeline ID 1 (after 2) in WAL segment 000000010000000000000003", "timeline-in-wal"},
		{"FATAL:  recovery target timeline 17 does not exist", "no-such-timeline"},
		{"FATAL:  WAL ends before consistent recovery point", "not-consistent"},
		{"postgres: could not access the server configuration file \"/d/postgresql.conf\": No such file or directory", "configuration"},
		{"pg_rewind: fatal: unexpected result while fetching remote files: SSL SYSCALL error: EOF detected", "source-lost"},
		{`pg_rewind: error: cannot be executed by "root"`, "root"},
		{`program "postgres" is needed by pg_rewind but was not found in the same directory as "/x/pg_rewind"`, "program"},
		{`source file "./postgresql.auto.conf" is not a regular file`, "not-regular"},
		{`file "log" is of different type in source and target`, "not-regular"},
		{`could not remove directory "/d/pg_replslot/a": Directory not empty`, "removal"},
		{`could not write file "x": No space left on device`, "space"},
		{`could not open target file "/d/postgresql.conf": Permission denied`, "unwritable"},
		{`ERROR:  value "2148000000" is out of range for type integer`, "large-file"},
		{"WAL record modifies a relation, but record type is not recognized: lsn: 0/5, rmid: 128", "unknown-record"},
		{`"full_page_writes" must be enabled in the source server`, "full-page-writes"},
		{"source server must not be in recovery mode", "source-recovery"},
		{"clusters are not compatible with this version of pg_rewind", "other-version"},
		{`"restore_command" is not set in the target cluster`, "restore-command"},
		{"WAL file '000000010000000000000002' already exists in the repo1 archive with a different checksum", "archive-conflict"},
		{"hello", ""},
	}
	for _, tt := range tests {
		got := ""
		if m := Explain(tt.text).Matches; len(m) > 0 {
			got = m[0].Code
		}
		if got != tt.want {
			t.Errorf("%q: %q, want %q", tt.text, got, tt.want)
		}
	}
}
