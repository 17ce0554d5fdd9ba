package store

import (
	"crypto/sha1"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
)

// Name spaces of the UUIDv5 of each kind, so that an article and a story of the same id are
// different points. After a change of one, everything stored under it is lost.
var (
	articleSpace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("throughline:article"))
	sectionSpace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("throughline:section"))
	storySpace   = uuid.NewSHA1(uuid.NameSpaceURL, []byte("throughline:story"))
	topicSpace   = uuid.NewSHA1(uuid.NameSpaceURL, []byte("throughline:topic"))
)

// pointID makes the id of a point, a UUIDv5 of a name.
func pointID(space uuid.UUID, name string) *qdrant.PointId {
	var buffer [128]byte // long enough for most names, so that nothing is allocated
	sum := sha1.Sum(append(append(buffer[:0], space[:]...), name...))
	id := uuid.UUID(sum[:16])
	id[6] = id[6]&0x0f | 0x50 // version 5
	id[8] = id[8]&0x3f | 0x80 // variant of RFC 9562
	return qdrant.NewIDUUID(id.String())
}

// ScanOrder compares two ids of articles by the order in which Scan visits them.
func ScanOrder(a, b string) int { return strings.Compare(ScanKey(a), ScanKey(b)) }

// ScanKey returns what Scan orders the article with an id by. It costs a hash.
func ScanKey(id string) string { return articlePoint(id).GetUuid() }

func articlePoint(id string) *qdrant.PointId { return pointID(articleSpace, id) }
func storyPoint(id string) *qdrant.PointId   { return pointID(storySpace, id) }
func topicPoint(id string) *qdrant.PointId   { return pointID(topicSpace, id) }

// sectionPoint is the id of a section's point. The numbers come first and end at a space, so no two
// sections have the same name, whatever the article ids are.
func sectionPoint(articleID string, index int, revision int64) *qdrant.PointId {
	return pointID(sectionSpace, fmt.Sprintf("%d %d %s", index, revision, articleID))
}

// checkID returns why an id cannot be stored, or "".
func checkID(id string) string {
	switch {
	case id == "":
		return "empty"
	case len(id) > MaxID:
		return fmt.Sprintf("too long (got %d bytes, want at most %d)", len(id), MaxID)
	case !utf8.ValidString(id):
		return "not valid UTF-8"
	}
	return ""
}
