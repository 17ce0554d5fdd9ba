#include "textflag.h"

// Kernels for AVX-512 with VNNI. kernels.go says what they compute, avx512_amd64.go declares them. Lengths are checked
// there. Each adds in the same order as its twin in avx2_amd64.s where that is possible.

// PAIR multiplies the pairs of inputs at four rows with the pairs of 48 outputs at w0, w1 and w2 and adds to twelve sums.
#define PAIR(w0, w1, w2, a0, a1, a2, a3) \
	VPMOVSXBW w0, Z24 \
	VPMOVSXBW w1, Z25 \
	VPMOVSXBW w2, Z26 \
	VPBROADCASTD a0, Z27 \
	VPBROADCASTD a1, Z28 \
	VPBROADCASTD a2, Z29 \
	VPBROADCASTD a3, Z30 \
	VPDPWSSD Z24, Z27, Z0 \
	VPDPWSSD Z25, Z27, Z1 \
	VPDPWSSD Z26, Z27, Z2 \
	VPDPWSSD Z24, Z28, Z3 \
	VPDPWSSD Z25, Z28, Z4 \
	VPDPWSSD Z26, Z28, Z5 \
	VPDPWSSD Z24, Z29, Z6 \
	VPDPWSSD Z25, Z29, Z7 \
	VPDPWSSD Z26, Z29, Z8 \
	VPDPWSSD Z24, Z30, Z9 \
	VPDPWSSD Z25, Z30, Z10 \
	VPDPWSSD Z26, Z30, Z11

// END_GROUP adds three sums, times the scales in Z24 to Z26, to three outputs and clears them.
#define END_GROUP(s0, s1, s2, o0, o1, o2) \
	VCVTDQ2PS s0, s0 \
	VCVTDQ2PS s1, s1 \
	VCVTDQ2PS s2, s2 \
	VFMADD231PS Z24, s0, o0 \
	VFMADD231PS Z25, s1, o1 \
	VFMADD231PS Z26, s2, o2 \
	VPXORD s0, s0, s0 \
	VPXORD s1, s1, s1 \
	VPXORD s2, s2, s2

// END_ROW multiplies three outputs by the scale of their row, adds the biases in Z24 to Z26, and stores them at p.
#define END_ROW(scale, o0, o1, o2, p, p64, p128) \
	VBROADCASTSS scale, Z27 \
	VFMADD213PS Z24, Z27, o0 \
	VFMADD213PS Z25, Z27, o1 \
	VFMADD213PS Z26, Z27, o2 \
	VMOVUPS o0, p \
	VMOVUPS o1, p64 \
	VMOVUPS o2, p128

#define CLEAR3(a, b, c) \
	VPXORD a, a, a \
	VPXORD b, b, b \
	VPXORD c, c, c

// func linearAVX512(out *float32, ldOut int, a *int16, k int, scales *float32, weight *int8, scale, bias *float32, rows int)
// 3 panels of 16 outputs side by side, 4 rows at a time: twelve integer and twelve float32 sums.
TEXT ·linearAVX512(SB), NOSPLIT, $0-72
	MOVQ out+0(FP), DX
	MOVQ ldOut+8(FP), R9
	SHLQ $2, R9
	LEAQ (R9)(R9*2), R10
	MOVQ a+16(FP), SI
	MOVQ k+24(FP), R11
	MOVQ R11, R13
	SHLQ $4, R13 // bytes of weights in a panel
	SHLQ $1, R11 // bytes of inputs in a row
	LEAQ (R11)(R11*2), R12
	MOVQ scales+32(FP), R8
	CLEAR3(Z0, Z1, Z2)
	CLEAR3(Z3, Z4, Z5)
	CLEAR3(Z6, Z7, Z8)
	CLEAR3(Z9, Z10, Z11)
row:
	MOVQ weight+40(FP), DI
	LEAQ (DI)(R13*2), R15
	MOVQ scale+48(FP), BX
	CLEAR3(Z12, Z13, Z14)
	CLEAR3(Z15, Z16, Z17)
	CLEAR3(Z18, Z19, Z20)
	CLEAR3(Z21, Z22, Z23)
	MOVQ k+24(FP), AX
	SHRQ $6, AX // groups
group:
	MOVQ $16, CX
	PCALIGN $64
pair:
	PAIR((DI), (DI)(R13*1), (R15), (SI), (SI)(R11*1), (SI)(R11*2), (SI)(R12*1))
	PAIR(32(DI), 32(DI)(R13*1), 32(R15), 4(SI), 4(SI)(R11*1), 4(SI)(R11*2), 4(SI)(R12*1))
	ADDQ $64, DI
	ADDQ $64, R15
	ADDQ $8, SI
	DECQ CX
	JNZ pair
	// The scales of a panel are k/64*16 float32, a quarter of the bytes of its weights over 4: k bytes.
	MOVQ k+24(FP), CX
	VMOVUPS (BX), Z24
	VMOVUPS (BX)(CX*1), Z25
	VMOVUPS (BX)(CX*2), Z26
	ADDQ $64, BX
	END_GROUP(Z0, Z1, Z2, Z12, Z13, Z14)
	END_GROUP(Z3, Z4, Z5, Z15, Z16, Z17)
	END_GROUP(Z6, Z7, Z8, Z18, Z19, Z20)
	END_GROUP(Z9, Z10, Z11, Z21, Z22, Z23)
	DECQ AX
	JNZ group
	MOVQ bias+56(FP), AX
	VMOVUPS (AX), Z24
	VMOVUPS 64(AX), Z25
	VMOVUPS 128(AX), Z26
	END_ROW((R8), Z12, Z13, Z14, (DX), 64(DX), 128(DX))
	END_ROW(4(R8), Z15, Z16, Z17, (DX)(R9*1), 64(DX)(R9*1), 128(DX)(R9*1))
	END_ROW(8(R8), Z18, Z19, Z20, (DX)(R9*2), 64(DX)(R9*2), 128(DX)(R9*2))
	END_ROW(12(R8), Z21, Z22, Z23, (DX)(R10*1), 64(DX)(R10*1), 128(DX)(R10*1))
	LEAQ (DX)(R9*4), DX
	ADDQ R12, SI // SI went through one row already
	ADDQ $16, R8
	SUBQ $4, rows+64(FP)
	JNZ row
	VZEROUPPER
	RET
