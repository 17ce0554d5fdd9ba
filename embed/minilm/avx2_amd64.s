#include "textflag.h"

// Kernels for AVX2 and FMA. kernels.go defines what they compute; avx2_amd64.go declares them and
// checks lengths.

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

// SUM8 adds the 8 numbers of y into the lowest number of x, the lower half of y. MAX8 and MIN8 find
// the largest and the smallest.
#define SUM8(y, x, tmpx) \
	VEXTRACTF128 $1, y, tmpx \
	VADDPS tmpx, x, x \
	VMOVHLPS x, x, tmpx \
	VADDPS tmpx, x, x \
	VMOVSHDUP x, tmpx \
	VADDSS tmpx, x, x

#define MAX8(y, x, tmpx) \
	VEXTRACTF128 $1, y, tmpx \
	VMAXPS tmpx, x, x \
	VMOVHLPS x, x, tmpx \
	VMAXPS tmpx, x, x \
	VMOVSHDUP x, tmpx \
	VMAXSS tmpx, x, x

#define MIN8(y, x, tmpx) \
	VEXTRACTF128 $1, y, tmpx \
	VMINPS tmpx, x, x \
	VMOVHLPS x, x, tmpx \
	VMINPS tmpx, x, x \
	VMOVSHDUP x, tmpx \
	VMINSS tmpx, x, x

// func expandAVX2(dst *float32, src *int8, n int, scale float32)
//
//	DI  dst          CX  numbers left
//	SI  src          Y2  scale
TEXT ·expandAVX2(SB), NOSPLIT, $0-28
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	VBROADCASTSS scale+24(FP), Y2
loop:
	VPMOVSXBD (SI), Y0
	VPMOVSXBD 8(SI), Y1
	VCVTDQ2PS Y0, Y0
	VCVTDQ2PS Y1, Y1
	VMULPS Y2, Y0, Y0
	VMULPS Y2, Y1, Y1
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	ADDQ $16, SI
	ADDQ $64, DI
	SUBQ $16, CX
	JNZ loop
	VZEROUPPER
	RET

// func normAVX2(x, y, gain, bias *float32, n int)
//
//	DI  x            CX  bytes of a row        Y0, Y1  sums
//	SI  y            AX  offset in bytes       Y2  mean, then 1 / standard deviation
//	R8  gain         X3  n                     Y4, Y5  values of x
//	R9  bias                                   Y6, Y7  gain
TEXT ·normAVX2(SB), NOSPLIT, $0-40
	MOVQ x+0(FP), DI
	MOVQ y+8(FP), SI
	MOVQ gain+16(FP), R8
	MOVQ bias+24(FP), R9
	MOVQ n+32(FP), CX
	VXORPS X3, X3, X3
	VCVTSI2SSQ CX, X3, X3 // n
	SHLQ $2, CX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	XORQ AX, AX
add:
	VMOVUPS (DI)(AX*1), Y4
	VMOVUPS 32(DI)(AX*1), Y5
	VADDPS (SI)(AX*1), Y4, Y4
	VADDPS 32(SI)(AX*1), Y5, Y5
	VMOVUPS Y4, (DI)(AX*1)
	VMOVUPS Y5, 32(DI)(AX*1)
	VADDPS Y4, Y0, Y0
	VADDPS Y5, Y1, Y1
	ADDQ $64, AX
	CMPQ AX, CX
	JLT add
	VADDPS Y1, Y0, Y0
	SUM8(Y0, X0, X1)
	VDIVSS X3, X0, X0
	VBROADCASTSS X0, Y2 // mean
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	XORQ AX, AX
center:
	VMOVUPS (DI)(AX*1), Y4
	VMOVUPS 32(DI)(AX*1), Y5
	VSUBPS Y2, Y4, Y4
	VSUBPS Y2, Y5, Y5
	VMOVUPS Y4, (DI)(AX*1)
	VMOVUPS Y5, 32(DI)(AX*1)
	VFMADD231PS Y4, Y4, Y0
	VFMADD231PS Y5, Y5, Y1
	ADDQ $64, AX
	CMPQ AX, CX
	JLT center
	VADDPS Y1, Y0, Y0
	SUM8(Y0, X0, X1)
	VDIVSS X3, X0, X0
	VADDSS epsilon<>(SB), X0, X0
	VSQRTSS X0, X0, X0
	VMOVSS one<>(SB), X1
	VDIVSS X0, X1, X0
	VBROADCASTSS X0, Y2 // 1 / standard deviation
	XORQ AX, AX
scale:
	VMULPS (DI)(AX*1), Y2, Y4
	VMULPS 32(DI)(AX*1), Y2, Y5
	VMOVUPS (R8)(AX*1), Y6
	VMOVUPS 32(R8)(AX*1), Y7
	VFMADD213PS (R9)(AX*1), Y6, Y4
	VFMADD213PS 32(R9)(AX*1), Y7, Y5
	VMOVUPS Y4, (DI)(AX*1)
	VMOVUPS Y5, 32(DI)(AX*1)
	ADDQ $64, AX
	CMPQ AX, CX
	JLT scale
	VZEROUPPER
	RET

// VALUE8 loads 8 inputs and multiplies them by their smoothing factors.
#define VALUE8(at, y) \
	VMOVUPS at(SI), y \
	VMULPS at(R8), y, y

// ROUND16 rounds the values in two registers to 16 words at p, where the even words of every four
// come before the odd ones.
#define ROUND16(y0, y1, p) \
	VSUBPS Y12, y0, y0 \
	VSUBPS Y12, y1, y1 \
	VMULPS Y13, y0, y0 \
	VMULPS Y13, y1, y1 \
	VCVTPS2DQ y0, y0 \
	VCVTPS2DQ y1, y1 \
	VPACKSSDW y1, y0, y0 \
	VPERMQ $0xD8, y0, y0 \
	VPSHUFLW $0xD8, y0, y0 \
	VPSHUFHW $0xD8, y0, y0 \
	VMOVDQU y0, p

// func quantizeAVX2(words *int16, ranges, x, smooth *float32, groups int)
//
//	DI  words        CX  groups left           Y8, Y9    least and greatest value of the group
//	BX  ranges       X14 255                   Y12, Y13  low and 255 / (largest - low)
//	SI  x            X15 tiniest               Y10       scratch
//	R8  smooth       Y0 to Y7  the 64 values of the group
TEXT ·quantizeAVX2(SB), NOSPLIT, $0-40
	MOVQ words+0(FP), DI
	MOVQ ranges+8(FP), BX
	MOVQ x+16(FP), SI
	MOVQ smooth+24(FP), R8
	MOVQ groups+32(FP), CX
	VMOVSS maxByte<>(SB), X14
	VMOVSS tiniest<>(SB), X15
group:
	VALUE8(0, Y0)
	VALUE8(32, Y1)
	VALUE8(64, Y2)
	VALUE8(96, Y3)
	VALUE8(128, Y4)
	VALUE8(160, Y5)
	VALUE8(192, Y6)
	VALUE8(224, Y7)
	VMINPS Y0, Y1, Y8
	VMAXPS Y0, Y1, Y9
	VMINPS Y2, Y8, Y8
	VMAXPS Y2, Y9, Y9
	VMINPS Y3, Y8, Y8
	VMAXPS Y3, Y9, Y9
	VMINPS Y4, Y8, Y8
	VMAXPS Y4, Y9, Y9
	VMINPS Y5, Y8, Y8
	VMAXPS Y5, Y9, Y9
	VMINPS Y6, Y8, Y8
	VMAXPS Y6, Y9, Y9
	VMINPS Y7, Y8, Y8
	VMAXPS Y7, Y9, Y9
	MIN8(Y8, X8, X10)
	MAX8(Y9, X9, X10)
	VSUBSS X8, X9, X9 // largest - low
	VDIVSS X14, X9, X10
	VMOVSS X10, (BX)
	VMOVSS X8, 4(BX)
	VDIVSS X9, X14, X10
	VCMPSS $13, X15, X9, X9 // largest - low >= tiniest
	VANDPS X9, X10, X10
	VBROADCASTSS X8, Y12
	VBROADCASTSS X10, Y13
	ROUND16(Y0, Y1, (DI))
	ROUND16(Y2, Y3, 32(DI))
	ROUND16(Y4, Y5, 64(DI))
	ROUND16(Y6, Y7, 96(DI))
	ADDQ $128, DI
	ADDQ $256, SI
	ADDQ $256, R8
	ADDQ $32, BX
	DECQ CX
	JNZ group
	VZEROUPPER
	RET

// func widenAVX2(panel *int16, weight *int8, inputs int)
// Of every four inputs of 16 outputs, the even ones become 16 pairs of words and the odd ones 16
// more.
//
//	DI  panel        CX  inputs left           Y0, Y1  bytes, then odd inputs
//	SI  weight                                 Y2, Y3  even inputs
TEXT ·widenAVX2(SB), NOSPLIT, $0-24
	MOVQ panel+0(FP), DI
	MOVQ weight+8(FP), SI
	MOVQ inputs+16(FP), CX
loop:
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1
	VPSLLW $8, Y0, Y2
	VPSLLW $8, Y1, Y3
	VPSRAW $8, Y0, Y0
	VPSRAW $8, Y1, Y1
	VPSRAW $8, Y2, Y2
	VPSRAW $8, Y3, Y3
	VMOVDQU Y2, (DI)
	VMOVDQU Y3, 32(DI)
	VMOVDQU Y0, 64(DI)
	VMOVDQU Y1, 96(DI)
	ADDQ $64, SI
	ADDQ $128, DI
	SUBQ $4, CX
	JNZ loop
	VZEROUPPER
	RET

// MULTIPLY_ADD multiplies the pair of inputs at a with the pairs of 16 outputs in Y8 and Y9 and
// adds to two sums.
#define MULTIPLY_ADD(a, sum0, sum1) \
	VPBROADCASTD a, Y10 \
	VPMADDWD Y8, Y10, Y11 \
	VPMADDWD Y9, Y10, Y12 \
	VPADDD Y11, sum0, sum0 \
	VPADDD Y12, sum1, sum1

// BEGIN_ROW sets the output at p to the biases in Y8 and Y9.
#define BEGIN_ROW(p, p32) \
	VMOVUPS Y8, p \
	VMOVUPS Y9, p32

// END_GROUP adds to the output at p: two sums times the scale of the inputs times the scales in Y8
// and Y9, and the lowest value of the inputs times the offsets in Y10 and Y11.
#define END_GROUP(range, low, p, p32, sum0, sum1) \
	VBROADCASTSS range, Y12 \
	VBROADCASTSS low, Y13 \
	VCVTDQ2PS sum0, sum0 \
	VCVTDQ2PS sum1, sum1 \
	VMULPS Y12, sum0, sum0 \
	VMULPS Y12, sum1, sum1 \
	VFMADD213PS p, Y8, sum0 \
	VFMADD213PS p32, Y9, sum1 \
	VFMADD231PS Y10, Y13, sum0 \
	VFMADD231PS Y11, Y13, sum1 \
	VMOVUPS sum0, p \
	VMOVUPS sum1, p32

// func productAVX2(out *float32, ldOut int, a *int16, k int, ranges *float32, panel *int16,
//	scale, offset, bias *float32, groups, rows int, next *int8, lines int)
// 16 outputs for groups groups of inputs and all rows, 4 at a time. Without a bias it adds to out.
// For each 4 rows it fetches lines cache lines from next on: the weights that are widened next.
//
//	DX  out, of the first of 4 rows            DI  panel
//	R9, R10   bytes of 1 and 3 rows of out     BX  scale, at the group
//	R14 a, of the first of 4 rows              R15 offset, at the group
//	R11, R12  bytes of 1 and 3 rows of a       AX  bias, then groups left
//	R13 ranges, of the 4 rows                  CX  lines to fetch, then steps of four inputs left
//	SI  next, then a, at the inputs            R8  ranges, at the group
//	Y0 to Y7  sums: row r has Y(2r) for outputs 0 to 7 and Y(2r+1) for 8 to 15
//	Y8, Y9    weights; bias or scale           Y10 to Y13  scratch, offset in Y10 and Y11
TEXT ·productAVX2(SB), NOSPLIT, $0-104
	MOVQ out+0(FP), DX
	MOVQ ldOut+8(FP), R9
	SHLQ $2, R9
	LEAQ (R9)(R9*2), R10
	MOVQ a+16(FP), R14
	MOVQ k+24(FP), R11
	SHLQ $1, R11
	LEAQ (R11)(R11*2), R12
	MOVQ ranges+32(FP), R13
row:
	MOVQ next+88(FP), SI
	MOVQ lines+96(FP), CX
fetch:
	PREFETCHT1 (SI)
	ADDQ $64, SI
	DECQ CX
	JNZ fetch
	MOVQ SI, next+88(FP)
	MOVQ R14, SI
	MOVQ R13, R8
	MOVQ panel+40(FP), DI
	MOVQ scale+48(FP), BX
	MOVQ offset+56(FP), R15
	MOVQ bias+64(FP), AX
	TESTQ AX, AX
	JZ groups
	VMOVUPS (AX), Y8
	VMOVUPS 32(AX), Y9
	BEGIN_ROW((DX), 32(DX))
	BEGIN_ROW((DX)(R9*1), 32(DX)(R9*1))
	BEGIN_ROW((DX)(R9*2), 32(DX)(R9*2))
	BEGIN_ROW((DX)(R10*1), 32(DX)(R10*1))
groups:
	MOVQ groups+72(FP), AX
group:
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	VPXOR Y2, Y2, Y2
	VPXOR Y3, Y3, Y3
	VPXOR Y4, Y4, Y4
	VPXOR Y5, Y5, Y5
	VPXOR Y6, Y6, Y6
	VPXOR Y7, Y7, Y7
	MOVQ $16, CX
	PCALIGN $32
four:
	VMOVDQU (DI), Y8
	VMOVDQU 32(DI), Y9
	MULTIPLY_ADD((SI), Y0, Y1)
	MULTIPLY_ADD((SI)(R11*1), Y2, Y3)
	MULTIPLY_ADD((SI)(R11*2), Y4, Y5)
	MULTIPLY_ADD((SI)(R12*1), Y6, Y7)
	VMOVDQU 64(DI), Y8
	VMOVDQU 96(DI), Y9
	MULTIPLY_ADD(4(SI), Y0, Y1)
	MULTIPLY_ADD(4(SI)(R11*1), Y2, Y3)
	MULTIPLY_ADD(4(SI)(R11*2), Y4, Y5)
	MULTIPLY_ADD(4(SI)(R12*1), Y6, Y7)
	ADDQ $128, DI
	ADDQ $8, SI
	DECQ CX
	JNZ four
	VMOVUPS (BX), Y8
	VMOVUPS 32(BX), Y9
	VMOVUPS (R15), Y10
	VMOVUPS 32(R15), Y11
	END_GROUP((R8), 4(R8), (DX), 32(DX), Y0, Y1)
	END_GROUP(8(R8), 12(R8), (DX)(R9*1), 32(DX)(R9*1), Y2, Y3)
	END_GROUP(16(R8), 20(R8), (DX)(R9*2), 32(DX)(R9*2), Y4, Y5)
	END_GROUP(24(R8), 28(R8), (DX)(R10*1), 32(DX)(R10*1), Y6, Y7)
	ADDQ $32, R8
	ADDQ $64, BX
	ADDQ $64, R15
	DECQ AX
	JNZ group
	LEAQ (DX)(R9*4), DX
	LEAQ (R14)(R11*4), R14
	// Four rows have k/64 * 8 float32 of ranges: k/2 bytes, a quarter of those of a row of words.
	MOVQ R11, AX
	SHRQ $2, AX
	ADDQ AX, R13
	SUBQ $4, rows+80(FP)
	JNZ row
	VZEROUPPER
	RET

// func geluAVX2(x *float32, n int, coefficients *float32)
//
//	DI  x            Y0 to Y9  coefficients, lowest power first
//	CX  numbers left Y10, Y12  4.5 and -4.5, the bounds of the polynomial; Y11  1/2
//	SI  coefficients Y13  x within the bounds; Y14  its square; Y15  polynomial
TEXT ·geluAVX2(SB), NOSPLIT, $0-24
	MOVQ x+0(FP), DI
	MOVQ n+8(FP), CX
	MOVQ coefficients+16(FP), SI
	VBROADCASTSS (SI), Y0
	VBROADCASTSS 4(SI), Y1
	VBROADCASTSS 8(SI), Y2
	VBROADCASTSS 12(SI), Y3
	VBROADCASTSS 16(SI), Y4
	VBROADCASTSS 20(SI), Y5
	VBROADCASTSS 24(SI), Y6
	VBROADCASTSS 28(SI), Y7
	VBROADCASTSS 32(SI), Y8
	VBROADCASTSS 36(SI), Y9
	VBROADCASTSS geluEnd<>(SB), Y10
	VBROADCASTSS half<>(SB), Y11
	VXORPS Y12, Y12, Y12
	VSUBPS Y10, Y12, Y12
loop:
	VMAXPS (DI), Y12, Y13
	VMINPS Y10, Y13, Y13
	VMULPS Y13, Y13, Y14
	VMOVAPS Y9, Y15
	VFMADD213PS Y8, Y14, Y15
	VFMADD213PS Y7, Y14, Y15
	VFMADD213PS Y6, Y14, Y15
	VFMADD213PS Y5, Y14, Y15
	VFMADD213PS Y4, Y14, Y15
	VFMADD213PS Y3, Y14, Y15
	VFMADD213PS Y2, Y14, Y15
	VFMADD213PS Y1, Y14, Y15
	VFMADD213PS Y0, Y14, Y15
	VFMADD213PS Y11, Y13, Y15
	VMULPS (DI), Y15, Y15
	VMOVUPS Y15, (DI)
	ADDQ $32, DI
	SUBQ $8, CX
	JNZ loop
	VZEROUPPER
	RET

// func softmaxAVX2(x *float32, n int, scale float32, coefficients *float32)
//
//	DI  x            Y0  the largest           Y3 to Y8  coefficients, lowest power first
//	CX  bytes of x   Y1  scale * log2(e)       Y9  sum, then 1 / sum
//	AX  offset       Y2  least exponent        Y10 to Y12  fraction, exponent, power
//	SI  coefficients
TEXT ·softmaxAVX2(SB), NOSPLIT, $0-32
	MOVQ x+0(FP), DI
	MOVQ n+8(FP), CX
	MOVQ coefficients+24(FP), SI
	SHLQ $2, CX
	VMOVUPS (DI), Y0
	VMOVUPS 32(DI), Y1
	XORQ AX, AX
largest:
	VMAXPS (DI)(AX*1), Y0, Y0
	VMAXPS 32(DI)(AX*1), Y1, Y1
	ADDQ $64, AX
	CMPQ AX, CX
	JLT largest
	VMAXPS Y1, Y0, Y0
	MAX8(Y0, X0, X1)
	VBROADCASTSS X0, Y0 // the largest
	VMOVSS scale+16(FP), X1
	VMULSS log2e<>(SB), X1, X1
	VBROADCASTSS X1, Y1
	VBROADCASTSS smallest<>(SB), Y2
	VBROADCASTSS (SI), Y3
	VBROADCASTSS 4(SI), Y4
	VBROADCASTSS 8(SI), Y5
	VBROADCASTSS 12(SI), Y6
	VBROADCASTSS 16(SI), Y7
	VBROADCASTSS 20(SI), Y8
	VXORPS Y9, Y9, Y9 // sum
	XORQ AX, AX
exp:
	VMOVUPS (DI)(AX*1), Y10
	VSUBPS Y0, Y10, Y10
	VMULPS Y1, Y10, Y10
	VMAXPS Y2, Y10, Y10
	VROUNDPS $0, Y10, Y11
	VSUBPS Y11, Y10, Y10
	VMOVAPS Y8, Y12
	VFMADD213PS Y7, Y10, Y12
	VFMADD213PS Y6, Y10, Y12
	VFMADD213PS Y5, Y10, Y12
	VFMADD213PS Y4, Y10, Y12
	VFMADD213PS Y3, Y10, Y12
	VCVTPS2DQ Y11, Y11
	VPSLLD $23, Y11, Y11
	VPADDD Y11, Y12, Y12
	VADDPS Y12, Y9, Y9
	VMOVUPS Y12, (DI)(AX*1)
	ADDQ $32, AX
	CMPQ AX, CX
	JLT exp
	SUM8(Y9, X9, X10)
	VMOVSS one<>(SB), X10
	VDIVSS X9, X10, X9
	VBROADCASTSS X9, Y9
	XORQ AX, AX
divide:
	VMULPS (DI)(AX*1), Y9, Y10
	VMULPS 32(DI)(AX*1), Y9, Y11
	VMOVUPS Y10, (DI)(AX*1)
	VMOVUPS Y11, 32(DI)(AX*1)
	ADDQ $64, AX
	CMPQ AX, CX
	JLT divide
	VZEROUPPER
	RET

// LOAD2 loads the 4 numbers at p into the lower half of y and those at q into the upper half.
#define LOAD2(p, q, y, x) \
	VMOVUPS p, x \
	VINSERTF128 $1, q, y, y

// func transposeAVX2(dst *float32, ldDst int, src *float32, ldSrc, rows int)
// Blocks of 8 rows by 4 columns. A register has 4 columns of rows r and r+4, so that no step
// crosses its halves.
//
//	SI  src, of the first of 8 rows            DI  dst, at the column of that row
//	R9, R11  bytes of 1 and 3 rows of src      R8, R10  bytes of 1 and 3 rows of dst
//	R12, R13 src, at the columns of rows 0, 4  DX  dst, at the row of the first column
//	CX  rows left    AX  blocks of 4 columns left
//	Y0 to Y7  the block before and after each step
TEXT ·transposeAVX2(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ ldDst+8(FP), R8
	MOVQ src+16(FP), SI
	MOVQ ldSrc+24(FP), R9
	MOVQ rows+32(FP), CX
	SHLQ $2, R8
	SHLQ $2, R9
	LEAQ (R8)(R8*2), R10 // 3 rows of dst
	LEAQ (R9)(R9*2), R11 // 3 rows of src
rows8:
	MOVQ SI, R12
	LEAQ (SI)(R9*4), R13
	MOVQ DI, DX
	MOVQ $8, AX // blocks of 4 columns
columns4:
	LOAD2((R12), (R13), Y0, X0)
	LOAD2((R12)(R9*1), (R13)(R9*1), Y1, X1)
	LOAD2((R12)(R9*2), (R13)(R9*2), Y2, X2)
	LOAD2((R12)(R11*1), (R13)(R11*1), Y3, X3)
	VUNPCKLPS Y1, Y0, Y4
	VUNPCKHPS Y1, Y0, Y5
	VUNPCKLPS Y3, Y2, Y6
	VUNPCKHPS Y3, Y2, Y7
	VUNPCKLPD Y6, Y4, Y0
	VUNPCKHPD Y6, Y4, Y1
	VUNPCKLPD Y7, Y5, Y2
	VUNPCKHPD Y7, Y5, Y3
	VMOVUPS Y0, (DX)
	VMOVUPS Y1, (DX)(R8*1)
	VMOVUPS Y2, (DX)(R8*2)
	VMOVUPS Y3, (DX)(R10*1)
	ADDQ $16, R12
	ADDQ $16, R13
	LEAQ (DX)(R8*4), DX
	DECQ AX
	JNZ columns4
	LEAQ (SI)(R9*8), SI
	ADDQ $32, DI
	SUBQ $8, CX
	JNZ rows8
	VZEROUPPER
	RET

// func multiplyAVX2(c *float32, ldC int, a *float32, ldA int, b *float32, ldB int, rows, inner,
//	columns int)
// Tiles of 4 rows by 16 columns.
//
//	DX  c, of the first of 4 rows              BX  a, of the first of 4 rows
//	R9, R10  bytes of 1 and 3 rows of c        R11, R12  bytes of 1 and 3 rows of a
//	DI  b, at the step                         SI  a, at the step
//	R8  bytes of a row of b                    CX  steps left; R13  rows left
//	Y0 to Y7  sums: row r has Y(2r) for columns 0 to 7 and Y(2r+1) for 8 to 15
//	Y8, Y9    values of b                      Y10 to Y13  values of a, one for each row
TEXT ·multiplyAVX2(SB), NOSPLIT, $0-72
	MOVQ ldC+8(FP), R9
	MOVQ ldA+24(FP), R11
	MOVQ ldB+40(FP), R8
	SHLQ $2, R9
	SHLQ $2, R11
	SHLQ $2, R8
	LEAQ (R9)(R9*2), R10
	LEAQ (R11)(R11*2), R12
columns16:
	MOVQ c+0(FP), DX
	MOVQ a+16(FP), BX
	MOVQ rows+48(FP), R13
rows4:
	MOVQ b+32(FP), DI
	MOVQ BX, SI
	MOVQ inner+56(FP), CX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7
	PCALIGN $32
step:
	VMOVUPS (DI), Y8
	VMOVUPS 32(DI), Y9
	VBROADCASTSS (SI), Y10
	VBROADCASTSS (SI)(R11*1), Y11
	VBROADCASTSS (SI)(R11*2), Y12
	VBROADCASTSS (SI)(R12*1), Y13
	VFMADD231PS Y8, Y10, Y0
	VFMADD231PS Y9, Y10, Y1
	VFMADD231PS Y8, Y11, Y2
	VFMADD231PS Y9, Y11, Y3
	VFMADD231PS Y8, Y12, Y4
	VFMADD231PS Y9, Y12, Y5
	VFMADD231PS Y8, Y13, Y6
	VFMADD231PS Y9, Y13, Y7
	ADDQ R8, DI
	ADDQ $4, SI
	DECQ CX
	JNZ step
	VMOVUPS Y0, (DX)
	VMOVUPS Y1, 32(DX)
	VMOVUPS Y2, (DX)(R9*1)
	VMOVUPS Y3, 32(DX)(R9*1)
	VMOVUPS Y4, (DX)(R9*2)
	VMOVUPS Y5, 32(DX)(R9*2)
	VMOVUPS Y6, (DX)(R10*1)
	VMOVUPS Y7, 32(DX)(R10*1)
	LEAQ (DX)(R9*4), DX
	LEAQ (BX)(R11*4), BX
	SUBQ $4, R13
	JNZ rows4
	ADDQ $64, c+0(FP)
	ADDQ $64, b+32(FP)
	SUBQ $16, columns+64(FP)
	JNZ columns16
	VZEROUPPER
	RET

// func poolAVX2(out *float32, n int, x *float32, rows int)
// 64 columns at a time.
//
//	DI  out          SI  x                     Y0 to Y7  sums of 64 columns
//	CX  bytes of a row                         Y8, Y9    sums of squares, then 1 / length in Y8
//	AX  offset of the columns                  DX  x, at the row; BX  rows left
TEXT ·poolAVX2(SB), NOSPLIT, $0-32
	MOVQ out+0(FP), DI
	MOVQ n+8(FP), CX
	MOVQ x+16(FP), SI
	SHLQ $2, CX // bytes of a row
	VXORPS Y8, Y8, Y8 // sums of squares
	VXORPS Y9, Y9, Y9
	XORQ AX, AX
columns64:
	LEAQ (SI)(AX*1), DX
	MOVQ rows+24(FP), BX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7
row:
	VADDPS (DX), Y0, Y0
	VADDPS 32(DX), Y1, Y1
	VADDPS 64(DX), Y2, Y2
	VADDPS 96(DX), Y3, Y3
	VADDPS 128(DX), Y4, Y4
	VADDPS 160(DX), Y5, Y5
	VADDPS 192(DX), Y6, Y6
	VADDPS 224(DX), Y7, Y7
	ADDQ CX, DX
	DECQ BX
	JNZ row
	VMOVUPS Y0, (DI)(AX*1)
	VMOVUPS Y1, 32(DI)(AX*1)
	VMOVUPS Y2, 64(DI)(AX*1)
	VMOVUPS Y3, 96(DI)(AX*1)
	VMOVUPS Y4, 128(DI)(AX*1)
	VMOVUPS Y5, 160(DI)(AX*1)
	VMOVUPS Y6, 192(DI)(AX*1)
	VMOVUPS Y7, 224(DI)(AX*1)
	VFMADD231PS Y0, Y0, Y8
	VFMADD231PS Y1, Y1, Y9
	VFMADD231PS Y2, Y2, Y8
	VFMADD231PS Y3, Y3, Y9
	VFMADD231PS Y4, Y4, Y8
	VFMADD231PS Y5, Y5, Y9
	VFMADD231PS Y6, Y6, Y8
	VFMADD231PS Y7, Y7, Y9
	ADDQ $256, AX
	CMPQ AX, CX
	JLT columns64
	VADDPS Y9, Y8, Y8
	SUM8(Y8, X8, X9)
	VSQRTSS X8, X8, X8
	VMOVSS one<>(SB), X9
	VDIVSS X8, X9, X8
	VBROADCASTSS X8, Y8
	XORQ AX, AX
scale:
	VMULPS (DI)(AX*1), Y8, Y0
	VMULPS 32(DI)(AX*1), Y8, Y1
	VMOVUPS Y0, (DI)(AX*1)
	VMOVUPS Y1, 32(DI)(AX*1)
	ADDQ $64, AX
	CMPQ AX, CX
	JLT scale
	VZEROUPPER
	RET
