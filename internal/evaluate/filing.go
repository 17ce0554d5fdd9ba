package evaluate

import "throughline/cluster"

// scoreFiling compares where articles were filed with where they belong, and adds to each story of the labels what its
// articles contribute.
func scoreFiling(g *gold, filed map[string]Place, units []sums) (Stories, Topics) {
	storyNumbers, topicNumbers := newNumbers(), newNumbers()
	foundStories, foundTopics := make([]int32, len(g.ids)), make([]int32, len(g.ids))
	for i, id := range g.ids {
		place := filed[id]
		foundStories[i], foundTopics[i] = storyNumbers.of(place.Story), topicNumbers.of(place.Topic)
	}
	for i, o := range cluster.Overlaps(g.stories, foundStories) {
		if g.stories[i] >= 0 {
			units[g.stories[i]].add(&sums{
				articles: 1, precision: float64(o.Both) / float64(o.Found), recall: float64(o.Both) / float64(o.Gold),
				both: float64(o.Both-1) / 2, inGold: float64(o.Gold-1) / 2, inFound: float64(o.Found-1) / 2,
			})
		}
	}
	return scoreStories(g, foundStories), scoreTopics(g.topics, foundTopics)
}

func scoreStories(g *gold, found []int32) Stories {
	s := Stories{
		Precision: unknown, Recall: unknown, F1: unknown, PairPrecision: unknown, PairRecall: unknown, PairF1: unknown, AMI: unknown, ARI: unknown,
		InStories: unknown, GoldInStories: unknown,
	}
	for _, size := range sizes(found) {
		s.Largest = max(s.Largest, size)
	}
	s.LargestShare = Score(float64(s.Largest) / float64(len(found)))
	labelled := len(known(found, g.stories))
	if labelled == 0 {
		return s
	}
	score := func(a, b, c float64) (Score, Score, Score) { return Score(a), Score(b), Score(c) }
	s.Precision, s.Recall, s.F1 = score(cluster.BCubed(g.stories, found))
	s.PairPrecision, s.PairRecall, s.PairF1 = score(cluster.PairF1(g.stories, found))
	s.AMI, s.ARI = Score(cluster.AMI(g.stories, found)), Score(cluster.ARI(g.stories, found))
	grouped, goldGrouped := 0, 0
	s.Found, grouped = several(known(found, g.stories))
	s.Gold, goldGrouped = several(g.stories)
	s.InStories, s.GoldInStories = Score(float64(grouped)/float64(labelled)), Score(float64(goldGrouped)/float64(labelled))
	return s
}

func scoreTopics(gold, found []int32) Topics {
	t := Topics{AMI: unknown, ARI: unknown, Found: distinct(known(found, gold)), Gold: distinct(gold)}
	if t.Gold > 1 { // of one topic, every arrangement is as good as any other
		t.AMI, t.ARI = Score(cluster.AMI(gold, found)), Score(cluster.ARI(gold, found))
	}
	return t
}
