package formats

import (
	"errors"
	"strings"
	"testing"
	"time"

	"throughline/internal/news"
)

func TestParseDate(t *testing.T) {
	for in, want := range map[string]string{
		"2024-03-29":                          "2024-03-29",
		"2024/3/9":                            "2024-03-09",
		"20240329":                            "2024-03-29",
		"2024.03.29":                          "2024-03-29",
		"29 March 2024":                       "2024-03-29",
		"29 Mar 2024":                         "2024-03-29",
		"29-Mar-24":                           "2024-03-29",
		"March 29, 2024":                      "2024-03-29",
		"Mar. 29, 2024":                       "2024-03-29",
		"Sept. 5, 2024":                       "2024-09-05",
		"March 29 2024":                       "2024-03-29",
		"March 3rd, 2024":                     "2024-03-03",
		"Friday, 29 March 2024":               "2024-03-29",
		"Friday 29th March 2024":              "2024-03-29",
		"29.03.2024":                          "2024-03-29",
		"03.04.2024":                          "2024-04-03",
		"29/03/2024":                          "2024-03-29",
		"03/29/2024":                          "2024-03-29",
		"04/04/2024":                          "2024-04-04",
		"1400-01-01":                          "1400-01-01",
		"2024-03-29T18:05:00Z":                "2024-03-29T18:05:00Z",
		"2024-03-29T18:05:00.25Z":             "2024-03-29T18:05:00.25Z",
		"2024-03-29T18:05:00+02:00":           "2024-03-29T16:05:00Z",
		"2024-03-29T18:05:00+0200":            "2024-03-29T16:05:00Z",
		"2024-03-29T18:05":                    "2024-03-29T18:05:00Z",
		"2024-03-29 18:05:09":                 "2024-03-29T18:05:09Z",
		"2024-03-29 18:05:09.123456":          "2024-03-29T18:05:09.123456Z",
		"2024-03-29 18:05:09 UTC":             "2024-03-29T18:05:09Z",
		"2024-03-29 18:05:09 +0000 UTC":       "2024-03-29T18:05:09Z",
		"2024-03-29 18:05 EDT":                "2024-03-29T22:05:00Z",
		"20240329180509":                      "2024-03-29T18:05:09Z",
		"20240329T180509Z":                    "2024-03-29T18:05:09Z",
		"Fri, 29 Mar 2024 18:05:00 GMT":       "2024-03-29T18:05:00Z",
		"Fri, 29 Mar 2024 18:05:00 +0100":     "2024-03-29T17:05:00Z",
		"Fri, 29 Mar 2024 18:05:00 EST":       "2024-03-29T23:05:00Z",
		"Fri, 9 Mar 2024 8:05:00 +0000 (UTC)": "2024-03-09T08:05:00Z",
		"29 Mar 24 18:05 GMT":                 "2024-03-29T18:05:00Z",
		"March 29, 2024 6:05 pm":              "2024-03-29T18:05:00Z",
		"March 29, 2024 at 6:05 p.m.":         "2024-03-29T18:05:00Z",
		"March 29, 2024, 6:05 PM EST":         "2024-03-29T23:05:00Z",
		"29/03/2024 18:05":                    "2024-03-29T18:05:00Z",
		"Fri Mar 29 18:05:00 2024":            "2024-03-29T18:05:00Z",
		"Fri Mar 29 18:05:00 CEST 2024":       "2024-03-29T16:05:00Z",
		"March 29, 2024 | 6:05 pm":            "2024-03-29T18:05:00Z",
		"29.03.2024 - 18:05":                  "2024-03-29T18:05:00Z",
		"PT15M":                               "error: unknown time zone M",
		"18:05, 29 March 2024":                "2024-03-29T18:05:00Z",
		"1711735500":                          "2024-03-29T18:05:00Z",
		"1711735500.5":                        "2024-03-29T18:05:00.5Z",
		"1711735500000":                       "2024-03-29T18:05:00Z",
		"1711735500000000":                    "2024-03-29T18:05:00Z",
		"1711735500000000000":                 "2024-03-29T18:05:00Z",
		"-86400000":                           "1967-04-07",
		"2024-03-29T00:00:00Z":                "2024-03-29", // midnight is how feeds write a date
		"2024-03-29T00:00:00+02:00":           "2024-03-29", // and the date is the one that was written
		"":                                    "",
		"  null ":                             "",
		"N/A":                                 "",
		"0":                                   "",
		"30000-03-29":                         "error: impossible year: 30000",
		"29 March 30000":                      "error: impossible year: 30000",
		"+30000-01-01T00:00:00Z":              "error: impossible year: 30000",
		"9999-12-31":                          "error: impossible year: 9999",
		"0001-01-01T00:00:01Z":                "error: impossible year: 1 ",
		"1399-12-31":                          "error: impossible year: 1399",
		"99999999999":                         "error: impossible year: 5138",
		"2024":                                "error: cannot read \"2024\"",
		"2024-02-30":                          "error: cannot read",
		"2024-13-01":                          "error: cannot read",
		"03/04/2024":                          "error: \"03/04/2024\" may be day or month first",
		"31/31/2024":                          "error: cannot read",
		"yesterday":                           "error: cannot read \"yesterday\"",
		"2024-03-29 18:05 XYZ":                "error: unknown time zone XYZ",
		"2024-03-29T25:00:00Z":                "error: cannot read",
		"12345678901234567890123":             "error: cannot read",
	} {
		got := ""
		published, dateOnly, err := parseDate(in)
		switch {
		case err != nil:
			got = "error: " + strings.TrimPrefix(err.Error(), "date: invalid date: ")
			if !errors.Is(err, news.ErrDate) {
				t.Errorf("%q: %v is not ErrDate", in, err)
			}
			if strings.HasPrefix(want, "error: ") && strings.HasPrefix(got, want) {
				continue
			}
		case published.IsZero():
		case dateOnly:
			got = published.Format(time.DateOnly)
		default:
			got = published.Format(time.RFC3339Nano)
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func TestFileTitle(t *testing.T) {
	for in, want := range map[string]string{
		"x/moscow-concert-hall.txt":           "Moscow concert hall",
		"2024-03-29-ferry_runs.aground.md.gz": "Ferry runs aground",
		"20240329_ferry_runs_20240330.txt":    "Ferry runs",
		"ferry 17 aground.txt":                "Ferry 17 aground",
		"étude-numéro.txt":                    "Étude numéro",
		"article-17.txt":                      "",
		"news-article.html":                   "",
		"ferry.txt":                           "",
		"a8f3e1-ferry-aground.txt":            "",
		"-":                                   "",
		"":                                    "",
		"seed-ok-\xff.txt":                    "",
	} {
		if got := fileTitle(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestHeadingLine(t *testing.T) {
	for in, want := range map[string]bool{
		"The Aftermath and Accountability": true,
		"Unheeded Warnings":                true,
		"WHAT WE KNOW":                     true,
		"Background":                       true,
		"A Tale of Two Ports":              true,
		"Plans for 2025 and Beyond":        true,
		"背景与影响":                            true,
		"“We Are Ready” Says the Mayor":    true,
		"Only the first word":              false,
		"the Lower Case Start":             false,
		"Ends Like a Sentence.":            false,
		"Does It End?":                     false,
		"Introduces a List:":               false,
		"By Ada Pilot":                     false,
		"Photo: Ada Pilot":                 false,
		"March 29, 2024":                   false,
		"Friday 22 August 2025 05:34, UK":  false,
		"(Edited by Ada Pilot)":            false,
		"- A List Item":                    false,
		"1. A Numbered Item":               false,
		"ada@harbour.example":              false,
		"1234":                             false,
		"":                                 false,
		"Two\nLines":                       false,
		"A Line Of So Very Many Words That Nobody Would Ever Call It A Heading":                                false,
		"Averyveryveryveryveryveryveryverylongword Averyveryveryveryveryveryveryverylongword Anotherlongoneee": false,
	} {
		if got := isHeadingLine(in); got != want {
			t.Errorf("%q: %t", in, got)
		}
	}
}
