package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	// maxHeader bounds the size in bytes of a header. NumPy itself reads at most 10,000 by default.
	maxHeader = 64 << 10
	// maxSize bounds the size in bytes of an array, so that products of sizes cannot overflow.
	maxSize = math.MaxInt / 2
	// chunk is the number of bytes that are read at once.
	chunk = 256 << 10
)

// ReadHeader reads the header and leaves r at the first number.
func ReadHeader(r io.Reader) (Header, error) {
	var start [12]byte // magic, version, length of the description
	prefix := start[:8]
	if n, err := io.ReadFull(r, prefix); err != nil || !Is(prefix) {
		return Header{}, notArray(prefix[:n], err)
	}
	switch major := start[6]; major {
	case 1:
		prefix = start[:10]
	case 2, 3:
		prefix = start[:12]
	default:
		return Header{}, fileError(ErrVersion, "got %d.%d, want 1 to 3", major, start[7])
	}
	if _, err := io.ReadFull(r, prefix[8:]); err != nil {
		return Header{}, truncated(err, -1, "it ends in the length of the header")
	}
	n := binary.LittleEndian.Uint32(start[8:])
	if n > maxHeader {
		return Header{}, fileError(ErrHeader, "got %d bytes, want at most %d", n, maxHeader)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return Header{}, truncated(err, -1, "it ends in the header")
	}
	h, err := parseHeader(string(text))
	h.size = int64(len(prefix) + len(text))
	return h, err
}

// notArray returns the error for a file that does not begin with the magic number.
func notArray(start []byte, err error) error {
	switch text := string(start); {
	case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return err
	case text == "":
		return fileError(ErrFormat, "it is empty")
	case strings.HasPrefix(text, "PK"):
		return fileError(ErrFormat, "it is a zip archive; unpack the wanted array from the .npz first")
	case strings.HasPrefix(text, "\x1f\x8b"):
		return fileError(ErrFormat, "it is compressed; unpack it first")
	default:
		return fileError(ErrFormat, "it begins with %q", text)
	}
}

// truncated turns an end of input into an ErrTruncated.
func truncated(err error, row int, detail string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &Error{Kind: ErrTruncated, Row: row, Detail: detail}
	}
	return err
}

// entry is one entry of the Python dictionary that describes an array. Python 2 wrote numbers with
// an L; the list is the description of a structured type.
var entry = regexp.MustCompile(`^\s*['"](descr|fortran_order|shape)['"]\s*:\s*` +
	`(['"][^'"]*['"]|True|False|\([\d\sL,]*\)|\[.*\])\s*(?:,\s*|(}))`)

// parseHeader reads the dictionary. Like NumPy it accepts these three keys and no other.
func parseHeader(text string) (Header, error) {
	fields := map[string]string{}
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), "{")
	for ok {
		m := entry.FindStringSubmatch(rest)
		if m == nil {
			break
		}
		fields[m[1]], rest = m[2], rest[len(m[0])-len(m[3]):]
	}
	if strings.TrimSpace(rest) != "}" || len(fields) != 3 {
		return Header{}, fileError(ErrHeader, "got %q, want a dictionary of descr, fortran_order and shape", clip(text))
	}
	h, err := parseType(fields["descr"])
	if err != nil {
		return Header{}, err
	}
	if fields["fortran_order"] != "False" {
		return Header{}, fileError(ErrOrder, "got fortran_order %s, want False: save numpy.ascontiguousarray(x)",
			clip(fields["fortran_order"]))
	}
	var shape []int
	for number := range strings.FieldsFuncSeq(fields["shape"], func(r rune) bool { return r < '0' || r > '9' }) {
		n, err := strconv.Atoi(number)
		if err != nil {
			return Header{}, fileError(ErrShape, "the size %s is too large", clip(number))
		}
		shape = append(shape, n)
	}
	if len(shape) != 2 {
		return Header{}, fileError(ErrShape, "got the shape %v, want rows and columns", shape)
	}
	h.Rows, h.Dim = shape[0], shape[1]
	if h.Rows > 0 && h.Dim > maxSize/h.width/h.Rows {
		return Header{}, fileError(ErrShape, "the size %d x %d is too large", h.Rows, h.Dim)
	}
	return h, nil
}

// parseType reads an element type such as '<f4'.
func parseType(descr string) (Header, error) {
	name := strings.Trim(descr, `'"`)
	if len(name) == 3 && strings.Contains("<>", name[:1]) && strings.Contains("f2 f4 f8", name[1:]) {
		return Header{width: int(name[2] - '0'), bigEndian: name[0] == '>'}, nil
	}
	return Header{}, fileError(ErrType, "got %s, want float16, float32 or float64: save x.astype('float32')", clip(descr))
}

// clip shortens what an error quotes from a file.
func clip(s string) string {
	if len(s) <= 40 {
		return s
	}
	return s[:40] + "..."
}

// Append reads the announced rows from r, which must be at the first number, and appends them to
// dst, row after row. It allocates nothing but a buffer when dst has the capacity for them;
// otherwise dst grows as numbers arrive. Float64 numbers are rounded to float32; a finite one that
// would become infinite is an ErrRange. NaN and infinities pass.
func (h Header) Append(dst []float32, r io.Reader) ([]float32, error) {
	left := h.Rows * h.Dim
	buffer := make([]byte, min(chunk, max(left, 1)*h.width))
	first := len(dst)
	row := func() int { return (len(dst) - first) / max(h.Dim, 1) }
	for left > 0 {
		n, err := io.ReadFull(r, buffer[:min(len(buffer), left*h.width)])
		count := n / h.width
		dst = slices.Grow(dst, count)
		for i := range count {
			x, ok := h.decode(buffer[i*h.width : (i+1)*h.width])
			if !ok {
				return nil, &Error{Kind: ErrRange, Row: row(), Detail: fmt.Sprintf("column %d", (len(dst)-first)%h.Dim)}
			}
			dst = append(dst, x)
		}
		left -= count
		if err != nil {
			return nil, truncated(err, row(), h.announced())
		}
	}
	return dst, nil
}

// decode converts one element; it may reverse b. It reports false for a finite number beyond
// float32.
func (h Header) decode(b []byte) (float32, bool) {
	if h.bigEndian {
		slices.Reverse(b)
	}
	switch h.width {
	case 2:
		return half(binary.LittleEndian.Uint16(b)), true
	case 4:
		return math.Float32frombits(binary.LittleEndian.Uint32(b)), true
	}
	wide := math.Float64frombits(binary.LittleEndian.Uint64(b))
	x := float32(wide)
	return x, !math.IsInf(float64(x), 0) || math.IsInf(wide, 0)
}

// half returns the value of an IEEE 754 binary16 (1 bit sign, 5 exponent, 10 fraction). Every one
// of them is a float32 exactly.
func half(h uint16) float32 {
	bits := uint32(h&0x7fff) << 13 // exponent and fraction, with the exponent bias of float32: 112 too low
	x := math.Float32bits(math.Float32frombits(bits) * 0x1p112)
	if h&0x7c00 == 0x7c00 { // infinity or NaN
		x = bits | 0xff<<23
	}
	return math.Float32frombits(x | uint32(h>>15)<<31)
}

// End returns nil when r is at its end. More data is an ErrTrailing, because it would be ignored
// silently.
func End(r io.Reader) error {
	var one [1]byte
	switch _, err := io.ReadFull(r, one[:]); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}
	return fileError(ErrTrailing, "want one array in a file")
}

// Open opens an array file, reads its header and compares the announced size with that of the file,
// so that a damaged file is found before its numbers are read. The returned file is at the first
// number; the caller closes it. The size of what is not a regular file, e.g. a pipe, is not
// compared.
func Open(path string) (_ *os.File, _ Header, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, Header{}, err
	}
	defer func() {
		if err != nil {
			f.Close() // read from only
		}
	}()
	h, err := ReadHeader(f)
	if err != nil {
		return nil, Header{}, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, Header{}, err
	}
	switch size := info.Size(); {
	case !info.Mode().IsRegular() || size == h.fileSize():
		return f, h, nil
	case size > h.fileSize():
		return nil, Header{}, fileError(ErrTrailing, "%s, which end %d bytes before the file", h.announced(), size-h.fileSize())
	default:
		row := (size - h.size) / max(int64(h.Dim)*int64(h.width), 1)
		return nil, Header{}, &Error{Kind: ErrTruncated, Row: int(row), Detail: h.announced()}
	}
}
