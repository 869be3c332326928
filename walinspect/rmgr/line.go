package rmgr

import (
	"fmt"

	"forkpoint/walinspect"
)

// Line is the line that pg_waldump of the record's version prints for it,
// without the newline at its end.
func Line(rec *walinspect.Record) string { return Style{}.Line(rec) }

// Line is like the function [Line], in this style. With Details it has a
// further line for each block reference.
func (s Style) Line(rec *walinspect.Record) string { return string(s.AppendLine(nil, rec)) }

// AppendLine appends what Line returns. It allocates less where many records
// are printed.
func (s Style) AppendLine(dst []byte, rec *walinspect.Record) []byte {
	images := uint32(0)
	for i := range rec.Blocks {
		if b := &rec.Blocks[i]; b.HasImage() {
			images += uint32(b.Image.Len())
		}
	}
	// Positions have eight digits after the slash here in all versions; only
	// those in descriptions had fewer before 19.
	dst = fmt.Appendf(dst, "rmgr: %-11s len (rec/tot): %6d/%6d, tx: %10d, lsn: %s, prev %s, desc: ",
		rec.Rmgr.String(), rec.TotalLen-images, rec.TotalLen, uint32(rec.XID), rec.LSN.Padded(), rec.Prev.Padded())
	dst = s.appendDescription(dst, rec)
	for i := range rec.Blocks {
		if s.Details {
			dst = s.appendDetails(append(dst, "\n\t"...), rec, &rec.Blocks[i])
		} else {
			dst = appendBlockRef(append(dst, ", "...), &rec.Blocks[i])
		}
	}
	return dst
}

// appendBlockRef is the short form. It names forks other than the main one.
func appendBlockRef(dst []byte, b *walinspect.BlockRef) []byte {
	dst = fmt.Appendf(dst, "blkref #%d: rel %s", b.ID, b.Tag.RelFileLocator)
	if b.Tag.Fork != 0 {
		dst = append(append(dst, " fork "...), b.Tag.Fork.String()...)
	}
	dst = fmt.Appendf(dst, " blk %d", b.Tag.Block)
	if b.HasImage() {
		dst = append(dst, " FPW"...)
		if !b.AppliesImage() {
			dst = append(dst, " for WAL verification"...)
		}
	}
	return dst
}

// usualBlockSize is the size of data pages in nearly all servers there are.
const usualBlockSize = 8192

// appendDetails is the long form, with what is left out of the image. The
// method of compression is named from 15 on, when there came to be a choice.
func (s Style) appendDetails(dst []byte, rec *walinspect.Record, b *walinspect.BlockRef) []byte {
	dst = fmt.Appendf(dst, "blkref #%d: rel %s fork %s blk %d", b.ID, b.Tag.RelFileLocator, b.Tag.Fork, b.Tag.Block)
	if !b.HasImage() {
		return dst
	}
	dst = append(dst, " (FPW"...)
	if !b.AppliesImage() {
		dst = append(dst, " for WAL verification"...)
	}
	i := &b.Image
	dst = fmt.Appendf(dst, "); hole: offset: %d, length: %d", i.HoleOffset, i.HoleLen)
	if i.Compression == walinspect.Uncompressed {
		return dst
	}
	size := s.BlockSize
	if size == 0 {
		size = usualBlockSize
	}
	dst = fmt.Appendf(dst, ", compression saved: %d", size-uint32(i.HoleLen)-uint32(i.Len()))
	if rec.Major() >= 15 {
		dst = append(append(dst, ", method: "...), i.Compression.String()...)
	}
	return dst
}
