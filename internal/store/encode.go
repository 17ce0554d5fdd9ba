package store

import (
	"encoding/base64"
	"encoding/binary"
	"iter"
	"slices"

	"github.com/qdrant/go-client/qdrant"

	"throughline/cluster/vector"
	"throughline/internal/lexical"
	"throughline/internal/news"
)

// Fields that are read where a whole article is not needed.
var (
	knownFields          = []string{fieldArticle, fieldHash, fieldFiled}
	commitFields         = []string{fieldArticle, fieldRevision, fieldSections}
	markFields           = []string{fieldArticle, fieldRevision, fieldStory, fieldTopic, fieldTheme, fieldCopyOf}
	hitFields            = []string{fieldArticle, fieldIndex, fieldRevision} // of sections
	membershipReadFields = []string{fieldArticle, fieldRevision, fieldFiled, fieldSections, fieldStory, fieldTopic, fieldTheme, fieldCopyOf, fieldProbability}
)

// maxSections bounds what a reader believes of an article's number of sections.
const maxSections = 1 << 20

func encodeArticle(a *news.Article, v *Vectors) (*qdrant.PointStruct, error) {
	more := map[string]any{fieldDenseOf: v.DenseOf, fieldShingles: encodeNumbers(v.Lex.Shingles), fieldPhrases: encodePhrases(v.Lex.Phrases)}
	return newPoint(articlePoint(a.ID), articleFields(a), more, v)
}

func decodeArticle(p payload) news.Article {
	var a news.Article
	decodeFields(articleFields(&a), p)
	a.SectionCount = min(max(a.SectionCount, 0), maxSections)
	if p[fieldFiled] == nil {
		a.FiledRevision = a.Revision
	}
	return a
}

func decodeMark(p payload) Mark {
	return Mark{p.text(fieldArticle), p.number(fieldRevision),
		news.Membership{StoryID: p.text(fieldStory), TopicID: p.text(fieldTopic), ThemeID: p.text(fieldTheme), CopyOf: p.text(fieldCopyOf)}}
}

// encodeNumbers is the base64 of little-endian numbers.
func encodeNumbers[T uint32 | float32](numbers []T) string {
	data, _ := binary.Append(nil, binary.LittleEndian, numbers) // fails for other types only
	return base64.RawStdEncoding.EncodeToString(data)
}

// decodeNumbers returns nil for no numbers, and for text that encodeNumbers cannot have written.
func decodeNumbers[T uint32 | float32](text string) []T {
	data, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(data) == 0 || len(data)%4 != 0 {
		return nil
	}
	numbers := make([]T, len(data)/4)
	if _, err := binary.Decode(data, binary.LittleEndian, numbers); err != nil {
		return nil
	}
	return numbers
}

// decodeShingles returns nil for text that is not of ascending hashes.
func decodeShingles(text string) []uint32 {
	shingles := decodeNumbers[uint32](text)
	for i := 1; i < len(shingles); i++ {
		if shingles[i] <= shingles[i-1] {
			return nil
		}
	}
	return shingles
}

func encodePhrases(phrases []lexical.Phrase) string {
	numbers := make([]uint32, 0, 2*len(phrases))
	for _, p := range phrases {
		numbers = append(numbers, p.Form, p.Whole)
	}
	return encodeNumbers(numbers)
}

// decodePhrases returns nil for text that is not of pairs of hashes.
func decodePhrases(text string) []lexical.Phrase {
	numbers := decodeNumbers[uint32](text)
	if len(numbers)%2 != 0 {
		return nil
	}
	var phrases []lexical.Phrase
	for pair := range slices.Chunk(numbers, 2) {
		phrases = append(phrases, lexical.Phrase{Form: pair[0], Whole: pair[1]})
	}
	return phrases
}

// encodeSection adds the fields of the article that filters need.
func encodeSection(a *news.Article, s *Section) (*qdrant.PointStruct, error) {
	return newPoint(sectionPoint(a.ID, s.Index, a.Revision), sectionMemberships(&a.Membership), map[string]any{
		fieldArticle: a.ID, fieldIndex: s.Index, fieldRevision: a.Revision, fieldHeading: s.Heading, fieldText: s.Text,
		fieldSource: a.Source, fieldLanguage: a.Language, fieldPublished: a.Published, fieldDenseOf: s.DenseOf,
	}, &Vectors{Dense: s.Dense, Lex: lexical.Vectors{Full: s.Lexical}})
}

func decodeSection(point *qdrant.RetrievedPoint) Section {
	p := payload(point.GetPayload())
	v := decodeVectors(point.GetVectors())
	return Section{ArticleID: p.text(fieldArticle), Index: int(p.number(fieldIndex)),
		Section: news.Section{Heading: p.text(fieldHeading), Text: p.text(fieldText)},
		Dense:   v.Dense, DenseOf: p.text(fieldDenseOf), Lexical: v.Lex.Full}
}

// Names of the vectors.
const (
	denseName   = "dense"   // articles, sections, stories, topics
	lexicalName = "lexical" // Lex.Full of articles and stories, Section.Lexical
	leadName    = "lead"    // articles, stories
	namesName   = "names"   // articles, stories
)

// encodeVectors leaves out empty vectors: a point need not have every vector of its collection, and
// a sparse vector without terms matches nothing. The map is never nil, because Qdrant refuses a
// point without one. A nil v has no vectors.
func encodeVectors(v *Vectors) *qdrant.Vectors {
	named := map[string]*qdrant.Vector{}
	if v == nil {
		return qdrant.NewVectorsMap(named)
	}
	if len(v.Dense) > 0 {
		named[denseName] = qdrant.NewVectorDense(v.Dense)
	}
	for name, sparse := range map[string]vector.Sparse{lexicalName: v.Lex.Full, leadName: v.Lex.Lead, namesName: v.Lex.Names} {
		if len(sparse.Terms) > 0 {
			named[name] = qdrant.NewVectorSparse(sparse.Terms, sparse.Weights)
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
	return Vectors{Dense: named[denseName].GetDenseVector().GetData(),
		Lex: lexical.Vectors{Full: sparse(lexicalName), Lead: sparse(leadName), Names: sparse(namesName)}}
}

// names are the names of the vectors to read.
func (w With) names() []string {
	var names []string
	for bit, name := range map[With]string{WithDense: denseName, WithFull: lexicalName, WithLead: leadName, WithNames: namesName} {
		if w&bit != 0 {
			names = append(names, name)
		}
	}
	return names
}

// size estimates the bytes of a point in a request. Texts dominate, then vectors.
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

// Bounds of one write request: large enough that the round trip does not count, small enough that a
// request is quick and its retry cheap.
const (
	maxBatchBytes  = 4 << 20
	maxBatchPoints = 512
)

// batches cuts points into requests: from and to of each.
func batches(points []*qdrant.PointStruct) iter.Seq2[int, int] {
	return func(yield func(from, to int) bool) {
		for from, to := 0, 0; from < len(points); from = to {
			bytes := 0
			for ; to < len(points) && to-from < maxBatchPoints; to++ {
				if bytes += size(points[to]); bytes > maxBatchBytes && to > from {
					break
				}
			}
			if !yield(from, to) {
				return
			}
		}
	}
}
