package vector

// Above writes the positions of the scores that are greater than bar, ascending, to the front of
// out and returns their number. out must be at least as long as scores. It filters a tile of scores
// for a list of the best, where few scores pass and the others should cost almost nothing.
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
