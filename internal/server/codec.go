package server

import (
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	_ "google.golang.org/grpc/encoding/proto" // the codec that is wrapped
)

// codec is protobuf with one difference: a request that cannot be unmarshalled arrives as an empty
// message that says why. The library would answer it with INTERNAL, which blames the server, before
// it calls any code of ours.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2("proto")} }

// unreadableField is a field number that no message of ours has.
const unreadableField protowire.Number = protowire.MaxValidNumber

func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	err := c.CodecV2.Unmarshal(data, v)
	m, ok := v.(proto.Message)
	if err == nil || !ok {
		return err
	}
	proto.Reset(m)
	mark := protowire.AppendTag(nil, unreadableField, protowire.BytesType)
	m.ProtoReflect().SetUnknown(protowire.AppendString(mark, err.Error()))
	return nil
}

// readable returns an error for a message that could not be unmarshalled.
func readable(v any) error {
	m, ok := v.(proto.Message)
	if !ok {
		return nil
	}
	number, kind, tag := protowire.ConsumeTag(m.ProtoReflect().GetUnknown())
	if tag < 0 || number != unreadableField || kind != protowire.BytesType {
		return nil
	}
	reason, length := protowire.ConsumeString(m.ProtoReflect().GetUnknown()[tag:])
	if length < 0 {
		return nil
	}
	return malformed(validUTF8(reason))
}
