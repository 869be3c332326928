package journal
import ("testing";"fmt";"math/rand/v2";"forkpoint/rewind/target/faultfs")
func TestDbg(t *testing.T) {
	n := uint64(20)
		chance := rand.New(rand.NewPCG(*seed, n))
		w := world{base: "/w", copy: chance.IntN(2) == 0}
		d := newDisk(t, w, chance.IntN(2) == 0)
		before := w.snapshot(t, d, true)
		show := func(s string) { j, err := w.journal(d.Clone()); fmt.Println("==", s, err); if j == nil {return}; for e, err := range j.Entries(t.Context()) { if err != nil {fmt.Println(err)}; if e.Path == "pg_wal/000000010000000000000001" || e.Kind == KindStage { fmt.Println(e.Kind, e.Path, e.Was, e.Offset, len(e.Bytes), e.Number, e.Stage)}}; fmt.Println(w.snapshot(t,d,true)["wal/000000010000000000000001"], before["wal/000000010000000000000001"])}
		fmt.Println("copy", w.copy)
		for range 1 + chance.IntN(3) {
			faulty := faultfs.New(d, chance.IntN(300), faultfs.Mode(chance.IntN(3)))
			err := w.edits(t, faulty, chance)
			show(fmt.Sprint(err))
			if chance.IntN(2) == 0 {
				d = d.Crash(chance)
				show("crash")
			}
		}
		if chance.IntN(2) == 0 {
			w.undo(t.Context(), faultfs.New(d, chance.IntN(200), faultfs.Kill)) // its error is the one we made
			show("undo killed")
			if chance.IntN(2) == 0 {
				d = d.Crash(chance)
				show("crash")
			}
		}
		if err := w.undo(t.Context(), d); err != nil {
			t.Fatalf("history %d:  undo: %v", n,  err)
		}
}
