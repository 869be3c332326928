package rewind

import (
	"fmt"
	"os"
	"path/filepath"

	"forkpoint/rewind/plan"
	"forkpoint/rewind/source"
)

// checkLinks keeps a rewind from writing into the source. On one machine the
// links of both data directories may lead to one place, and a new link made as
// the source has it always would.
func (r *run) checkLinks() error {
	if r.cfg.Source.Kind() != source.Directory {
		return r.checkNewLinks()
	}
	target := r.cfg.Target.Path()
	from := r.cfg.Source.String()
	links, err := os.ReadDir(filepath.Join(target, "pg_tblspc"))
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	names := []string{"pg_wal"}
	for _, l := range links {
		names = append(names, filepath.Join("pg_tblspc", l.Name()))
	}
	for _, name := range names {
		a, errA := os.Stat(filepath.Join(target, name))
		b, errB := os.Stat(filepath.Join(from, name))
		if errA == nil && errB == nil && os.SameFile(a, b) {
			return &PreflightError{Check: CheckTablespace, Side: Target,
				Found: fmt.Sprintf("%s leads to the same directory as the source's", name),
				Want:  "directories of its own: the rewind would write into the source",
				Next:  "give the target its own copy of that directory and change its link"}
		}
	}
	return r.checkNewLinks()
}

// checkNewLinks looks where new tablespaces will be put: an empty or missing
// directory outside the source.
func (r *run) checkNewLinks() error {
	for _, a := range r.plan.Actions {
		if a.Kind != plan.MakeLink {
			continue
		}
		entries, err := os.ReadDir(a.Link)
		if os.IsNotExist(err) {
			if _, err := os.Stat(filepath.Dir(a.Link)); err == nil {
				continue
			}
		}
		if err != nil || len(entries) > 0 {
			found := fmt.Sprintf("new tablespace %s would be put into %s, which is not empty", a.Path, a.Link)
			if err != nil {
				found = fmt.Sprintf("new tablespace %s cannot be put into %s", a.Path, a.Link)
			}
			return &PreflightError{Check: CheckTablespace, Side: Target, Found: found, Err: err,
				Want: "an empty directory", Next: fmt.Sprintf("map it to one with --tablespace-mapping=%s=NEWDIR", a.Link)}
		}
	}
	return nil
}
