package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

const magic = "\x93NUMPY"

// maxHeader bounds a header in bytes. NumPy itself reads no more than 10,000 unless told to.
const maxHeader = 64 << 10

// maxSize bounds the bytes of an array, so that products of sizes cannot overflow.
const maxSize = math.MaxInt / 2

// Is reports whether data begins like an array file.
func Is(data []byte) bool { return strings.HasPrefix(string(data), magic) }

// ReadHeader reads the header and leaves r at the first number.
func ReadHeader(r io.Reader) (Header, error) {
	var start [8]byte
	if n, err := io.ReadFull(r, start[:]); err != nil || !Is(start[:]) {
		return Header{}, notArray(start[:n], err)
	}
	var length [4]byte
	width := 4
	switch major := start[6]; major {
	case 1:
		width = 2
	case 2, 3:
	default:
		return Header{}, inHeader(ErrVersion, "%d.%d; versions 1 to 3 are read", major, start[7])
	}
	if _, err := io.ReadFull(r, length[:width]); err != nil {
		return Header{}, early(err, -1, "in the length of the header")
	}
	n := binary.LittleEndian.Uint32(length[:])
	if n > maxHeader {
		return Header{}, inHeader(ErrHeader, "it claims %d bytes, at most %d are read", n, maxHeader)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return Header{}, early(err, -1, "in the header")
	}
	h, err := parseHeader(string(text))
	h.size = int64(len(start) + width + len(text))
	return h, err
}

// notArray says what a file is that does not begin with the magic number.
func notArray(start []byte, err error) error {
	switch {
	case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return err
	case len(start) == 0:
		return inHeader(ErrFormat, "it is empty")
	case strings.HasPrefix(string(start), "PK"):
		return inHeader(ErrFormat, "a zip archive; of an .npz, unpack the array that is meant")
	case strings.HasPrefix(string(start), "\x1f\x8b"):
		return inHeader(ErrFormat, "compressed; unpack it first")
	}
	return inHeader(ErrFormat, "it begins with %q", start)
}

// early turns an end of input into an ErrTruncated.
func early(err error, row int, where string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &Error{Kind: ErrTruncated, Row: row, Detail: where}
	}
	return err
}

// parseHeader reads the Python dictionary that describes the array. NumPy demands exactly these three keys, so does this.
func parseHeader(text string) (Header, error) {
	p := &parser{text: text}
	fields, err := p.dictionary()
	if err != nil {
		return Header{}, err
	}
	for _, key := range []string{"descr", "fortran_order", "shape"} {
		if _, ok := fields[key]; !ok {
			return Header{}, inHeader(ErrHeader, "no %q", key)
		}
	}
	if len(fields) != 3 {
		return Header{}, inHeader(ErrHeader, "more than descr, fortran_order and shape")
	}
	kind, err := parseType(fields["descr"])
	if err != nil {
		return Header{}, err
	}
	switch columns, ok := fields["fortran_order"].(bool); {
	case !ok:
		return Header{}, inHeader(ErrHeader, "fortran_order is neither True nor False")
	case columns:
		return Header{}, inHeader(ErrOrder, "save numpy.ascontiguousarray(x) instead of x")
	}
	shape, ok := fields["shape"].([]int)
	switch {
	case !ok:
		return Header{}, inHeader(ErrHeader, "shape is not a tuple of numbers")
	case len(shape) != 2:
		return Header{}, inHeader(ErrShape, "it has %d dimensions, %v, and not the two of n x d", len(shape), shape)
	}
	h := Header{Rows: shape[0], Dim: shape[1], Type: kind}
	if h.Rows > 0 && h.Dim > maxSize/h.Type.Bytes/h.Rows {
		return Header{}, inHeader(ErrShape, "%d x %d is more than any file holds", h.Rows, h.Dim)
	}
	return h, nil
}

func parseType(descr any) (Type, error) {
	text, ok := descr.(string)
	if !ok {
		return Type{}, inHeader(ErrType, "a structure; float32, float64 and float16 are read")
	}
	t := Type{}
	switch text {
	case "<f2", ">f2":
		t.Bytes = 2
	case "<f4", ">f4":
		t.Bytes = 4
	case "<f8", ">f8":
		t.Bytes = 8
	default:
		return Type{}, inHeader(ErrType, "%q; float32, float64 and float16 are read: save x.astype('float32')", clip(text))
	}
	t.BigEndian = text[0] == '>'
	return t, nil
}

// formatHeader is a version 1 header of exactly headerSize bytes, so that one with more rows can be written over it.
func formatHeader(rows, dim int) []byte {
	text := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", rows, dim)
	h := make([]byte, 0, headerSize)
	h = append(h, magic...)
	h = append(h, 1, 0)
	h = binary.LittleEndian.AppendUint16(h, headerSize-10)
	h = append(h, text...)
	for len(h) < headerSize-1 {
		h = append(h, ' ')
	}
	return append(h, '\n')
}

// headerSize holds the longest description there is (two numbers of 19 digits) and is a multiple of 64, as the format asks.
const headerSize = 128

// parser reads the part of Python's literals that occurs in headers.
type parser struct {
	text string
	at   int
}

func (p *parser) fail(what string) error {
	return inHeader(ErrHeader, "%s at character %d", what, p.at)
}

// peek skips white space and returns the next byte, 0 at the end.
func (p *parser) peek() byte {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

func (p *parser) take(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.at++
	return true
}

func (p *parser) dictionary() (map[string]any, error) {
	if !p.take('{') {
		return nil, p.fail("no dictionary")
	}
	fields := make(map[string]any)
	for !p.take('}') {
		key, err := p.quoted()
		if err != nil {
			return nil, err
		}
		if _, twice := fields[key]; twice {
			return nil, p.fail(fmt.Sprintf("%q for the second time", clip(key)))
		}
		if !p.take(':') {
			return nil, p.fail("no colon")
		}
		if fields[key], err = p.value(); err != nil {
			return nil, err
		}
		if !p.take(',') && p.peek() != '}' {
			return nil, p.fail("neither comma nor closing brace")
		}
	}
	if p.peek() != 0 {
		return nil, p.fail("something after the dictionary")
	}
	return fields, nil
}

// structure stands for the description of a structured type, which is recognised and not read.
type structure struct{}

func (p *parser) value() (any, error) {
	switch c := p.peek(); {
	case c == '\'' || c == '"':
		return p.quoted()
	case c == '(':
		return p.tuple()
	case c == '[':
		return p.list()
	}
	switch word := p.word(); word {
	case "True":
		return true, nil
	case "False":
		return false, nil
	}
	return nil, p.fail("an unknown value")
}

func (p *parser) quoted() (string, error) {
	quote := p.peek()
	if quote != '\'' && quote != '"' {
		return "", p.fail("no string")
	}
	end := strings.IndexByte(p.text[p.at+1:], quote)
	if end < 0 {
		return "", p.fail("a string without an end")
	}
	s := p.text[p.at+1 : p.at+1+end]
	p.at += end + 2
	return s, nil
}

// word is a run of letters and digits.
func (p *parser) word() string {
	p.peek()
	from := p.at
	for p.at < len(p.text) {
		c := p.text[p.at]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			break
		}
		p.at++
	}
	return p.text[from:p.at]
}

// tuple reads whole numbers in parentheses; Python 2 wrote them with an L.
func (p *parser) tuple() ([]int, error) {
	p.take('(')
	numbers := []int{}
	for !p.take(')') {
		n, err := strconv.Atoi(strings.TrimSuffix(p.word(), "L"))
		if err != nil {
			return nil, p.fail("no whole number that fits")
		}
		numbers = append(numbers, n)
		if !p.take(',') && p.peek() != ')' {
			return nil, p.fail("neither comma nor closing parenthesis")
		}
	}
	return numbers, nil
}

// list skips the description of a structured type: brackets and quotes are all that matters.
func (p *parser) list() (structure, error) {
	depth := 0
	for {
		switch c := p.peek(); c {
		case 0:
			return structure{}, p.fail("a list without an end")
		case '\'', '"':
			if _, err := p.quoted(); err != nil {
				return structure{}, err
			}
			continue
		case '[':
			depth++
		case ']':
			depth--
		}
		p.at++
		if depth == 0 {
			return structure{}, nil
		}
	}
}

// clip shortens what is quoted in a message.
func clip(s string) string {
	if len(s) <= 40 {
		return s
	}
	return s[:40] + "..."
}
