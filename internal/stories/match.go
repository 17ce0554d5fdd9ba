package stories

import (
	"cmp"
	"math"
	"slices"

	"throughline/internal/score"
	"throughline/internal/store"
)

const (
	// nearArticles is the number of articles that each query of a match asks for, by vector and by
	// words.
	nearArticles = 40
	// nearStories is the number of stories whose articles are compared.
	nearStories = 8
	// quorum is the share of the articles of a story that must be above the threshold. A single
	// similar article is not enough: chains of single links would join all stories into one.
	quorum = 0.5
)

// comparer is a State with the articles that it has weighted, by id.
type comparer struct {
	*score.State
	weighted map[string]*score.Weighted
}

// newComparer weights articles on some goroutines; 0: as many as there are cores.
func newComparer(st *score.State, articles []*store.Stored, workers int) *comparer {
	c := &comparer{st, make(map[string]*score.Weighted, len(articles))}
	fs := make([]score.Features, len(articles))
	for i, a := range articles {
		fs[i] = a.Features()
	}
	for i, w := range st.WeighAll(fs, workers) {
		c.weighted[articles[i].Article.ID] = w
	}
	return c
}

func (c *comparer) weigh(a *store.Stored) *score.Weighted {
	w := c.weighted[a.Article.ID]
	if w == nil {
		f := a.Features()
		w = c.Weigh(&f)
		c.weighted[a.Article.ID] = w
	}
	return w
}

// storyMatch is how well an article fits one story.
type storyMatch struct {
	storyID string
	logit   float64 // mean over the articles of the story that were compared
	agree   float64 // share of these articles whose logit reaches the threshold
}

// Match is the result of comparing an article with what is stored: a story to join, a one-off to
// form a new story with, or neither.
type Match struct {
	storyID     string        // the story to join; empty with a partner, which means a new story
	partner     *store.Stored // the one-off to form a story with
	probability float64       // that the article is about the event of that story
	copies      []string      // ids of articles with the same text, nearest first
	stories     []storyMatch  // the stories that were scored, best first
}

// shortlist compares an article with those nearest to it. It returns the ids of at most nearStories
// stories, best first, and a match with the copies and the best one-off.
func shortlist(st *comparer, w *score.Weighted, near []*store.Stored) ([]string, Match) {
	var m Match
	best, logits := math.Inf(-1), make(map[string]float64)
	for _, n := range near {
		signals := score.Compare(w, st.weigh(n))
		logit := st.Logit(signals)
		if signals.Copy {
			m.copies = append(m.copies, n.Article.ID)
		}
		if id := n.Article.StoryID; id != "" {
			if known, ok := logits[id]; !ok || logit > known {
				logits[id] = logit
			}
		} else if logit >= st.Threshold.Logit && logit > best {
			best, m.partner = logit, n
			m.probability = st.MembershipProbability(logit)
		}
	}
	ids := make([]string, 0, len(logits))
	for id := range logits {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int { return cmp.Or(cmp.Compare(logits[b], logits[a]), cmp.Compare(a, b)) })
	return ids[:min(len(ids), nearStories)], m
}

// withStories completes a match with the shortlisted stories. samples has articles of each story,
// all or store.MaxSampled.
func (m Match) withStories(st *comparer, w *score.Weighted, samples map[string][]*store.Stored) Match {
	for id, members := range samples {
		if len(members) == 0 {
			continue
		}
		sm := storyMatch{storyID: id}
		for _, member := range members {
			logit := st.Logit(score.Compare(w, st.weigh(member)))
			sm.logit += logit / float64(len(members))
			if logit >= st.Threshold.Logit {
				sm.agree += 1 / float64(len(members))
			}
		}
		m.stories = append(m.stories, sm)
	}
	slices.SortFunc(m.stories, func(a, b storyMatch) int {
		return cmp.Or(cmp.Compare(b.logit, a.logit), cmp.Compare(a.storyID, b.storyID))
	})
	// A story that fits is preferred to a one-off that is nearer: the one-off may be about the same
	// event and only wait to be filed. Linkage over all articles would join the two, and then the
	// story.
	for _, sm := range m.stories {
		if sm.logit >= st.Threshold.Logit && sm.agree >= quorum {
			m.storyID, m.partner = sm.storyID, nil
			m.probability = st.MembershipProbability(sm.logit)
			break
		}
	}
	return m
}
