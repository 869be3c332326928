package store

import (
	"fmt"
	"math"
	"time"

	"forkpoint/walinspect/pg"
)

// toLSN refuses positions that SQLite would sort wrongly.
func toLSN(l pg.LSN) (int64, error) {
	if l > math.MaxInt64 {
		return 0, fmt.Errorf("position %s is beyond what the catalog can order", l)
	}
	return int64(l), nil
}

// toLSNs is toLSN for several columns of a row.
func toLSNs(positions ...pg.LSN) ([]int64, error) {
	list := make([]int64, len(positions))
	for i, l := range positions {
		var err error
		if list[i], err = toLSN(l); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func toTime(t time.Time) int64    { return t.UnixMicro() }
func fromTime(us int64) time.Time { return time.UnixMicro(us).UTC() }
