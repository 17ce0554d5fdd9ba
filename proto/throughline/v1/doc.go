// Package throughlinev1 is the API of Throughline as Go. Messages, clients and
// server interfaces are generated from the .proto files beside it, which
// document it. It knows nothing of what is behind the API.
package throughlinev1

//go:generate ../../generate.sh
