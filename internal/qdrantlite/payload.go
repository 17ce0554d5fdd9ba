package qdrantlite

import (
	"math"
	"slices"
	"unicode/utf8"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
)

// maxPayloadDepth bounds how deep values nest, so that walking one never exhausts the stack.
const maxPayloadDepth = 100

type payload = map[string]*qdrant.Value

// checkPayload refuses what JSON cannot hold: numbers that are not finite, text that is not UTF-8.
func checkPayload(p payload) error {
	for key, value := range p {
		if !utf8.ValidString(key) {
			return invalid("payload key %q is not valid UTF-8", key)
		}
		if err := checkValue(key, value, 0); err != nil {
			return err
		}
	}
	return nil
}

func checkValue(key string, value *qdrant.Value, depth int) error {
	if depth > maxPayloadDepth {
		return invalid("payload field %q nests deeper than %d levels", key, maxPayloadDepth)
	}
	switch v := value.GetKind().(type) {
	case *qdrant.Value_DoubleValue:
		if math.IsNaN(v.DoubleValue) || math.IsInf(v.DoubleValue, 0) {
			return invalid("payload field %q holds a number that is not finite", key)
		}
	case *qdrant.Value_StringValue:
		if !utf8.ValidString(v.StringValue) {
			return invalid("payload field %q is not valid UTF-8", key)
		}
	case *qdrant.Value_StructValue:
		for name, child := range v.StructValue.GetFields() {
			if !utf8.ValidString(name) {
				return invalid("payload key %q is not valid UTF-8", name)
			}
			if err := checkValue(key, child, depth+1); err != nil {
				return err
			}
		}
	case *qdrant.Value_ListValue:
		for _, child := range v.ListValue.GetValues() {
			if err := checkValue(key, child, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// isNull also covers a value without a kind, which is how an absent value arrives over the wire.
func isNull(value *qdrant.Value) bool {
	switch value.GetKind().(type) {
	case nil, *qdrant.Value_NullValue:
		return true
	}
	return false
}

func clonePayload(p payload) payload {
	clone := make(payload, len(p))
	for key, value := range p {
		clone[key] = proto.Clone(value).(*qdrant.Value)
	}
	return clone
}

// mergePayload sets the fields of src in dst. A null in src removes the field, as in Qdrant.
func mergePayload(dst, src payload) {
	for key, value := range src {
		if isNull(value) {
			delete(dst, key)
		} else {
			dst[key] = proto.Clone(value).(*qdrant.Value)
		}
	}
}

// setAt merges src into the object at the path, creating objects on the way and replacing what is not one. Array elements are
// never created.
func setAt(p jsonPath, dst, src payload) {
	child, ok := dst[p[0].key]
	if !ok {
		child = &qdrant.Value{}
		dst[p[0].key] = child
	}
	setValue(p[1:], child, src)
}

func setValue(p jsonPath, value *qdrant.Value, src payload) {
	if len(p) == 0 {
		mergePayload(objectOf(value), src)
		return
	}
	switch step := p[0]; step.kind {
	case stepKey:
		setAt(p, objectOf(value), src)
	default:
		list, ok := value.GetKind().(*qdrant.Value_ListValue)
		if !ok {
			value.Kind = &qdrant.Value_ListValue{ListValue: &qdrant.ListValue{}}
			return
		}
		for i, child := range list.ListValue.GetValues() {
			if step.kind == stepEach || step.index == i {
				setValue(p[1:], child, src)
			}
		}
	}
}

// objectOf makes value an object, unless it is one, and returns its fields for writing.
func objectOf(value *qdrant.Value) payload {
	object, ok := value.GetKind().(*qdrant.Value_StructValue)
	if !ok || object.StructValue == nil {
		object = &qdrant.Value_StructValue{StructValue: &qdrant.Struct{}}
		value.Kind = object
	}
	if object.StructValue.Fields == nil {
		object.StructValue.Fields = payload{}
	}
	return object.StructValue.Fields
}

// removeAt deletes the values at the path. A path that ends in "[]" empties the array; one that ends in an index does nothing,
// because doing it twice would delete twice.
func removeAt(p jsonPath, fields payload) {
	if len(p) == 1 {
		delete(fields, p[0].key)
		return
	}
	if child, ok := fields[p[0].key]; ok {
		removeValue(p[1:], child)
	}
}

func removeValue(p jsonPath, value *qdrant.Value) {
	last := len(p) == 1
	switch step := p[0]; step.kind {
	case stepKey:
		if object, ok := value.GetKind().(*qdrant.Value_StructValue); ok && object.StructValue.GetFields() != nil {
			removeAt(p, object.StructValue.Fields)
		}
	case stepIndex:
		if list := value.GetListValue().GetValues(); !last && step.index < len(list) {
			removeValue(p[1:], list[step.index])
		}
	case stepEach:
		list := value.GetListValue()
		if last && list != nil {
			list.Values = nil
			return
		}
		for _, child := range list.GetValues() {
			removeValue(p[1:], child)
		}
	}
}

// payloadSelector says which fields of a payload a reply carries.
type payloadSelector struct {
	none             bool
	selects          bool // by include or exclude; one of them is not nil
	include, exclude []jsonPath
}

func parsePayloadSelector(s *qdrant.WithPayloadSelector) (payloadSelector, error) {
	switch v := s.GetSelectorOptions().(type) {
	case *qdrant.WithPayloadSelector_Enable:
		return payloadSelector{none: !v.Enable}, nil
	case *qdrant.WithPayloadSelector_Include:
		paths, err := parsePaths(v.Include.GetFields())
		return payloadSelector{selects: true, include: paths}, err
	case *qdrant.WithPayloadSelector_Exclude:
		paths, err := parsePaths(v.Exclude.GetFields())
		return payloadSelector{selects: true, exclude: paths}, err
	}
	return payloadSelector{}, invalid("No PayloadSelector")
}

func parsePaths(texts []string) ([]jsonPath, error) {
	paths := make([]jsonPath, len(texts))
	for i, text := range texts {
		var err error
		if paths[i], err = parsePath(text); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// apply returns the selected part of p. It may share values with p.
func (s payloadSelector) apply(p payload) payload {
	switch {
	case s.none:
		return nil
	case !s.selects:
		return p
	}
	out := make(payload)
	path := make(jsonPath, 0, 8)
	for key, value := range p {
		path = append(path[:0], pathStep{key: key})
		if s.keeps(path) {
			out[key] = s.prune(path, value)
		}
	}
	return out
}

// keeps says whether the value at path is selected, at least in part.
func (s payloadSelector) keeps(path jsonPath) bool {
	if s.exclude != nil {
		for _, pattern := range s.exclude {
			if len(pattern) <= len(path) && slices.Equal(pattern, path[:len(pattern)]) {
				return false
			}
		}
		return true
	}
	for _, pattern := range s.include {
		n := min(len(pattern), len(path))
		if slices.Equal(pattern[:n], path[:n]) {
			return true
		}
	}
	return false
}

func (s payloadSelector) prune(path jsonPath, value *qdrant.Value) *qdrant.Value {
	switch v := value.GetKind().(type) {
	case *qdrant.Value_StructValue:
		fields := make(payload)
		for key, child := range v.StructValue.GetFields() {
			if at := append(path, pathStep{key: key}); s.keeps(at) {
				fields[key] = s.prune(at, child)
			}
		}
		return &qdrant.Value{Kind: &qdrant.Value_StructValue{StructValue: &qdrant.Struct{Fields: fields}}}
	case *qdrant.Value_ListValue:
		list := &qdrant.ListValue{}
		at := append(path, pathStep{kind: stepEach})
		for _, child := range v.ListValue.GetValues() {
			if s.keeps(at) {
				list.Values = append(list.Values, s.prune(at, child))
			}
		}
		return &qdrant.Value{Kind: &qdrant.Value_ListValue{ListValue: list}}
	}
	return value
}
