package main

import (
	"errors"
	"fmt"
	"strings"

	"forkpoint/blockmap/relname"
	"forkpoint/walinspect/pg"
)

// relationChoice is a relation that records are to be about: its storage, or a
// name, which may have had several storages over the time.
type relationChoice struct {
	text    string
	named   pg.QualifiedName // what of it the user said; empty where the storage was given
	storage map[pg.RelFileLocator]bool
	set     bool
}

func (c *relationChoice) Set(s string) error {
	*c = relationChoice{text: s, set: true}
	if strings.Contains(s, "/") {
		var f relationFlag
		if err := f.Set(s); err != nil {
			return err
		}
		c.storage = map[pg.RelFileLocator]bool{f.RelFileLocator: true}
		return nil
	}
	if strings.Trim(s, "0123456789") == "" {
		return errors.New("want tablespace/database/relation by number, such as 1663/5/16384, or a name")
	}
	parts, err := splitName(s)
	if err != nil {
		return err
	}
	for i, into := range []*string{&c.named.Relation, &c.named.Schema, &c.named.Database}[:len(parts)] {
		*into = parts[len(parts)-1-i]
	}
	return nil
}

func (c *relationChoice) Type() string   { return "RELATION" }
func (c *relationChoice) String() string { return c.text }

// byName tells whether names are needed to know what is meant.
func (c *relationChoice) byName() bool { return c.named.Relation != "" }

// splitName takes a qualified name apart, as SQL would: folded to lower case
// but for what is in double quotes.
func splitName(s string) ([]string, error) {
	bad := errors.New(`want [[database.]schema.]name, with double quotes around what has capitals or dots`)
	var parts []string
	for rest := s; ; {
		var part string
		if quoted, is := strings.CutPrefix(rest, `"`); is {
			end := strings.IndexByte(quoted, '"')
			for end >= 0 && strings.HasPrefix(quoted[end+1:], `"`) { // "" is one quote
				next := strings.IndexByte(quoted[end+2:], '"')
				if next < 0 {
					return nil, bad
				}
				end += 2 + next
			}
			if end < 0 {
				return nil, bad
			}
			part, rest = strings.ReplaceAll(quoted[:end], `""`, `"`), quoted[end+1:]
		} else {
			end := strings.IndexAny(rest, `."`)
			if end < 0 {
				end = len(rest)
			}
			part, rest = strings.ToLower(rest[:end]), rest[end:]
		}
		parts = append(parts, part)
		if part == "" || len(parts) > 3 {
			return nil, bad
		}
		if rest == "" {
			return parts, nil
		}
		if !strings.HasPrefix(rest, ".") {
			return nil, bad
		}
		rest = rest[1:]
	}
}

// resolve finds the storages of the relation that was named. It is an error if
// there are none, or if different relations have the name.
func (c *relationChoice) resolve(names *relname.Names) error {
	c.storage = map[pg.RelFileLocator]bool{}
	var met []pg.QualifiedName
	for storage, name := range names.All() {
		n := name.QualifiedName
		if n.Relation != c.named.Relation || c.named.Schema != "" && n.Schema != c.named.Schema || c.named.Database != "" && n.Database != c.named.Database {
			continue
		}
		c.storage[storage] = true
		if len(met) == 0 || met[0] != n {
			met = append(met, n)
		}
	}
	switch {
	case len(met) == 0:
		return &hintedError{fmt.Errorf("--relation %s: no relation has this name", c.text), "give its storage by number, tablespace/database/relation"}
	case len(met) > 1:
		return usagef("--relation %s: that could be %s or %s", c.text, fullName(met[0]), fullName(met[1]))
	}
	return nil
}
