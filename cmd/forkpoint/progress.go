package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
)

// How often progress is shown: often on a terminal, where the line is redrawn,
// seldom where each message is a new line of a log.
const (
	redrawEvery = 200 * time.Millisecond
	logEvery    = 5 * time.Second
)

// progress tells on stderr how far a phase has come. A nil progress says
// nothing, so callers need not ask whether it is wanted.
type progress struct {
	out    io.Writer
	redraw bool // the line may be redrawn
	now    func() time.Time

	mu      sync.Mutex
	phase   string
	begun   time.Time
	shown   time.Time
	total   uint64
	done    uint64
	said    uint64 // done when it was last shown
	pending bool   // a line without its newline is on the terminal
}

// progress is what a command shows its progress with: on a terminal always,
// elsewhere when the user asked with -P.
func (a *app) progress(asked bool) *progress {
	if !asked && !a.interactive {
		return nil
	}
	return &progress{out: a.stderr, redraw: a.interactive, now: time.Now}
}

// begin starts a phase. total is the number of bytes to do, 0 when unknown.
func (p *progress) begin(phase string, total uint64) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endLine()
	p.phase, p.begun, p.shown = phase, p.now(), p.now()
	p.done, p.said, p.total = 0, 0, total
	if !p.redraw {
		fmt.Fprintf(p.out, "forkpoint: %s\n", phase)
	}
}

// set says how many bytes are done so far, and of how many, since a total may
// become known while the work goes on.
func (p *progress) set(done, total uint64) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done, p.total = done, total
	every := logEvery
	if p.redraw {
		every = redrawEvery
	}
	if now := p.now(); now.Sub(p.shown) >= every {
		p.shown = now
		p.show()
	}
}

// bytes is set for those who count in signed numbers.
func (p *progress) bytes(done, total int64) { p.set(uint64(max(done, 0)), uint64(max(total, 0))) }

// end closes the last phase with its final numbers.
func (p *progress) end() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.phase != "" && p.done > 0 && p.said != p.done {
		p.show()
	}
	p.endLine()
	p.phase = ""
}

func (p *progress) endLine() {
	if p.pending {
		fmt.Fprintln(p.out)
		p.pending = false
	}
}

func (p *progress) show() {
	p.said = p.done
	line := "forkpoint: " + p.phase + ": " + p.amount()
	if p.redraw {
		fmt.Fprintf(p.out, "\r\x1b[K%s", line)
		p.pending = true
		return
	}
	fmt.Fprintln(p.out, line)
}

// amount is "1.2 GiB of 3.4 GiB, 35 %, 240 MiB/s, 9s left".
func (p *progress) amount() string {
	s := humanize.IBytes(p.done)
	took := p.now().Sub(p.begun)
	if p.total > 0 {
		s += fmt.Sprintf(" of %s, %d %%", humanize.IBytes(p.total), min(100, p.done*100/p.total))
	}
	if took < time.Second || p.done == 0 {
		return s
	}
	rate := float64(p.done) / took.Seconds()
	s += fmt.Sprintf(", %s/s", humanize.IBytes(uint64(rate)))
	if p.total > p.done {
		left := time.Duration(float64(p.total-p.done) / rate * float64(time.Second))
		s += fmt.Sprintf(", %s left", left.Round(time.Second))
	}
	return s
}
