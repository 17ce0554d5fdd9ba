package evidence

import "math"

// maxHatWidth bounds the number of terms that a hat function puts into the sparse vector of every article.
const maxHatWidth = 64

// maxHats is the number of hat functions that day terms have room for.
const maxHats = 8

// hat is a function of the days between two dates: 1 for none, falling in a straight line to 0 at width. It is a dot
// product: a date becomes the indicator of the days [day, day+width), each with the weight 1/sqrt(width), and two
// intervals share width-days of them. A sum of hats of several widths falls fast at first and slowly later, as the odds
// of one event do.
func hat(width int, days float64) float64 { return math.Max(0, 1-days/float64(width)) }

// hatWeight is the weight of each of the width indicator days of a date.
func hatWeight(width int) float64 { return 1 / math.Sqrt(float64(width)) }
