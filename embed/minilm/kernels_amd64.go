package minilm

import "golang.org/x/sys/cpu"

// available lists the kernels that run here, fastest first.
func available() []*kernels {
	var list []*kernels
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		list = append(list, avx2)
	}
	return append(list, portable)
}
