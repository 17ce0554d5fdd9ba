// Package server answers the API: gRPC on one port, and the same services as JSON, Connect and gRPC-Web on another. It
// validates a request, calls an engine, and converts the answer.
//
// It knows messages, error codes, page tokens, deadlines, health and shutdown. It does not know how articles are stored,
// what makes two of them related, or how stories come to be: those are engines behind the small interfaces of engines.go.
//
// Three things are decided in one place each. What a client is told about an error: the table in errors.go; text of the
// store or of an embedding endpoint goes to the log with the request's id, never to a client. What every call goes through
// (request id, metrics, recovery, deadline, validation): intercept.go. How a list is paged: pages.go for lists that the
// store can continue from a cursor, frozen.go for rankings, which exist only as a whole and are kept until they expire.
//
// Requests are validated twice: by the rules written in the protos, and by the engines, which know more. Both end as
// INVALID_ARGUMENT with google.rpc.BadRequest, whose field paths are those of the request message.
package server
