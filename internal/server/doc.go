// Package server answers the API. It speaks gRPC on one port, and JSON, Connect and gRPC-Web on
// another. It validates a request, calls an engine and converts the answer.
//
// It knows messages, error codes, page tokens, deadlines, health and shutdown. It does not know how
// articles are stored, what makes two of them related, or how stories come to be: the engines
// behind the interfaces in engines.go do.
//
// One file each decides
//
//   - what a client reads of an error: the table in errors.go. The text of the store or of an
//     embedding endpoint goes to the log, with the request's id, and never to a client;
//   - what happens around every call (request id, metrics, recovery, deadline, validation):
//     intercept.go;
//   - how a list is paged: pages.go has the tokens. Articles continue from a cursor of the store,
//     stories and topics behind the last one that was shown. Ranked lists are kept in
//     result_cache.go.
//
// Requests are validated twice: by the rules in the protos, and by the engines, which know more.
// Both end as INVALID_ARGUMENT with google.rpc.BadRequest, whose field paths are those of the
// request.
//
// Answers of Related, Search and FindStory name the State that they come from in the header
// throughline-state, a stream of BatchRelated the State of its last answer in its trailer.
package server
