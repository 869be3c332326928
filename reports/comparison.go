package reports

import (
	"fmt"
	"slices"
	"strings"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// ComparisonSchema names the JSON form of [Comparison].
const ComparisonSchema = "forkpoint/comparison/1"

// Comparison says in what the files of two clusters differ, and why.
type Comparison struct {
	Schema   string           `json:"schema"`
	Cluster  Cluster          `json:"cluster"`
	A        Side             `json:"a"`
	B        Side             `json:"b"`
	Fork     *Fork            `json:"fork,omitempty"` // left out where both are on one history; the target is a
	Evidence []Evidence       `json:"evidence"`
	Totals   ComparisonTotals `json:"totals"`
	Files    []FileDifference `json:"files"` // empty for a summary
	Findings Findings         `json:"findings"`
	summary  bool
}

// Side is one of the two that are compared.
type Side struct {
	Path      string        `json:"path"`
	Timeline  pg.TimelineID `json:"timeline"`
	State     string        `json:"state"`
	Reached   pg.LSN        `json:"reached"`
	Settled   bool          `json:"settled"` // stopped in good order: its files hold all that its log says
	Checksums bool          `json:"checksums"`
}

// Evidence is a part of the log that differences were explained with.
type Evidence struct {
	Reason Reason `json:"reason"` // that it gives
	pg.Span
	Complete bool `json:"complete"`
}

// Reason is why something differs.
type Reason string

const (
	// ReasonTarget, ReasonSource, ReasonBoth: changed by the log of one side,
	// or of both, after their common history.
	ReasonTarget Reason = "target"
	ReasonSource Reason = "source"
	ReasonBoth   Reason = "both"
	// ReasonPending: changed by log that both have, but that one side's files
	// need not hold yet, as it was not shut down in good order.
	ReasonPending Reason = "pending"
	// ReasonHints: equal but for hint bits and what else is not logged.
	ReasonHints Reason = "hint-bits"
	// ReasonNotLogged: nothing of it is logged: free space maps, unlogged and
	// temporary relations, pages that were added and never used, the values of
	// a sequence between two records.
	ReasonNotLogged Reason = "not-logged"
	// ReasonLocal: each server has its own: configuration, logs, slots,
	// statistics, the log itself.
	ReasonLocal Reason = "local"
	// ReasonChecksum: a page that does not fit its checksum.
	ReasonChecksum Reason = "checksum"
	// ReasonUnexplained: nothing that is known tells why.
	ReasonUnexplained Reason = "unexplained"
)

// Reasons lists them in the order in which they are shown: what needs a person
// first.
func Reasons() []Reason {
	return []Reason{ReasonUnexplained, ReasonChecksum, ReasonTarget, ReasonSource, ReasonBoth, ReasonPending, ReasonHints, ReasonNotLogged, ReasonLocal}
}

// reasonTexts say it to people.
var reasonTexts = map[Reason]string{
	ReasonTarget: "changed by a alone", ReasonSource: "changed by b alone", ReasonBoth: "changed by both",
	ReasonPending: "log still to be replayed or flushed", ReasonHints: "only hint bits and the like",
	ReasonNotLogged: "not logged at all", ReasonLocal: "each server's own", ReasonChecksum: "page checksum broken",
	ReasonUnexplained: "nothing that is known tells why",
}

// FileDifference is a file that is not the same on both sides. For a relation
// blocks are told, counted from the start of the fork; of others the reason
// stands for the whole file.
type FileDifference struct {
	Path     string                   `json:"path"`
	Relation *pg.RelFork              `json:"relation,omitempty"`
	Name     *RelationName            `json:"name,omitempty"`
	Only     string                   `json:"only,omitempty"` // "a" or "b"
	SizeA    int64                    `json:"size_a"`
	SizeB    int64                    `json:"size_b"`
	Reason   Reason                   `json:"reason,omitempty"`
	Detail   string                   `json:"detail,omitempty"`
	Blocks   map[Reason]*blockmap.Set `json:"blocks,omitempty"`
}

// ComparisonTotals counts.
type ComparisonTotals struct {
	Files     int               `json:"files"` // on either side, directories left out
	Equal     int               `json:"files_equal"`
	OnlyA     int               `json:"files_only_a"`
	OnlyB     int               `json:"files_only_b"`
	Differing int               `json:"files_differing"` // on both sides
	Bytes     int64             `json:"bytes_compared"`
	Blocks    int64             `json:"blocks_compared"` // of relations on both sides
	ByReason  map[Reason]uint64 `json:"blocks_by_reason"`
	FilesBy   map[Reason]int    `json:"files_by_reason"`           // that have no blocks
	BrokenA   int               `json:"broken_blocks_a,omitempty"` // that do not fit their checksum, of those that differ
	BrokenB   int               `json:"broken_blocks_b,omitempty"`
}

// NewComparison makes an empty one. A summary counts and keeps no files.
func NewComparison(summary bool) *Comparison {
	return &Comparison{Schema: ComparisonSchema, Evidence: []Evidence{}, Files: []FileDifference{}, Findings: Findings{}, summary: summary,
		Totals: ComparisonTotals{ByReason: map[Reason]uint64{}, FilesBy: map[Reason]int{}}}
}

// Add takes in a file that differs.
func (c *Comparison) Add(f FileDifference) {
	t := &c.Totals
	switch f.Only {
	case "a":
		t.OnlyA++
	case "b":
		t.OnlyB++
	default:
		t.Differing++
	}
	for reason, blocks := range f.Blocks {
		t.ByReason[reason] += blocks.Len()
	}
	if f.Reason != "" {
		t.FilesBy[f.Reason]++
	}
	if !c.summary {
		c.Files = append(c.Files, f)
	}
}

// Judge adds what follows from the counts.
func (c *Comparison) Judge() {
	t := c.Totals
	if n, files := t.ByReason[ReasonUnexplained], t.FilesBy[ReasonUnexplained]; n > 0 || files > 0 {
		f := Finding{Code: "unexplained", Severity: Damage, Title: c.countReason(ReasonUnexplained) + " and nothing tells why",
			Detail: "No record of the log that was read touches them after the common history, and masking what is not logged leaves a difference.",
			Hint:   "a side that was changed without the log is restored from the other or from a backup"}
		if n > 0 {
			f.Hint = "ask the log with forkpoint blame RELATION BLOCK; " + f.Hint
		}
		if slices.ContainsFunc(c.Evidence, func(e Evidence) bool { return !e.Complete }) {
			f.Severity, f.Hint = Warning, "part of the log is missing: name an archive with --archive, or a catalog with --catalog, and compare again"
		}
		c.Findings.Add(f)
	}
	if n := t.ByReason[ReasonChecksum]; n > 0 {
		var of []string
		for _, side := range []struct {
			name   string
			blocks int
		}{{"a", t.BrokenA}, {"b", t.BrokenB}} {
			if side.blocks > 0 {
				of = append(of, fmt.Sprintf("%d of %s", side.blocks, side.name))
			}
		}
		title := count(int(n), "block does", "blocks do") + " not fit the page checksum"
		if len(of) > 0 {
			title += ": " + strings.Join(of, ", ")
		}
		c.Findings.Add(Finding{Code: "page-checksum", Severity: Damage, Title: title,
			Hint: "restore the relation from the other side or from a backup, and look at the disk"})
	}
	for _, e := range c.Evidence {
		if !e.Complete {
			c.Findings.Add(Finding{Code: "wal-gap", Severity: Warning, LSN: e.From, Title: "not all of the log from " + e.Span.String() + " is at hand",
				Detail: "Blocks that it touches may count as unexplained.", Hint: "name an archive with --archive, or a catalog with --catalog"})
		}
	}
	c.Findings.sort()
}

// countReason says how much differs for a reason.
func (c *Comparison) countReason(r Reason) string {
	blocks, files := int(c.Totals.ByReason[r]), c.Totals.FilesBy[r]
	switch {
	case files == 0:
		return count(blocks, "block differs", "blocks differ")
	case blocks == 0:
		return count(files, "file that is no relation differs", "files that are no relations differ")
	}
	return count(blocks, "block", "blocks") + " and " + count(files, "other file", "other files") + " differ"
}

// Worst is the gravest finding.
func (c *Comparison) Worst() Severity { return c.Findings.Worst() }

// ReasonText says a reason to people.
func ReasonText(r Reason) string { return reasonTexts[r] }
