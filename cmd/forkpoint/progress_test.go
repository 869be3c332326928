package main

import (
	"bytes"
	"testing"
	"time"
)

func TestProgress(t *testing.T) {
	run := func(redraw bool) string {
		var out bytes.Buffer
		now := time.Unix(0, 0)
		p := &progress{out: &out, redraw: redraw, now: func() time.Time { return now }}
		p.begin("reading WAL", 0)
		now = now.Add(time.Millisecond)
		p.set(1<<20, 100<<20) // too early to be shown
		now = now.Add(10 * time.Second)
		p.set(25<<20, 100<<20)
		now = now.Add(10 * time.Second)
		p.set(100<<20, 100<<20)
		p.end()
		return out.String()
	}
	want := "forkpoint: reading WAL\n" +
		"forkpoint: reading WAL: 25 MiB of 100 MiB, 25 %, 2.5 MiB/s, 30s left\n" +
		"forkpoint: reading WAL: 100 MiB of 100 MiB, 100 %, 5.0 MiB/s\n"
	if got := run(false); got != want {
		t.Errorf("log form:\n%q\nwant\n%q", got, want)
	}
	line := "\r\x1b[Kforkpoint: reading WAL: "
	want = line + "25 MiB of 100 MiB, 25 %, 2.5 MiB/s, 30s left" +
		line + "100 MiB of 100 MiB, 100 %, 5.0 MiB/s\n"
	if got := run(true); got != want {
		t.Errorf("terminal form:\n%q\nwant\n%q", got, want)
	}
}

func TestNoProgressWhereNobodyAsked(t *testing.T) {
	a := &app{stderr: &bytes.Buffer{}}
	p := a.progress(false)
	p.begin("x", 1)
	p.set(1, 1)
	p.end()
	if p != nil {
		t.Error("progress without a terminal and without -P")
	}
}
