package formats

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"throughline/internal/news"
)

// parseDate reads a publication time. dateOnly means that s has no time of day, or midnight, which
// feeds write when they do not know it. A time without a zone counts as UTC. Empty text and the
// usual words for "none" give the zero time and no error.
func parseDate(s string) (t time.Time, dateOnly bool, err error) {
	s = news.CleanLine(s)
	switch strings.ToLower(s) {
	case "", "null", "none", "nil", "nan", "nat", "n/a", "unknown", "undefined", "-":
		return time.Time{}, false, nil
	}
	if t, dateOnly, err = readDate(s); err == nil {
		err = news.CheckTime(t)
	}
	if err != nil {
		return time.Time{}, false, err
	}
	t, dateOnly = news.ToUTC(t, dateOnly)
	return t, dateOnly, nil
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

// zones maps the abbreviations that news sources use to minutes east of UTC. Ambiguous ones (IST)
// are left out.
var zones = map[string]int{
	"Z": 0, "UT": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 60, "BST": 60, "CET": 60, "CEST": 120, "EET": 120, "EEST": 180, "MSK": 180,
	"EST": -300, "EDT": -240, "CST": -360, "CDT": -300, "MST": -420, "MDT": -360, "PST": -480, "PDT": -420, "AKST": -540, "AKDT": -480,
	"HST": -600, "JST": 540, "KST": 540, "HKT": 480, "SGT": 480, "AEST": 600, "AEDT": 660, "AWST": 480, "NZST": 720, "NZDT": 780, "SAST": 120,
}

// The layouts after normalisation: no weekday, no ordinal suffix, months as written, AM and PM in
// capitals, a numeric zone or none.
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

func badDate(format string, args ...any) error {
	return news.FieldError("date", news.ErrDate, fmt.Sprintf(format, args...))
}

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
			return t, false, badDate("unknown time zone %s in %s", m[2], news.Quote(original))
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
	for i, layout := range slices.Concat(dayLayouts, wholeLayouts) {
		if t, err := time.Parse(layout, s); err == nil {
			return t, i < len(dayLayouts), nil
		}
	}
	if t, ok := readDateAndClock(s); ok {
		return t, false, nil
	}
	if n := longNumber.FindString(s); n != "" {
		return t, false, news.FieldError("date", news.ErrYear, fmt.Sprintf("%s in %s is outside %d to %d", news.Clip(n, 20), news.Quote(original), news.MinYear, news.MaxYear))
	}
	return t, false, badDate("cannot read %s; write it as 2006-01-02 or 2006-01-02T15:04:05Z", news.Quote(original))
}

// readDateAndClock tries every day layout followed by every clock layout.
func readDateAndClock(s string) (time.Time, bool) {
	for _, join := range joins {
		for i := range s {
			if !strings.HasPrefix(s[i:], join) {
				continue
			}
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
		}
	}
	return time.Time{}, false
}

// orderNumeric rewrites 29.03.2024 and 03/29/2024 to 2024-03-29. With dots the day comes first.
// With slashes and hyphens both orders are common: a date that could be either is refused, not
// guessed.
func orderNumeric(m []string, original string) (string, error) {
	a, _ := strconv.Atoi(m[1])
	b, _ := strconv.Atoi(m[3])
	day, month := a, b
	switch {
	case m[2] != m[4]:
		return "", badDate("cannot read %s", news.Quote(original))
	case m[2] == "." || a > 12 || a == b:
	case b > 12:
		day, month = b, a
	default:
		return "", badDate("%s may be day or month first; write it as 2006-01-02", news.Quote(original))
	}
	s := fmt.Sprintf("%s-%02d-%02d", m[5], month, day)
	if m[6] != "" {
		s += " " + m[6]
	}
	return s, nil
}

// unixDate reads seconds, milliseconds, microseconds or nanoseconds since 1970, distinguished by
// their size: as seconds, 100 billion is the year 5138. Zero means unknown, as in many exports.
func unixDate(s string) (t time.Time, dateOnly bool, err error) {
	whole, fraction, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return t, false, badDate("cannot read %s", news.Quote(s))
	}
	if n == 0 {
		return t, false, nil
	}
	if len(strings.TrimLeft(whole, "+-")) <= 7 {
		// A year, a day number or a typing error: as a time it would be January to April 1970.
		return t, false, badDate("cannot read %s; write it as 2006-01-02 or in seconds since 1970", news.Quote(s))
	}
	switch size := max(n, -n); {
	case size >= 1e17:
		return time.Unix(0, n).UTC(), false, nil
	case size >= 1e14:
		return time.UnixMicro(n).UTC(), false, nil
	case size >= 1e11:
		return time.UnixMilli(n).UTC(), false, nil
	}
	// A run of digits is a valid fraction.
	f, _ := strconv.ParseFloat("0."+fraction, 64)
	return time.Unix(n, int64(f*1e9)).UTC(), false, nil
}
