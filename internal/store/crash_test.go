package store

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"throughline/internal/news"
)

// childFile names the store's file for a child process that this test kills.
const childFile = "THROUGHLINE_STORE_TEST_CHILD"

// runChild puts articles without end, a batch at a time, over a few ids so that most puts replace,
// and files each batch in a new story. It prints "ID VERSION" once a put is acknowledged, and "s
// VERSION" once a plan is.
func runChild(path string) int {
	conn, err := Local(path, nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	s, err := Open(context.Background(), conn, Config{Prefix: "kill", Space: testSpace, Owner: "child"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	start, err := strconv.Atoi(os.Getenv(childFile + "_START"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	m := newMaker(uint64(start))
	fmt.Println("ready")
	for version := start; ; version++ {
		var items []Put
		for range 4 {
			items = append(items, m.put(fmt.Sprintf("a%d", m.r.IntN(12)), version, m.r.IntN(5)))
		}
		for i, err := range s.Put(context.Background(), items) {
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			fmt.Printf("%s %d\n", items[i].Article.ID, version)
		}
		name := fmt.Sprintf("s%d", version)
		p := &Plan{Topics: []Topic{topic("t" + name)}, NewStories: []Story{story(name, len(items))}, Events: events(version, 1)}
		for _, item := range items {
			p.Memberships = append(p.Memberships, Membership{ArticleID: item.Article.ID, Revision: item.Article.Revision,
				Membership: news.Membership{StoryID: name, TopicID: "t" + name}})
		}
		if err := s.Apply(context.Background(), p); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Printf("s %d\n", version)
	}
}

// TestKill kills a writing process at random moments and looks at what it leaves: everything
// acknowledged is there, in that version or a later one, nothing is half visible, and every story
// that an article names exists.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	acked := map[string]int{}
	r := rand.New(rand.NewPCG(5, 5))
	for round := range 6 {
		killWriter(t, path, 1+round*100_000, time.Duration(r.IntN(120))*time.Millisecond, acked)

		conn, err := Local(path, nil)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		// The lease of the dead process must not be in the way.
		s, err := Open(t.Context(), conn, Config{Prefix: "kill", Space: testSpace, Owner: "parent"})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if s.Clean() {
			t.Errorf("round %d: clean after a kill", round)
		}
		checkVisible(t, s)
		checkNames(t, s)
		if _, err := s.RepairSections(t.Context()); err != nil {
			t.Fatal(err)
		}
		versions := checkWhole(t, s)
		ledger, err := s.Events(t.Context(), 0, MaxLimit)
		if err != nil {
			t.Fatal(err)
		}
		for i, event := range ledger {
			if event.Sequence != int64(i+1) {
				t.Errorf("round %d: event %d has the number %d", round, i+1, event.Sequence)
			}
			if version, err := strconv.Atoi(event.ID[1:]); err != nil {
				t.Error(err)
			} else {
				versions["s"] = max(versions["s"], version)
			}
		}
		for id, version := range acked {
			if versions[id] < version {
				t.Errorf("round %d: %s: acknowledged version %d, stored %d", round, id, version, versions[id])
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(acked) == 0 {
		t.Error("no put was ever acknowledged; nothing was tested")
	}
}

// killWriter starts a child, lets it write for a while, kills it and notes what it acknowledged.
func killWriter(t *testing.T, path string, start int, writing time.Duration, acked map[string]int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childFile+"="+path, fmt.Sprintf("%s_START=%d", childFile, start))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("the child did not start: %v", cmd.Wait())
	}
	timer := time.AfterFunc(writing, func() { cmd.Process.Kill() })
	for lines.Scan() {
		id, version, ok := strings.Cut(lines.Text(), " ")
		n, err := strconv.Atoi(version)
		if !ok || err != nil {
			continue // the last line may be cut short
		}
		acked[id] = n
	}
	timer.Stop()
	cmd.Wait() // says that it was killed
}

// checkVisible fails the test unless every article is whole and of one version. It returns the
// version of each, and how many sections the articles name.
func checkVisible(t *testing.T, s *Store) (versions map[string]int, sections int64) {
	t.Helper()
	versions = map[string]int{}
	var ids []string
	counts := map[string]int{}
	err := s.Scan(t.Context(), news.Filter{}, WithVectors, func(st *Stored) error {
		a := st.Article
		title, version, ok := strings.Cut(a.Title, " v")
		n, err := strconv.Atoi(version)
		if !ok || err != nil || title != a.ID || a.ContentHash != a.Title || a.Words != 100+n || len(st.Vectors.Dense) != testDim {
			t.Errorf("mixed article %+v", a)
		}
		versions[a.ID] = n
		counts[a.ID] = a.SectionCount
		sections += int64(a.SectionCount)
		ids = append(ids, a.ID)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	found, err := s.Sections(t.Context(), ids, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if len(found[id]) != counts[id] {
			t.Errorf("%s names %d sections and has %d", id, counts[id], len(found[id]))
		}
		for i, section := range found[id] {
			if want := fmt.Sprintf("%s v%d section %d", id, versions[id], i); section.Text != want || section.Index != i || len(section.Dense) != testDim {
				t.Errorf("%s: section %d is %q, want %q", id, i, section.Text, want)
			}
		}
	}
	return versions, sections
}

// checkWhole is checkVisible, and fails the test also when sections are stored that no article
// names.
func checkWhole(t *testing.T, s *Store) map[string]int {
	t.Helper()
	versions, sections := checkVisible(t, s)
	stored, err := s.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if stored.Sections != sections {
		t.Errorf("%d sections are stored, articles name %d", stored.Sections, sections)
	}
	return versions
}
