package qdrantlite

import (
	"maps"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/encoding/protowire"
)

// maxPayloadDepth bounds how deep values nest, so that walking one never exhausts the stack.
const maxPayloadDepth = 100

type payload = map[string]*qdrant.Value

// checkPayload refuses what JSON cannot hold: numbers that are not finite, text that is not UTF-8.
func checkPayload(p payload) error {
	for key, value := range p {
		if !utf8.ValidString(key) {
			return invalid("payload key %q: not valid UTF-8", key)
		}
		if err := checkValue(key, value, 0); err != nil {
			return err
		}
	}
	return nil
}

func checkValue(key string, value *qdrant.Value, depth int) error {
	if depth > maxPayloadDepth {
		return invalid("payload field %q: nested too deep (want at most %d levels)", key, maxPayloadDepth)
	}
	switch v := value.GetKind().(type) {
	case *qdrant.Value_DoubleValue:
		if math.IsNaN(v.DoubleValue) || math.IsInf(v.DoubleValue, 0) {
			return invalid("payload field %q: a number is not finite", key)
		}
	case *qdrant.Value_StringValue:
		if !utf8.ValidString(v.StringValue) {
			return invalid("payload field %q: a text is not valid UTF-8", key)
		}
	case *qdrant.Value_StructValue:
		for name, child := range v.StructValue.GetFields() {
			if !utf8.ValidString(name) {
				return invalid("payload key %q: not valid UTF-8", name)
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

// isNull also holds for a value without a kind, which is how an absent value arrives.
func isNull(value *qdrant.Value) bool {
	switch value.GetKind().(type) {
	case nil, *qdrant.Value_NullValue:
		return true
	}
	return false
}

// mergePayload returns dst with the fields of src. A null in src removes the field, as in Qdrant.
func mergePayload(dst, src payload) payload {
	merged := maps.Clone(dst)
	for key, value := range src {
		if isNull(value) {
			delete(merged, key)
		} else {
			merged[key] = value
		}
	}
	return merged
}

// payloadSelector says which fields of a payload a reply carries: all of them, or the named ones.
type payloadSelector struct {
	all  bool
	keys []string
}

// parsePayloadSelector reads a selector. Without one, absent says whether all fields are meant.
func parsePayloadSelector(s *qdrant.WithPayloadSelector, absent bool) (payloadSelector, error) {
	if err := only(s, "enable", "include"); err != nil {
		return payloadSelector{}, err
	}
	switch v := s.GetSelectorOptions().(type) {
	case *qdrant.WithPayloadSelector_Enable:
		return payloadSelector{all: v.Enable}, nil
	case *qdrant.WithPayloadSelector_Include:
		for _, key := range v.Include.GetFields() {
			if err := checkKey(key); err != nil {
				return payloadSelector{}, err
			}
		}
		return payloadSelector{keys: v.Include.GetFields()}, nil
	}
	return payloadSelector{all: absent}, nil
}

func (s payloadSelector) none() bool { return !s.all && len(s.keys) == 0 }

// encoded returns the selected entries of an encoded qdrant.Struct: a query reads an id or two of
// payloads that hold whole articles, and decoding these is most of what it costs. What is not a
// list of entries comes back as it is, for the decoder to refuse.
func (s payloadSelector) encoded(b []byte) []byte {
	if s.all {
		return b
	}
	var kept []byte
	for rest := b; len(rest) > 0; {
		_, kind, tag := protowire.ConsumeTag(rest)
		if tag < 0 || kind != protowire.BytesType {
			return b
		}
		entry, size := protowire.ConsumeBytes(rest[tag:])
		if size < 0 {
			return b
		}
		// An entry begins with its key, field 1.
		field, kind, n := protowire.ConsumeTag(entry)
		if n < 0 || field != 1 || kind != protowire.BytesType {
			return b
		}
		key, n := protowire.ConsumeBytes(entry[n:])
		if n < 0 {
			return b
		}
		if slices.Contains(s.keys, string(key)) {
			kept = append(kept, rest[:tag+size]...)
		}
		rest = rest[tag+size:]
	}
	return kept
}
