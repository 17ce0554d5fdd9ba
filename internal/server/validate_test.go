package server

import (
	"strings"
	"testing"

	"buf.build/go/protovalidate"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	throughlinev1 "throughline/proto/throughline/v1"
)

// toViolation relies on how our rules are named.
func TestRulesOfMessagesNameAField(t *testing.T) {
	rules := 0
	for _, file := range []protoreflect.FileDescriptor{
		throughlinev1.File_throughline_v1_article_proto,
		throughlinev1.File_throughline_v1_article_service_proto,
		throughlinev1.File_throughline_v1_coverage_service_proto,
		throughlinev1.File_throughline_v1_cluster_service_proto,
	} {
		for i := range file.Messages().Len() {
			message := file.Messages().Get(i)
			of, err := protovalidate.ResolveMessageRules(message)
			if err != nil {
				t.Fatal(err)
			}
			if len(of.GetOneof())+len(of.GetCelExpression()) > 0 {
				t.Errorf("%s has a rule without an id of ours", message.FullName())
			}
			for _, rule := range of.GetCel() {
				rules++
				field, reason, ok := strings.Cut(rule.GetId(), ".")
				if !ok || reason == "" || message.Fields().ByName(protoreflect.Name(field)) == nil {
					t.Errorf("%s: the id of rule %q does not start with one of its fields", message.FullName(), rule.GetId())
				}
			}
		}
	}
	if rules == 0 {
		t.Error("no rules found")
	}
}

func TestEveryMethodHasAnHTTPForm(t *testing.T) {
	methods := 0
	for _, file := range []protoreflect.FileDescriptor{
		throughlinev1.File_throughline_v1_article_service_proto,
		throughlinev1.File_throughline_v1_coverage_service_proto,
		throughlinev1.File_throughline_v1_cluster_service_proto,
	} {
		for i := range file.Services().Len() {
			of := file.Services().Get(i).Methods()
			for j := range of.Len() {
				methods++
				if !proto.HasExtension(of.Get(j).Options(), annotations.E_Http) {
					t.Errorf("%s has no google.api.http annotation", of.Get(j).FullName())
				}
			}
		}
	}
	if methods == 0 {
		t.Error("no methods found")
	}
}
