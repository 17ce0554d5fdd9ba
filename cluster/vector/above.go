package vector

// Above writes the positions of the scores that are greater than bar, ascending, to the front of out and returns how many they are.
// out must be at least as long as scores. It is what stands between a tile of scores and a list of the best: few scores
// pass, and those that do not should cost almost nothing.
func Above(scores []int32, bar int32, out []int32) int {
	if len(out) < len(scores) {
		panic("vector: Above: out is shorter than scores")
	}
	return above(scores, bar, out)
}

func abovePortable(scores []int32, bar int32, out []int32) int {
	count := 0
	for i, s := range scores {
		if s > bar {
			out[count] = int32(i)
			count++
		}
	}
	return count
}
