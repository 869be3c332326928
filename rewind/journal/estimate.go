package journal

// Estimate foretells how much room a journal takes at most: nothing is taken
// to be compressible. The zero value is that of a rewind that changes nothing.
type Estimate struct {
	Names      int64 // files, directories and links that are changed, made or removed
	NameBytes  int64 // bytes of their paths, together
	Ranges     int64 // ranges of blocks and tails that are overwritten or cut off
	RangeBytes int64 // bytes in them
	KeptBytes  int64 // bytes of removed files that must be copied (see [target.Target.Linkable])
	PlanBytes  int64
}

// Bytes is the room that is needed.
func (e Estimate) Bytes() int64 {
	const (
		perName  = 80 // its origin and where it is kept, without the path
		perRange = 40 // without path and bytes
		perInode = 4096
	)
	images := e.RangeBytes/maxImage + e.Ranges
	longest := int64(0) // an image repeats the path
	if e.Names > 0 {
		longest = (e.NameBytes + e.Names - 1) / e.Names
	}
	log := 3*e.NameBytes + e.Names*perName + images*(perRange+2*longest) + e.RangeBytes
	batches := log/closeAt + e.Ranges/256 + 64 // editors flush more often than batches fill
	return log + batches*batchHeaderSize + e.KeptBytes + e.PlanBytes + reserveSize + 8*perInode
}
