package qdrantlite

import (
	"math"
)

// defaultRRF is Qdrant's constant k of reciprocal rank fusion.
const defaultRRF = 2

// merge fuses what the sources found. Order and scores of the result depend on nothing else.
func (f *fusion) merge(ids []pointID, sources []*step) []hit {
	at := make(map[uint32]int)
	var fused []hit
	add := func(row uint32, score float32) {
		i, ok := at[row]
		if !ok {
			i = len(fused)
			at[row] = i
			fused = append(fused, hit{row: row})
		}
		fused[i].score += score
	}
	for i, source := range sources {
		if f.dbsf {
			normal := distributionScores(source.scores())
			for j, h := range source.hits {
				add(h.row, normal[j])
			}
			continue
		}
		weight := float32(1)
		if len(f.weights) > 0 {
			weight = f.weights[i]
		}
		for rank, h := range source.hits {
			add(h.row, rankScore(rank, f.k, weight))
		}
	}
	sortHits(ids, fused)
	return fused
}

// rankScore is Qdrant's reciprocal rank score: 1 / ((rank+1)/weight + k - 1), with rank from 0, which is 1/(rank+k) for the weight
// 1. See Cormack, Clarke and Buettcher, "Reciprocal Rank Fusion outperforms Condorcet", SIGIR 2009.
func rankScore(rank int, k uint32, weight float32) float32 {
	if !(weight > 0) {
		return 0
	}
	return 1 / (float32(rank+1)/weight + float32(k) - 1)
}

// scores are the scores of a source's hits as a client would see them.
func (s *step) scores() []float32 {
	scores := make([]float32, len(s.hits))
	for i, h := range s.hits {
		scores[i] = s.clientScore(h)
	}
	return scores
}

// clientScore turns a hit's score into the one that Qdrant reports: Euclidean distances are positive there.
func (s *step) clientScore(h hit) float32 {
	if s.dense != nil && s.euclid {
		return -h.score
	}
	return h.score
}

// distributionScores is distribution-based score fusion's scaling: three standard deviations (of a sample) below the mean become 0,
// three above become 1. A single score, or equal ones, become a half.
func distributionScores(scores []float32) []float32 {
	out := make([]float32, len(scores))
	var mean, squares float32
	for i, x := range scores {
		before := x - mean
		mean += before / float32(i+1)
		squares += before * (x - mean)
	}
	least, most := mean, mean
	if len(scores) > 1 {
		deviation := float32(math.Sqrt(float64(squares / float32(len(scores)-1))))
		least, most = mean-3*deviation, mean+3*deviation
	}
	for i, x := range scores {
		if least == most {
			out[i] = 0.5
		} else {
			out[i] = (x - least) / (most - least)
		}
	}
	return out
}
