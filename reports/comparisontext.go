package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Document is the comparison for people.
func (c *Comparison) Document() Document {
	doc := Document{Sections: []Section{{Parts: []Part{Text(c.answer()), c.facts()}}}}
	if len(c.Findings) > 0 {
		doc.Sections = append(doc.Sections, Section{"Findings", []Part{FindingList(c.Findings)}})
	}
	doc.Sections = append(doc.Sections, Section{"Why they differ", []Part{c.reasonTable()}})
	if !c.summary {
		doc.Sections = append(doc.Sections, Section{"Relations that differ", []Part{c.relationTable()}}, Section{"Other files that differ", []Part{c.fileTable()}})
	}
	return doc
}

func (c *Comparison) answer() string {
	t := c.Totals
	var blocks uint64
	for _, n := range t.ByReason {
		blocks += n
	}
	if t.Equal == t.Files {
		return fmt.Sprintf("Nothing differs: %s compared.", count(t.Files, "file was", "files were"))
	}
	var unlike []string
	for _, part := range []struct {
		files int
		how   string
	}{{t.Differing, "differ"}, {t.OnlyA, "only in a"}, {t.OnlyB, "only in b"}} {
		if part.files > 0 {
			unlike = append(unlike, fmt.Sprintf("%d %s", part.files, part.how))
		}
	}
	s := fmt.Sprintf("Of %s %d equal, %s", count(t.Files, "file", "files"), t.Equal, strings.Join(unlike, ", "))
	if blocks > 0 {
		s += fmt.Sprintf("; %s.", count(int(blocks), "block of relations differs", "blocks of relations differ"))
	} else {
		s += "."
	}
	if t.ByReason[ReasonUnexplained] == 0 && t.FilesBy[ReasonUnexplained] == 0 && t.ByReason[ReasonChecksum] == 0 {
		return s + " Every difference is explained."
	}
	return s
}

func (c *Comparison) facts() Facts {
	var facts Facts
	for _, side := range []struct {
		name string
		Side
	}{{"a", c.A}, {"b", c.B}} {
		note := fmt.Sprintf("timeline %d, %s, at %s", side.Timeline, side.State, side.Reached)
		if !side.Settled {
			note += "; not seen is what its files do not hold yet"
		}
		facts = append(facts, Fact{side.name, side.Path, note})
	}
	if c.Fork != nil {
		facts = append(facts, Fact{"fork point", c.Fork.LSN, fmt.Sprintf("end of timeline %d in common", c.Fork.Timeline)})
	}
	for _, e := range c.Evidence {
		note := reasonTexts[e.Reason]
		if !e.Complete {
			note += ", not all of it at hand"
		}
		facts = append(facts, Fact{"log looked at", e.Span.String(), note})
	}
	return append(facts, Fact{"compared", Bytes(c.Totals.Bytes), count(int(c.Totals.Blocks), "block of relations", "blocks of relations")})
}

func (c *Comparison) reasonTable() Table {
	t := Table{Columns: []Column{{"reason", false}, {"blocks", true}, {"other files", true}, {"meaning", false}}, Empty: "They do not."}
	for _, reason := range Reasons() {
		if blocks, files := c.Totals.ByReason[reason], c.Totals.FilesBy[reason]; blocks > 0 || files > 0 {
			t.Rows = append(t.Rows, []any{string(reason), Count(blocks), Count(files), reasonTexts[reason]})
		}
	}
	return t
}

// worst is the place of a file's gravest reason in [Reasons].
func (f *FileDifference) worst() int {
	worst := slices.Index(Reasons(), f.Reason)
	if worst < 0 {
		worst = len(Reasons())
	}
	for reason := range f.Blocks {
		worst = min(worst, slices.Index(Reasons(), reason))
	}
	return worst
}

func (c *Comparison) sorted(relations bool) []FileDifference {
	var list []FileDifference
	for _, f := range c.Files {
		if (f.Relation != nil) == relations {
			list = append(list, f)
		}
	}
	slices.SortStableFunc(list, func(a, b FileDifference) int { return cmp.Compare(a.worst(), b.worst()) })
	return list
}

func (c *Comparison) relationTable() Table {
	t := Table{Columns: []Column{{"file", false}, {"relation", false}, {"size a", true}, {"size b", true}, {"blocks", false}}, Empty: "None."}
	list := c.sorted(true)
	for _, f := range list[:min(maxRows, len(list))] {
		t.Rows = append(t.Rows, []any{f.Path, relationName(f.Name, *f.Relation), sizeOf(f.SizeA, f.Only == "b"), sizeOf(f.SizeB, f.Only == "a"), f.why()})
	}
	t.Note = more(len(list))
	return t
}

// why says which blocks differ for which reason, or where that is too long for a
// line, for the gravest reason, and how many do for others.
func (f *FileDifference) why() string {
	const room = 34
	var all []string
	gravest, others := "", uint64(0)
	if f.Reason != "" {
		gravest = fmt.Sprintf("whole file: %s", f.Reason)
		all = append(all, gravest)
	}
	for _, reason := range Reasons() {
		blocks := f.Blocks[reason]
		if blocks.Empty() {
			continue
		}
		all = append(all, fmt.Sprintf("%s: %s", reason, blocks))
		if gravest == "" {
			gravest = fmt.Sprintf("%s: %s", reason, shortRanges(blocks.String()))
		} else {
			others += blocks.Len()
		}
	}
	switch text := strings.Join(all, "; "); {
	case len(text) <= room:
		return text
	case others > 0:
		return fmt.Sprintf("%s; %s", gravest, count(int(others), "other", "others"))
	}
	return gravest
}

func more(n int) string {
	if n <= maxRows {
		return ""
	}
	return fmt.Sprintf("The first %d of %d, the gravest first; --format json has all.", maxRows, n)
}

func sizeOf(size int64, missing bool) any {
	if missing {
		return nil
	}
	return Bytes(size)
}

// shortRanges leaves out the end of a long list of blocks.
func shortRanges(s string) string {
	const room = 20
	if len(s) <= room {
		return s
	}
	return s[:strings.LastIndexByte(s[:room], ',')+1] + "…"
}

func (c *Comparison) fileTable() Table {
	t := Table{Columns: []Column{{"file", false}, {"size a", true}, {"size b", true}, {"reason", false}}, Empty: "None."}
	list := c.sorted(false)
	for _, f := range list[:min(maxRows, len(list))] {
		why := string(f.Reason)
		if f.Detail != "" {
			why += ": " + f.Detail
		}
		t.Rows = append(t.Rows, []any{f.Path, sizeOf(f.SizeA, f.Only == "b"), sizeOf(f.SizeB, f.Only == "a"), why})
	}
	t.Note = more(len(list))
	return t
}
