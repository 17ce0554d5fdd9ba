package news

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
)

// The kinds of errors of an item. An ItemError wraps one of these or an error of the file system.
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

// ErrYear is the ErrDate of a date that can be read but cannot be right.
var ErrYear = Problem(ErrDate, "impossible year")

// Origin is the place where an article was read. A zero part does not apply.
type Origin struct {
	Path string // as given, or below the given directory; "-" for standard input
	Line int    // line where the item starts, from 1; for an error, the line of the error
	Item int    // number of the item within the file, from 1
}

// String returns "path:line: item n", without the parts that are zero.
func (o Origin) String() string {
	at, item := o.Path, ""
	if o.Line > 0 {
		at += ":" + strconv.Itoa(o.Line)
	}
	if o.Item > 0 {
		item = "item " + strconv.Itoa(o.Item)
	}
	return JoinTexts(": ", at, item)
}

// ItemError is one rejected item.
type ItemError struct {
	Origin Origin
	// Field is the field of the article, in lower case, such as "date" or "url"; empty when no
	// single field is at fault.
	Field string
	Err   error
}

// Error returns "origin: field: reason".
func (e *ItemError) Error() string {
	return JoinTexts(": ", e.Origin.String(), e.Field, e.Err.Error())
}

// Unwrap returns the reason.
func (e *ItemError) Unwrap() error { return e.Err }

// Problem returns an error "kind: detail" that wraps kind.
func Problem(kind error, detail string) error { return fmt.Errorf("%w: %s", kind, detail) }

// FieldError returns an error of one field. The readers add its origin with At.
func FieldError(field string, kind error, detail string) *ItemError {
	return &ItemError{Field: field, Err: Problem(kind, detail)}
}

// At adds an origin to err. Parts of the origin that an *ItemError already has stay.
func At(o Origin, err error) *ItemError {
	var e *ItemError
	if !errors.As(err, &e) {
		return &ItemError{Origin: o, Err: err}
	}
	placed := *e
	had := placed.Origin
	placed.Origin = Origin{cmp.Or(had.Path, o.Path), cmp.Or(had.Line, o.Line), cmp.Or(had.Item, o.Item)}
	return &placed
}

// Quote quotes s for an error message, shortened to 60 bytes.
func Quote(s string) string {
	if short := Clip(s, 60); short != s {
		return strconv.Quote(short) + "..."
	}
	return strconv.Quote(s)
}
