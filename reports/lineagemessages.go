package reports

import "regexp"

// Message is something that servers or pg_rewind print when timelines do not
// fit together.
type Message struct {
	Code    string   `json:"code"`
	By      string   `json:"printed_by"`
	Means   string   `json:"means"`
	Causes  []string `json:"causes"`
	Run     []string `json:"run"`
	pattern *regexp.Regexp
}

func message(code, by, pattern, means string, causes, run []string) Message {
	return Message{code, by, means, causes, run, regexp.MustCompile("(?i)" + pattern)}
}

const (
	runDiagnose = "forkpoint diagnose -D TARGET --source-server CONNINFO"
	runValidate = "forkpoint history validate TARGET ARCHIVE"
	runInspect  = "forkpoint inspect TARGET --check"
	runReport   = "forkpoint report --target-pgdata TARGET --source-server CONNINFO"
	runRewind   = "forkpoint rewind -D TARGET --source-server CONNINFO --dry-run"
)

// messages lists what is known, the more special before the more general.
func messages() []Message { return append(lineageMessages(), fileMessages()...) }

// lineageMessages are about timelines and WAL.
func lineageMessages() []Message {
	return []Message{
		message("no-common-ancestor", "pg_rewind", `could not find common ancestor`,
			"The two history files share no first timeline, so pg_rewind finds no place where they parted.",
			[]string{"a history file lost rows or was edited", "a history file is missing in pg_wal of the target, which is the only place pg_rewind looks in", "the nodes really have nothing in common"},
			[]string{runDiagnose, runValidate, "forkpoint history repair TIMELINE TARGET ARCHIVE"}),
		message("history-missing", "pg_rewind, server", `could not open file ".*[0-9A-F]{8}\.history"`,
			"The history file of a timeline is not where it was looked for.",
			[]string{"an earlier pg_rewind that was killed had removed it already", "archiving was switched on after the promotion", "the archive was cleaned of history files"},
			[]string{runValidate, "forkpoint history repair TIMELINE TARGET ARCHIVE"}),
		message("wal-missing", "pg_rewind, server", `could not (open|locate|find) .*[0-9A-F]{24}|could not open file ".*pg_(wal|xlog)/`,
			"A WAL segment that is needed was recycled or removed.",
			[]string{"nothing on an old primary promises to keep the WAL back to the last common checkpoint", "crash recovery ended with a checkpoint that recycled it", "pg_rewind before 14.15, 15.10, 16.6 and 17.2 removed it itself"},
			[]string{runDiagnose + " --archive ARCHIVE", "forkpoint rewind -D TARGET --source-server CONNINFO --archive ARCHIVE --dry-run"}),
		message("previous-record", "pg_rewind", `could not find previous WAL record at|could not read WAL record at`,
			"Reading the target's WAL back to the last common checkpoint, pg_rewind met the end of what is there, or damage.",
			[]string{"the segment with the checkpoint is gone", "the segment is there under its name with older contents (recycled)", "the WAL is damaged"},
			[]string{runDiagnose + " --archive ARCHIVE", runInspect}),
		message("not-a-child", "server", `requested timeline \S+ is not a child of this server's history`,
			"The node's latest checkpoint lies past the point where the wanted timeline left its own: it has log that the new primary has not.",
			[]string{"an old primary was started as a standby without a rewind", "a standby replayed past the fork before it learned of the new timeline", "recovery_target_timeline = latest found a foreign timeline in a shared archive"},
			[]string{runDiagnose, runReport, runRewind}),
		message("minimum-recovery-point", "server", `requested timeline \S+ does not contain minimum recovery point`,
			"The checkpoint of the node is before the fork, but its pages may be newer: the minimum recovery point lies past it.",
			[]string{"the same as for a checkpoint past the fork, seen by the other check", "the source had not checkpointed when pg_rewind read it"},
			[]string{runDiagnose, runRewind}),
		message("behind-recovery-timeline", "server", `highest timeline \S+ of the primary is behind recovery timeline`,
			"The standby is on a newer timeline than the server that it wants to stream from.",
			[]string{"the standby was promoted once and is to follow a server that was not", "the history file of a foreign timeline lies in pg_wal or in a shared archive"},
			[]string{runDiagnose, runValidate}),
		message("past-fork", "server", `new timeline \S+ forked off current database system timeline \S+ before current recovery point`,
			"The standby has received or replayed more of the old timeline than the promoted node had.",
			[]string{"another standby was promoted that was behind this one", "a segment of the old timeline came from the archive before the history file did"},
			[]string{runDiagnose, "forkpoint diagnose NODE NODE NODE"}),
		message("no-rewind", "pg_rewind", `no rewind required|source and target cluster are on the same timeline`,
			"pg_rewind compared timeline numbers and histories, and did nothing. It does not compare the WAL.",
			[]string{"nothing is to be done", "the source was promoted and had no checkpoint yet: 15 and older go by the checkpoint", "two servers wrote under one timeline number"},
			[]string{runDiagnose}),
		message("history-syntax", "server, pg_rewind", `(syntax error|invalid data) in history file|expected a (numeric timeline ID|write-ahead log switchpoint|transaction log switchpoint)|timeline IDs must be`,
			"A history file has a row that no reader takes.",
			[]string{"somebody edited it", "it was cut short by a full disk", "it was stored under the name of another timeline"},
			[]string{"forkpoint history validate FILE", "forkpoint history repair TIMELINE TARGET ARCHIVE"}),
		message("prev-link", "server, pg_rewind, pg_waldump", `record with incorrect prev-link`,
			"The next record does not point back to the one before it: it belongs to other log.",
			[]string{"the end of the log in a recycled segment, which is normal", "a segment with the right name and the contents of another branch", "two servers wrote under one timeline number"},
			[]string{runInspect, runDiagnose}),
		message("wal-end", "server, pg_rewind, pg_waldump", `invalid record length at|record with zero length at|invalid magic number|unexpected pageaddr|invalid resource manager ID|contrecord|incorrect resource manager data checksum`,
			"No valid record follows. Mostly this is the end of the log and no error at all.",
			[]string{"zeros or older WAL follow the last record: the normal end", "a record was torn by a crash", "damage, if valid records follow after it"},
			[]string{runInspect}),
		message("unclean", "pg_rewind", `target server must be shut down cleanly|single-user mode in target cluster failed|standby mode is not supported by single-user`,
			"The target crashed or runs; pg_rewind wants a clean stop, and its own crash recovery did not come through.",
			[]string{"the server still runs", "standby.signal lies in a crashed directory", "configuration outside of the data directory"},
			[]string{runDiagnose, runRewind}),
		message("source-unclean", "pg_rewind", `source data directory must be shut down cleanly`,
			"The source directory is in use or crashed.", []string{"the server runs: name it as a server", "it crashed: start and stop it once"}, []string{runDiagnose}),
		message("source-recovery", "pg_rewind", `source server must not be in recovery mode`,
			"pg_rewind of 13 and older takes no standby as a source.", []string{"the source is a standby, or not promoted yet"}, []string{runDiagnose}),
		message("hints", "pg_rewind", `needs to use either data checksums or "?wal_log_hints`,
			"Pages may have changed on the target without any log of it, so no rewind can know them all.",
			[]string{"wal_log_hints was off and there are no checksums; switching it on now does not help for the past", "pg_resetwal switched it off"},
			[]string{runDiagnose, runReport}),
		message("full-page-writes", "pg_rewind", `full_page_writes"? must be enabled`,
			"The source writes no full-page images, so pages that change while they are copied stay torn.",
			[]string{"full_page_writes is off at the source"}, []string{"psql -h SOURCE -c \"ALTER SYSTEM SET full_page_writes = on\" -c \"SELECT pg_reload_conf()\" -c CHECKPOINT", runDiagnose}),
		message("other-system", "pg_rewind, server", `are from different systems|database system identifier differs`,
			"The two were made by different initdb runs.", []string{"a wrong address", "the node was initialised anew"}, []string{runDiagnose}),
		message("other-version", "pg_rewind, server", `not compatible with this version of pg_rewind|database files are incompatible with server`,
			"Control file and program are of different major versions.", []string{"the wrong program on the PATH", "one node was upgraded"}, []string{runDiagnose}),
		message("control-file", "pg_rewind, server", `unexpected control file (size|CRC)|incorrect checksum in control file|calculated CRC checksum does not match`,
			"pg_control is empty, torn or of another version.",
			[]string{"an earlier rewind or a full disk left it so", "it was read while a server wrote it"},
			[]string{runDiagnose, "forkpoint rewind -D TARGET --undo   # if forkpoint was interrupted"}),
		message("wal-removed", "server", `requested WAL segment \S+ has already been removed`,
			"The primary recycled WAL that the standby still needs.",
			[]string{"no replication slot and a small wal_keep_size", "the rewound node needs the WAL since the last common checkpoint"},
			[]string{runDiagnose + " --archive ARCHIVE"}),
		message("checkpoint-record", "server", `could not locate (a valid|required) checkpoint record|invalid (primary )?checkpoint (link|record)`,
			"The checkpoint that backup_label or pg_control names is not in the WAL at hand.",
			[]string{"its segment was removed by the rewind or is not at the source any more", "backup_label was removed or is of another backup"},
			[]string{runInspect, runDiagnose + " --archive ARCHIVE"}),
		message("restore-command", "pg_rewind", `restore_command"? is not set`,
			"-c was given and the target's configuration has no restore_command.", []string{"the configuration lies outside of the data directory", "an included file was empty at that moment"},
			[]string{"forkpoint rewind -D TARGET --source-server CONNINFO --restore-command 'COMMAND %f %p' --dry-run"}),
		message("grants", "pg_rewind", `permission denied for function pg_(read_binary_file|ls_dir|stat_file)`,
			"The role at the source lacks grants.", []string{"it is no superuser and was not granted the four functions"}, []string{runDiagnose + "   # prints the GRANT statements"}),
		message("archive-conflict", "archive tools", `already exists in the .*archive with a different checksum|different checksum`,
			"Two servers archive one segment name with different contents.",
			[]string{"an old primary archives its diverged WAL", "two servers under one timeline number share an archive"},
			[]string{runValidate, "forkpoint diagnose NODE NODE"}),
	}
}

// Explanation is what is known of a text that somebody met.
type Explanation struct {
	Schema  string    `json:"schema"` // forkpoint/explain/1
	Text    string    `json:"text"`
	Matches []Message `json:"matches"`
}

// Explain finds the messages in a text, which may be whole lines of a log.
func Explain(text string) *Explanation {
	e := &Explanation{Schema: "forkpoint/explain/1", Text: text, Matches: []Message{}}
	for _, m := range messages() {
		if m.pattern.MatchString(text) {
			e.Matches = append(e.Matches, m)
		}
	}
	return e
}

// Worst is always [None]: an explanation finds nothing.
func (e *Explanation) Worst() Severity { return None }

// Document is the explanation for people.
func (e *Explanation) Document() Document {
	doc := Document{}
	for _, m := range e.Matches {
		parts := []Part{Text(m.Means), Text("Printed by " + m.By + ". Known causes:"), bullets(m.Causes), Text("Run:"), commands(m.Run)}
		doc.Sections = append(doc.Sections, Section{m.Code, parts})
	}
	if len(e.Matches) == 0 {
		doc.Sections = append(doc.Sections, Section{"", []Part{Text("This message is not known. Ask for the evidence: " + runDiagnose)}})
	}
	return doc
}
