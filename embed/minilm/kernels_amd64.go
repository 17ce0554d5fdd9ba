package minilm

import "golang.org/x/sys/cpu"

// available lists the kernels that run here, fastest first.
func available() []*kernels {
	var list []*kernels
	x := &cpu.X86
	if x.HasAVX2 && x.HasFMA {
		if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL && x.HasAVX512VNNI {
			list = append(list, avx512)
		}
		list = append(list, avx2)
	}
	return append(list, portable)
}
