package article

import (
	"errors"
	"strconv"
	"strings"
)

// What can be wrong with an item. An ItemError wraps one of these or an error of the file system.
var (
	ErrEmpty       = errors.New("no article in it")
	ErrBinary      = errors.New("not text")
	ErrUnsupported = errors.New("unsupported format")
	ErrTooLarge    = errors.New("too large")
	ErrTooDeep     = errors.New("markup nested too deeply")
	ErrEncoding    = errors.New("invalid text encoding")
	ErrSyntax      = errors.New("syntax error")
	ErrDate        = errors.New("invalid date")
	ErrField       = errors.New("invalid value")
)

// errYear is the ErrDate of a date that can be read but cannot be true.
var errYear = &problem{ErrDate, "impossible year"}

// Origin says where an article was read. The zero value of a part means that it does not apply.
type Origin struct {
	Path string // as given, or below the given directory; "-" for standard input
	Line int    // 1-based line where the item starts; for an error, the line of the error
	Item int    // 1-based number of the item within the file
}

// String gives path:line: item n, as far as known.
func (o Origin) String() string {
	var b strings.Builder
	b.WriteString(o.Path)
	if o.Line > 0 {
		b.WriteString(":" + strconv.Itoa(o.Line))
	}
	if o.Item > 0 {
		if b.Len() > 0 {
			b.WriteString(": ")
		}
		b.WriteString("item " + strconv.Itoa(o.Item))
	}
	return b.String()
}

// ItemError is one rejected item.
type ItemError struct {
	Origin Origin
	Field  string // the Article's field, in lower case: "date", "url", "text" ...; empty when no single field is at fault
	Err    error
}

// Error gives origin, field and reason.
func (e *ItemError) Error() string {
	var b strings.Builder
	if o := e.Origin.String(); o != "" {
		b.WriteString(o + ": ")
	}
	if e.Field != "" {
		b.WriteString(e.Field + ": ")
	}
	b.WriteString(e.Err.Error())
	return b.String()
}

// Unwrap gives the reason.
func (e *ItemError) Unwrap() error { return e.Err }

// problem is a reason that wraps one of the Err values and reads as one sentence: what is wrong, then the particulars.
type problem struct {
	kind   error
	detail string
}

func (p *problem) Error() string { return p.kind.Error() + ": " + p.detail }
func (p *problem) Unwrap() error { return p.kind }

// fieldError is an error of one field whose place is not known yet; the readers put it into an ItemError.
func fieldError(field string, kind error, detail string) *ItemError {
	return &ItemError{Field: field, Err: &problem{kind, detail}}
}

// at puts err at a place. What an *ItemError already knows about its place stays.
func at(o Origin, err error) *ItemError {
	var e *ItemError
	if !errors.As(err, &e) {
		return &ItemError{Origin: o, Err: err}
	}
	placed := *e
	if placed.Origin.Path == "" {
		placed.Origin.Path = o.Path
	}
	if placed.Origin.Line == 0 {
		placed.Origin.Line = o.Line
	}
	if placed.Origin.Item == 0 {
		placed.Origin.Item = o.Item
	}
	return &placed
}

// quote shortens s for an error message.
func quote(s string) string {
	const most = 60
	if len(s) > most {
		return strconv.Quote(clip(s, most)) + "..."
	}
	return strconv.Quote(s)
}
