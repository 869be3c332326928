package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Setting is one line of a configuration file.
type Setting struct {
	Name  string // in lower case
	Value string // without quotes
	File  string
	Line  int
}

// Config is what the configuration files of a server set. Defaults, command
// line options and settings kept in the database are not part of it.
type Config struct {
	settings map[string]Setting
	files    []string
}

// Setting is the line that decides a setting: the last of its name. Case does
// not matter in names.
func (c *Config) Setting(name string) (Setting, bool) {
	s, found := c.settings[lowerASCII(name)]
	return s, found
}

// Value is a setting's value, or otherwise where no file sets it.
func (c *Config) Value(name, otherwise string) string {
	if s, found := c.Setting(name); found {
		return s.Value
	}
	return otherwise
}

// Files lists the files that were read, in order.
func (c *Config) Files() []string { return slices.Clone(c.files) }

// ConfigError is a line of a configuration file that a server would not start
// with.
type ConfigError struct {
	File string
	Line int
	What string
}

func (e *ConfigError) Error() string { return fmt.Sprintf("%s line %d: %s", e.File, e.Line, e.What) }

// Setting is [Config.Setting] for the files where they are by default.
func (d *Dir) Setting(name string) (Setting, bool, error) {
	c, err := d.Config("")
	if err != nil {
		return Setting{}, false, err
	}
	s, found := c.Setting(name)
	return s, found, nil
}

// Config reads the server's configuration as the server would: file with all
// that it includes, and then postgresql.auto.conf, which wins. If file is empty
// it is the one that the server was last started with, as Debian does it, else
// postgresql.conf in the data directory. The error matches [fs.ErrNotExist]
// where there is none.
func (d *Dir) Config(file string) (*Config, error) {
	if file == "" {
		file = d.startedWith("config_file")
	}
	if file == "" {
		file = d.join("postgresql.conf")
	}
	file, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	c := &Config{settings: map[string]Setting{}}
	if err := c.read(file, nil); err != nil {
		return nil, err
	}
	if err := c.read(d.join("postgresql.auto.conf"), nil); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return c, nil
}

const (
	maxIncludeDepth = 10 // CONF_FILE_MAX_DEPTH in src/backend/utils/misc/guc-file.l
	maxConfigFiles  = 10000
)

// read adds the settings of one file. chain is the files that include it.
func (c *Config) read(file string, chain []string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if c.files = append(c.files, file); len(c.files) > maxConfigFiles {
		return fmt.Errorf("%s: more than %d configuration files", file, maxConfigFiles)
	}
	chain = append(chain, file)
	for line, err := range configLines(string(text)) {
		if err == nil {
			err = c.apply(line, chain)
		}
		if err != nil {
			return c.at(file, line.number, err)
		}
	}
	return nil
}

// at names the line for an error that has no place yet.
func (c *Config) at(file string, line int, err error) error {
	if placed := (*ConfigError)(nil); errors.As(err, &placed) {
		return err
	}
	if errors.Is(err, errSyntax) {
		return &ConfigError{file, line, err.Error()}
	}
	return fmt.Errorf("%s line %d: %w", file, line, err)
}

// apply takes one line: a setting, or a request to include files, whose paths
// are relative to the file that it stands in.
func (c *Config) apply(line configLine, chain []string) error {
	file := chain[len(chain)-1]
	path := line.value
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(file), path)
	}
	switch line.name {
	case "include":
		return c.include(path, line.value, chain)
	case "include_if_exists":
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return c.include(path, line.value, chain)
	case "include_dir":
		return c.includeDir(path, line.value, chain)
	}
	c.settings[line.name] = Setting{line.name, line.value, file, line.number}
	return nil
}

func (c *Config) include(path, written string, chain []string) error {
	switch {
	case strings.TrimSpace(written) == "":
		return fmt.Errorf("%w: empty configuration file name", errSyntax)
	case len(chain) > maxIncludeDepth:
		return fmt.Errorf("%w: files include each other more than %d deep", errSyntax, maxIncludeDepth)
	case slices.Contains(chain, path):
		return fmt.Errorf("%w: %s includes itself", errSyntax, path)
	}
	return c.read(path, chain)
}

// includeDir reads the files of a directory that end in .conf, in the order of
// their names (GetConfFilesInDir in src/backend/utils/misc/conffiles.c).
func (c *Config) includeDir(path, written string, chain []string) error {
	if strings.TrimSpace(written) == "" {
		return fmt.Errorf("%w: empty configuration directory name", errSyntax)
	}
	names, err := readNames(path)
	if err != nil {
		return err
	}
	for name := range names.all() {
		if strings.HasPrefix(name, ".") || !strings.HasSuffix(name, ".conf") {
			continue
		}
		file := filepath.Join(path, name)
		if info, err := os.Stat(file); err != nil || info.IsDir() {
			if err != nil {
				return err
			}
			continue
		}
		if err := c.include(file, name, chain); err != nil {
			return err
		}
	}
	return nil
}
