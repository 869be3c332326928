package segment

import (
	"os/exec"
	"testing"
)

// TestShellWord has a shell read back what was quoted for it.
func TestShellWord(t *testing.T) {
	for _, word := range []string{"/data/old", "", "/data/of the shop", "it's", `a"b`, "$HOME", "`id`", "a;b", "a&b", "a|b", "*", "~", `back\slash`, "new\nline",
		"#no comment", "{a,b}", "a>b", "!", "name=1", "(x)"} {
		quoted := ShellWord(word)
		out, err := exec.Command("sh", "-c", "cd /; set -- "+quoted+`; printf '%s:%s' "$#" "$1"`).Output()
		if err != nil || string(out) != "1:"+word {
			t.Errorf("%q is quoted as %s, which a shell reads as %q, %v", word, quoted, out, err)
		}
	}
	if plain := ShellWord("/data/old"); plain != "/data/old" {
		t.Errorf("%s is quoted without need", plain)
	}
}
