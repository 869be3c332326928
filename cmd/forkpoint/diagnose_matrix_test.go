package main

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"forkpoint/reports"
	"forkpoint/walinspect/pgtest"
)

// matrix runs diagnose with nodes and reads its JSON.
func matrix(t *testing.T, args ...string) *reports.NodeMatrix {
	t.Helper()
	out, err := pgtest.RunAs(exec.Command(programPath(t), append([]string{"diagnose", "--format", "json"}, args...)...)).Output()
	if _, is := err.(*exec.ExitError); err != nil && !is {
		t.Fatal(err)
	}
	var m reports.NodeMatrix
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, text := forkpoint(t, append([]string{"diagnose"}, args...)...)
	t.Log(text)
	return &m
}

// between is what it would mean for one node to follow another.
func between(m *reports.NodeMatrix, target, source int) reports.NodePair {
	for _, p := range m.Pairs {
		if p.Target == target && p.Source == source {
			return p
		}
	}
	return reports.NodePair{}
}

// A standby was down until its primary had recycled the WAL where it stopped:
// that it can follow is known by an archive and not without one. A node that is
// down keeps from nothing but what concerns itself. In the end the server does
// what was said.
func TestDiagnoseMatrixByArchive(t *testing.T) {
	pgtest.TheseMajors(t, []int{13, 18}, func(t *testing.T, major int) {
		t.Parallel()
		archive := pgtest.Scratch(t)
		primary := pgtest.Run(t, trapOptions(major, pgtest.Conf("wal_keep_size", "0"), pgtest.Conf("autovacuum", "off"), pgtest.Conf("archive_mode", "on"),
			pgtest.Conf("archive_command", fmt.Sprintf("test ! -f %[1]s/%%f && cp %%p %[1]s/%%f", archive)))...)
		lagging, down := primary.NewStandby(), primary.NewStandby()
		lagging.Start()
		crossBorder(primary)
		primary.Exec("CREATE TABLE t AS SELECT generate_series(1, 3000) i")
		primary.WaitCaughtUp(lagging)
		size, end := primary.SegmentSize(), lagging.CurrentLSN()
		lagging.Stop(pgtest.Fast)
		recycled(t, primary, archive, size.Name(1, size.Number(end)))

		nodes := []string{lagging.Dir(), primary.ConnString(), down.ConnString()}
		m := matrix(t, nodes...)
		if p := between(m, 0, 1); p.Relation != reports.PairUnknown || !strings.Contains(p.Why, "in common") {
			t.Errorf("without an archive: %+v", p)
		}
		if m.Nodes[2].Error == "" || strings.Contains(m.Nodes[2].Name, "user=") || between(m, 2, 1).Relation != reports.PairUnknown {
			t.Errorf("the node that is down: %+v, %+v", m.Nodes[2], between(m, 2, 1))
		}
		fetch := fmt.Sprintf("cp %s/%%f %%p", archive)
		places := [][]string{{"--archive", archive}, {"--restore-command", fetch}}
		for _, place := range places {
			m = matrix(t, append(nodes[:2:2], place...)...)
			if p := between(m, 0, 1); p.Relation != reports.PairFollows {
				t.Errorf("%q: %+v", place, p)
			}
			if p := between(m, 1, 0); p.Relation != reports.PairAhead || p.LostBytes == 0 {
				t.Errorf("%q: the primary to follow its standby: %+v", place, p)
			}
		}

		lagging.Set("primary_conninfo", "")
		lagging.Start()
		ends := []string{"--target-server", lagging.ConnString(), "--source-server", primary.ConnString()}
		if d := diagnosis(t, 6, ends...); d.Verdict != reports.RemedyPerson || codes(d) != "not-compared" {
			t.Errorf("both running, without an archive: verdict %s, findings %s", d.Verdict, codes(d))
		}
		for _, place := range places {
			if d := diagnosis(t, 0, append(ends[:4:4], place...)...); d.Verdict != reports.RemedyNothing || !strings.Contains(strings.Join(d.Facts, " "), "needs a restore_command") {
				t.Errorf("both running, %q: verdict %s, facts %q", place, d.Verdict, d.Facts)
			}
		}
		lagging.Stop(pgtest.Fast)
		if d := diagnosis(t, 0, "-D", lagging.Dir(), "--source-archive", archive); d.Verdict != reports.RemedyNothing {
			t.Errorf("by the archive alone: verdict %s", d.Verdict)
		}
		lagging.Set("restore_command", fetch)
		follows(t, lagging, primary)
	})
}
