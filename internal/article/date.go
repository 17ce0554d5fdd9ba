package article

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A publication time outside these years is a mistake or a stand-in for "unknown" (0001-01-01, 9999-12-31, milliseconds read as
// seconds), and would distort every measure of the time between two articles.
const (
	minYear = 1400
	maxYear = 2200
)

func checkTime(t time.Time) error {
	if y := t.UTC().Year(); !t.IsZero() && (y < minYear || y > maxYear) {
		return fieldError("date", errYear, fmt.Sprintf("%d is outside %d to %d", y, minYear, maxYear))
	}
	return nil
}

// parseDate reads a publication time. dateOnly: s has no time of day, or has midnight, which feeds put where they do not know
// it. A time without a zone counts as UTC. Empty text and the usual words for nothing give the zero time and no error.
func parseDate(s string) (t time.Time, dateOnly bool, err error) {
	s = cleanLine(s)
	switch strings.ToLower(s) {
	case "", "null", "none", "nil", "nan", "nat", "n/a", "unknown", "undefined", "-":
		return time.Time{}, false, nil
	}
	t, dateOnly, err = readDate(s)
	if err != nil {
		return time.Time{}, false, err
	}
	if err := checkTime(t); err != nil {
		return time.Time{}, false, err
	}
	if !t.IsZero() {
		t, dateOnly = settleTime(t, dateOnly)
	}
	return t, dateOnly, nil
}

// settleTime gives a time in UTC. Midnight where it was written means that only the date is known, and then the date is that
// one, whatever its zone would make of it in UTC.
func settleTime(t time.Time, dateOnly bool) (time.Time, bool) {
	midnight := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	if h, m, s := t.Clock(); dateOnly || (h == 0 && m == 0 && s == 0 && t.Nanosecond() == 0) {
		return midnight, true
	}
	return t.UTC(), false
}

var (
	digits     = regexp.MustCompile(`^[+-]?\d+(\.\d+)?$`)
	weekday    = regexp.MustCompile(`(?i)^(mon|tue(s)?|wed(nes)?|thu(rs?)?|fri|sat(ur)?|sun)(day)?\.?,?\s+`)
	ordinal    = regexp.MustCompile(`(?i)\b(\d{1,2})(st|nd|rd|th)\b`)
	meridiem   = regexp.MustCompile(`(?i)(\d)\s*([ap])\.?m\b\.?`)
	numeric    = regexp.MustCompile(`^(\d{1,2})([/.-])(\d{1,2})([/.-])(\d{4})(?:,? (.*))?$`)
	longNumber = regexp.MustCompile(`\d{5,}`)
	zoneName   = regexp.MustCompile(`^(.*\d(?: [AP]M)?) ?\(?([A-Z]{1,5})\)?$`)
	unixZone   = regexp.MustCompile(`^([A-Za-z]{3} +\d{1,2} [\d:]{8}) ([A-Z]{2,5}) (\d{4})$`)
	zoneAside  = regexp.MustCompile(`^(.*[+-]\d{2}:?\d{2}) (?:\([^)]*\)|[A-Z]{2,5})$`)
)

// zones are the abbreviations that news sources use, in minutes east of UTC. Those that mean several places (IST) are left out.
var zones = map[string]int{
	"Z": 0, "UT": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 60, "BST": 60, "CET": 60, "CEST": 120, "EET": 120, "EEST": 180, "MSK": 180,
	"EST": -300, "EDT": -240, "CST": -360, "CDT": -300, "MST": -420, "MDT": -360, "PST": -480, "PDT": -420, "AKST": -540, "AKDT": -480,
	"HST": -600, "JST": 540, "KST": 540, "HKT": 480, "SGT": 480, "AEST": 600, "AEDT": 660, "AWST": 480, "NZST": 720, "NZDT": 780, "SAST": 120,
}

// Layouts after normalisation: no weekday, no ordinal suffix, months as written, AM and PM in capitals, numeric zone if any.
var (
	dayLayouts = []string{
		"2006-01-02", "2006-1-2", "2006/01/02", "2006/1/2", "2006.01.02", "20060102",
		"2 January 2006", "2 Jan 2006", "2 January, 2006", "2 Jan, 2006", "2 Jan. 2006", "2-Jan-2006", "2-January-2006", "2-Jan-06", "2 Jan 06",
		"January 2, 2006", "Jan 2, 2006", "Jan. 2, 2006", "January 2 2006", "Jan 2 2006", "Jan. 2 2006",
	}
	clockLayouts = []string{"15:04:05", "15:04", "15:04:05.999999999", "3:04 PM", "3:04:05 PM", "3 PM", "150405"}
	joins        = []string{"T", " ", ", ", " at ", ", at ", " - ", " | "}
	zoneLayouts  = []string{"", "Z07:00", "Z0700", "Z07", " Z07:00", " Z0700", " -07"}
	wholeLayouts = []string{
		time.RFC3339Nano, time.RFC1123Z, "Jan _2 15:04:05 2006", "Jan _2 15:04:05 -0700 2006", "Jan _2 15:04:05 2006 -0700", "20060102150405",
		"15:04, 2 January 2006", "15:04 2 January 2006",
	}
)

func readDate(s string) (t time.Time, dateOnly bool, err error) {
	if digits.MatchString(s) && len(s) != len("20060102") && len(s) != len("20060102150405") {
		return unixDate(s)
	}
	original := s
	s = weekday.ReplaceAllString(s, "")
	s = ordinal.ReplaceAllString(s, "$1")
	s = meridiem.ReplaceAllStringFunc(s, func(m string) string {
		return m[:1] + " " + strings.ToUpper(m[len(m)-len(strings.TrimLeft(m[1:], " ")):][:1]) + "M"
	})
	s = strings.Replace(s, "Sept ", "Sep ", 1)
	s = strings.Replace(s, "Sept. ", "Sep ", 1)
	if m := unixZone.FindStringSubmatch(s); m != nil {
		s = m[1] + " " + m[3] + " " + m[2]
	}
	if m := zoneAside.FindStringSubmatch(s); m != nil {
		s = m[1]
	}
	if m := zoneName.FindStringSubmatch(s); m != nil && m[2] != "AM" && m[2] != "PM" {
		minutes, ok := zones[m[2]]
		if !ok {
			return t, false, fieldError("date", ErrDate, fmt.Sprintf("unknown time zone %s in %s", m[2], quote(original)))
		}
		sign := '+'
		if minutes < 0 {
			sign, minutes = '-', -minutes
		}
		s = fmt.Sprintf("%s %c%02d%02d", m[1], sign, minutes/60, minutes%60)
	}
	if m := numeric.FindStringSubmatch(s); m != nil {
		if s, err = orderNumeric(m, original); err != nil {
			return t, false, err
		}
	}
	for _, layout := range dayLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true, nil
		}
	}
	for _, layout := range wholeLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t, false, nil
		}
	}
	if t, ok := readDateAndClock(s); ok {
		return t, false, nil
	}
	if n := longNumber.FindString(s); n != "" {
		return t, false, fieldError("date", errYear, fmt.Sprintf("%s in %s is outside %d to %d", clip(n, 20), quote(original), minYear, maxYear))
	}
	return t, false, fieldError("date", ErrDate, fmt.Sprintf("cannot read %s; write it as 2006-01-02 or 2006-01-02T15:04:05Z", quote(original)))
}

// readDateAndClock tries every day layout with every clock layout behind it. The day is matched once, then the rest.
func readDateAndClock(s string) (time.Time, bool) {
	for _, join := range joins {
		for i := strings.Index(s, join); i >= 0; {
			for _, day := range dayLayouts {
				d, err := time.Parse(day, s[:i])
				if err != nil {
					continue
				}
				for _, clock := range clockLayouts {
					for _, zone := range zoneLayouts {
						c, err := time.Parse(clock+zone, s[i+len(join):])
						if err == nil {
							h, m, sec := c.Clock()
							return time.Date(d.Year(), d.Month(), d.Day(), h, m, sec, c.Nanosecond(), c.Location()), true
						}
					}
				}
			}
			next := strings.Index(s[i+1:], join)
			if next < 0 {
				break
			}
			i += 1 + next
		}
	}
	return time.Time{}, false
}

// orderNumeric rewrites 29.03.2024 and 03/29/2024 to 2024-03-29. With dots the day comes first (nobody writes it otherwise); with
// slashes and hyphens both orders are common, and a date that could be either is refused rather than guessed.
func orderNumeric(m []string, original string) (string, error) {
	a, _ := strconv.Atoi(m[1])
	b, _ := strconv.Atoi(m[3])
	day, month := a, b
	switch {
	case m[2] != m[4]:
		return "", fieldError("date", ErrDate, fmt.Sprintf("cannot read %s", quote(original)))
	case m[2] == "." || a > 12 || a == b:
	case b > 12:
		day, month = b, a
	default:
		return "", fieldError("date", ErrDate, fmt.Sprintf("%s may be day or month first; write it as 2006-01-02", quote(original)))
	}
	s := fmt.Sprintf("%s-%02d-%02d", m[5], month, day)
	if m[6] != "" {
		s += " " + m[6]
	}
	return s, nil
}

// unixDate reads seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by their size: as seconds, 100 billion is
// the year 5138. Zero is how many exports write "unknown".
func unixDate(s string) (t time.Time, dateOnly bool, err error) {
	whole, fraction, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return t, false, fieldError("date", ErrDate, fmt.Sprintf("cannot read %s", quote(s)))
	}
	if n == 0 {
		return t, false, nil
	}
	if len(strings.TrimLeft(whole, "+-")) <= 7 {
		// A year, a day number or a typing error: as a time it would be January to April 1970.
		return t, false, fieldError("date", ErrDate, fmt.Sprintf("cannot read %s; write it as 2006-01-02 or in seconds since 1970", quote(s)))
	}
	switch size := max(n, -n); {
	case size >= 1e17:
		return time.Unix(0, n).UTC(), false, nil
	case size >= 1e14:
		return time.UnixMicro(n).UTC(), false, nil
	case size >= 1e11:
		return time.UnixMilli(n).UTC(), false, nil
	}
	nanos := 0
	if fraction != "" {
		f, ferr := strconv.ParseFloat("0."+fraction, 64)
		if ferr != nil {
			return t, false, fieldError("date", ErrDate, fmt.Sprintf("cannot read %s", quote(s)))
		}
		nanos = int(f * 1e9)
	}
	return time.Unix(n, int64(nanos)).UTC(), false, nil
}
