package server

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	throughlinev1 "throughline/proto/throughline/v1"
)

// newValidator compiles the rules of every request message, so that a rule that does not compile
// stops the start and not a call. The rules are part of the program, so this happens once.
var newValidator = sync.OnceValues(func() (protovalidate.Validator, error) {
	var descriptors []protoreflect.MessageDescriptor
	for _, file := range []protoreflect.FileDescriptor{
		throughlinev1.File_throughline_v1_article_service_proto,
		throughlinev1.File_throughline_v1_coverage_service_proto,
		throughlinev1.File_throughline_v1_cluster_service_proto,
	} {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				descriptors = append(descriptors, methods.Get(j).Input())
			}
		}
	}
	v, err := protovalidate.New(protovalidate.WithMessageDescriptors(descriptors...))
	if err != nil {
		return nil, fmt.Errorf("compile the validation rules of the API: %w", err)
	}
	return v, nil
})

// validate applies the rules in the protos. A message without rules passes.
func (s *Server) validate(message any) error {
	m, ok := message.(proto.Message)
	if !ok {
		return fmt.Errorf("a request of type %T is not a message", message)
	}
	err := s.validator.Validate(m)
	if refused, ok := errors.AsType[*protovalidate.ValidationError](err); ok {
		violations := make([]violation, len(refused.Violations))
		for i, v := range refused.Violations {
			violations[i] = toViolation(v)
		}
		return invalid(violations...)
	}
	return err
}

// toViolation finds the field of a violated rule. A rule of a whole message has no field; ours name
// it in their id, before the dot.
func toViolation(v *protovalidate.Violation) violation {
	path := protovalidate.FieldPathString(v.Proto.GetField())
	if len(v.Proto.GetRule().GetElements()) == 0 {
		field, _, _ := strings.Cut(v.Proto.GetRuleId(), ".")
		path = joinPath(path, field)
	}
	return violation{path, v.Proto.GetMessage()}
}
