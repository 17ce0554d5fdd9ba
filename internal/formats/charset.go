package formats

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"

	"throughline/internal/news"
)

// checkUTF8 returns an error at the first byte of b that is not UTF-8. b starts at the given line.
func checkUTF8(b []byte, line int) error {
	if utf8.Valid(b) {
		return nil
	}
	i := news.FirstInvalid(b)
	return &news.ItemError{
		Origin: news.Origin{Line: line + bytes.Count(b[:i], []byte{'\n'})},
		Err:    news.Problem(news.ErrEncoding, fmt.Sprintf("not UTF-8: byte 0x%02x at column %d", b[i], i-bytes.LastIndexByte(b[:i], '\n'))),
	}
}

var (
	xmlDeclared  = regexp.MustCompile(`^\s*<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._:-]+)["']`)
	htmlDeclared = regexp.MustCompile(`(?i)<meta\s[^>]*?charset\s*=\s*["']?\s*([A-Za-z0-9._:-]+)`)
)

// decodeMarkup returns an HTML or XML document as UTF-8. It takes valid UTF-8 as such, whatever the
// document declares; anything else must be in the declared encoding. The stateful 7-bit encodings,
// which look like UTF-8, are not supported.
func decodeMarkup(b []byte) ([]byte, error) {
	if utf8.Valid(b) {
		return b, nil
	}
	head := b[:min(len(b), 4096)]
	label := ""
	for _, declared := range []*regexp.Regexp{xmlDeclared, htmlDeclared} {
		if m := declared.FindSubmatch(head); m != nil {
			label = string(m[1])
			break
		}
	}
	if label == "" {
		return nil, checkUTF8(b, 1)
	}
	enc, name := charset.Lookup(label)
	if enc == nil {
		return nil, news.Problem(news.ErrEncoding, "unknown encoding "+news.Quote(label))
	}
	if name == "utf-8" || name == "replacement" || strings.HasPrefix(name, "utf-16") {
		return nil, checkUTF8(b, 1)
	}
	out, err := enc.NewDecoder().Bytes(b)
	if err != nil {
		return nil, news.Problem(news.ErrEncoding, "not "+name+": "+err.Error())
	}
	if !utf8.Valid(out) {
		return nil, news.Problem(news.ErrEncoding, "not "+name)
	}
	return out, nil
}

// binaryKind names the kind of a file that is not text, or returns "". A NUL byte decides, as in
// git and grep. Signatures alone do not decide, because several are ordinary words ("BM", "ID3").
func binaryKind(sample []byte) string {
	for _, document := range []struct{ mark, kind string }{
		{"%PDF-", "application/pdf"}, {"%!PS-", "application/postscript"}, {`{\rtf`, "application/rtf"},
	} {
		if bytes.HasPrefix(sample, []byte(document.mark)) {
			return document.kind
		}
	}
	nul := bytes.IndexByte(sample, 0) >= 0
	if !nul && (utf8.Valid(sample) || validUpToLastRune(sample)) {
		return ""
	}
	kind, _, _ := strings.Cut(http.DetectContentType(sample), ";")
	switch {
	case !strings.HasPrefix(kind, "text/") && kind != "application/octet-stream":
		return kind
	case nul:
		return "a NUL byte"
	case controls(sample) > len(sample)/20:
		return "control bytes"
	}
	return ""
}

// validUpToLastRune reports whether b is UTF-8, apart from a rune that is cut off at the end.
func validUpToLastRune(b []byte) bool {
	i := news.FirstInvalid(b)
	return i < 0 || (len(b)-i < utf8.UTFMax && !utf8.FullRune(b[i:]))
}

func controls(b []byte) int {
	n := 0
	for _, c := range b {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != '\f' {
			n++
		}
	}
	return n
}
