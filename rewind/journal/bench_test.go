package journal

import (
	"math/rand/v2"
	"os"
	"testing"

	"forkpoint/rewind/target"
)

// BenchmarkRewindAndUndo overwrites 64 MB in ranges of 64 kB and takes it
// back. The bytes do not compress; the disk's flushes are part of it.
func BenchmarkRewindAndUndo(b *testing.B) {
	const size, piece = 64 << 20, 64 << 10
	random := rand.NewChaCha8([32]byte{})
	old, fresh := make([]byte, size), make([]byte, size)
	random.Read(old)
	random.Read(fresh)
	b.SetBytes(size)
	for b.Loop() {
		b.StopTimer()
		w := world{base: b.TempDir()}
		for _, dir := range []string{w.data(), w.state(), w.data() + "/global", w.data() + "/base"} {
			if err := os.Mkdir(dir, 0o700); err != nil {
				b.Fatal(err)
			}
		}
		if err := os.WriteFile(w.data()+"/base/1", old, 0o600); err != nil {
			b.Fatal(err)
		}
		t, err := target.Open(w.data(), target.Options{})
		if err != nil {
			b.Fatal(err)
		}
		j, err := Create(t.FS(), w.state(), Header{Undo: true}, nil, Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		e := NewEditor(j, t)
		if err := e.Bar(b.Context(), ""); err != nil {
			b.Fatal(err)
		}
		for off := 0; off < size; off += piece {
			if err := e.WriteAt("base/1", int64(off), fresh[off:off+piece]); err != nil {
				b.Fatal(err)
			}
		}
		if err := e.Finish(b.Context(), nil); err != nil {
			b.Fatal(err)
		}
		if err := Undo(b.Context(), j, t, UndoOptions{}); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		j.Close()
		t.Close()
		os.RemoveAll(w.base)
		b.StartTimer()
	}
}
