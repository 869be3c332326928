package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// pgRewindLog writes log lines in pg_rewind's form, for callers that read its
// stderr line by line.
type pgRewindLog struct {
	p     *pgRewind
	level slog.Leveler
	attrs []slog.Attr
}

func (h *pgRewindLog) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

func (h *pgRewindLog) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	switch {
	case r.Level >= slog.LevelWarn:
		b.WriteString("warning: ")
	case r.Level < slog.LevelInfo:
		b.WriteString("debug: ")
	}
	b.WriteString(r.Message)
	add := func(a slog.Attr) bool {
		fmt.Fprintf(&b, " %s=%v", a.Key, a.Value)
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	h.p.line(oneLine(b.String()))
	return nil
}

func (h *pgRewindLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &pgRewindLog{h.p, h.level, append(h.attrs[:len(h.attrs):len(h.attrs)], attrs...)}
}

// WithGroup keeps the names short: nobody parses these lines by group.
func (h *pgRewindLog) WithGroup(string) slog.Handler { return h }
