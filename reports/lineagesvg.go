package reports

import (
	"bytes"
	"fmt"
	"html"
	"strings"
)

// Measures of the drawing, in pixels.
const (
	svgRow    = 46
	svgIndent = 34
	svgMargin = 24
	svgWidth  = 1100
	svgLine   = 18 // of the legend

	svgChar      = 8 // as wide as most letters are at most, in either size
	svgSmallChar = 7
)

// SVG draws the tree: a line for each timeline, indented under the one that it
// left, with fork position, nodes and segments.
func (t *LineageTree) SVG() []byte {
	var body bytes.Buffer
	row := 0
	var draw func(n *TreeNode, depth, parentRow int)
	draw = func(n *TreeNode, depth, parentRow int) {
		x, y := svgMargin+depth*svgIndent, svgMargin+row*svgRow+12
		if parentRow >= 0 {
			px, py := x-svgIndent, svgMargin+parentRow*svgRow+12
			fmt.Fprintf(&body, "<path class=\"edge\" d=\"M%d %d V%d H%d\"/>\n", px, py+8, y, x-8)
		}
		class := "timeline"
		if len(n.Nodes) > 0 {
			class += " live"
		}
		fmt.Fprintf(&body, "<circle class=%q cx=\"%d\" cy=\"%d\" r=\"8\"/>\n", class, x, y)
		head := fmt.Sprintf("timeline %d", n.Timeline)
		if n.Begin.Valid() {
			head += " from " + n.Begin.String()
		}
		if n.Reason != "" {
			head += ", " + n.Reason
		}
		if len(n.Nodes) > 0 {
			head += "  ◀ " + strings.Join(n.Nodes, ", ")
		}
		fmt.Fprintf(&body, "<text x=\"%d\" y=\"%d\">%s</text>\n", x+16, y+1, html.EscapeString(clip(head, (svgWidth-x-16)/svgChar)))
		detail := "segments: " + t.heldText(n.Held)
		if len(n.Missing) > 0 {
			detail += "; missing: " + missingText(n.Missing)
		}
		if !n.File {
			detail += "; no history file"
		}
		fmt.Fprintf(&body, "<text class=\"detail\" x=\"%d\" y=\"%d\">%s</text>\n", x+16, y+17, html.EscapeString(clip(detail, (svgWidth-x-16)/svgSmallChar)))
		own := row
		row++
		for _, child := range n.Children {
			draw(child, depth+1, own)
		}
	}
	for _, root := range t.Roots {
		draw(root, 0, -1)
	}
	// The letters by which places are named.
	legend := strings.Split(t.summary(), "\n")
	top := 2*svgMargin + max(row, 1)*svgRow
	for i, line := range legend {
		fmt.Fprintf(&body, "<text class=\"detail\" x=\"%d\" y=\"%d\">%s</text>\n", svgMargin-8, top+i*svgLine, html.EscapeString(clip(line, (svgWidth-svgMargin)/svgSmallChar)))
	}
	var out bytes.Buffer
	height := top + len(legend)*svgLine
	fmt.Fprintf(&out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\">\n", svgWidth, height, svgWidth, height)
	fmt.Fprintf(&out, "<title>%s</title>\n", html.EscapeString(t.summary()))
	out.WriteString("<style>text{font:14px sans-serif;fill:#222}.detail{font-size:11px;fill:#666}.edge{fill:none;stroke:#888;stroke-width:2}" +
		".timeline{fill:#fff;stroke:#555;stroke-width:2}.live{fill:#2a7}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n")
	out.Write(body.Bytes())
	out.WriteString("</svg>\n")
	return out.Bytes()
}

// clip keeps a line on the drawing: most is how many letters there is room for.
func clip(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:max(most-1, 0)]) + "…"
	}
	return s
}
