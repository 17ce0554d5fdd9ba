//go:build !amd64 && !arm64

package minilm

// available lists the kernels that run here, fastest first.
func available() []*kernels { return []*kernels{portable} }
