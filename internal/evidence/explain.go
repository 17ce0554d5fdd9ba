package evidence

// clearing takes the signals of a pair away one after the other, until nothing is known of it.
var clearing = []struct {
	name  string
	clear func(*Signals)
}{
	{"dense", func(s *Signals) { s.Dense = 0 }},
	{"centred", func(s *Signals) { s.Centred = 0 }},
	{"section", func(s *Signals) { s.Section = 0 }},
	{"lexical", func(s *Signals) { s.Lexical = 0 }},
	{"lead", func(s *Signals) { s.Lead = 0 }},
	{"names", func(s *Signals) { s.Names = 0 }},
	{"verbatim", func(s *Signals) { s.Verbatim, s.Copy = 0, false }},
	{"background", func(s *Signals) { s.Background = 0 }},
	{"days_apart", func(s *Signals) { s.Dated, s.Days = false, 0 }},
	{"length", func(s *Signals) { s.Length, s.Lengths = 0, [2]float64{} }},
}

// Prior is the name, among contributions, of the log-odds of two articles of which nothing is known.
const Prior = "intercept"

// Contributions says what each signal gives to the logit: by how much it falls when the signal is taken away, of those that
// are left, in the order of clearing. So they sum to Logit, with Prior, whatever terms a model has; and a signal that no
// term reads is not among them. The cosines do not depend on each other, so for these it is the term itself.
func (m *Model) Contributions(s Signals) map[string]float64 {
	gave := make(map[string]float64)
	before := m.Logit(s)
	for _, c := range clearing {
		c.clear(&s)
		after := m.Logit(s)
		if before != after {
			gave[c.name] = before - after
		}
		before = after
	}
	gave[Prior] = before
	return gave
}
