package qdrantlite

import (
	"context"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// method is one gRPC method of a service of this server.
type method struct {
	service any
	handler grpc.MethodHandler
	// read says that the method leaves its request alone after the call, and that nothing of its
	// reply is kept here, so neither has to be copied.
	read bool
}

// registry collects the methods of services, as a gRPC server does.
type registry map[string]method

// reads are the methods that share their messages with the caller. The others are rare, or wait for
// the disk, so copies of their messages cost nothing that counts.
var reads = map[string]bool{
	qdrant.Points_Get_FullMethodName: true, qdrant.Points_Scroll_FullMethodName: true,
	qdrant.Points_Count_FullMethodName: true, qdrant.Points_QueryBatch_FullMethodName: true,
}

func (r registry) RegisterService(desc *grpc.ServiceDesc, service any) {
	for _, m := range desc.Methods {
		name := "/" + desc.ServiceName + "/" + m.MethodName
		r[name] = method{service, m.Handler, reads[name]}
	}
}

// direct carries out calls of clients in this process without a connection: it calls the method
// with the client's request, and no message is encoded.
func (s *Server) direct() grpc.UnaryClientInterceptor {
	methods := make(registry)
	s.Register(methods)
	return func(ctx context.Context, name string, req, reply any, _ *grpc.ClientConn, _ grpc.UnaryInvoker, _ ...grpc.CallOption) error {
		if err := ctx.Err(); err != nil {
			return status.FromContextError(err).Err()
		}
		if s.isClosed() {
			return asStatus(ErrClosed)
		}
		m, ok := methods[name]
		if !ok {
			return status.Errorf(codes.Unimplemented, "unknown method %s", name)
		}
		move := proto.Merge
		if m.read {
			move = shallowCopy
		}
		out, err := m.handler(m.service, ctx, func(in any) error {
			move(in.(proto.Message), req.(proto.Message))
			return nil
		}, nil)
		if err != nil {
			return asStatus(err)
		}
		move(reply.(proto.Message), out.(proto.Message))
		return nil
	}
}

// shallowCopy makes an empty message share the fields of another one of its type.
func shallowCopy(to, from proto.Message) {
	fields := to.ProtoReflect()
	from.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		fields.Set(f, v)
		return true
	})
}
