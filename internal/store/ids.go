package store

import (
	"fmt"
	"strconv"
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

// PointID returns the id of an article's point, a UUIDv5 of its id.
func PointID(articleID string) string {
	return uuid.NewSHA1(articleSpace, []byte(articleID)).String()
}

// SectionPointID returns the id of a section's point, a UUIDv5. The numbers come first and end at a
// space, so no two sections have the same name, whatever the article ids are.
func SectionPointID(articleID string, index int, revision int64) string {
	name := strconv.AppendInt(nil, int64(index), 10)
	name = append(name, ' ')
	name = strconv.AppendInt(name, revision, 10)
	name = append(name, ' ')
	name = append(name, articleID...)
	return uuid.NewSHA1(sectionSpace, name).String()
}

func articlePoint(id string) *qdrant.PointId { return qdrant.NewIDUUID(PointID(id)) }
func storyPoint(id string) *qdrant.PointId {
	return qdrant.NewIDUUID(uuid.NewSHA1(storySpace, []byte(id)).String())
}
func topicPoint(id string) *qdrant.PointId {
	return qdrant.NewIDUUID(uuid.NewSHA1(topicSpace, []byte(id)).String())
}
func sectionPoint(articleID string, index int, revision int64) *qdrant.PointId {
	return qdrant.NewIDUUID(SectionPointID(articleID, index, revision))
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
