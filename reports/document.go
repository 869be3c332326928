package reports

// Document is a report for people, whatever it is shown on.
type Document struct {
	Title    string
	Sections []Section
}

// Section is a heading with what belongs under it; the first section of a
// document may go without a title and is its summary.
type Section struct {
	Title string
	Parts []Part
}

// Part is one of [Text], [Facts], [Table] and [FindingList].
type Part interface{ part() }

// Text is one or more paragraphs.
type Text string

// Facts are names with values, in the order of importance.
type Facts []Fact

// Fact is a name with a value, which is shown as table cells are.
type Fact struct {
	Name  string
	Value any
	Note  string // said after the value
}

// Table has one cell for each column in every row. Empty tables are shown as
// their Empty sentence.
type Table struct {
	Columns []Column
	Rows    [][]any
	Footer  []any  // totals
	Empty   string // said in place of a table without rows
	Note    string // said below, such as how many rows were left out
}

// Column is the head of a table's column.
type Column struct {
	Title string
	Right bool // numbers are set flush right
}

// FindingList shows findings one below the other.
type FindingList []Finding

func (Text) part()        {}
func (Facts) part()       {}
func (Table) part()       {}
func (FindingList) part() {}

// Cells are plain values. Besides strings, numbers, LSNs and times there are
// amounts, which the renderer prints in the units that suit its reader.

// Bytes is a number of bytes.
type Bytes uint64

// Count is a number of things.
type Count int64

// Percent is a share, 0 to 1.
type Percent float64
