package plan

import (
	"fmt"
	"iter"

	"forkpoint/walinspect/datadir"
)

// Pair is one path as the two sides have it; either may be nil.
type Pair struct {
	Path           string
	Source, Target *datadir.File
	// Same: both were read and hold the same bytes, see [Input.Compares].
	Same bool
}

// Files is a listing that yields an error at most once, at its end.
type Files = iter.Seq2[datadir.File, error]

// Pairs joins two listings that are both in the order of [ComparePaths],
// holding one file of each at a time. So a million files cost no memory. A
// listing out of order is an error: a pair would be missed, and the file taken
// for one that only one side has.
func Pairs(source, target Files) iter.Seq2[Pair, error] {
	return func(yield func(Pair, error) bool) {
		nextSource, stopSource := iter.Pull2(inOrder(source, "source"))
		defer stopSource()
		nextTarget, stopTarget := iter.Pull2(inOrder(target, "target"))
		defer stopTarget()

		s, errS, okS := nextSource()
		t, errT, okT := nextTarget()
		for okS || okT {
			if errS != nil || errT != nil {
				if errS == nil {
					errS = errT
				}
				yield(Pair{}, errS)
				return
			}
			order := 0
			switch {
			case !okT:
				order = -1
			case !okS:
				order = 1
			default:
				order = ComparePaths(s.Path, t.Path)
			}
			var p Pair
			if order <= 0 {
				file := s
				p.Path, p.Source = file.Path, &file
				s, errS, okS = nextSource()
			}
			if order >= 0 {
				file := t
				p.Path, p.Target = file.Path, &file
				t, errT, okT = nextTarget()
			}
			if !yield(p, nil) {
				return
			}
		}
	}
}

// inOrder passes a listing on and refuses it where it goes back.
func inOrder(files Files, side string) Files {
	return func(yield func(datadir.File, error) bool) {
		last := ""
		for f, err := range files {
			if err == nil && last != "" && ComparePaths(last, f.Path) >= 0 {
				err = fmt.Errorf("list files of the %s: %q comes after %q", side, f.Path, last)
			}
			if !yield(f, err) || err != nil {
				return
			}
			last = f.Path
		}
	}
}

// ComparePaths orders paths as a walk meets them: by their bytes, but a slash
// before every other byte, so that a directory is followed by what it holds.
func ComparePaths(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] == b[i] {
			continue
		}
		switch {
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		case a[i] < b[i]:
			return -1
		}
		return 1
	}
	return len(a) - len(b)
}
