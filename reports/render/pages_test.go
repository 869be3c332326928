//go:build pages

package render

import (
	"fmt"
	"os"
	"testing"
)

// TestPageForLooking writes pages where FORKPOINT_PAGES says, to be opened in
// a browser.
func TestPageForLooking(t *testing.T) {
	dir := os.Getenv("FORKPOINT_PAGES")
	if dir == "" {
		t.Fatal("FORKPOINT_PAGES names no folder")
	}
	for _, n := range []int{30, 5000} {
		if err := os.WriteFile(fmt.Sprintf("%s/page-%d.html", dir, n), []byte(writePage(t, samplePage(n))), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
