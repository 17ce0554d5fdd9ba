package lexical

import "testing"

func TestCommonShare(t *testing.T) {
	for _, word := range []string{"the", "The", "has", "said"} {
		if got := CommonShare(word); got != 1 {
			t.Errorf("%q is in a share of %v", word, got)
		}
	}
	common, less, rare := CommonShare("country"), CommonShare("earthquakes"), CommonShare("Zorkcoin")
	if !(common > 2*less && less >= rare) || rare != unknownShare || CommonShare("") != unknownShare || CommonShare("COUNTRY") != common {
		t.Errorf("country %v, earthquakes %v, an unknown word %v", common, less, rare)
	}
}
