package openaiapi

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// request is the body of a call of /v1/embeddings, and what was made of it.
type request struct {
	Input          json.RawMessage `json:"input"`
	Model          *string         `json:"model"`
	EncodingFormat *string         `json:"encoding_format"`
	Dimensions     *int            `json:"dimensions"`
	User           *string         `json:"user"` // whom the caller asks for: taken, as everywhere, and of no effect

	texts  []string
	base64 bool
}

// parse reads a body. What is of the wrong type or not a field of the API is named.
func parse(body []byte) (*request, *problem) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	var q request
	err := decoder.Decode(&q)
	if err == nil {
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			return nil, &problem{Message: "there is something after the JSON object"}
		}
		return &q, nil
	}
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) && kind.Field != "" {
		return nil, &problem{Message: fmt.Sprintf("%s must not be a %s", kind.Field, kind.Value), Param: kind.Field, Code: "invalid_type"}
	}
	if _, field, ok := strings.Cut(err.Error(), "json: unknown field "); ok {
		name := clip(strings.Trim(field, `"`))
		return nil, &problem{Message: "unknown field: " + name, Param: name, Code: "unknown_parameter"}
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, &problem{Message: "the request has no body; send a JSON object with input and model"}
	}
	return nil, &problem{Message: "the body is not a JSON object: " + clip(err.Error())}
}

// check refuses what this server cannot do and fills in what the fields mean.
func (h *Handler) check(q *request) *problem {
	if q.Model == nil || *q.Model == "" {
		return &problem{Message: fmt.Sprintf("model is missing; this server has %q", h.space.Model), Param: "model", Code: "missing_required_parameter"}
	}
	if p := h.wrongModel(*q.Model); p != nil {
		return p
	}
	if q.Dimensions != nil && *q.Dimensions != h.space.Dimensions {
		return &problem{Message: fmt.Sprintf("dimensions can only be %d with this model", h.space.Dimensions), Param: "dimensions", Code: "invalid_value"}
	}
	if q.EncodingFormat != nil {
		switch *q.EncodingFormat {
		case "float":
		case "base64":
			q.base64 = true
		default:
			return &problem{Message: fmt.Sprintf("encoding_format is %q; it can be float or base64", clip(*q.EncodingFormat)), Param: "encoding_format", Code: "invalid_value"}
		}
	}
	var p *problem
	if q.texts, p = texts(q.Input); p != nil {
		p.Param = "input"
		return p
	}
	if len(q.texts) > h.cfg.MaxInputs {
		return &problem{Message: fmt.Sprintf("input has %d texts; at most %d in a request", len(q.texts), h.cfg.MaxInputs), Param: "input", Code: "array_above_max_length"}
	}
	return nil
}

// texts reads the input: a text or an array of them. Tokens, the other two forms there are, cannot be taken: their numbers
// mean something to one tokenizer only, and nothing says which.
func texts(input json.RawMessage) ([]string, *problem) {
	if len(input) == 0 || string(input) == "null" {
		return nil, &problem{Message: "input is missing", Code: "missing_required_parameter"}
	}
	if input[0] == '"' {
		var one string
		if err := json.Unmarshal(input, &one); err != nil {
			return nil, &problem{Message: "input is not a string: " + clip(err.Error()), Code: "invalid_type"}
		}
		return []string{one}, nil
	}
	var elements []json.RawMessage
	if input[0] != '[' || json.Unmarshal(input, &elements) != nil {
		return nil, &problem{Message: "input must be a string or an array of strings", Code: "invalid_type"}
	}
	if len(elements) == 0 {
		return nil, &problem{Message: "input is an empty array", Code: "empty_array"}
	}
	out := make([]string, len(elements))
	for i, element := range elements {
		switch c := element[0]; {
		case c == '"':
			if err := json.Unmarshal(element, &out[i]); err != nil {
				return nil, &problem{Message: fmt.Sprintf("input[%d] is not a string: %s", i, clip(err.Error())), Code: "invalid_type"}
			}
		case c == '[' || c == '-' || '0' <= c && c <= '9':
			return nil, &problem{Message: fmt.Sprintf("input[%d] is made of tokens; send texts, this server has a tokenizer of its own", i), Code: "unsupported_value"}
		default:
			return nil, &problem{Message: fmt.Sprintf("input[%d] is not a string", i), Code: "invalid_type"}
		}
	}
	return out, nil
}

// inBase64 writes a vector the way OpenAI does, little-endian float32 in base64: what its own client asks for, since it is
// a quarter of the digits.
func inBase64(v []float32) string {
	data := make([]byte, 0, 4*len(v))
	for _, x := range v {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(x))
	}
	return base64.StdEncoding.EncodeToString(data)
}
