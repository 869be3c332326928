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
