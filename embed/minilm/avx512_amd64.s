#include "textflag.h"

// Kernels for AVX-512 with VNNI. kernels.go defines what they compute; avx512_amd64.go declares
// them and checks lengths.

DATA maxByte<>+0(SB)/4, $255.0
GLOBL maxByte<>(SB), RODATA|NOPTR, $4
DATA tiniest<>+0(SB)/4, $1.0e-30
GLOBL tiniest<>(SB), RODATA|NOPTR, $4
DATA epsilon<>+0(SB)/4, $1.0e-12
GLOBL epsilon<>(SB), RODATA|NOPTR, $4
DATA one<>+0(SB)/4, $1.0
GLOBL one<>(SB), RODATA|NOPTR, $4
DATA half<>+0(SB)/4, $0.5
GLOBL half<>(SB), RODATA|NOPTR, $4
DATA geluEnd<>+0(SB)/4, $4.5
GLOBL geluEnd<>(SB), RODATA|NOPTR, $4
DATA log2e<>+0(SB)/4, $1.44269504088896
GLOBL log2e<>(SB), RODATA|NOPTR, $4
DATA smallest<>+0(SB)/4, $-126.0
GLOBL smallest<>(SB), RODATA|NOPTR, $4

// FOLD combines the 16 numbers of z into its lowest with op and its scalar form ops. y and x are
// the lower half and quarter of z.
#define FOLD(op, ops, z, y, x, tmpy, tmpx) \
	VEXTRACTF64X4 $1, z, tmpy \
	op tmpy, y, y \
	VEXTRACTF128 $1, y, tmpx \
	op tmpx, x, x \
	VMOVHLPS x, x, tmpx \
	op tmpx, x, x \
	VMOVSHDUP x, tmpx \
	ops tmpx, x, x

// func expandAVX512(dst *float32, src *int8, n int, scale float32)
//
//	DI  dst          CX  numbers left
//	SI  src          Z1  scale
TEXT ·expandAVX512(SB), NOSPLIT, $0-28
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	VBROADCASTSS scale+24(FP), Z1
loop:
	VPMOVSXBD (SI), Z0
	VCVTDQ2PS Z0, Z0
	VMULPS Z1, Z0, Z0
	VMOVUPS Z0, (DI)
	ADDQ $16, SI
	ADDQ $64, DI
	SUBQ $16, CX
	JNZ loop
	VZEROUPPER
	RET

// func normAVX512(x, y, gain, bias *float32, n int)
//
//	DI  x            CX  bytes of a row        Z0, Z1  sums
//	SI  y            AX  offset in bytes       Z2  mean, then 1 / standard deviation
//	R8  gain         X3  n                     Z4, Z5  values of x
//	R9  bias                                   Z6, Z7  gain
TEXT ·normAVX512(SB), NOSPLIT, $0-40
	MOVQ x+0(FP), DI
	MOVQ y+8(FP), SI
	MOVQ gain+16(FP), R8
	MOVQ bias+24(FP), R9
	MOVQ n+32(FP), CX
	VXORPS X3, X3, X3
	VCVTSI2SSQ CX, X3, X3 // n
	SHLQ $2, CX
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	XORQ AX, AX
add:
	VMOVUPS (DI)(AX*1), Z4
	VMOVUPS 64(DI)(AX*1), Z5
	VADDPS (SI)(AX*1), Z4, Z4
	VADDPS 64(SI)(AX*1), Z5, Z5
	VMOVUPS Z4, (DI)(AX*1)
	VMOVUPS Z5, 64(DI)(AX*1)
	VADDPS Z4, Z0, Z0
	VADDPS Z5, Z1, Z1
	ADDQ $128, AX
	CMPQ AX, CX
	JLT add
	VADDPS Z1, Z0, Z0
	FOLD(VADDPS, VADDSS, Z0, Y0, X0, Y1, X1)
	VDIVSS X3, X0, X0
	VBROADCASTSS X0, Z2 // mean
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	XORQ AX, AX
center:
	VMOVUPS (DI)(AX*1), Z4
	VMOVUPS 64(DI)(AX*1), Z5
	VSUBPS Z2, Z4, Z4
	VSUBPS Z2, Z5, Z5
	VMOVUPS Z4, (DI)(AX*1)
	VMOVUPS Z5, 64(DI)(AX*1)
	VFMADD231PS Z4, Z4, Z0
	VFMADD231PS Z5, Z5, Z1
	ADDQ $128, AX
	CMPQ AX, CX
	JLT center
	VADDPS Z1, Z0, Z0
	FOLD(VADDPS, VADDSS, Z0, Y0, X0, Y1, X1)
	VDIVSS X3, X0, X0
	VADDSS epsilon<>(SB), X0, X0
	VSQRTSS X0, X0, X0
	VMOVSS one<>(SB), X1
	VDIVSS X0, X1, X0
	VBROADCASTSS X0, Z2 // 1 / standard deviation
	XORQ AX, AX
scale:
	VMULPS (DI)(AX*1), Z2, Z4
	VMULPS 64(DI)(AX*1), Z2, Z5
	VMOVUPS (R8)(AX*1), Z6
	VMOVUPS 64(R8)(AX*1), Z7
	VFMADD213PS (R9)(AX*1), Z6, Z4
	VFMADD213PS 64(R9)(AX*1), Z7, Z5
	VMOVUPS Z4, (DI)(AX*1)
	VMOVUPS Z5, 64(DI)(AX*1)
	ADDQ $128, AX
	CMPQ AX, CX
	JLT scale
	VZEROUPPER
	RET

// ROUND16 rounds 16 values to bytes at p.
#define ROUND16(z, p) \
	VSUBPS Z8, z, z \
	VMULPS Z9, z, z \
	VCVTPS2DQ z, z \
	VPMOVUSDB z, p

// func quantizeAVX512(bytes *uint8, ranges, x, smooth *float32, groups int)
//
//	DI  bytes        CX  groups left           Z4, Z5  least and greatest value of the group
//	BX  ranges       X14 255                   Z8, Z9  low and 255 / (largest - low)
//	SI  x            X15 tiniest               Z6, Z7  scratch
//	R8  smooth       Z0 to Z3  the 64 values of the group
TEXT ·quantizeAVX512(SB), NOSPLIT, $0-40
	MOVQ bytes+0(FP), DI
	MOVQ ranges+8(FP), BX
	MOVQ x+16(FP), SI
	MOVQ smooth+24(FP), R8
	MOVQ groups+32(FP), CX
	VMOVSS maxByte<>(SB), X14
	VMOVSS tiniest<>(SB), X15
group:
	VMOVUPS (SI), Z0
	VMOVUPS 64(SI), Z1
	VMOVUPS 128(SI), Z2
	VMOVUPS 192(SI), Z3
	VMULPS (R8), Z0, Z0
	VMULPS 64(R8), Z1, Z1
	VMULPS 128(R8), Z2, Z2
	VMULPS 192(R8), Z3, Z3
	VMINPS Z0, Z1, Z4
	VMAXPS Z0, Z1, Z5
	VMINPS Z2, Z3, Z6
	VMAXPS Z2, Z3, Z7
	VMINPS Z4, Z6, Z4
	VMAXPS Z5, Z7, Z5
	FOLD(VMINPS, VMINSS, Z4, Y4, X4, Y6, X6)
	FOLD(VMAXPS, VMAXSS, Z5, Y5, X5, Y7, X7)
	VSUBSS X4, X5, X5 // largest - low
	VDIVSS X14, X5, X6
	VMOVSS X6, (BX)
	VMOVSS X4, 4(BX)
	VDIVSS X5, X14, X6
	VCMPSS $13, X15, X5, X5 // largest - low >= tiniest
	VANDPS X5, X6, X6
	VBROADCASTSS X4, Z8
	VBROADCASTSS X6, Z9
	ROUND16(Z0, (DI))
	ROUND16(Z1, 16(DI))
	ROUND16(Z2, 32(DI))
	ROUND16(Z3, 48(DI))
	ADDQ $64, DI
	ADDQ $256, SI
	ADDQ $256, R8
	ADDQ $32, BX
	DECQ CX
	JNZ group
	VZEROUPPER
	RET

// FOUR multiplies four inputs of each of four rows with the weights of 48 outputs at w0, w1 and w2
// and adds to twelve sums.
#define FOUR(w0, w1, w2, a0, a1, a2, a3) \
	VMOVDQU32 w0, Z24 \
	VMOVDQU32 w1, Z25 \
	VMOVDQU32 w2, Z26 \
	VPBROADCASTD a0, Z27 \
	VPBROADCASTD a1, Z28 \
	VPBROADCASTD a2, Z29 \
	VPBROADCASTD a3, Z30 \
	VPDPBUSD Z24, Z27, Z0 \
	VPDPBUSD Z25, Z27, Z1 \
	VPDPBUSD Z26, Z27, Z2 \
	VPDPBUSD Z24, Z28, Z3 \
	VPDPBUSD Z25, Z28, Z4 \
	VPDPBUSD Z26, Z28, Z5 \
	VPDPBUSD Z24, Z29, Z6 \
	VPDPBUSD Z25, Z29, Z7 \
	VPDPBUSD Z26, Z29, Z8 \
	VPDPBUSD Z24, Z30, Z9 \
	VPDPBUSD Z25, Z30, Z10 \
	VPDPBUSD Z26, Z30, Z11

// END_GROUP adds to three outputs: three sums times the scale of the inputs times the scales in Z24
// to Z26, and the lowest value of the inputs times the offsets in Z27 to Z29. It clears the sums.
#define END_GROUP(range, low, s0, s1, s2, o0, o1, o2) \
	VBROADCASTSS range, Z30 \
	VBROADCASTSS low, Z31 \
	VCVTDQ2PS s0, s0 \
	VCVTDQ2PS s1, s1 \
	VCVTDQ2PS s2, s2 \
	VFMADD231PS Z27, Z31, o0 \
	VFMADD231PS Z28, Z31, o1 \
	VFMADD231PS Z29, Z31, o2 \
	VMULPS Z30, s0, s0 \
	VMULPS Z30, s1, s1 \
	VMULPS Z30, s2, s2 \
	VFMADD231PS Z24, s0, o0 \
	VFMADD231PS Z25, s1, o1 \
	VFMADD231PS Z26, s2, o2 \
	CLEAR3(s0, s1, s2)

#define CLEAR3(a, b, c) \
	VPXORD a, a, a \
	VPXORD b, b, b \
	VPXORD c, c, c

// BEGIN_ROW sets three outputs to the biases in Z24 to Z26.
#define BEGIN_ROW(o0, o1, o2) \
	VMOVAPS Z24, o0 \
	VMOVAPS Z25, o1 \
	VMOVAPS Z26, o2

#define STORE3(o0, o1, o2, p, p64, p128) \
	VMOVUPS o0, p \
	VMOVUPS o1, p64 \
	VMOVUPS o2, p128

// func linearAVX512(out *float32, ldOut int, a *uint8, k int, ranges *float32, weight *int8,
//	scale, offset, bias *float32, rows int, next *int8, lines int)
// 3 panels of 16 outputs, 4 rows at a time: twelve integer and twelve float32 sums. For each group
// of each 4 rows it fetches lines cache lines from next on: what the next product reads.
//
//	DX  out, of the first of 4 rows            BX  scale, at the group, of panel 0
//	R9  bytes of a row of out                  R14 offset, at the group, of panel 0
//	SI  a, at the inputs of the first row      R8  ranges, at the group
//	R11, R12  bytes of 1 and 3 rows of a       R10 next
//	DI, R15  weight, of panels 0 and 2         AX  bias, then groups left
//	R13 bytes of a panel of weight             CX  lines to fetch, then steps of eight inputs left
//	Z0 to Z11   integer sums: row r has Z(3r+p) for panel p
//	Z12 to Z23  float32 sums in the same order
//	Z24 to Z31  scratch: weights, inputs; bias; scales in Z24 to Z26, offsets in Z27 to Z29
TEXT ·linearAVX512(SB), NOSPLIT, $0-96
	MOVQ out+0(FP), DX
	MOVQ ldOut+8(FP), R9
	SHLQ $2, R9
	MOVQ a+16(FP), SI
	MOVQ k+24(FP), R11 // bytes of inputs in a row, and of scales or offsets in a panel
	LEAQ (R11)(R11*2), R12
	MOVQ R11, R13
	SHLQ $4, R13 // bytes of weights in a panel
	MOVQ ranges+32(FP), R8
	MOVQ next+80(FP), R10
	CLEAR3(Z0, Z1, Z2)
	CLEAR3(Z3, Z4, Z5)
	CLEAR3(Z6, Z7, Z8)
	CLEAR3(Z9, Z10, Z11)
row:
	MOVQ weight+40(FP), DI
	LEAQ (DI)(R13*2), R15
	MOVQ scale+48(FP), BX
	MOVQ offset+56(FP), R14
	MOVQ bias+64(FP), AX
	VMOVUPS (AX), Z24
	VMOVUPS 64(AX), Z25
	VMOVUPS 128(AX), Z26
	BEGIN_ROW(Z12, Z13, Z14)
	BEGIN_ROW(Z15, Z16, Z17)
	BEGIN_ROW(Z18, Z19, Z20)
	BEGIN_ROW(Z21, Z22, Z23)
	MOVQ R11, AX
	SHRQ $6, AX // groups
group:
	MOVQ lines+88(FP), CX
fetch:
	PREFETCHT1 (R10)
	ADDQ $64, R10
	DECQ CX
	JNZ fetch
	MOVQ $8, CX
	PCALIGN $64
eight:
	FOUR((DI), (DI)(R13*1), (R15), (SI), (SI)(R11*1), (SI)(R11*2), (SI)(R12*1))
	FOUR(64(DI), 64(DI)(R13*1), 64(R15), 4(SI), 4(SI)(R11*1), 4(SI)(R11*2), 4(SI)(R12*1))
	ADDQ $128, DI
	ADDQ $128, R15
	ADDQ $8, SI
	DECQ CX
	JNZ eight
	VMOVUPS (BX), Z24
	VMOVUPS (BX)(R11*1), Z25
	VMOVUPS (BX)(R11*2), Z26
	VMOVUPS (R14), Z27
	VMOVUPS (R14)(R11*1), Z28
	VMOVUPS (R14)(R11*2), Z29
	END_GROUP((R8), 4(R8), Z0, Z1, Z2, Z12, Z13, Z14)
	END_GROUP(8(R8), 12(R8), Z3, Z4, Z5, Z15, Z16, Z17)
	END_GROUP(16(R8), 20(R8), Z6, Z7, Z8, Z18, Z19, Z20)
	END_GROUP(24(R8), 28(R8), Z9, Z10, Z11, Z21, Z22, Z23)
	ADDQ $64, BX
	ADDQ $64, R14
	ADDQ $32, R8
	DECQ AX
	JNZ group
	STORE3(Z12, Z13, Z14, (DX), 64(DX), 128(DX))
	STORE3(Z15, Z16, Z17, (DX)(R9*1), 64(DX)(R9*1), 128(DX)(R9*1))
	STORE3(Z18, Z19, Z20, (DX)(R9*2), 64(DX)(R9*2), 128(DX)(R9*2))
	ADDQ R9, DX
	STORE3(Z21, Z22, Z23, (DX)(R9*2), 64(DX)(R9*2), 128(DX)(R9*2))
	LEAQ (DX)(R9*2), DX
	ADDQ R9, DX
	ADDQ R12, SI // SI went through one row already
	SUBQ $4, rows+72(FP)
	JNZ row
	VZEROUPPER
	RET

// func geluAVX512(x *float32, n int, coefficients *float32)
//
//	DI  x            Z0 to Z9  coefficients, lowest power first
//	CX  numbers left Z10, Z12  4.5 and -4.5, the bounds of the polynomial; Z11  1/2
//	SI  coefficients Z13  x within the bounds; Z14  its square; Z15  polynomial; Z16  x
TEXT ·geluAVX512(SB), NOSPLIT, $0-24
	MOVQ x+0(FP), DI
	MOVQ n+8(FP), CX
	MOVQ coefficients+16(FP), SI
	VBROADCASTSS (SI), Z0
	VBROADCASTSS 4(SI), Z1
	VBROADCASTSS 8(SI), Z2
	VBROADCASTSS 12(SI), Z3
	VBROADCASTSS 16(SI), Z4
	VBROADCASTSS 20(SI), Z5
	VBROADCASTSS 24(SI), Z6
	VBROADCASTSS 28(SI), Z7
	VBROADCASTSS 32(SI), Z8
	VBROADCASTSS 36(SI), Z9
	VBROADCASTSS geluEnd<>(SB), Z10
	VBROADCASTSS half<>(SB), Z11
	VPXORD Z12, Z12, Z12
	VSUBPS Z10, Z12, Z12
loop:
	VMOVUPS (DI), Z16
	VMAXPS Z16, Z12, Z13
	VMINPS Z10, Z13, Z13
	VMULPS Z13, Z13, Z14
	VMOVAPS Z9, Z15
	VFMADD213PS Z8, Z14, Z15
	VFMADD213PS Z7, Z14, Z15
	VFMADD213PS Z6, Z14, Z15
	VFMADD213PS Z5, Z14, Z15
	VFMADD213PS Z4, Z14, Z15
	VFMADD213PS Z3, Z14, Z15
	VFMADD213PS Z2, Z14, Z15
	VFMADD213PS Z1, Z14, Z15
	VFMADD213PS Z0, Z14, Z15
	VFMADD213PS Z11, Z13, Z15
	VMULPS Z16, Z15, Z15
	VMOVUPS Z15, (DI)
	ADDQ $64, DI
	SUBQ $16, CX
	JNZ loop
	VZEROUPPER
	RET

// func softmaxAVX512(x *float32, n int, scale float32, coefficients *float32)
//
//	DI  x            Z0  the largest           Z3 to Z8  coefficients, lowest power first
//	CX  bytes of x   Z1  scale * log2(e)       Z9  sum, then 1 / sum
//	AX  offset       Z2  least exponent        Z10 to Z12  fraction, exponent, power
//	SI  coefficients
TEXT ·softmaxAVX512(SB), NOSPLIT, $0-32
	MOVQ x+0(FP), DI
	MOVQ n+8(FP), CX
	MOVQ coefficients+24(FP), SI
	SHLQ $2, CX
	VMOVUPS (DI), Z0
	XORQ AX, AX
largest:
	VMAXPS (DI)(AX*1), Z0, Z0
	ADDQ $64, AX
	CMPQ AX, CX
	JLT largest
	FOLD(VMAXPS, VMAXSS, Z0, Y0, X0, Y1, X1)
	VBROADCASTSS X0, Z0 // the largest
	VMOVSS scale+16(FP), X1
	VMULSS log2e<>(SB), X1, X1
	VBROADCASTSS X1, Z1
	VBROADCASTSS smallest<>(SB), Z2
	VBROADCASTSS (SI), Z3
	VBROADCASTSS 4(SI), Z4
	VBROADCASTSS 8(SI), Z5
	VBROADCASTSS 12(SI), Z6
	VBROADCASTSS 16(SI), Z7
	VBROADCASTSS 20(SI), Z8
	VPXORD Z9, Z9, Z9 // sum
	XORQ AX, AX
exp:
	VMOVUPS (DI)(AX*1), Z10
	VSUBPS Z0, Z10, Z10
	VMULPS Z1, Z10, Z10
	VMAXPS Z2, Z10, Z10
	VRNDSCALEPS $0, Z10, Z11
	VSUBPS Z11, Z10, Z10
	VMOVAPS Z8, Z12
	VFMADD213PS Z7, Z10, Z12
	VFMADD213PS Z6, Z10, Z12
	VFMADD213PS Z5, Z10, Z12
	VFMADD213PS Z4, Z10, Z12
	VFMADD213PS Z3, Z10, Z12
	VCVTPS2DQ Z11, Z11
	VPSLLD $23, Z11, Z11
	VPADDD Z11, Z12, Z12
	VADDPS Z12, Z9, Z9
	VMOVUPS Z12, (DI)(AX*1)
	ADDQ $64, AX
	CMPQ AX, CX
	JLT exp
	FOLD(VADDPS, VADDSS, Z9, Y9, X9, Y10, X10)
	VMOVSS one<>(SB), X10
	VDIVSS X9, X10, X9
	VBROADCASTSS X9, Z9
	XORQ AX, AX
divide:
	VMULPS (DI)(AX*1), Z9, Z10
	VMOVUPS Z10, (DI)(AX*1)
	ADDQ $64, AX
	CMPQ AX, CX
	JLT divide
	VZEROUPPER
	RET

// func multiplyAVX512(c *float32, ldC int, a *float32, ldA int, b *float32, ldB int, rows, inner,
//	columns int)
// Tiles of 4 rows by 32 columns.
//
//	DX  c, of the first of 4 rows              BX  a, of the first of 4 rows
//	R9, R10  bytes of 1 and 3 rows of c        R11, R12  bytes of 1 and 3 rows of a
//	DI  b, at the step                         SI  a, at the step
//	R8  bytes of a row of b                    CX  steps left; R13  rows left
//	Z0 to Z7  sums: row r has Z(2r) for columns 0 to 15 and Z(2r+1) for 16 to 31
//	Z8, Z9    values of b                      Z10 to Z13  values of a, one for each row
TEXT ·multiplyAVX512(SB), NOSPLIT, $0-72
	MOVQ ldC+8(FP), R9
	MOVQ ldA+24(FP), R11
	MOVQ ldB+40(FP), R8
	SHLQ $2, R9
	SHLQ $2, R11
	SHLQ $2, R8
	LEAQ (R9)(R9*2), R10
	LEAQ (R11)(R11*2), R12
columns32:
	MOVQ c+0(FP), DX
	MOVQ a+16(FP), BX
	MOVQ rows+48(FP), R13
rows4:
	MOVQ b+32(FP), DI
	MOVQ BX, SI
	MOVQ inner+56(FP), CX
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3
	VPXORD Z4, Z4, Z4
	VPXORD Z5, Z5, Z5
	VPXORD Z6, Z6, Z6
	VPXORD Z7, Z7, Z7
	PCALIGN $32
step:
	VMOVUPS (DI), Z8
	VMOVUPS 64(DI), Z9
	VBROADCASTSS (SI), Z10
	VBROADCASTSS (SI)(R11*1), Z11
	VBROADCASTSS (SI)(R11*2), Z12
	VBROADCASTSS (SI)(R12*1), Z13
	VFMADD231PS Z8, Z10, Z0
	VFMADD231PS Z9, Z10, Z1
	VFMADD231PS Z8, Z11, Z2
	VFMADD231PS Z9, Z11, Z3
	VFMADD231PS Z8, Z12, Z4
	VFMADD231PS Z9, Z12, Z5
	VFMADD231PS Z8, Z13, Z6
	VFMADD231PS Z9, Z13, Z7
	ADDQ R8, DI
	ADDQ $4, SI
	DECQ CX
	JNZ step
	VMOVUPS Z0, (DX)
	VMOVUPS Z1, 64(DX)
	VMOVUPS Z2, (DX)(R9*1)
	VMOVUPS Z3, 64(DX)(R9*1)
	VMOVUPS Z4, (DX)(R9*2)
	VMOVUPS Z5, 64(DX)(R9*2)
	VMOVUPS Z6, (DX)(R10*1)
	VMOVUPS Z7, 64(DX)(R10*1)
	LEAQ (DX)(R9*4), DX
	LEAQ (BX)(R11*4), BX
	SUBQ $4, R13
	JNZ rows4
	ADDQ $128, c+0(FP)
	ADDQ $128, b+32(FP)
	SUBQ $32, columns+64(FP)
	JNZ columns32
	VZEROUPPER
	RET

// func poolAVX512(out *float32, n int, x *float32, rows int)
// 64 columns at a time.
//
//	DI  out          SI  x                     Z0 to Z3  sums of 64 columns
//	CX  bytes of a row                         Z4, Z5    sums of squares, then 1 / length in Z4
//	AX  offset of the columns                  DX  x, at the row; BX  rows left
TEXT ·poolAVX512(SB), NOSPLIT, $0-32
	MOVQ out+0(FP), DI
	MOVQ n+8(FP), CX
	MOVQ x+16(FP), SI
	SHLQ $2, CX // bytes of a row
	VPXORD Z4, Z4, Z4 // sums of squares
	VPXORD Z5, Z5, Z5
	XORQ AX, AX
columns64:
	LEAQ (SI)(AX*1), DX
	MOVQ rows+24(FP), BX
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3
row:
	VADDPS (DX), Z0, Z0
	VADDPS 64(DX), Z1, Z1
	VADDPS 128(DX), Z2, Z2
	VADDPS 192(DX), Z3, Z3
	ADDQ CX, DX
	DECQ BX
	JNZ row
	VMOVUPS Z0, (DI)(AX*1)
	VMOVUPS Z1, 64(DI)(AX*1)
	VMOVUPS Z2, 128(DI)(AX*1)
	VMOVUPS Z3, 192(DI)(AX*1)
	VFMADD231PS Z0, Z0, Z4
	VFMADD231PS Z1, Z1, Z5
	VFMADD231PS Z2, Z2, Z4
	VFMADD231PS Z3, Z3, Z5
	ADDQ $256, AX
	CMPQ AX, CX
	JLT columns64
	VADDPS Z5, Z4, Z4
	FOLD(VADDPS, VADDSS, Z4, Y4, X4, Y5, X5)
	VSQRTSS X4, X4, X4
	VMOVSS one<>(SB), X5
	VDIVSS X4, X5, X4
	VBROADCASTSS X4, Z4
	XORQ AX, AX
scale:
	VMULPS (DI)(AX*1), Z4, Z0
	VMOVUPS Z0, (DI)(AX*1)
	ADDQ $64, AX
	CMPQ AX, CX
	JLT scale
	VZEROUPPER
	RET
