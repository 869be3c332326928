package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// BenchmarkRewind measures forkpoint rewind against pg_rewind on copies of the
// same pairs of clusters, from a stopped directory and from a running server.
// In each iteration every tool has its turn, so that a busy machine is busy for
// all. All runs and the medians are printed; "make bench" runs it.
func BenchmarkRewind(b *testing.B) {
	if testing.Short() {
		b.Skip("it makes clusters of gigabytes; make bench runs it")
	}
	for _, kind := range benchKinds {
		for _, live := range []bool{false, true} {
			name := kind + "/directory"
			if live {
				name = kind + "/server"
			}
			b.Run(name, func(b *testing.B) { benchRewind(b, kind, live) })
		}
	}
}

// The runs of one iteration.
const (
	runPeer    = "pg_rewind"
	runPlain   = "forkpoint --no-undo"
	runUndo    = "forkpoint"
	runDry     = "forkpoint --dry-run"
	runPlanned = "forkpoint --dry-run, indexed"
)

func benchRewind(b *testing.B, kind string, live bool) {
	p := openBenchPair(b, kind)
	from := []string{"--source-pgdata", p.new()}
	if live {
		from = []string{"--source-server", p.serve(b)}
	}
	program := programPath(b)
	table := benchTable{costs: map[string][]cost{}}
	for b.Loop() {
		load := loadAverage()
		target := p.target(b)
		table.add(runPeer, load, measure(b, filepath.Join(p.pg.BinDir, "pg_rewind"), append(from, "-D", target)...))

		target = p.target(b)
		ours := append([]string{"rewind", "--format", "json", "-D", target}, from...)
		table.add(runPlain, load, measure(b, program, append(ours, "--no-undo")...))

		p.target(b)
		table.add(runDry, load, measure(b, program, append(ours, "--dry-run")...))
		catalog := filepath.Join(p.dir, "catalog.db")
		for _, suffix := range []string{"", "-wal", "-shm"} {
			os.Remove(catalog + suffix) // from the last iteration, if any
		}
		measure(b, program, "index", "--catalog", catalog, target)
		table.add(runPlanned, load, measure(b, program, append(ours, "--dry-run", "--catalog", catalog)...))
		table.add(runUndo, load, measure(b, program, ours...))
	}
	p.run(b, "rm", "-rf", filepath.Join(p.dir, "target"), filepath.Join(p.dir, "target.forkpoint"))
	table.report(b)
}

// benchTable collects runs by what was run.
type benchTable struct {
	order []string
	costs map[string][]cost
	rows  []string
}

func (t *benchTable) add(name, load string, c cost) {
	if _, known := t.costs[name]; !known {
		t.order = append(t.order, name)
	}
	t.costs[name] = append(t.costs[name], c)
	t.rows = append(t.rows, c.row(name, load))
}

const benchTitle = "run\twall s\tcpu s\tMB written\tof that old bytes\tMB from source\tpeak MB\tload\tphases, s"

func (c cost) row(name, load string) string {
	var phases []string
	old, read := int64(0), c.asked
	if c.result != nil {
		old, read = c.result.Written.PreImages, c.result.Written.FromSource
		for _, t := range c.result.Times {
			phases = append(phases, fmt.Sprintf("%s %.2f", t.Phase, t.Elapsed.Seconds()))
			for _, p := range t.Parts {
				phases[len(phases)-1] += fmt.Sprintf(" [%s %.2f]", p.Name, p.Elapsed.Seconds())
			}
		}
	}
	return fmt.Sprintf("%s\t%.2f\t%.2f\t%.1f\t%.1f\t%.1f\t%.0f\t%s\t%s", name, c.wall.Seconds(), c.cpu.Seconds(),
		mb(c.asked), mb(old), mb(read), mb(c.memory), load, strings.Join(phases, ", "))
}

func mb(n int64) float64 { return float64(n) / (1 << 20) }

// report prints all runs, and as metrics the medians and what part they are of
// pg_rewind's. What pg_rewind reads from the source is what it writes.
func (t *benchTable) report(b *testing.B) {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, benchTitle)
	for _, row := range t.rows {
		fmt.Fprintln(w, row)
	}
	w.Flush()                           // to memory
	fmt.Printf("\n%s\n", text.String()) // a benchmark's log is cut after ten lines
	b.ReportMetric(0, "ns/op")          // mostly the time to copy the target

	wall := func(c cost) float64 { return c.wall.Seconds() }
	written := func(c cost) float64 { return mb(c.asked) }
	peer := t.costs[runPeer]
	for name, unit := range map[string]string{runPlain: "no-undo", runUndo: "undo"} {
		runs := t.costs[name]
		b.ReportMetric(median(runs, wall)/median(peer, wall), unit+"-wall-x")
		b.ReportMetric(median(runs, func(c cost) float64 { return mb(c.asked - c.result.Written.PreImages) })/median(peer, written), unit+"-written-x")
		b.ReportMetric(median(runs, func(c cost) float64 { return mb(c.result.Written.FromSource) })/median(peer, written), unit+"-read-x")
		b.ReportMetric(median(runs, func(c cost) float64 { return mb(c.memory) }), unit+"-peak-MB")
	}
	b.ReportMetric(median(t.costs[runDry], func(c cost) float64 { return mb(c.result.Written.FromSource) })/median(peer, written), "dry-read-x")
	b.ReportMetric(median(t.costs[runPlanned], wall), "planned-s")
	b.ReportMetric(median(peer, wall), "pg_rewind-s")
}

func median(runs []cost, of func(cost) float64) float64 {
	var all []float64
	for _, c := range runs {
		all = append(all, of(c))
	}
	slices.Sort(all)
	n := len(all)
	return (all[(n-1)/2] + all[n/2]) / 2
}

// loadAverage is how busy the machine was in the last minute.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return time.Now().Format("15:04")
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
