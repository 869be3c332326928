package blockmap

import (
	"testing"

	"pgregory.net/rapid"

	"forkpoint/walinspect/pg"
)

// event is one thing that a record can do to blocks.
type event struct {
	kind     int // touch, cut, database
	tag      pg.BlockTag
	restores bool
}

const (
	touchEvent = iota
	cutEvent
	databaseEvent
)

// eventsGen draws histories that meet in few places, so that cuts, creations
// and references to the same block happen in every order.
var eventsGen = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) event {
	return event{
		kind: rapid.SampledFrom([]int{touchEvent, touchEvent, touchEvent, touchEvent, cutEvent, databaseEvent}).Draw(t, "kind"),
		tag: pg.BlockTag{
			RelFork: pg.RelFork{
				RelFileLocator: pg.RelFileLocator{Spc: 1663, DB: pg.OID(rapid.IntRange(1, 2).Draw(t, "db")), Rel: pg.RelFileNumber(rapid.IntRange(1, 2).Draw(t, "rel"))},
				Fork:           pg.ForkNumber(rapid.SampledFrom([]int{0, 0, 2}).Draw(t, "fork")),
			},
			Block: rapid.SampledFrom([]pg.BlockNumber{0, 1, 2, 3, 1023, 1024, 1 << 22, 1 << 31, pg.InvalidBlock - 1}).Draw(t, "block"),
		},
		restores: rapid.Bool().Draw(t, "restores"),
	}
}), 0, 24)

func (e event) apply(m *Map) {
	switch e.kind {
	case touchEvent:
		m.Touch(e.tag, e.restores)
	case cutEvent:
		m.Cut(e.tag.RelFork, e.tag.Block)
	case databaseEvent:
		m.CutDatabase(e.tag.Spc, e.tag.DB)
	}
}

func (e event) accumulate(a *Accumulator) {
	switch e.kind {
	case touchEvent:
		a.Fork(e.tag.RelFork).Touch(e.tag.Block, e.restores)
	case cutEvent:
		a.Fork(e.tag.RelFork).Cut(e.tag.Block)
	case databaseEvent:
		a.CutDatabase(e.tag.Spc, e.tag.DB)
	}
}

// covers tells whether the event cut the block away.
func (e event) covers(tag pg.BlockTag) bool {
	switch e.kind {
	case cutEvent:
		return e.tag.RelFork == tag.RelFork && tag.Block >= e.tag.Block
	case databaseEvent:
		return e.tag.Spc == tag.Spc && e.tag.DB == tag.DB
	}
	return false
}

// model answers for one block by replaying the history event by event.
func model(events []event, tag pg.BlockTag) (touched, restored bool) {
	cut := false
	for _, e := range events {
		if e.covers(tag) {
			touched, cut = true, true
		}
		if e.kind == touchEvent && e.tag == tag {
			if !touched {
				restored = e.restores
			}
			touched = true
		}
	}
	return touched, restored && !cut
}

func checkAgainstModel(t *rapid.T, m *Map, events []event) {
	for _, db := range []pg.OID{1, 2, 3} {
		for _, rel := range []pg.RelFileNumber{1, 2, 3} {
			for _, fork := range []pg.ForkNumber{pg.MainFork, pg.VMFork} {
				rf := pg.RelFork{RelFileLocator: pg.RelFileLocator{Spc: 1663, DB: db, Rel: rel}, Fork: fork}
				entry, found := m.Get(rf)
				for _, block := range []pg.BlockNumber{0, 1, 2, 3, 4, 1023, 1024, 1025, 1 << 22, 1 << 31, pg.InvalidBlock - 1} {
					touched, restored := model(events, pg.BlockTag{RelFork: rf, Block: block})
					if touched && !found {
						t.Fatalf("%s is not in the map", rf)
					}
					if entry.IsTouched(block) != touched || entry.IsRestored(block) != restored {
						t.Fatalf("%s block %d: touched %t, restored %t; replay says %t, %t",
							rf, block, entry.IsTouched(block), entry.IsRestored(block), touched, restored)
					}
				}
			}
		}
	}
}

func TestMapAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := eventsGen.Draw(t, "events")
		var whole Map
		for _, e := range events {
			e.apply(&whole)
		}
		checkAgainstModel(t, &whole, events)
	})
}

// However a history is divided into spans, and in whichever order neighbours
// are joined, the result is the same.
func TestAppendDoesNotDependOnDivision(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := eventsGen.Draw(t, "events")
		var whole Map
		for _, e := range events {
			e.apply(&whole)
		}
		joined := joinParts(t, events)
		if !joined.Equal(&whole) || !whole.Equal(joined) {
			t.Fatalf("parts give\n%v\nthe whole gives\n%v", dump(joined), dump(&whole))
		}
		checkAgainstModel(t, joined, events)
	})
}

func joinParts(t *rapid.T, events []event) *Map {
	m := &Map{}
	if len(events) < 2 {
		for _, e := range events {
			e.apply(m)
		}
		return m
	}
	at := rapid.IntRange(0, len(events)).Draw(t, "division")
	if at == 0 || at == len(events) {
		for _, e := range events {
			e.apply(m)
		}
		return m
	}
	left, right := joinParts(t, events[:at]), joinParts(t, events[at:])
	before := right.Clone()
	left.Append(right)
	if !right.Equal(before) {
		t.Fatalf("Append changed the map that it was given")
	}
	return left
}

func TestAccumulatorEqualsMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := eventsGen.Draw(t, "events")
		var m Map
		var a Accumulator
		for _, e := range events {
			e.apply(&m)
			e.accumulate(&a)
		}
		if got, _ := a.Map(); !got.Equal(&m) {
			t.Fatalf("accumulator gives\n%v\nmap\n%v", dump(got), dump(&m))
		}
	})
}

// A number that is no block goes into no set, and what is stored of it loads.
func TestAccumulatorPassesOverNoBlock(t *testing.T) {
	var a Accumulator
	rel := pg.RelFork{RelFileLocator: pg.RelFileLocator{Spc: pg.DefaultTablespace, DB: 5, Rel: 16384}}
	for _, b := range []pg.BlockNumber{3, pg.InvalidBlock, pg.InvalidBlock - 1} {
		a.Fork(rel).Touch(b, true)
	}
	m, _ := a.Map()
	e, _ := m.Own(rel)
	if want := NewSet(3, pg.InvalidBlock-1); !e.Touched.Equal(want) || !e.Restored.Equal(want) {
		t.Fatalf("touched %s, restored %s; want %s", e.Touched, e.Restored, want)
	}
}

// What All yields, put into an empty map, is the same map.
func TestPutRestoresAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m, again Map
		for _, e := range eventsGen.Draw(t, "events") {
			e.apply(&m)
		}
		for rf, e := range m.All() {
			touched, err := DecodeSet(e.Touched.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			restored, err := DecodeSet(e.Restored.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			again.Put(rf, Entry{Limit: e.Limit, Touched: touched, Restored: restored})
		}
		if !again.Equal(&m) {
			t.Fatalf("put gives\n%v\nwant\n%v", dump(&again), dump(&m))
		}
	})
}

func TestCompareAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var left, right Map
		for _, e := range eventsGen.Draw(t, "left") {
			e.apply(&left)
		}
		for _, e := range eventsGen.Draw(t, "right") {
			e.apply(&right)
		}
		c := Compare(&left, &right)
		check := func(rf pg.RelFork, b pg.BlockNumber) {
			l, _ := left.Get(rf)
			r, _ := right.Get(rf)
			onlyL, _ := c.OnlyLeft.Get(rf)
			onlyR, _ := c.OnlyRight.Get(rf)
			both, _ := c.Both.Get(rf)
			inLeft, inRight := l.IsTouched(b), r.IsTouched(b)
			if onlyL.Touched.Contains(b) != (l.Touched.Contains(b) && !inRight) ||
				onlyR.Touched.Contains(b) != (r.Touched.Contains(b) && !inLeft) ||
				both.IsTouched(b) != (inLeft && inRight) {
				t.Fatalf("%s block %d: left %t, right %t, comparison %t %t %t", rf, b, inLeft, inRight,
					onlyL.Touched.Contains(b), onlyR.Touched.Contains(b), both.IsTouched(b))
			}
		}
		for _, m := range []*Map{&left, &right} {
			for rf := range m.All() {
				for _, b := range []pg.BlockNumber{0, 1, 2, 3, 4, 1023, 1024, 1 << 22, 1 << 31} {
					check(rf, b)
				}
			}
		}
	})
}

// dump is what a failing test prints.
func dump(m *Map) map[string][3]any {
	out := map[string][3]any{}
	for rf, e := range m.All() {
		out[rf.String()] = [3]any{e.Limit, e.Touched.bits.String(), e.Restored.bits.String()}
	}
	return out
}
