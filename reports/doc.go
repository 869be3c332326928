// Package reports holds what forkpoint tells people: where two clusters parted
// and what each holds, whether history files agree, what an index covers.
//
// A report is a plain struct with JSON tags and a schema field. What it is made
// from is gathered by others and handed in as values; judging it happens here.
// For people it turns itself into a [Document], which knows sections, facts,
// tables and findings but no colours, units or markup: those are chosen by the
// renderer. JSON is the report itself, with exact numbers. The schemas are
// described in JSON.md.
package reports
