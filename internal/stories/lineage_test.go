package stories

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"throughline/internal/news"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func counter() func() string {
	n := 0
	return func() string { n++; return fmt.Sprintf("new-%d", n) }
}

// titled titles each story by its id.
func titled(groups map[string]group) snapshot {
	s := make(snapshot)
	for id, members := range groups {
		s[id] = entryOf("title of "+id, members...)
	}
	return s
}

func TestCarry(t *testing.T) {
	for _, c := range []struct {
		name   string
		old    map[string]group
		groups []group
		ids    []string
		from   map[string]string
		into   map[string]string // "" is gone
	}{
		{name: "nothing before", groups: []group{{"a", "b"}}, ids: []string{"new-1"}},
		{name: "growth keeps the id", old: map[string]group{"s": {"a", "b"}}, groups: []group{{"c", "b", "a"}}, ids: []string{"s"}},
		{
			name: "of two that merge the larger part keeps its id", old: map[string]group{"s": {"a", "b"}, "t": {"c", "d", "e"}},
			groups: []group{{"a", "b", "c", "d", "e"}}, ids: []string{"t"}, into: map[string]string{"s": "t"},
		},
		{
			name: "equal parts: the smaller id", old: map[string]group{"t": {"a", "b"}, "s": {"c", "d"}}, groups: []group{{"a", "b", "c", "d"}},
			ids: []string{"s"}, into: map[string]string{"t": "s"},
		},
		{
			name: "a split leaves the id with the larger part", old: map[string]group{"s": {"a", "b", "c", "d", "e"}},
			groups: []group{{"a", "b"}, {"c", "d", "e"}}, ids: []string{"new-1", "s"}, from: map[string]string{"new-1": "s"},
		},
		{
			name: "a story whose articles are all one-offs is gone", old: map[string]group{"s": {"a", "b"}}, groups: []group{{"x", "y"}},
			ids: []string{"new-1"}, into: map[string]string{"s": ""},
		},
		{
			name: "a story that falls apart is where most of it is", old: map[string]group{"s": {"a", "b", "c"}, "t": {"x", "y", "z"}, "u": {"p", "q", "r"}},
			groups: []group{{"a", "x", "y", "z"}, {"b", "c", "p", "q", "r"}}, ids: []string{"t", "u"}, into: map[string]string{"s": "u"},
		},
		{name: "a story without articles is gone", old: map[string]group{"s": nil}, into: map[string]string{"s": ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ids := carryIDs(titled(c.old), c.groups, counter())
			if !slices.Equal(ids, c.ids) {
				t.Errorf("ids %q, want %q", ids, c.ids)
			}
			now := make(map[string]group)
			for g, id := range ids {
				now[id] = c.groups[g]
			}
			f := trace(titled(c.old), titled(now))
			if !maps.Equal(f.from, c.from) {
				t.Errorf("from %v, want %v", f.from, c.from)
			}
			if !maps.Equal(f.into, c.into) {
				t.Errorf("into %v, want %v", f.into, c.into)
			}
		})
	}
}

// Of a story that falls into halves the one with its representative keeps the id.
func TestCarryGoesWithTheRepresentative(t *testing.T) {
	old := snapshot{"s": entryOf("S", "a", "b")}
	for lead, want := range map[string][]string{"a": {"s", "new-1"}, "b": {"new-1", "s"}} {
		e := old["s"]
		e.lead = lead
		old["s"] = e
		if got := carryIDs(old, []group{{"a", "x"}, {"b", "y"}}, counter()); !slices.Equal(got, want) {
			t.Errorf("with the representative %s: %q, want %q", lead, got, want)
		}
	}
}

// partition draws a partition of some of n articles.
func partition(t *rapid.T, n int, label string) []group {
	groups := make(map[int]group)
	for a := range n {
		if g := rapid.IntRange(-1, 6).Draw(t, label); g >= 0 {
			groups[g] = append(groups[g], fmt.Sprint("a", a))
		}
	}
	var out []group
	for _, g := range slices.Sorted(maps.Keys(groups)) {
		out = append(out, groups[g])
	}
	return out
}

// Whatever happens, every new group has an id of its own, every old id is kept, or part of one that
// lives, or gone because none of its articles is anywhere; and doing it again with the outcome
// changes nothing.
func TestCarryLosesNoID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 30).Draw(t, "articles")
		old := make(map[string]group)
		for g, members := range partition(t, n, "old") {
			old[fmt.Sprint("s", g)] = members
		}
		groups := partition(t, n, "new")
		newID := counter()
		ids := carryIDs(titled(old), groups, newID)
		now := make(map[string]group)
		for g, id := range ids {
			if _, twice := now[id]; id == "" || twice {
				t.Fatalf("ids %q", ids)
			}
			now[id] = groups[g]
		}
		before, after := titled(old), titled(now)
		f := trace(before, after)
		for id, members := range old {
			into, ended := f.into[id]
			_, kept := now[id]
			if kept == ended {
				t.Fatalf("%s: kept %v, ended %v", id, kept, ended)
			}
			if !ended {
				continue
			}
			most := 0
			for _, group := range now {
				most = max(most, shared(group, members))
			}
			if shared(now[into], members) != most {
				t.Fatalf("%s became part of %q, which has %d of its articles; another has %d", id, into, shared(now[into], members), most)
			}
		}
		if again := carryIDs(titled(now), groups, newID); !slices.Equal(again, ids) {
			t.Fatalf("not stable: %q then %q", ids, again)
		}
		if events := trace(after, after).events(after, after); len(events) > 0 {
			t.Fatalf("events without a change: %v", events)
		}
	})
}

func shared(a, b group) int {
	n := 0
	for _, id := range a {
		if slices.Contains(b, id) {
			n++
		}
	}
	return n
}

// The events between two snapshots, added up, lead from one to the other; no article is ever in two
// stories; and who follows merged ids from the ledger alone ends at a story that lives.
func TestEventsReplay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 20).Draw(t, "articles")
		told, current := make(snapshot), make(map[string]group)
		newID := counter()
		resolve := make(map[string]string)
		for range rapid.IntRange(1, 4).Draw(t, "runs") {
			groups := partition(t, n, "run")
			now := make(map[string]group)
			for g, id := range carryIDs(titled(current), groups, newID) {
				now[id] = groups[g]
			}
			before, after := titled(current), titled(now)
			for i, e := range trace(before, after).events(before, after) {
				told.applyEvent(e)
				if where := twice(told); where != "" {
					t.Fatalf("after event %d, %+v: %s is in two stories", i, e, where)
				}
				if e.Kind == news.Merged {
					for _, id := range e.OtherIDs {
						resolve[id] = e.ID
					}
				}
				if e.Kind == news.Deleted {
					resolve[e.ID] = ""
				}
			}
			if diff := cmp.Diff(after, told, cmp.AllowUnexported(entry{})); diff != "" {
				t.Fatalf("the ledger tells another snapshot (-is +told):\n%s", diff)
			}
			current = now
		}
		for id := range resolve {
			at := id
			for steps := 0; ; steps++ {
				next, ended := resolve[at]
				if !ended || next == "" {
					break
				}
				if at = next; steps > len(resolve) {
					t.Fatalf("%s leads in a circle", id)
				}
			}
			if _, lives := current[at]; !lives && resolve[at] != "" {
				t.Fatalf("%s leads to %s, which does not live", id, at)
			}
		}
	})
}

// twice names an article that is in two stories.
func twice(s snapshot) string {
	where := make(map[string]bool)
	for _, l := range s {
		for id := range l.members {
			if where[id] {
				return id
			}
			where[id] = true
		}
	}
	return ""
}
