package store

import (
	"encoding/base64"
	"encoding/binary"

	"github.com/qdrant/go-client/qdrant"

	"throughline/cluster/vector"
)

// Fields that are read where a whole article is not needed.
var (
	knownFields  = []string{fieldArticle, fieldHash, fieldRevision}
	commitFields = []string{fieldArticle, fieldRevision, fieldSections}
	filingFields = []string{fieldArticle, fieldRevision, fieldSections, fieldStory, fieldTopics, fieldCopyOf, fieldProbability}
)

// none is the sparse vector of what has none.
var none vector.Sparse

// maxSections bounds what a reader believes of an article's number of sections.
const maxSections = 1 << 20

func encodeArticle(a *Article, v *Vectors) (*qdrant.PointStruct, error) {
	fields, err := toPayload(map[string]any{
		fieldArticle: a.ID, fieldTitle: a.Title, fieldTitleDerived: a.TitleDerived, fieldURL: a.URL, fieldSource: a.Source,
		fieldLanguage: a.Language, fieldAuthors: a.Authors, fieldPublished: a.Published, fieldDateOnly: a.DateOnly,
		fieldSections: a.Sections, fieldRevision: a.Revision, fieldHash: a.Hash, fieldWords: a.Words, fieldIngested: a.Ingested,
		fieldStory: a.StoryID, fieldTopics: a.TopicIDs, fieldCopyOf: a.CopyOf, fieldProbability: a.Probability, fieldDenseOf: v.DenseOf,
		fieldShingles: encodeShingles(v.Shingles),
	})
	if err != nil {
		return nil, err
	}
	return &qdrant.PointStruct{Id: articlePoint(a.ID), Payload: fields,
		Vectors: encodeVectors(v.Dense, v.Full, v.Lead, v.Names)}, nil
}

func decodeArticle(p payload) Article {
	return Article{
		ID: p.text(fieldArticle), Title: p.text(fieldTitle), TitleDerived: p.yes(fieldTitleDerived), URL: p.text(fieldURL),
		Source: p.text(fieldSource), Language: p.text(fieldLanguage), Authors: p.texts(fieldAuthors),
		Published: p.time(fieldPublished), DateOnly: p.yes(fieldDateOnly), Sections: int(min(max(p.number(fieldSections), 0), maxSections)),
		Revision: p.number(fieldRevision), Hash: p.text(fieldHash), Words: int(p.number(fieldWords)),
		Ingested: p.time(fieldIngested), StoryID: p.text(fieldStory), TopicIDs: p.texts(fieldTopics),
		CopyOf: p.text(fieldCopyOf), Probability: p.real(fieldProbability),
	}
}

func encodeShingles(shingles []uint32) string {
	data := make([]byte, 0, 4*len(shingles))
	for _, h := range shingles {
		data = binary.LittleEndian.AppendUint32(data, h)
	}
	return base64.RawStdEncoding.EncodeToString(data)
}

// decodeShingles returns nothing for what was not written by encodeShingles.
func decodeShingles(text string) []uint32 {
	data, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(data)%4 != 0 || len(data) == 0 {
		return nil
	}
	shingles := make([]uint32, len(data)/4)
	for i := range shingles {
		shingles[i] = binary.LittleEndian.Uint32(data[4*i:])
		if i > 0 && shingles[i] <= shingles[i-1] {
			return nil
		}
	}
	return shingles
}

// encodeSection stores with each section what filters need of its article, so that a search over sections is filtered
// before it ranks.
func encodeSection(a *Article, s *Section) (*qdrant.PointStruct, error) {
	fields, err := toPayload(map[string]any{
		fieldArticle: a.ID, fieldIndex: s.Index, fieldRevision: a.Revision, fieldHeading: s.Heading, fieldText: s.Text,
		fieldSource: a.Source, fieldLanguage: a.Language, fieldPublished: a.Published,
		fieldStory: a.StoryID, fieldTopics: a.TopicIDs, fieldDenseOf: s.DenseOf,
	})
	if err != nil {
		return nil, err
	}
	return &qdrant.PointStruct{Id: sectionPoint(a.ID, s.Index, a.Revision), Payload: fields,
		Vectors: encodeVectors(s.Dense, s.Lexical, none, none)}, nil
}

func decodeSection(point *qdrant.RetrievedPoint) Section {
	p := payload(point.GetPayload())
	v := decodeVectors(point.GetVectors())
	return Section{ArticleID: p.text(fieldArticle), Index: int(p.number(fieldIndex)), Heading: p.text(fieldHeading),
		Text: p.text(fieldText), Dense: v.Dense, DenseOf: p.text(fieldDenseOf), Lexical: v.Full}
}

// encodeVectors leaves out what is empty: a point need not have every vector of its collection, and a sparse vector without
// terms matches nothing anyway. The map is never nil, because Qdrant refuses a point without one.
func encodeVectors(dense []float32, full, lead, names vector.Sparse) *qdrant.Vectors {
	named := map[string]*qdrant.Vector{}
	if len(dense) > 0 {
		named[Dense] = qdrant.NewVectorDense(dense)
	}
	for _, s := range []struct {
		name   string
		sparse vector.Sparse
	}{{Lexical, full}, {Lead, lead}, {Names, names}} {
		if len(s.sparse.Terms) > 0 {
			named[s.name] = qdrant.NewVectorSparse(s.sparse.Terms, s.sparse.Weights)
		}
	}
	return qdrant.NewVectorsMap(named)
}

func decodeVectors(out *qdrant.VectorsOutput) Vectors {
	named := out.GetVectors().GetVectors()
	sparse := func(name string) vector.Sparse {
		s := named[name].GetSparseVector()
		return vector.Sparse{Terms: s.GetIndices(), Weights: s.GetValues()}
	}
	return Vectors{Dense: named[Dense].GetDenseVector().GetData(),
		Full: sparse(Lexical), Lead: sparse(Lead), Names: sparse(Names)}
}

// names are the vectors to ask the server for.
func (w With) names() []string {
	var names []string
	for bit, name := range map[With]string{WithDense: Dense, WithFull: Lexical, WithLead: Lead, WithNames: Names} {
		if w&bit != 0 {
			names = append(names, name)
		}
	}
	return names
}

// size estimates the bytes of a point in a request: what bounds a batch. Texts dominate, then vectors.
func size(point *qdrant.PointStruct) int {
	n := 64
	for _, v := range point.GetVectors().GetVectors().GetVectors() {
		n += 4*len(v.GetDense().GetData()) + 9*len(v.GetSparse().GetIndices())
	}
	for name, v := range point.GetPayload() {
		n += len(name) + 16 + len(v.GetStringValue())
		for _, item := range v.GetListValue().GetValues() {
			n += 4 + len(item.GetStringValue())
		}
	}
	return n
}

// Bounds of one write request: large enough that the round trip does not count, small enough that a request is quick and a
// retry cheap.
const (
	maxBatchBytes  = 4 << 20
	maxBatchPoints = 512
)

// batches cuts points into requests. It returns the end of each.
func batches(points []*qdrant.PointStruct) []int {
	var ends []int
	bytes, from := 0, 0
	for i, p := range points {
		n := size(p)
		if i > from && (bytes+n > maxBatchBytes || i-from == maxBatchPoints) {
			ends = append(ends, i)
			bytes, from = 0, i
		}
		bytes += n
	}
	if len(points) > from {
		ends = append(ends, len(points))
	}
	return ends
}
