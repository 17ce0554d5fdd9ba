package store

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"throughline/internal/lexical"
	"throughline/internal/news"
)

// fill sets every field of a struct at random, but for those that skip names.
func fill(r *rapid.T, v reflect.Value, skip ...string) {
	switch at := v.Addr().Interface().(type) {
	case *time.Time: // to the millisecond, of any century with newspapers
		*at = time.UnixMilli(rapid.Int64Range(-1e13, 1e13).Draw(r, "time")).UTC()
		if rapid.IntRange(0, 9).Draw(r, "known") == 0 {
			*at = time.Time{}
		}
		return
	case *[]string:
		*at = rapid.SliceOfN(rapid.String(), 0, 3).Draw(r, "texts")
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if !slices.Contains(skip, v.Type().Field(i).Name) {
				fill(r, v.Field(i), skip...)
			}
		}
	case reflect.String:
		v.SetString(rapid.String().Draw(r, "text"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(r, "flag"))
	case reflect.Int:
		v.SetInt(rapid.Int64Range(0, maxSections).Draw(r, "count"))
	case reflect.Int64:
		v.SetInt(rapid.Int64Range(0, 1<<62).Draw(r, "number"))
	case reflect.Float64:
		v.SetFloat(rapid.Float64Range(0, 1).Draw(r, "probability"))
	default:
		r.Fatalf("no way to fill a %v", v.Type())
	}
}

// roundTrip encodes and decodes random values of T and compares all fields but those that skip
// names: a field that the codec does not have comes back as zero.
func roundTrip[T any](t *testing.T, encode func(*T) (*qdrant.PointStruct, error), decode func(*qdrant.RetrievedPoint) T, skip ...string) {
	t.Run(fmt.Sprintf("%T", *new(T)), rapid.MakeCheck(func(r *rapid.T) {
		var want T
		fill(r, reflect.ValueOf(&want).Elem(), skip...)
		point, err := encode(&want)
		if err != nil {
			r.Fatal(err)
		}
		got := decode(&qdrant.RetrievedPoint{Id: point.Id, Payload: point.Payload})
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			r.Errorf("(-want +got):\n%s", diff)
		}
	}))
}

func TestCodec(t *testing.T) {
	// Sections are points of their own; Origin and Extra are not stored.
	roundTrip(t, func(a *news.Article) (*qdrant.PointStruct, error) { return encodeArticle(a, &Vectors{}) },
		func(p *qdrant.RetrievedPoint) news.Article { return decodeStored(p).Article }, "Sections", "Origin", "Extra")
	roundTrip(t, func(s *news.Story) (*qdrant.PointStruct, error) { return encodeStory(&Story{Story: *s}) },
		func(p *qdrant.RetrievedPoint) news.Story { return decodeStory(p).Story })
	roundTrip(t, func(topic *news.Topic) (*qdrant.PointStruct, error) { return encodeTopic(&Topic{Topic: *topic}) },
		func(p *qdrant.RetrievedPoint) news.Topic { return decodeTopic(p).Topic })
	roundTrip(t, encodeEvent, decodeEvent)
	// Dense and Lexical are vectors, not fields.
	roundTrip(t, func(s *Section) (*qdrant.PointStruct, error) { return encodeSection(&news.Article{ID: s.ArticleID}, s) },
		decodeSection, "Dense", "Lexical")
}

// An earlier program wrote no shingles; what is no list of ascending hashes is none.
func TestDecodeShingles(t *testing.T) {
	for text, want := range map[string][]uint32{
		"": nil, "A": nil, "AAAA": nil, "not base64!": nil, encodeNumbers([]uint32{7}): {7}, encodeNumbers([]uint32{7, 9, 1<<32 - 1}): {7, 9, 1<<32 - 1},
		encodeNumbers([]uint32{9, 7}): nil, encodeNumbers([]uint32{7, 7}): nil,
	} {
		if got := decodeShingles(text); !slices.Equal(got, want) {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	}
}

// An earlier program wrote no phrases; what is no list of pairs is none.
func TestDecodePhrases(t *testing.T) {
	two := []lexical.Phrase{{Form: 7, Whole: 9}, {Form: 7, Whole: 1<<32 - 1}}
	for text, want := range map[string][]lexical.Phrase{
		"": nil, "not base64!": nil, encodeNumbers([]uint32{7}): nil, encodePhrases(nil): nil, encodePhrases(two[:1]): two[:1], encodePhrases(two): two,
	} {
		if got := decodePhrases(text); !slices.Equal(got, want) {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	}
}

// FuzzDecode reads points as a server might send them that holds what this program did not write.
func FuzzDecode(f *testing.F) {
	m := newMaker(80)
	p := m.put("a", 1, 1)
	for _, encode := range []func() (*qdrant.PointStruct, error){
		func() (*qdrant.PointStruct, error) { return encodeArticle(&p.Article, &p.Vectors) },
		func() (*qdrant.PointStruct, error) { return encodeSection(&p.Article, &p.Sections[0]) },
		func() (*qdrant.PointStruct, error) {
			return encodeStory(&Story{Story: news.Story{ID: "s", First: day(1)}})
		},
	} {
		point, err := encode()
		if err != nil {
			f.Fatal(err)
		}
		data, err := proto.Marshal(&qdrant.RetrievedPoint{Id: point.Id, Payload: point.Payload})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		point := &qdrant.RetrievedPoint{}
		if proto.Unmarshal(data, point) != nil {
			return
		}
		if a := decodeStored(point).Article; a.SectionCount < 0 || a.SectionCount > maxSections {
			t.Errorf("an article of %d sections", a.SectionCount)
		}
		decodeSection(point)
		decodeStory(point)
		decodeTopic(point)
		decodeEvent(point)
	})
}
