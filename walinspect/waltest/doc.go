// Package waltest is test support: it builds valid WAL of any version, segment
// and page size from a list of records, and damages it in ways that have a name.
//
//	b := waltest.New(waltest.Config{Major: 16, SegmentSize: 1 << 20})
//	first := b.Append(waltest.Noop(100))
//	b.Switch()
//	log := b.Log()
//	log.Flip(first + 30)
//	r := walinspect.NewReader(log, log.Geometry, log.Start)
package waltest
