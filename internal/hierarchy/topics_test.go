package hierarchy

import (
	"context"
	"math/rand/v2"
	"testing"

	"throughline/cluster"
	"throughline/cluster/vector"
	"throughline/internal/score"
)

// articlesOn makes articles around a number of topic directions, each article a story of its own or
// of two.
func articlesOn(seed uint64, topics, each int) (ws []*score.Weighted, story, gold []int32) {
	r := rand.New(rand.NewPCG(seed, 2))
	for topic := range topics {
		centre := make([]float64, 32)
		for d := range centre {
			centre[d] = r.NormFloat64()
		}
		for i := range each {
			v := make([]float32, len(centre))
			for d := range v {
				v[d] = float32(centre[d] + 0.8*r.NormFloat64())
			}
			vector.Normalize(v)
			ws, gold = append(ws, &score.Weighted{Subject: v}), append(gold, int32(topic))
			story = append(story, -1)
			if i%5 < 2 {
				story[len(story)-1] = int32(topic*each + i/5)
			}
		}
	}
	return ws, story, gold
}

func TestTopicsFindTheirNumber(t *testing.T) {
	for _, c := range []struct{ topics, each int }{{3, 20}, {5, 60}, {9, 40}} {
		ws, story, gold := articlesOn(uint64(c.topics), c.topics, c.each)
		topic, theme, err := topics(context.Background(), ws, story, nil, 0, 2)
		if err != nil {
			t.Fatal(err)
		}
		if ami := cluster.AMI(gold, topic); ami < .98 {
			t.Errorf("%d topics: AMI %.3f, labels %v", c.topics, ami, topic)
		}
		themeOf, topicOf := map[int32]int32{}, map[int32]int32{}
		for i := range ws {
			if at, ok := topicOf[story[i]]; ok && story[i] >= 0 && at != topic[i] {
				t.Errorf("story %d is in topics %d and %d", story[i], at, topic[i])
			}
			topicOf[story[i]] = topic[i]
			if at, ok := themeOf[topic[i]]; ok && at != theme[i] {
				t.Errorf("topic %d is in themes %d and %d", topic[i], at, theme[i])
			}
			themeOf[topic[i]] = theme[i]
		}
		topicsIn := map[int32]int{}
		for _, at := range themeOf {
			topicsIn[at]++
		}
		for at, n := range topicsIn {
			if at >= 0 && n < 2 {
				t.Errorf("theme %d is one topic", at)
			}
		}
	}
}

// Many one-offs and few stories have topics as stories do. A pair that is like nothing else is too
// small for one.
func TestTopicsOfOneOffs(t *testing.T) {
	ws, story, gold := articlesOn(7, 4, 30)
	for i := range story {
		if i%30 > 1 {
			story[i] = -1
		}
	}
	odd, _, _ := articlesOn(8, 1, 2)
	ws, story, gold = append(ws, odd...), append(story, -1, -1), append(gold, 4, 4)
	topic, _, err := topics(context.Background(), ws, story, nil, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if ami := cluster.AMI(gold, topic); ami < .95 {
		t.Errorf("AMI %.3f, labels %v", ami, topic)
	}
	sizes := map[int32]int{}
	for _, l := range topic {
		sizes[l]++
	}
	for l, n := range sizes {
		if l < 0 || n < leastTopic {
			t.Errorf("topic %d has %d articles", l, n)
		}
	}
}

func TestTopicsWanted(t *testing.T) {
	ws, story, _ := articlesOn(1, 6, 30)
	topic, _, err := topics(context.Background(), ws, story, nil, 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int32]bool{}
	for _, l := range topic {
		seen[l] = true
	}
	if len(seen) != 3 || seen[-1] {
		t.Errorf("asked for 3 topics, got labels %v", seen)
	}
}

func TestTopicsWithoutVectors(t *testing.T) {
	topic, theme, err := topics(context.Background(), []*score.Weighted{{}, {}, {}}, []int32{0, 0, -1}, nil, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range topic {
		if topic[i] != -1 || theme[i] != -1 {
			t.Errorf("an article without a vector has topic %d, theme %d", topic[i], theme[i])
		}
	}
}

// Topics stay when articles come, and are replaced when others are clearly better.
func TestTopicsStay(t *testing.T) {
	found := func(ws []*score.Weighted, story, were []int32) []int32 {
		t.Helper()
		topic, _, err := topics(context.Background(), ws, story, were, 0, 1)
		if err != nil {
			t.Fatal(err)
		}
		return topic
	}
	for seed := range uint64(5) {
		ws, story, gold := articlesOn(10+seed, 6, 40)
		// Two topics of the six are one, as an earlier arrangement of few articles left it.
		were := make([]int32, len(ws))
		for i, l := range gold {
			were[i] = max(l, 1)
		}
		if topic := found(ws, story, were); cluster.AMI(topic, gold) < .98 {
			t.Errorf("seed %d: topics that are too large stay: AMI %.3f", seed, cluster.AMI(topic, gold))
		}
		if topic := found(ws, story, make([]int32, len(ws))); cluster.AMI(topic, gold) < .98 {
			t.Errorf("seed %d: one topic of everything stays: AMI %.3f", seed, cluster.AMI(topic, gold))
		}
		first := found(ws, story, nil)
		more, _, _ := articlesOn(30+seed, 1, 7)
		ws = append(ws, more...)
		for range more {
			story, first = append(story, -1), append(first, -1)
		}
		if again := found(ws, story, first); cluster.AMI(again[:len(gold)], first[:len(gold)]) < .999 {
			t.Errorf("seed %d: with seven articles more AMI %.3f", seed, cluster.AMI(again[:len(gold)], first[:len(gold)]))
		}
	}
}
