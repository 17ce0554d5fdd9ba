package store

import (
	"slices"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
)

// What was not written by this program is no list of shingles, and none at all was written by an earlier one.
func TestDecodeShingles(t *testing.T) {
	for text, want := range map[string][]uint32{
		"": nil, "A": nil, "AAAA": nil, "not base64!": nil, encodeShingles([]uint32{7}): {7}, encodeShingles([]uint32{7, 9, 1<<32 - 1}): {7, 9, 1<<32 - 1},
		encodeShingles([]uint32{9, 7}): nil, encodeShingles([]uint32{7, 7}): nil,
	} {
		if got := decodeShingles(text); !slices.Equal(got, want) {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	}
}

// FuzzDecode reads points as a server might send them that holds what this program did not write.
func FuzzDecode(f *testing.F) {
	m := newMaker(80)
	p := m.put("a", 1, 1)
	for _, make := range []func() (*qdrant.PointStruct, error){
		func() (*qdrant.PointStruct, error) { return encodeArticle(&p.Article, &p.Vectors) },
		func() (*qdrant.PointStruct, error) { return encodeSection(&p.Article, &p.Sections[0]) },
		func() (*qdrant.PointStruct, error) { return encodeStory(&Story{ID: "s", First: day(1)}) },
	} {
		point, err := make()
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
		if a := decodeStored(point).Article; a.Sections < 0 || a.Sections > maxSections {
			t.Errorf("an article of %d sections", a.Sections)
		}
		decodeSection(point)
		decodeStory(point)
		decodeTopic(point)
		decodeEvent(point)
	})
}
