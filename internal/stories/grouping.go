package stories

import (
	"cmp"
	"context"
	"slices"

	"throughline/internal/hierarchy"
	"throughline/internal/score"
	"throughline/internal/store"
)

const (
	// nearArticles is the number of articles that are asked for around an arrival, by vector and by
	// words each, as many as an arrangement has candidates. More are slower and no better.
	nearArticles = 20
	// nearStories and nearOneOffs are the most stories and one-offs that an arrival is linked with.
	nearStories, nearOneOffs = 8, 16
	// takenApart is the most articles of a story that are linked one by one. A larger story is
	// linked as a whole, and taken apart when all articles are arranged.
	takenApart = 16
	// takenApartAll is the most articles of all stories around an arrival that are linked one by
	// one; the farther stories are linked as a whole.
	takenApartAll = 48
	// compared is the most articles of a story that are compared with those of another.
	compared = 16
)

// comparer is a State with the articles that it has weighted, by id.
type comparer struct {
	*score.State
	weighted map[string]*score.Weighted
}

// weighAll weights articles on some goroutines; 0: as many as there are cores.
func (c *comparer) weighAll(articles []*store.Stored, workers int) {
	articles = slices.DeleteFunc(slices.Clone(articles), func(a *store.Stored) bool { return c.weighted[a.Article.ID] != nil })
	fs := make([]score.Features, len(articles))
	for i, a := range articles {
		fs[i] = a.Features()
	}
	for i, w := range c.WeighAll(fs, workers) {
		c.weighted[articles[i].Article.ID] = w
	}
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

// logit returns the mean logit between two sets of articles.
func (c *comparer) logit(as, bs []*store.Stored) float64 {
	mean, n := 0.0, float64(len(as)*len(bs))
	for _, a := range as {
		for _, b := range bs {
			mean += c.State.Logit(score.Compare(c.weigh(a), c.weigh(b))) / n
		}
	}
	return mean
}

// within returns the mean logit between articles, 0 if there is one.
func (c *comparer) within(as []*store.Stored) float64 {
	sum, pairs := 0.0, 0
	for i, a := range as {
		for _, b := range as[:i] {
			sum += c.State.Logit(score.Compare(c.weigh(a), c.weigh(b)))
			pairs++
		}
	}
	return sum / float64(max(pairs, 1))
}

// neighbor is an article near an arrival, compared with it.
type neighbor struct {
	id      string
	logit   float64
	centred float64 // see score.Signals
	copied  bool
}

// neighbors compares an article with those near it.
func (c *comparer) neighbors(a *store.Stored, near []*store.Stored) []neighbor {
	out, w := make([]neighbor, len(near)), c.weigh(a)
	for i, n := range near {
		s := score.Compare(w, c.weigh(n))
		out[i] = neighbor{n.Article.ID, c.State.Logit(s), s.Centred, s.Copy}
	}
	return out
}

// Grouping is how an arrival, the stories and the one-offs near it belong together.
type Grouping struct {
	// Groups are the groups of two articles and more, without those that are a story already.
	Groups []Group
	// Stories are the ids of the stories that they come from, and of that of the arrival. Their
	// other articles are one-offs.
	Stories []string
	Copies  []string // articles with the text of the arrival, nearest first
	// TopicID and ThemeID are those of most of the articles near the arrival; empty: none has one.
	TopicID, ThemeID string

	storyID string // most articles of the group of the arrival are in it; empty: they are in none
}

// Group is a group of articles that are one story.
type Group struct {
	Stories  []string // all articles of these
	Articles []string // and these
	// Probability that each of Articles belongs to it, in the same order.
	Probability []float64
}

// fit is how well an article fits a story.
type fit struct {
	storyID string
	logit   float64 // mean to the articles of the story that were compared
}

// node is an article or a whole story around an arrival.
type node struct {
	storyID  string // that the articles are in; empty: a one-off, or the arrival
	articles []*store.Stored
	whole    bool // articles is a sample of the story, which is not taken apart
}

// groupNear links an article anew with the stories and one-offs near it: by average linkage with
// the threshold of the State, as Recluster links all articles. The cost depends on how many stories
// are near, not on how large they are.
func groupNear(ctx context.Context, from source, st *comparer, a *store.Stored, near around) (*Grouping, error) {
	g := &Grouping{Copies: near.copies, TopicID: near.topic, ThemeID: near.theme}
	nodes, apart := []node{{articles: []*store.Stored{a}}}, 0
	for _, id := range near.stories {
		if near.logits[id] < st.Threshold.Logit && id != a.Article.StoryID {
			continue
		}
		members, err := from.members(ctx, id, a.Article.ID, store.MaxSampled)
		if err != nil {
			return nil, err
		}
		if n := len(members); n > takenApart || apart+n > takenApartAll {
			nodes = append(nodes, node{id, members, true})
			continue
		}
		apart += len(members)
		for _, m := range members {
			nodes = append(nodes, node{storyID: id, articles: []*store.Stored{m}})
		}
	}
	for _, n := range near.oneOffs {
		nodes = append(nodes, node{articles: []*store.Stored{n}})
	}
	g.link(st, a, nodes)
	return g, nil
}

// fitsNear returns how well an article fits the stories near it, best first.
func fitsNear(ctx context.Context, from source, st *comparer, a *store.Stored, near around) ([]fit, error) {
	var fits []fit
	for _, id := range near.stories {
		members, err := from.members(ctx, id, a.Article.ID, store.MaxSampled)
		if err != nil {
			return nil, err
		}
		if len(members) > 0 {
			fits = append(fits, fit{id, st.logit([]*store.Stored{a}, members)})
		}
	}
	slices.SortFunc(fits, func(a, b fit) int { return cmp.Or(cmp.Compare(b.logit, a.logit), cmp.Compare(a.storyID, b.storyID)) })
	return fits, nil
}

// around has what is near an arrival, nearest first.
type around struct {
	stories      []string
	logits       map[string]float64 // the largest to an article of each story
	oneOffs      []*store.Stored    // those that reach the threshold
	copies       []string
	topic, theme string
}

// aroundOf sorts the articles near an arrival, compared with it, by the stories and topics that
// they are in. stored has them as they are filed now.
func aroundOf(st *comparer, a *store.Stored, near []neighbor, stored []*store.Stored) around {
	byID := make(map[string]*store.Stored, len(stored))
	for _, n := range stored {
		byID[n.Article.ID] = n
	}
	out := around{logits: make(map[string]float64)}
	topics, themes := make(map[string]float64), make(map[string]string)
	nearest := slices.Clone(near)
	slices.SortStableFunc(nearest, func(a, b neighbor) int { return cmp.Or(cmp.Compare(b.logit, a.logit), cmp.Compare(a.id, b.id)) })
	for _, n := range nearest {
		s := byID[n.id]
		if s == nil || n.id == a.Article.ID {
			continue
		}
		if n.copied {
			out.copies = append(out.copies, n.id)
		}
		if id := s.Article.TopicID; id != "" && n.centred > 0 {
			topics[id] += n.centred
			themes[id] = s.Article.ThemeID
		}
		switch id := s.Article.StoryID; {
		case id != "":
			if _, known := out.logits[id]; !known && len(out.stories) < nearStories {
				out.stories, out.logits[id] = append(out.stories, id), n.logit
			}
		case n.logit >= st.Threshold.Logit && len(out.oneOffs) < nearOneOffs:
			out.oneOffs = append(out.oneOffs, s)
		}
	}
	if id := a.Article.StoryID; id != "" && !slices.Contains(out.stories, id) {
		out.stories = append(out.stories, id)
	}
	for id, weight := range topics {
		if weight > topics[out.topic] || weight == topics[out.topic] && id < out.topic {
			out.topic, out.theme = id, themes[id]
		}
	}
	return out
}

// link links nodes, of which the first is the arrival.
func (g *Grouping) link(st *comparer, a *store.Stored, nodes []node) {
	groups, mean := make([]hierarchy.Node, len(nodes)), make([][]float64, len(nodes))
	for i, n := range nodes {
		mean[i] = make([]float64, len(nodes))
		groups[i] = hierarchy.Node{Articles: len(n.articles)}
		if n.whole {
			groups[i].Within = st.within(n.articles[:min(len(n.articles), compared)])
		}
		for j, o := range nodes[:i] {
			some, others := n.articles, o.articles
			if j > 0 {
				some, others = some[:min(len(some), compared)], others[:min(len(others), compared)]
			}
			mean[i][j] = st.logit(some, others)
			mean[j][i] = mean[i][j]
		}
	}
	labels := hierarchy.Relink(groups, mean, st.Threshold.Logit)
	members := byLabel(labels)
	in := make(map[string]map[int32]bool) // labels of each story
	for i, n := range nodes {
		if n.storyID != "" {
			if in[n.storyID] == nil {
				in[n.storyID] = make(map[int32]bool)
			}
			in[n.storyID][labels[i]] = true
		}
	}
	sizes := make(map[string]int) // in the group of the arrival
	for _, i := range members[labels[0]] {
		if id := nodes[i].storyID; id != "" {
			sizes[id] += len(nodes[i].articles)
			if n, most := sizes[id], sizes[g.storyID]; n > most || n == most && id < g.storyID {
				g.storyID = id
			}
		}
	}
	changed := map[string]bool{a.Article.StoryID: true}
	for label, indices := range members {
		same := indices[0] != 0
		for _, i := range indices {
			id := nodes[i].storyID
			same = same && id != "" && id != a.Article.StoryID && id == nodes[indices[0]].storyID && len(in[id]) == 1
		}
		if same {
			continue
		}
		group := Group{}
		for _, i := range indices {
			n := nodes[i]
			changed[n.storyID] = true
			if n.whole {
				group.Stories = append(group.Stories, n.storyID)
				continue
			}
			sum, others := 0.0, 0
			for _, j := range members[label] {
				if j != i {
					sum += mean[i][j] * float64(groups[j].Articles)
					others += groups[j].Articles
				}
			}
			group.Articles = append(group.Articles, n.articles[0].Article.ID)
			group.Probability = append(group.Probability, st.MembershipProbability(sum/float64(max(others, 1))))
		}
		if len(group.Stories) > 0 || len(group.Articles) > 1 {
			g.Groups = append(g.Groups, group)
		}
	}
	delete(changed, "")
	for id := range changed {
		g.Stories = append(g.Stories, id)
	}
	slices.Sort(g.Stories)
}
