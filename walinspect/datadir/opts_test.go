package datadir

import (
	"os"
	"path/filepath"
	"testing"
)

// TestConfigFromCommandLine: where the server keeps its configuration outside
// of the data directory, its last command line tells where.
func TestConfigFromCommandLine(t *testing.T) {
	elsewhere := filepath.Join(t.TempDir(), "main.conf")
	if err := os.WriteFile(elsewhere, []byte("restore_command = 'elsewhere'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{
		`"-D" "/x" "-c" "config_file=` + elsewhere + `"`, `"-cconfig_file=` + elsewhere + `" "-D" "/x"`,
		`"--config-file=` + elsewhere + `"`, `"-c" "config_file=/none" "--config_file=` + elsewhere + `"`,
	} {
		d := open(t, newDir(t, map[string]string{"postmaster.opts": "/usr/bin/postgres " + args + "\n"}))
		c, err := d.Config("")
		if err != nil {
			t.Fatalf("%s: %v", args, err)
		}
		if s, _ := c.Setting("restore_command"); s.Value != "elsewhere" {
			t.Errorf("%s: restore_command is %q", args, s.Value)
		}
	}
	for _, opts := range []string{"", "postgres\n", `postgres "-D" "/x"` + "\n", `postgres "`} {
		d := open(t, newDir(t, map[string]string{"postmaster.opts": opts}))
		if _, err := d.Config(""); !os.IsNotExist(err) {
			t.Errorf("%q: %v, want that there is no file", opts, err)
		}
	}
	d := open(t, newDir(t, map[string]string{"postmaster.opts": `postgres "--config_file=` + elsewhere + `"`, "postgresql.conf": "restore_command = 'here'\n"}))
	if c, err := d.Config(""); err != nil {
		t.Error(err)
	} else if s, _ := c.Setting("restore_command"); s.Value != "elsewhere" {
		t.Errorf("restore_command is %q: the server would not read the file in the data directory", s.Value)
	}
}
