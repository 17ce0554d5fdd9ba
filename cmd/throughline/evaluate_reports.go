package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"throughline/internal/evaluate"
)

// readReport reads an earlier run of these files.
func readReport(path string, files []string) (*evaluate.Report, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // read from only
	report, err := evaluate.ReadReport(f)
	if err == nil {
		err = report.Covers(files)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return report, nil
}

// saveReport keeps the figures, without those of the run they were compared with. The file gets its name when it is complete.
func saveReport(path string, report *evaluate.Report) error {
	kept := *report
	kept.Comparison = nil
	out, err := createOutput(path, nil)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(kept); err != nil {
		return errors.Join(err, out.discard())
	}
	return errors.Join(out.commit(), out.discard())
}
