package qdrantlite

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/qdrant/go-client/qdrant"
)

// jsonPath addresses values inside a payload in Qdrant's syntax: keys joined by dots, "[]" for every element of an array,
// "[3]" for one of them, and double quotes around a key with other characters than letters, digits, "_" and "-".
type jsonPath []pathStep

type stepKind uint8

const (
	stepKey stepKind = iota
	stepIndex
	stepEach
)

type pathStep struct {
	kind  stepKind
	key   string
	index int
}

func parsePath(text string) (jsonPath, error) {
	bad := func() (jsonPath, error) { return nil, invalid("Invalid json path: '%s'", text) }
	var path jsonPath
	rest := text
	for first := true; first || rest != ""; first = false {
		if !first {
			if inside, ok := strings.CutPrefix(rest, "["); ok {
				number, after, closed := strings.Cut(inside, "]")
				if !closed {
					return bad()
				}
				step := pathStep{kind: stepEach}
				if number != "" {
					index, err := strconv.ParseUint(number, 10, 31)
					if err != nil {
						return bad()
					}
					step = pathStep{kind: stepIndex, index: int(index)}
				}
				path, rest = append(path, step), after
				continue
			}
			after, ok := strings.CutPrefix(rest, ".")
			if !ok {
				return bad()
			}
			rest = after
		}
		key, after, ok := cutKey(rest)
		if !ok {
			return bad()
		}
		path, rest = append(path, pathStep{kind: stepKey, key: key}), after
	}
	return path, nil
}

// cutKey takes one key, quoted or plain, off the front of text.
func cutKey(text string) (key, after string, ok bool) {
	if quoted, found := strings.CutPrefix(text, `"`); found {
		key, after, ok = strings.Cut(quoted, `"`)
		return key, after, ok && !strings.Contains(key, `\`)
	}
	end := strings.IndexFunc(text, func(r rune) bool { return !plainKeyRune(r) })
	if end < 0 {
		end = len(text)
	}
	return text[:end], text[end:], end > 0
}

func plainKeyRune(r rune) bool {
	return r == '_' || r == '-' || unicode.IsLetter(r) || unicode.IsNumber(r)
}

// String is the path in canonical form: equal paths give equal strings.
func (p jsonPath) String() string {
	var b strings.Builder
	for i, step := range p {
		switch step.kind {
		case stepKey:
			if i > 0 {
				b.WriteByte('.')
			}
			if step.key != "" && strings.IndexFunc(step.key, func(r rune) bool { return !plainKeyRune(r) }) < 0 {
				b.WriteString(step.key)
			} else {
				b.WriteString(`"` + step.key + `"`)
			}
		case stepIndex:
			b.WriteString("[" + strconv.Itoa(step.index) + "]")
		case stepEach:
			b.WriteString("[]")
		}
	}
	return b.String()
}

// get appends the values at the path to found.
func (p jsonPath) get(payload map[string]*qdrant.Value, found []*qdrant.Value) []*qdrant.Value {
	value, ok := payload[p[0].key]
	if !ok {
		return found
	}
	return getValues(p[1:], value, found)
}

func getValues(p jsonPath, value *qdrant.Value, found []*qdrant.Value) []*qdrant.Value {
	if len(p) == 0 {
		return append(found, value)
	}
	switch step := p[0]; step.kind {
	case stepKey:
		if object, ok := value.GetKind().(*qdrant.Value_StructValue); ok {
			if child, ok := object.StructValue.GetFields()[step.key]; ok {
				return getValues(p[1:], child, found)
			}
		}
	case stepIndex:
		if list := value.GetListValue().GetValues(); step.index < len(list) {
			return getValues(p[1:], list[step.index], found)
		}
	case stepEach:
		for _, child := range value.GetListValue().GetValues() {
			found = getValues(p[1:], child, found)
		}
	}
	return found
}

// each returns the path with "[]" at its end.
func (p jsonPath) each() jsonPath {
	if p[len(p)-1].kind == stepEach {
		return p
	}
	return append(p[:len(p):len(p)], pathStep{kind: stepEach})
}
