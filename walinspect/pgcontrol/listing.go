package pgcontrol

import (
	"fmt"
	"strings"
	"time"
)

// Line is one line of what pg_controldata prints.
type Line struct {
	Label string `json:"label"` // with its colon
	Value string `json:"value"`
}

// Lines gives every field of the file by the name and in the form of
// pg_controldata, times in the zone of loc.
func (c *Control) Lines(loc *time.Location) []Line {
	k := &c.CheckpointCopy
	clock := func(t time.Time) string { return t.In(loc).Format(time.ANSIC) }
	lines := []Line{
		{"pg_control version number:", fmt.Sprint(c.Version)},
		{"Catalog version number:", fmt.Sprint(c.CatalogVersion)},
		{"Database system identifier:", fmt.Sprint(c.SystemID)},
		{"Database cluster state:", c.State.String()},
		{"pg_control last modified:", clock(c.Time)},
		{"Latest checkpoint location:", c.Checkpoint.Format(c.Major)},
		{"Latest checkpoint's REDO location:", k.Redo.Format(c.Major)},
		{"Latest checkpoint's REDO WAL file:", c.SegmentSize.Name(k.Timeline, c.SegmentSize.Number(k.Redo))},
		{"Latest checkpoint's TimeLineID:", k.Timeline.String()},
		{"Latest checkpoint's PrevTimeLineID:", k.PrevTimeline.String()},
		{"Latest checkpoint's full_page_writes:", onOff(k.FullPageWrites)},
		{"Latest checkpoint's NextXID:", fmt.Sprintf("%d:%d", k.NextXID>>32, uint32(k.NextXID))},
		{"Latest checkpoint's NextOID:", k.NextOID.String()},
		{"Latest checkpoint's NextMultiXactId:", fmt.Sprint(k.NextMulti)},
		{"Latest checkpoint's NextMultiOffset:", fmt.Sprint(k.NextMultiOffset)},
		{"Latest checkpoint's oldestXID:", k.OldestXID.String()},
		{"Latest checkpoint's oldestXID's DB:", k.OldestXIDDB.String()},
		{"Latest checkpoint's oldestActiveXID:", k.OldestActiveXID.String()},
		{"Latest checkpoint's oldestMultiXid:", fmt.Sprint(k.OldestMulti)},
		{"Latest checkpoint's oldestMulti's DB:", k.OldestMultiDB.String()},
		{"Latest checkpoint's oldestCommitTsXid:", k.OldestCommitTS.String()},
		{"Latest checkpoint's newestCommitTsXid:", k.NewestCommitTS.String()},
		{"Time of latest checkpoint:", clock(k.Time)},
		{"Fake LSN counter for unlogged rels:", c.UnloggedLSN.Format(c.Major)},
		{"Minimum recovery ending location:", c.MinRecoveryPoint.Format(c.Major)},
		{"Min recovery ending loc's timeline:", c.MinRecoveryTimeline.String()},
		{"Backup start location:", c.BackupStart.Format(c.Major)},
		{"Backup end location:", c.BackupEnd.Format(c.Major)},
		{"End-of-backup record required:", choose(c.BackupEndRequired, "yes", "no")},
	}
	return append(append(lines, c.settingLines()...), c.formatLines()...)
}

// settingLines is the part with the settings that a standby must match.
func (c *Control) settingLines() []Line {
	return []Line{
		{"wal_level setting:", c.WALLevel.String()},
		{"wal_log_hints setting:", onOff(c.WALLogHints)},
		{"max_connections setting:", fmt.Sprint(c.MaxConnections)},
		{"max_worker_processes setting:", fmt.Sprint(c.MaxWorkerProcesses)},
		{"max_wal_senders setting:", fmt.Sprint(c.MaxWALSenders)},
		{"max_prepared_xacts setting:", fmt.Sprint(c.MaxPreparedXacts)},
		{"max_locks_per_xact setting:", fmt.Sprint(c.MaxLocksPerXact)},
		{"track_commit_timestamp setting:", onOff(c.TrackCommitTimestamp)},
	}
}

// formatLines is the part that was decided when the server was built or the
// cluster made.
func (c *Control) formatLines() []Line {
	lines := []Line{
		{"Maximum data alignment:", fmt.Sprint(c.MaxAlign)},
		{"Database block size:", fmt.Sprint(c.BlockSize)},
		{"Blocks per segment of large relation:", fmt.Sprint(c.RelSegSize)},
	}
	if c.Major >= 19 {
		lines = append(lines, Line{"Pages per SLRU segment:", fmt.Sprint(c.SLRUPagesPerSegment)})
	}
	lines = append(lines,
		Line{"WAL block size:", fmt.Sprint(c.WALBlockSize)},
		Line{"Bytes per WAL segment:", fmt.Sprint(uint32(c.SegmentSize))},
		Line{"Maximum length of identifiers:", fmt.Sprint(c.NameDataLen)},
		Line{"Maximum columns in an index:", fmt.Sprint(c.IndexMaxKeys)},
		Line{"Maximum size of a TOAST chunk:", fmt.Sprint(c.ToastMaxChunk)},
		Line{"Size of a large-object chunk:", fmt.Sprint(c.LargeObjectBlock)},
		Line{"Date/time type storage:", "64-bit integers"},
		Line{"Float8 argument passing:", choose(c.Float8ByVal, "by value", "by reference")},
		Line{"Data page checksum version:", fmt.Sprint(c.DataChecksums)},
	)
	if c.Major >= 18 {
		lines = append(lines, Line{"Default char data signedness:", choose(c.SignedChar, "signed", "unsigned")})
	}
	return append(lines, Line{"Mock authentication nonce:", fmt.Sprintf("%x", c.AuthNonce)})
}

// Text is what pg_controldata prints in the C locale.
func (c *Control) Text(loc *time.Location) string {
	var b strings.Builder
	for _, l := range c.Lines(loc) {
		fmt.Fprintf(&b, "%-38s%s\n", l.Label, l.Value)
	}
	return b.String()
}

func onOff(on bool) string { return choose(on, "on", "off") }

func choose(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}
