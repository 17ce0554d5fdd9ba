package stories

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func counter() func() string {
	n := 0
	return func() string { n++; return fmt.Sprintf("new-%d", n) }
}

func TestCarry(t *testing.T) {
	for _, c := range []struct {
		name   string
		old    map[string]group
		groups []group
		ids    []string
		from   []string
		merged map[string]string
		gone   []string
	}{
		{
			name: "nothing before", groups: []group{{"a", "b"}},
			ids: []string{"new-1"}, from: []string{""},
		},
		{
			name: "growth keeps the id", old: map[string]group{"s": {"a", "b"}}, groups: []group{{"c", "b", "a"}},
			ids: []string{"s"}, from: []string{""},
		},
		{
			name: "of two that merge the larger part keeps its id", old: map[string]group{"s": {"a", "b"}, "t": {"c", "d", "e"}},
			groups: []group{{"a", "b", "c", "d", "e"}},
			ids:    []string{"t"}, from: []string{""}, merged: map[string]string{"s": "t"},
		},
		{
			name: "equal parts: the smaller id", old: map[string]group{"t": {"a", "b"}, "s": {"c", "d"}}, groups: []group{{"a", "b", "c", "d"}},
			ids: []string{"s"}, from: []string{""}, merged: map[string]string{"t": "s"},
		},
		{
			name: "a split leaves the id with the larger part", old: map[string]group{"s": {"a", "b", "c", "d", "e"}},
			groups: []group{{"a", "b"}, {"c", "d", "e"}},
			ids:    []string{"new-1", "s"}, from: []string{"s", ""},
		},
		{
			name: "a story whose articles are all one-offs is gone", old: map[string]group{"s": {"a", "b"}}, groups: []group{{"x", "y"}},
			ids: []string{"new-1"}, from: []string{""}, gone: []string{"s"},
		},
		{
			name: "a story without articles is gone", old: map[string]group{"s": nil},
			gone: []string{"s"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := carry(c.old, c.groups, counter())
			if diff := cmp.Diff(c.ids, append([]string(nil), got.ids...)); diff != "" {
				t.Errorf("ids (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.from, append([]string(nil), got.from...)); diff != "" {
				t.Errorf("from (-want +got):\n%s", diff)
			}
			if !maps.Equal(c.merged, got.merged) {
				t.Errorf("merged %v, want %v", got.merged, c.merged)
			}
			if !slices.Equal(c.gone, got.gone) {
				t.Errorf("gone %v, want %v", got.gone, c.gone)
			}
		})
	}
}

// Whatever happens, every new group has an id of its own, every old id is kept, merged into a kept or new one, or gone,
// and doing it again with the outcome changes nothing.
func TestCarryLosesNoID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 30).Draw(t, "articles")
		partition := func(label string) map[int]group {
			groups := make(map[int]group)
			for a := range n {
				if g := rapid.IntRange(-1, 6).Draw(t, label); g >= 0 {
					groups[g] = append(groups[g], fmt.Sprint("a", a))
				}
			}
			return groups
		}
		old := make(map[string]group)
		for g, members := range partition("old") {
			old[fmt.Sprint("s", g)] = members
		}
		now := partition("new")
		var groups []group
		for _, g := range slices.Sorted(maps.Keys(now)) {
			groups = append(groups, now[g])
		}
		newID := counter()
		c := carry(old, groups, newID)
		kept := make(map[string]bool)
		for _, id := range c.ids {
			if id == "" || kept[id] {
				t.Fatalf("ids %q", c.ids)
			}
			kept[id] = true
		}
		for id := range old {
			states := 0
			if kept[id] {
				states++
			}
			if into, ok := c.merged[id]; ok {
				states++
				if !kept[into] {
					t.Fatalf("%s merged into %s, which does not live", id, into)
				}
			}
			if slices.Contains(c.gone, id) {
				states++
			}
			if states != 1 {
				t.Fatalf("old id %s has %d fates: kept %v, merged %v, gone %v", id, states, kept[id], c.merged, c.gone)
			}
		}
		after := make(map[string]group)
		for g, id := range c.ids {
			after[id] = groups[g]
		}
		again := carry(after, groups, newID)
		if !slices.Equal(again.ids, c.ids) || len(again.merged)+len(again.gone) > 0 {
			t.Fatalf("not stable: %v then %v", c.ids, again.ids)
		}
		for g, id := range c.ids {
			joined, left := again.moved(id, groups[g])
			if len(joined)+len(left) > 0 {
				t.Fatalf("%s moved without a change: %v %v", id, joined, left)
			}
		}
	})
}
