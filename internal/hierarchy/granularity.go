package hierarchy

import (
	"throughline/cluster"
	"throughline/internal/score"
)

// stepped moves a threshold by a number of steps to finer stories, below 0 to coarser ones, each
// into a gap between joins. The steps end at mostLogit and leastLogit. More steps never move it
// less far.
func stepped(dendrogram *cluster.Dendrogram, threshold float64, steps int) float64 {
	for ; steps > 0 && threshold < mostLogit; steps-- {
		threshold = max(threshold, intoGap(dendrogram, min(threshold+score.GranularityStep, mostLogit)))
	}
	for ; steps < 0 && threshold > leastLogit; steps++ {
		threshold = min(threshold, intoGap(dendrogram, max(threshold-score.GranularityStep, leastLogit)))
	}
	return threshold
}
