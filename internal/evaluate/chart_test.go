package evaluate

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"throughline/internal/derive"
)

// charted is a report of invented corpora: of every kind, each four times as large as the last one,
// but of windows small ones only. Every corpus has a loss between 0 and 1.
func charted(loss float64) *Report {
	var results []*Result
	for number := range 18 {
		kind, articles := derive.Kind(number%6), 30<<(number/6*2)
		if kind == derive.Window {
			articles = 50
		}
		name := fmt.Sprintf("%03d-%v", number, kind)
		r := measured(name, name, Score(1-loss*float64(number*5%18)/18), unknown, Interval{})
		r.Articles, r.Drawn = articles, &Drawn{Kind: kind}
		results = append(results, r)
	}
	return NewDerivedReport("m", &Derived{Sources: []string{"a&b", "c"}, Seed: "<1>", Count: 18, Odd: true}, results)
}

// After an intended change:
//
//	go test ./internal/evaluate -run TestChart -update
func TestChart(t *testing.T) {
	before, after := kept(t, charted(.9)), charted(.3)
	var got bytes.Buffer
	if err := WriteChart(&got, before, after); err != nil {
		t.Fatal(err)
	}
	svg := got.String()
	for decoder := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := decoder.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for run, report := range map[string]*Report{"before": before, "after": after} {
		for _, k := range report.Derived.F1 {
			if !strings.Contains(svg, fmt.Sprintf(`%s-number">%s<`, run, short(k.Mean))) {
				t.Errorf("%s: no mean of %+v", run, k)
			}
		}
	}
	file := filepath.Join("testdata", "chart.svg")
	if *update {
		if err := os.WriteFile(file, []byte(svg), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if svg != string(want) {
		t.Errorf("not as in %s, but\n%s", file, svg)
	}
}

func TestChartOfTheSameCorporaOnly(t *testing.T) {
	files, seed, labels := NewReport("m", []*Result{measured("a", "aa", 1, 0, Interval{})}), charted(.5), charted(.5)
	seed.Derived.Seed = "2"
	labels.Sets[3].Labels = "other"
	for name, runs := range map[string][2]*Report{
		"files before": {files, charted(.5)}, "files after": {charted(.5), files}, "another seed": {seed, charted(.5)}, "other labels": {charted(.5), labels},
	} {
		var got bytes.Buffer
		if err := WriteChart(&got, runs[0], runs[1]); !errors.Is(err, ErrIncomparable) || got.Len() > 0 {
			t.Errorf("%s: %v, %s", name, err, got.String())
		}
	}
}
