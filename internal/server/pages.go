package server

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// macSize is how much of the HMAC-SHA256 is in a token, in bytes: a guess is right once in 2^128.
const macSize = 16

// pager makes and reads page tokens. A token is a cursor with a MAC over the cursor and the request
// it belongs to. It cannot be forged, and the token of another request is refused: its cursor would
// point into another list.
type pager struct{ key []byte }

// newPager returns a pager with a random key: tokens end with the process.
func newPager() *pager {
	key := make([]byte, 32)
	rand.Read(key) // never fails, as documented
	return &pager{key}
}

// page is what the requests for all pages of a list have in common.
type page struct {
	pager   *pager
	request [sha256.Size]byte
	method  string
}

// pageOf hashes a request without its paging fields: page_size may change between pages (AIP-158).
func (p *pager) pageOf(method string, request proto.Message) (page, error) {
	bare := proto.Clone(request)
	message := bare.ProtoReflect()
	for _, name := range []protoreflect.Name{"page_token", "page_size"} {
		if field := message.Descriptor().Fields().ByName(name); field != nil {
			message.Clear(field)
		}
	}
	// Deterministic within one build. Another build may refuse a token, which costs a first page.
	bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(bare)
	if err != nil {
		return page{}, fmt.Errorf("hash a request: %w", err)
	}
	return page{pager: p, request: sha256.Sum256(bytes), method: method}, nil
}

// paged is a request for one page of a list.
type paged interface {
	proto.Message
	GetPageToken() string
	GetPageSize() int32
}

// open reads a request for one page: its list, and the cursor in its token, which is empty for the
// first page.
func (p *pager) open(method string, request paged) (page, string, error) {
	of, err := p.pageOf(method, request)
	if err != nil {
		return page{}, "", err
	}
	cursor, err := of.cursor(request.GetPageToken())
	return of, cursor, err
}

func (p page) mac(cursor []byte) []byte {
	h := hmac.New(sha256.New, p.pager.key)
	fmt.Fprintf(h, "%s\x00%x\x00", p.method, p.request)
	h.Write(cursor)
	return h.Sum(nil)[:macSize]
}

// token is the page token for a cursor; empty for an empty one.
func (p page) token(cursor string) string {
	if cursor == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(append(p.mac([]byte(cursor)), cursor...))
}

// cursor reads a page token; an empty token is the empty cursor, the first page.
func (p page) cursor(token string) (string, error) {
	if token == "" {
		return "", nil
	}
	bytes, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(bytes) <= macSize {
		return "", badToken("is not a token that this server gave out")
	}
	cursor := bytes[macSize:]
	if !hmac.Equal(bytes[:macSize], p.mac(cursor)) {
		return "", badToken("belongs to another request: every field but page_size must stay as it was on the first page")
	}
	return string(cursor), nil
}

func badToken(reason string) *apiError {
	e := invalid(violation{"page_token", reason})
	e.reason = "INVALID_PAGE_TOKEN"
	return e
}

func expiredToken() *apiError {
	e := badToken("has expired: ask for the first page again")
	e.reason = "PAGE_TOKEN_EXPIRED"
	return e
}
