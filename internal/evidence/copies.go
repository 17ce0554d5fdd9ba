package evidence

import (
	"cmp"
	"slices"

	"throughline/cluster"
	"throughline/cluster/vector"
)

// What makes two texts one. Reports that were written apart share now and then a paragraph of an agency: of the pairs of one
// event in BASIL and NewsWCL50, which hold independent reports, none shares more than a third of its runs of words, and of
// those in AllSides one in 700 does. Copies share more. "go test ./internal/evidence -run TestCopyQuality -v"
// prints, for edits of the articles of six sets and for their unedited pairs, which share is found to be copies.
const (
	// copyVerbatim is the share of the runs of five words of the shorter text that the other one has too, from which on they
	// are one text. Replacing every tenth word leaves half of them.
	copyVerbatim = 0.4
	// copyRuns is the number of runs of words below which sharing them proves nothing.
	copyRuns = 16
	// copyNames is the share of names and figures, rare ones first, that copies have in common. Pages of one outlet may
	// have most of their runs of words in common because there is more frame than text, and reports made from one form have
	// them; but they name others.
	copyNames = 0.4
	// copyCentred is the centred cosine of title and lede below which two articles are different pages of one outlet with
	// much in their margins. Of 1,000 pairs of copies in GroundNews, ECB+ and GunViolence none is below .3.
	copyCentred = 0.25
	// copyShare and copyTerms are the share of rare-word weight, and the number of distinct words, from which on articles that
	// were stored without runs of words count as one text.
	copyShare = 0.85
	copyTerms = 20
)

// sameText reports whether two articles are one text, lightly edited, shortened, or framed with the phrases of another
// outlet, and which share of its runs of words the shorter one has in common with the other.
func sameText(a, b *Weighed) (verbatim float64, copied bool) {
	verbatim, of := a.shingles.Contained(b.shingles)
	if len(a.shingles) > 0 && len(b.shingles) > 0 {
		if verbatim < copyVerbatim || of < copyRuns {
			return verbatim, false
		}
		names, known := contained(a.names, b.names)
		return verbatim, known == 0 || names >= copyNames
	}
	share, terms := contained(a.full, b.full)
	return verbatim, share >= copyShare && terms >= copyTerms
}

// contained returns the share of the weight of the vector with fewer terms that lies on terms of the other, and how many
// terms that one has. Unlike a cosine the share is not lowered by what the longer text adds, so that a shortened copy
// counts as one, and one with a paragraph added.
func contained(a, b vector.Sparse) (share float64, terms int) {
	if len(a.Terms) > len(b.Terms) {
		a, b = b, a
	}
	var sharedA, sharedB, totalA, totalB float64
	j := 0
	for i, term := range a.Terms {
		w := float64(a.Weights[i]) * float64(a.Weights[i])
		totalA += w
		for ; j < len(b.Terms) && b.Terms[j] <= term; j++ {
			v := float64(b.Weights[j]) * float64(b.Weights[j])
			totalB += v
			if b.Terms[j] == term {
				sharedA += w
				sharedB += v
			}
		}
	}
	if totalA == 0 {
		return 0, 0
	}
	share = sharedA / totalA
	if len(a.Terms) == len(b.Terms) { // the order of the two must not matter
		for ; j < len(b.Terms); j++ {
			totalB += float64(b.Weights[j]) * float64(b.Weights[j])
		}
		share = max(share, sharedB/totalB)
	}
	return share, len(a.Terms)
}

// copyAsked bounds how many articles of a copy group are compared with those of another.
const copyAsked = 8

// copies labels the copy groups within stories. The pairs of copies with most in common are joined first, and two groups
// only where at least half of their articles are copies of each other: reports that repeat one statement at length are copies
// now and then, and would chain into one.
func copies(ws []*Weighed, g *cluster.Graph, story []int32) []int32 {
	type pair struct {
		a, b     int32
		verbatim float64
	}
	var pairs []pair
	for i := range g.Nodes() {
		neighbors, _ := g.Of(i)
		for _, j := range neighbors {
			if int(j) <= i || story[i] < 0 || story[i] != story[j] {
				continue
			}
			if s := Compare(ws[i], ws[j]); s.Copy {
				pairs = append(pairs, pair{int32(i), j, s.Verbatim})
			}
		}
	}
	slices.SortFunc(pairs, func(x, y pair) int {
		return cmp.Or(cmp.Compare(y.verbatim, x.verbatim), cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b))
	})
	group, members := make([]int32, len(ws)), make(map[int32][]int32)
	for i := range group {
		group[i] = int32(i)
	}
	of := func(i int32) []int32 {
		if list := members[group[i]]; list != nil {
			return list
		}
		return []int32{i}
	}
	for _, p := range pairs {
		if group[p.a] == group[p.b] {
			continue
		}
		as, bs := of(p.a), of(p.b)
		agree, asked := 0, 0
		for _, a := range as[:min(len(as), copyAsked)] {
			for _, b := range bs[:min(len(bs), copyAsked)] {
				asked++
				if _, copied := sameText(ws[a], ws[b]); copied {
					agree++
				}
			}
		}
		if 2*agree < asked {
			continue
		}
		into, from := min(group[p.a], group[p.b]), max(group[p.a], group[p.b])
		joined := slices.Concat(as, bs)
		slices.Sort(joined)
		delete(members, from)
		members[into] = joined
		for _, i := range joined {
			group[i] = into
		}
	}
	labels, _ := withoutOneOffs(group)
	return labels
}
