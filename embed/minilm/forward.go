package minilm

// The forward pass computes several texts at once: their tokens are the rows of one matrix.
// Everything but attention treats each row alone, and attention reads the rows of one text. So
// nothing is padded, short texts share the cost of reading the weights, and no text influences
// another.

const (
	// maxRows is the number of tokens that are computed at once. A text of maximal length fits.
	maxRows = maxTokens
	// rowPadding is additional room in buffers, because kernels work on 4 or 8 rows and 32 columns.
	// It has old numbers or those of other texts and does not change a result.
	rowPadding = 8
	// feedForwardRows is the number of rows that are computed at once in the feed-forward layers,
	// so that the wide matrix between them (8 KB a row, float32 and quantised) stays in the
	// second-level cache.
	feedForwardRows = 128
)

// scratch is the working memory of a forward pass, 4 MB. It is reused, so a pass allocates nothing.
type scratch struct {
	x, mixed  []float32 // [rows][hidden]
	qkv       []float32 // [rows][3*hidden]
	context   []float32 // [rows][hidden]
	keys      []float32 // [headSize][columns]: the keys of a head, transposed
	scores    []float32 // [rows][columns] of a head
	wide      []float32 // [feedForwardRows][inner]
	quantized *quantized
}

func newScratch() *scratch {
	const rows, columns = maxRows + rowPadding, maxRows + 32
	return &scratch{
		x:         make([]float32, rows*hidden),
		mixed:     make([]float32, rows*hidden),
		qkv:       make([]float32, rows*3*hidden),
		context:   make([]float32, rows*hidden),
		keys:      make([]float32, headSize*columns),
		scores:    make([]float32, rows*columns),
		wide:      make([]float32, feedForwardRows*inner),
		quantized: newQuantized(max(rows, feedForwardRows*inner/hidden), hidden), // rows of hidden, or fewer of inner
	}
}

// forward writes the vectors of texts to out, hidden numbers each. Texts are token ids with start
// and end tokens, together at most maxRows.
func (w *weights) forward(k *kernels, s *scratch, texts [][]int32, out [][]float32) {
	rows := 0
	for _, ids := range texts {
		for i, id := range ids {
			x := s.x[rows*hidden:][:hidden]
			word, scale := w.word[int(id)*hidden:][:hidden], w.wordScale[int(id)*(hidden/wordGroup):]
			for at := 0; at < hidden; at += wordGroup {
				k.expand(x[at:][:wordGroup], word[at:][:wordGroup], scale[at/wordGroup])
			}
			k.norm(x, w.position[i*hidden:][:hidden], w.norm.gain, w.norm.bias)
			rows++
		}
	}
	padded := (rows + 3) &^ 3
	clear(s.x[rows*hidden : padded*hidden])
	for i := range w.layers {
		w.layers[i].forward(k, s, texts, padded)
	}
	row := 0
	for i, ids := range texts {
		k.pool(out[i], s.x[row*hidden:][:len(ids)*hidden], len(ids))
		if out[i][0] != out[i][0] {
			// The sum of layer-normalised rows is never zero in practice. An embedding must be a
			// unit vector.
			clear(out[i])
			out[i][0] = 1
		}
		row += len(ids)
	}
}

// forward replaces s.x by the output of the layer.
func (l *layer) forward(k *kernels, s *scratch, texts [][]int32, rows int) {
	l.attention.forward(k, s, s.qkv, s.x, rows)
	row := 0
	for _, ids := range texts {
		for head := range heads {
			attend(k, s, row, len(ids), head*headSize)
		}
		row += len(ids)
	}
	l.attentionOutput.forward(k, s, s.mixed, s.context, rows)
	for r := range rows {
		k.norm(s.x[r*hidden:][:hidden], s.mixed[r*hidden:][:hidden], l.attentionNorm.gain, l.attentionNorm.bias)
	}
	for first := 0; first < rows; first += feedForwardRows {
		n := min(feedForwardRows, rows-first)
		x := s.x[first*hidden:][:n*hidden]
		l.intermediate.forward(k, s, s.wide, x, n)
		k.gelu(s.wide[:n*inner])
		l.output.forward(k, s, s.mixed, s.wide, n)
		for r := range n {
			k.norm(x[r*hidden:][:hidden], s.mixed[r*hidden:][:hidden], l.outputNorm.gain, l.outputNorm.bias)
		}
	}
}

// forward sets out to l applied to rows rows of x, a multiple of 4.
func (l *linear) forward(k *kernels, s *scratch, out, x []float32, rows int) {
	for r := range rows {
		k.quantize(s.quantized, r, x[r*l.inputs:][:l.inputs], l.smooth)
	}
	for first := 0; first < l.outputs; first += 48 {
		k.linear(out, s.quantized, l, first, rows)
	}
}

// masked is a score with a weight of zero that is small enough for differences to stay finite.
const masked = -1e30

// attend computes the head that begins at column for the text of n tokens that begins at row. It
// overwrites up to three rows of s.context after the text, which belong to a later text or to none.
func attend(k *kernels, s *scratch, row, n, column int) {
	columns := (n + 31) &^ 31
	query := s.qkv[row*3*hidden+column:]
	k.transpose(s.keys, columns, query[hidden:], 3*hidden, (n+7)&^7)
	k.multiply(s.scores, columns, query, 3*hidden, s.keys, columns, (n+3)&^3, headSize, columns)
	used := (n + 15) &^ 15
	for r := range n {
		scores := s.scores[r*columns:][:used]
		for i := n; i < used; i++ {
			scores[i] = masked
		}
		k.softmax(scores, scoreScale)
	}
	k.multiply(s.context[row*hidden+column:], hidden, s.scores, columns, query[2*hidden:], 3*hidden, (n+3)&^3, n, headSize)
}

// scoreScale is 1 / sqrt(headSize).
const scoreScale = 0.17677669529663687

// pack divides texts, which are sorted by their number of tokens, into runs of at most limit tokens
// and appends the ends of the runs to ends. A text longer than limit is a run of its own.
func pack(ends []int, texts [][]int32, limit int) []int {
	tokens := 0
	for i, ids := range texts {
		if tokens > 0 && tokens+len(ids) > limit {
			ends = append(ends, i)
			tokens = 0
		}
		tokens += len(ids)
	}
	return append(ends, len(texts))
}
