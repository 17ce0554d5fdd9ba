package scoretest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"throughline/cluster/vector"
	"throughline/internal/news"
	"throughline/internal/score"
)

// NewsDim is the length of the vectors of News.
const NewsDim = 384

// Sample is an article with its dense vector.
type Sample struct {
	Article news.Article
	Dense   []float32
}

// Features returns the features of the article.
func (s *Sample) Features() score.Features { return score.FeaturesOf(&s.Article, s.Dense) }

// small are the words that link the others in a sentence.
var small = strings.Fields("the of to and in a for on that with is was at by as from be it has are said an have not after were who will he but")

// News makes n articles for benchmarks, of 60 to 400 invented words in two or three sections. Three
// fifths are one-offs; the sizes of stories follow a power law, up to a hundredth of the articles.
// Stories and one-offs are about 40 topics. The words are distributed as in English: half of them
// link others, those of the topic, the story and the rest of the language follow Zipf's law. The
// same seed gives the same articles.
func News(seed uint64, n int) []Sample {
	r := rand.New(rand.NewPCG(seed, 2))
	language := rand.NewZipf(r, 1.1, 30, 60_000)
	special := rand.NewZipf(r, 1.2, 5, 400)
	topics := make([][]float32, 40)
	for t := range topics {
		topics[t] = direction(r, nil, 0)
	}
	out := make([]Sample, 0, n)
	for event := 0; len(out) < n; event++ {
		size := 1
		if 10*len(out) >= 6*n {
			size = min(int(2/(1-r.Float64())), max(n/100, 2), n-len(out))
		}
		topic, day := r.IntN(len(topics)), r.IntN(90)
		centre := direction(r, topics[topic], 1)
		for range size {
			sentence := func(words int) string {
				var b strings.Builder
				for i := range words {
					w := small[min(r.IntN(len(small)), r.IntN(len(small)))]
					switch x := r.IntN(100); {
					case x < 6:
						w = capitalised(invented(1_000_000 + 12*event + r.IntN(12)))
					case x < 12:
						w = invented(2_000_000 + 30*event + r.IntN(30))
					case x < 22:
						w = invented(100_000 + 1000*topic + int(special.Uint64()))
					case x < 55:
						w = invented(int(language.Uint64()))
					}
					if i == 0 {
						w = capitalised(w)
					} else {
						b.WriteByte(' ')
					}
					b.WriteString(w)
				}
				return b.String()
			}
			a := news.Article{ID: fmt.Sprintf("a%07d", len(out)), Title: sentence(7 + r.IntN(5)), Source: fmt.Sprint("Outlet ", r.IntN(200)),
				Language: "en", Published: time.Date(2031, 1, 1+day, r.IntN(48), r.IntN(60), 0, 0, time.UTC)}
			words, sections := 60+r.IntN(341), 2+r.IntN(2)
			for range sections {
				var text []string
				for left := words / sections; left > 0; left -= 16 {
					text = append(text, sentence(16)+".")
				}
				a.Sections = append(a.Sections, news.Section{Text: strings.Join(text, " ")})
			}
			out = append(out, Sample{a, direction(r, centre, 0.8)})
		}
	}
	r.Shuffle(n, func(i, j int) { out[i].Article.ID, out[j].Article.ID = out[j].Article.ID, out[i].Article.ID })
	return out
}

// direction returns a unit vector at random, around a centre if there is one: noise is the length
// of what is added to it.
func direction(r *rand.Rand, centre []float32, noise float64) []float32 {
	v := make([]float32, NewsDim)
	for d := range v {
		v[d] = float32(r.NormFloat64())
	}
	vector.Normalize(v)
	if centre != nil {
		for d := range v {
			v[d] = centre[d] + float32(noise)*v[d]
		}
		vector.Normalize(v)
	}
	return v
}

// invented returns the n-th invented word.
func invented(n int) string {
	const consonants, vowels = "bdfgklmnprstvz", "aeiou"
	w := make([]byte, 0, 12)
	for n += 70 * 14; n > 0; n /= 70 {
		w = append(w, consonants[n%14], vowels[n/14%5])
	}
	return string(w)
}

func capitalised(w string) string { return strings.ToUpper(w[:1]) + w[1:] }
