package formats_test

import (
	"context"
	"fmt"
	"strings"

	"throughline/internal/chunk"
	"throughline/internal/formats"
)

func Example() {
	file := `Title: Ferry runs aground off the north quay
Date: 2024-03-29

A ferry with 212 people aboard ran aground on Friday, the coast guard said.

The Second Grounding This Year

It is the second time since January that a ship of the line has missed the channel.
---
Date: 29 March 30000

Ships are late.
`
	var errs []error
	for valid, err := range formats.ReadFrom(context.Background(), "harbour.txt", strings.NewReader(file), formats.Options{}) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		a := valid.Article()
		fmt.Println(a.Title, a.Published.Format("2006-01-02"))
		words := func(s string) int { return len(strings.Fields(s)) }
		for _, s := range chunk.Split(a, chunk.Limit{Tokens: 200, Count: words}) {
			fmt.Printf("  [%s] %s\n", s.Heading, s.Text)
		}
	}
	fmt.Println(errs)
	// Output:
	// Ferry runs aground off the north quay 2024-03-29
	//   [] A ferry with 212 people aboard ran aground on Friday, the coast guard said.
	//   [The Second Grounding This Year] It is the second time since January that a ship of the line has missed the channel.
	// [harbour.txt:10: date: invalid date: impossible year: 30000 in "29 March 30000" is outside 1400 to 2200]
}
