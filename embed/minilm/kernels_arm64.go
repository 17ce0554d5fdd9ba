package minilm

import "golang.org/x/sys/cpu"

// available lists the kernels that run here, fastest first.
func available() []*kernels {
	if cpu.ARM64.HasASIMDDP {
		return []*kernels{neon, portable}
	}
	return []*kernels{portable}
}
