package openaiapi

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// request is the body of a call of /v1/embeddings.
type request struct {
	Input          json.RawMessage `json:"input"`
	Model          *string         `json:"model"`
	EncodingFormat *string         `json:"encoding_format"`
	Dimensions     *int            `json:"dimensions"`
	User           *string         `json:"user"` // accepted, without effect

	texts  []string // Input, set by check
	base64 bool     // EncodingFormat, set by check
}

// parse decodes a body. The problem names a field that is unknown or has the wrong type.
func parse(body []byte) (*request, *problem) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	var q request
	err := decoder.Decode(&q)
	if err == nil {
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			return nil, invalid("", "", "there is something after the JSON object")
		}
		return &q, nil
	}
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) && kind.Field != "" {
		return nil, invalid(kind.Field, "invalid_type", "%s must not be a %s", kind.Field, kind.Value)
	}
	if _, field, ok := strings.Cut(err.Error(), "json: unknown field "); ok {
		name := clip(strings.Trim(field, `"`))
		return nil, invalid(name, "unknown_parameter", "unknown field: %s", name)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, invalid("", "", "the request has no body; send a JSON object with input and model")
	}
	return nil, invalid("", "", "the body is not a JSON object: %s", clip(err.Error()))
}

// check validates a request and sets its texts and base64.
func (h *Handler) check(q *request) *problem {
	if q.Model == nil || *q.Model == "" {
		return invalid("model", "missing_required_parameter", "model is missing; this server has %q", h.space.Model)
	}
	if p := h.checkModel(*q.Model); p != nil {
		return p
	}
	if q.Dimensions != nil && *q.Dimensions != h.space.Dimensions {
		return invalid("dimensions", "invalid_value", "dimensions can only be %d with this model", h.space.Dimensions)
	}
	if q.EncodingFormat != nil {
		q.base64 = *q.EncodingFormat == "base64"
		if !q.base64 && *q.EncodingFormat != "float" {
			return invalid("encoding_format", "invalid_value", "encoding_format is %q; it can be float or base64", clip(*q.EncodingFormat))
		}
	}
	var p *problem
	if q.texts, p = texts(q.Input); p != nil {
		return p
	}
	if len(q.texts) > h.inputs {
		return invalid("input", "array_above_max_length", "input has %d texts; at most %d in a request", len(q.texts), h.inputs)
	}
	return nil
}

// texts decodes the input: a text or an array of texts. OpenAI also accepts tokens, but their
// numbers belong to an unknown tokenizer.
func texts(input json.RawMessage) ([]string, *problem) {
	if len(input) == 0 || string(input) == "null" {
		return nil, invalid("input", "missing_required_parameter", "input is missing")
	}
	if input[0] == '"' {
		var one string
		if err := json.Unmarshal(input, &one); err != nil {
			return nil, invalid("input", "invalid_type", "input is not a string: %s", clip(err.Error()))
		}
		return []string{one}, nil
	}
	var elements []json.RawMessage
	if input[0] != '[' || json.Unmarshal(input, &elements) != nil {
		return nil, invalid("input", "invalid_type", "input must be a string or an array of strings")
	}
	if len(elements) == 0 {
		return nil, invalid("input", "empty_array", "input is an empty array")
	}
	out := make([]string, len(elements))
	for i, element := range elements {
		switch c := element[0]; {
		case c == '"':
			if err := json.Unmarshal(element, &out[i]); err != nil {
				return nil, invalid("input", "invalid_type", "input[%d] is not a string: %s", i, clip(err.Error()))
			}
		case c == '[' || c == '-' || '0' <= c && c <= '9':
			return nil, invalid("input", "unsupported_value", "input[%d] is made of tokens; send texts, this server has a tokenizer of its own", i)
		default:
			return nil, invalid("input", "invalid_type", "input[%d] is not a string", i)
		}
	}
	return out, nil
}

// inBase64 encodes a vector as OpenAI does: little-endian float32 in base64. OpenAI's client
// requests this format, because it is a quarter of the size.
func inBase64(v []float32) string {
	data, _ := binary.Append(nil, binary.LittleEndian, v) // cannot fail for numbers
	return base64.StdEncoding.EncodeToString(data)
}
