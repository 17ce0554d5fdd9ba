package server

import (
	"encoding/base64"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	throughlinev1 "throughline/proto/throughline/v1"
)

func listRequest(t *rapid.T, label string) *throughlinev1.ListArticlesRequest {
	word := rapid.StringMatching(`[a-z]{0,3}`)
	return &throughlinev1.ListArticlesRequest{
		Filter:    &throughlinev1.ArticleFilter{Sources: rapid.SliceOfN(word, 0, 2).Draw(t, label+" sources")},
		View:      throughlinev1.ArticleView(rapid.IntRange(0, 2).Draw(t, label+" view")),
		PageSize:  rapid.Int32Range(0, 5).Draw(t, label+" size"),
		PageToken: word.Draw(t, label+" token"),
	}
}

// A token is good for its own request with any page_size, and for nothing else; no change of a bit
// goes unnoticed.
func TestTokensBelongToTheirRequest(t *testing.T) {
	p := &pager{[]byte("key")}
	rapid.Check(t, func(t *rapid.T) {
		request := listRequest(t, "request")
		page, err := p.pageOf("ListArticles", request)
		if err != nil {
			t.Fatal(err)
		}
		cursor := rapid.StringN(1, 40, -1).Draw(t, "cursor")
		token := page.token(cursor)

		same := proto.Clone(request).(*throughlinev1.ListArticlesRequest)
		same.PageSize, same.PageToken = 17, token
		again, err := p.pageOf("ListArticles", same)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := again.cursor(token); err != nil || got != cursor {
			t.Fatalf("read back %q, %v; want %q", got, err, cursor)
		}

		other := listRequest(t, "other")
		different := !proto.Equal(other.GetFilter(), request.GetFilter()) || other.GetView() != request.GetView()
		elsewhere, err := p.pageOf("ListArticles", other)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := elsewhere.cursor(token); (err != nil) != different {
			t.Fatalf("token of %v for %v: %v", request, other, err)
		}
		method, err := p.pageOf("ListStories", request)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := method.cursor(token); err == nil {
			t.Fatal("a token of another method was taken")
		}
		stranger, err := (&pager{[]byte("other key")}).pageOf("ListArticles", request)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stranger.cursor(token); err == nil {
			t.Fatal("a token under another key was taken")
		}

		raw, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil {
			t.Fatal(err)
		}
		raw[rapid.IntRange(0, len(raw)-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if _, err := page.cursor(base64.RawURLEncoding.EncodeToString(raw)); err == nil {
			t.Fatal("a changed token was taken")
		}
	})
	page, err := p.pageOf("ListArticles", &throughlinev1.ListArticlesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if page.token("") != "" {
		t.Error("a list that ends has a token")
	}
	if cursor, err := page.cursor(""); cursor != "" || err != nil {
		t.Errorf("the first page: %q, %v", cursor, err)
	}
}
