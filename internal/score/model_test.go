package score

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

func TestDefaultModelSaysWhereItComesFrom(t *testing.T) {
	p := Default().Provenance
	if p.Space == "" || len(p.Sets) == 0 || p.Method == "" {
		t.Errorf("provenance %+v", p)
	}
}

func TestMoreEvidenceIsMoreLikely(t *testing.T) {
	m := Default()
	base := Signals{Centred: .3, Lexical: .2, Lead: .2, Names: .2, Lengths: [2]float64{1, 1}, Dated: true, Days: 5}
	for name, change := range map[string]func(*Signals){
		"dense": func(s *Signals) { s.Centred = .6 }, "lexical": func(s *Signals) { s.Lexical = .5 },
		"names": func(s *Signals) { s.Names = .5 }, "sooner": func(s *Signals) { s.Days = 0 },
	} {
		s := base
		change(&s)
		if m.Logit(s) <= m.Logit(base) {
			t.Errorf("%s: logit %.2f, without it %.2f", name, m.Logit(s), m.Logit(base))
		}
	}
}

func TestParseModelNamesWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{`"version": 5`, `"version": 9`, "version: unsupported (got 9, want 5)"},
		{`"intercept"`, `"interceptor"`, "interceptor"},
		{`"weight"`, `"weight": -2, "ignored"`, "ignored"},
		{`"width": 3`, `"width": 1000`, "width: out of range (got 1000, want 1 to 64)"},
		{`"agreement": `, `"agreement": 9000, "ignored": `, "ignored"},
		{`{`, `[`, "score model"},
	} {
		text := strings.Replace(string(defaultModel), c.old, c.new, 1)
		if text == string(defaultModel) {
			t.Fatalf("%s does not occur in the default model", c.old)
		}
		if _, err := ParseModel([]byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s instead of %s: error %v, want one with %q", c.new, c.old, err, c.want)
		}
	}
}

// Whatever is accepted can be used.
func FuzzParseModel(f *testing.F) {
	f.Add(defaultModel)
	f.Add([]byte(`{"version":4,"dense":{"weight":1},"threshold":{"temperature":1,"target_weight":1},"days":[{"width":64,"weight":1e300}]}`))
	fs := lean(11, 12, 8, .5, 1)
	st := stateOf(fs)
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseModel(data)
		if err != nil {
			return
		}
		if _, err := json.Marshal(m); err != nil {
			t.Fatal(err)
		}
		if z := m.Logit(st.Compare(&fs[0], &fs[1])); math.IsNaN(z) {
			t.Fatalf("logit %v", z)
		}
		if it, err := m.Items([]*Weighted{st.Weigh(&fs[0]), st.Weigh(&fs[1])}); err != nil || len(it.Sparse) != 2 {
			t.Fatalf("items %+v, %v", it, err)
		}
	})
}
