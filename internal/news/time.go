package news

import (
	"fmt"
	"time"
)

// Publication times outside these years are mistakes or stand for "unknown" (0001-01-01,
// 9999-12-31, milliseconds read as seconds). They would distort every time between two articles.
const (
	MinYear = 1400
	MaxYear = 2200
)

// CheckTime returns a field error, ErrYear, for a time outside MinYear to MaxYear. Zero is valid.
func CheckTime(t time.Time) error {
	if y := t.UTC().Year(); !t.IsZero() && (y < MinYear || y > MaxYear) {
		return FieldError("date", ErrYear, fmt.Sprintf("%d is outside %d to %d", y, MinYear, MaxYear))
	}
	return nil
}

// ToUTC converts a time to UTC. Midnight in the zone of t, or dateOnly, means that only the date is
// known: it returns midnight UTC of that date, which a conversion might change, and true. A zero t
// stays zero, and false.
func ToUTC(t time.Time, dateOnly bool) (time.Time, bool) {
	midnight := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	h, m, s := t.Clock()
	switch {
	case t.IsZero():
		return time.Time{}, false
	case dateOnly || h == 0 && m == 0 && s == 0 && t.Nanosecond() == 0:
		return midnight, true
	}
	return t.UTC(), false
}
