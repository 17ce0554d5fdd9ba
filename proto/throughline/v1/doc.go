// Package throughlinev1 is the API of Throughline as Go: messages, clients and
// server interfaces generated from the .proto files beside it, which document
// it. It knows nothing of what is behind the API.
package throughlinev1

//go:generate ../../generate.sh
