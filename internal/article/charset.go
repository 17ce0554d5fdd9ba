package article

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding/unicode"
)

// firstInvalid is the offset of the first byte that is not UTF-8, or -1.
func firstInvalid(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n <= 1 {
			return i
		}
		i += n
	}
	return -1
}

// checkUTF8 says where b, which starts at the given line, stops being UTF-8.
func checkUTF8(b []byte, line int) error {
	if utf8.Valid(b) {
		return nil
	}
	i := firstInvalid(b)
	return &ItemError{
		Origin: Origin{Line: line + bytes.Count(b[:i], []byte{'\n'})},
		Err:    &problem{ErrEncoding, fmt.Sprintf("not UTF-8: byte 0x%02x at column %d", b[i], i-bytes.LastIndexByte(b[:i], '\n'))},
	}
}

// utf16Reader decodes UTF-16 by its byte order mark, which the caller has seen. Unpaired surrogates come out as U+FFFD, as the
// Unicode standard has it.
func utf16Reader(r io.Reader) io.Reader {
	return unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewDecoder().Reader(r)
}

func hasUTF16Mark(b []byte) bool {
	return bytes.HasPrefix(b, []byte{0xFE, 0xFF}) || bytes.HasPrefix(b, []byte{0xFF, 0xFE})
}

var (
	xmlDeclared  = regexp.MustCompile(`^\s*<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._:-]+)["']`)
	htmlDeclared = regexp.MustCompile(`(?i)<meta\s[^>]*?charset\s*=\s*["']?\s*([A-Za-z0-9._:-]+)`)
)

// decodeMarkup gives the UTF-8 of an HTML or XML document. What is UTF-8 is taken as such whatever it declares; anything else must be in
// the encoding that it declares. The stateful 7-bit encodings, which look like UTF-8, are not supported.
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
		return nil, &problem{ErrEncoding, "unknown encoding " + quote(label)}
	}
	if name == "utf-8" || name == "replacement" || strings.HasPrefix(name, "utf-16") {
		return nil, checkUTF8(b, 1)
	}
	out, err := enc.NewDecoder().Bytes(b)
	if err != nil {
		return nil, &problem{ErrEncoding, "not " + name + ": " + err.Error()}
	}
	if !utf8.Valid(out) {
		return nil, &problem{ErrEncoding, "not " + name}
	}
	return out, nil
}

// binaryKind names what the beginning of a file is when it is not text, else "". A NUL byte decides, as it does for git and grep;
// signatures alone do not, because several of them are ordinary words ("BM", "ID3").
func binaryKind(sample []byte) string {
	for _, document := range []struct{ mark, kind string }{
		{"%PDF-", "application/pdf"}, {"%!PS-", "application/postscript"}, {`{\rtf`, "application/rtf"},
	} {
		if bytes.HasPrefix(sample, []byte(document.mark)) {
			return document.kind
		}
	}
	nul := bytes.IndexByte(sample, 0) >= 0
	if !nul && (utf8.Valid(sample) || validButForTheEnd(sample)) {
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

// validButForTheEnd: a sample may end within a rune.
func validButForTheEnd(b []byte) bool {
	i := firstInvalid(b)
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
