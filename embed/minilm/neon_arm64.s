#include "textflag.h"

// Kernels for NEON with dot products. kernels.go defines what they compute; neon_arm64.go declares
// them and checks lengths.
//
// Go's assembler has no names for the instructions below. The arguments of their macros are numbers
// of vector registers.

// UDOT_LANE adds to each of the 4 sums in d the products of 4 bytes of n with the 4 bytes of m at
// lane 0 to 3.
#define UDOT_LANE0(m, n, d) WORD $(0x6F80E000 | (m)<<16 | (n)<<5 | (d))
#define UDOT_LANE1(m, n, d) WORD $(0x6FA0E000 | (m)<<16 | (n)<<5 | (d))
#define UDOT_LANE2(m, n, d) WORD $(0x6F80E800 | (m)<<16 | (n)<<5 | (d))
#define UDOT_LANE3(m, n, d) WORD $(0x6FA0E800 | (m)<<16 | (n)<<5 | (d))

// UDOT adds to each of the 4 sums in d the products of 4 bytes of n and m.
#define UDOT(m, n, d) WORD $(0x6E809400 | (m)<<16 | (n)<<5 | (d))

// SCVTF turns integers into float32.
#define SCVTF(n, d) WORD $(0x4E21D800 | (n)<<5 | (d))

// FMUL_LANE0 sets d to n times the first number of m. FMLA_LANE adds n times a number of m to d,
// and FMLA adds n times m.
#define FMUL_LANE0(m, n, d) WORD $(0x4F809000 | (m)<<16 | (n)<<5 | (d))
#define FMLA_LANE0(m, n, d) WORD $(0x4F801000 | (m)<<16 | (n)<<5 | (d))
#define FMLA_LANE1(m, n, d) WORD $(0x4FA01000 | (m)<<16 | (n)<<5 | (d))
#define FMLA(m, n, d) WORD $(0x4E20CC00 | (m)<<16 | (n)<<5 | (d))

#define FMUL(m, n, d) WORD $(0x6E20DC00 | (m)<<16 | (n)<<5 | (d))
#define FMAX(m, n, d) WORD $(0x4E20F400 | (m)<<16 | (n)<<5 | (d))
#define FMIN(m, n, d) WORD $(0x4EA0F400 | (m)<<16 | (n)<<5 | (d))

#define FADD(m, n, d) WORD $(0x4E20D400 | (m)<<16 | (n)<<5 | (d))
#define FSUB(m, n, d) WORD $(0x4EA0D400 | (m)<<16 | (n)<<5 | (d)) // n - m
#define FADDP(m, n, d) WORD $(0x6E20D400 | (m)<<16 | (n)<<5 | (d)) // sums of neighbours
#define FMAXV(n, d) WORD $(0x6E30F800 | (n)<<5 | (d)) // the largest of all
#define FMINV(n, d) WORD $(0x6EB0F800 | (n)<<5 | (d))
#define FRINTN(n, d) WORD $(0x4E218800 | (n)<<5 | (d)) // to the nearest whole number, ties to even
#define FCVTNS(n, d) WORD $(0x4E21A800 | (n)<<5 | (d)) // the same, as an integer
#define XTN_W(n, d) WORD $(0x0E612800 | (n)<<5 | (d)) // 4 words become the lower 4 halves of d
#define XTN2_W(n, d) WORD $(0x4E612800 | (n)<<5 | (d)) // and the upper ones
#define XTN_H(n, d) WORD $(0x0E212800 | (n)<<5 | (d)) // 8 halves become the lower 8 bytes
#define XTN2_H(n, d) WORD $(0x4E212800 | (n)<<5 | (d))

// SUM4 sets all 4 numbers of v to their sum.
#define SUM4(v) \
	FADDP(v, v, v) \
	FADDP(v, v, v)

#define CLEAR(v) VEOR v.B16, v.B16, v.B16

// FOUR multiplies four inputs of four rows, at a lane of V16 to V19, with those of 16 outputs.
#define FOUR(DOT) \
	VLD1.P 64(R14), [V20.B16, V21.B16, V22.B16, V23.B16] \
	VEOR V24.B16, V20.B16, V20.B16 \
	VEOR V24.B16, V21.B16, V21.B16 \
	VEOR V24.B16, V22.B16, V22.B16 \
	VEOR V24.B16, V23.B16, V23.B16 \
	DOT(16, 20, 0) \
	DOT(16, 21, 1) \
	DOT(16, 22, 2) \
	DOT(16, 23, 3) \
	DOT(17, 20, 4) \
	DOT(17, 21, 5) \
	DOT(17, 22, 6) \
	DOT(17, 23, 7) \
	DOT(18, 20, 8) \
	DOT(18, 21, 9) \
	DOT(18, 22, 10) \
	DOT(18, 23, 11) \
	DOT(19, 20, 12) \
	DOT(19, 21, 13) \
	DOT(19, 22, 14) \
	DOT(19, 23, 15)

// LESS subtracts 128 times the sum of the inputs from four sums of products.
#define LESS(total, a, b, c, d) \
	VADDV total.S4, total \
	VDUP total.S[0], total.S4 \
	VSHL $7, total.S4, total.S4 \
	VSUB total.S4, a.S4, a.S4 \
	VSUB total.S4, b.S4, b.S4 \
	VSUB total.S4, c.S4, c.S4 \
	VSUB total.S4, d.S4, d.S4

// END_GROUP adds to the 16 outputs at p: the four times four sums from s on times the scale of the
// inputs times the scales in V16 to V19, and the lowest value of the inputs times the offsets in
// V20 to V23.
#define END_GROUP(range, p, s) \
	FMOVD range, F30 \
	VLD1 (p), [V25.S4, V26.S4, V27.S4, V28.S4] \
	SCVTF(s, s) \
	SCVTF(s+1, s+1) \
	SCVTF(s+2, s+2) \
	SCVTF(s+3, s+3) \
	FMUL_LANE0(30, s, s) \
	FMUL_LANE0(30, s+1, s+1) \
	FMUL_LANE0(30, s+2, s+2) \
	FMUL_LANE0(30, s+3, s+3) \
	FMLA(16, s, 25) \
	FMLA(17, s+1, 26) \
	FMLA(18, s+2, 27) \
	FMLA(19, s+3, 28) \
	FMLA_LANE1(30, 20, 25) \
	FMLA_LANE1(30, 21, 26) \
	FMLA_LANE1(30, 22, 27) \
	FMLA_LANE1(30, 23, 28) \
	VST1 [V25.S4, V26.S4, V27.S4, V28.S4], (p)

// func linearNEON(out *float32, ldOut int, a *uint8, k int, ranges *float32, weight *int8, scale,
//	offset, bias *float32, rows int)
// 16 outputs, 4 rows at a time. Weights are made unsigned by adding 128; the excess, 128 times the
// sum of the inputs, is subtracted.
TEXT ·linearNEON(SB), NOSPLIT, $0-80
	MOVD out+0(FP), R0
	MOVD ldOut+8(FP), R1
	LSL $2, R1
	MOVD a+16(FP), R2
	MOVD k+24(FP), R3
	MOVD ranges+32(FP), R4
	MOVD weight+40(FP), R5
	MOVD scale+48(FP), R6
	MOVD offset+56(FP), R7
	MOVD bias+64(FP), R8
	MOVD rows+72(FP), R9
	VMOVI $128, V24.B16
	VMOVI $1, V29.B16
row:
	MOVD R2, R10
	ADD R3, R10, R11
	ADD R3, R11, R12
	ADD R3, R12, R13
	ADD R3, R13, R2
	MOVD R5, R14
	MOVD R6, R15
	MOVD R7, R16
	ADD R1, R0, R20
	ADD R1, R20, R21
	ADD R1, R21, R22
	VLD1 (R8), [V25.S4, V26.S4, V27.S4, V28.S4]
	VST1 [V25.S4, V26.S4, V27.S4, V28.S4], (R0)
	VST1 [V25.S4, V26.S4, V27.S4, V28.S4], (R20)
	VST1 [V25.S4, V26.S4, V27.S4, V28.S4], (R21)
	VST1 [V25.S4, V26.S4, V27.S4, V28.S4], (R22)
	LSR $6, R3, R17 // groups
group:
	CLEAR(V0)
	CLEAR(V1)
	CLEAR(V2)
	CLEAR(V3)
	CLEAR(V4)
	CLEAR(V5)
	CLEAR(V6)
	CLEAR(V7)
	CLEAR(V8)
	CLEAR(V9)
	CLEAR(V10)
	CLEAR(V11)
	CLEAR(V12)
	CLEAR(V13)
	CLEAR(V14)
	CLEAR(V15)
	CLEAR(V25)
	CLEAR(V26)
	CLEAR(V27)
	CLEAR(V28)
	MOVD $4, R19
sixteen:
	VLD1.P 16(R10), [V16.B16]
	VLD1.P 16(R11), [V17.B16]
	VLD1.P 16(R12), [V18.B16]
	VLD1.P 16(R13), [V19.B16]
	UDOT(29, 16, 25)
	UDOT(29, 17, 26)
	UDOT(29, 18, 27)
	UDOT(29, 19, 28)
	FOUR(UDOT_LANE0)
	FOUR(UDOT_LANE1)
	FOUR(UDOT_LANE2)
	FOUR(UDOT_LANE3)
	SUBS $1, R19, R19
	BNE sixteen
	LESS(V25, V0, V1, V2, V3)
	LESS(V26, V4, V5, V6, V7)
	LESS(V27, V8, V9, V10, V11)
	LESS(V28, V12, V13, V14, V15)
	VLD1.P 64(R15), [V16.S4, V17.S4, V18.S4, V19.S4]
	VLD1.P 64(R16), [V20.S4, V21.S4, V22.S4, V23.S4]
	END_GROUP((R4), R0, 0)
	END_GROUP(8(R4), R20, 4)
	END_GROUP(16(R4), R21, 8)
	END_GROUP(24(R4), R22, 12)
	ADD $32, R4
	SUBS $1, R17, R17
	BNE group
	ADD R1, R22, R0
	SUBS $4, R9, R9
	BNE row
	RET

// func geluNEON(x *float32, n int, coefficients *float32)
TEXT ·geluNEON(SB), NOSPLIT, $0-24
	MOVD x+0(FP), R0
	MOVD n+8(FP), R1
	MOVD coefficients+16(FP), R2
	VLD1.P 64(R2), [V16.S4, V17.S4, V18.S4, V19.S4]
	VLD1.P 64(R2), [V20.S4, V21.S4, V22.S4, V23.S4]
	VLD1 (R2), [V24.S4, V25.S4, V26.S4, V27.S4]
	WORD $(0x6EA0F800 | 26<<5 | 28) // FNEG: the lower end
loop:
	VLD1 (R0), [V0.S4, V1.S4]
	FMAX(28, 0, 2)
	FMAX(28, 1, 3)
	FMIN(26, 2, 2)
	FMIN(26, 3, 3)
	FMUL(2, 2, 4)
	FMUL(3, 3, 5)
	VMOV V25.B16, V6.B16
	VMOV V25.B16, V7.B16
#define TERM(c, p0, p1, q0, q1, r0, r1) \
	VMOV c.B16, q0.B16 \
	VMOV c.B16, q1.B16 \
	FMLA(4, p0, r0) \
	FMLA(5, p1, r1)
	TERM(V24, 6, 7, V8, V9, 8, 9)
	TERM(V23, 8, 9, V6, V7, 6, 7)
	TERM(V22, 6, 7, V8, V9, 8, 9)
	TERM(V21, 8, 9, V6, V7, 6, 7)
	TERM(V20, 6, 7, V8, V9, 8, 9)
	TERM(V19, 8, 9, V6, V7, 6, 7)
	TERM(V18, 6, 7, V8, V9, 8, 9)
	TERM(V17, 8, 9, V6, V7, 6, 7)
	TERM(V16, 6, 7, V8, V9, 8, 9)
	VMOV V27.B16, V6.B16
	VMOV V27.B16, V7.B16
	FMLA(2, 8, 6)
	FMLA(3, 9, 7)
	FMUL(0, 6, 6)
	FMUL(1, 7, 7)
	VST1.P [V6.S4, V7.S4], 32(R0)
	SUBS $8, R1, R1
	BNE loop
	RET

// func softmaxNEON(x *float32, n int, scale float32, coefficients *float32)
// scale is for powers of 2.
TEXT ·softmaxNEON(SB), NOSPLIT, $0-32
	MOVD x+0(FP), R0
	MOVD n+8(FP), R1
	FMOVS scale+16(FP), F28
	MOVD coefficients+24(FP), R2
	VDUP V28.S[0], V28.S4
	VLD1.P 64(R2), [V16.S4, V17.S4, V18.S4, V19.S4]
	VLD1 (R2), [V20.S4, V21.S4, V22.S4] // V22: the smallest exponent
	MOVD R0, R3
	MOVD R1, R4
	VLD1 (R0), [V24.S4, V25.S4, V26.S4, V27.S4]
largest:
	VLD1.P 64(R3), [V0.S4, V1.S4, V2.S4, V3.S4]
	FMAX(0, 24, 24)
	FMAX(1, 25, 25)
	FMAX(2, 26, 26)
	FMAX(3, 27, 27)
	SUBS $16, R4, R4
	BNE largest
	FMAX(25, 24, 24)
	FMAX(27, 26, 26)
	FMAX(26, 24, 24)
	FMAXV(24, 24)
	VDUP V24.S[0], V24.S4
	CLEAR(V30) // sums
	CLEAR(V31)
	MOVD R0, R3
	MOVD R1, R4
#define EXP_TERM(c, p0, p1, q0, q1, r0, r1) \
	VMOV c.B16, q0.B16 \
	VMOV c.B16, q1.B16 \
	FMLA(0, p0, r0) \
	FMLA(1, p1, r1)
exp:
	VLD1 (R3), [V0.S4, V1.S4]
	FSUB(24, 0, 0)
	FSUB(24, 1, 1)
	FMUL(28, 0, 0)
	FMUL(28, 1, 1)
	FMAX(22, 0, 0)
	FMAX(22, 1, 1)
	FRINTN(0, 2)
	FRINTN(1, 3)
	FSUB(2, 0, 0)
	FSUB(3, 1, 1)
	VMOV V21.B16, V4.B16
	VMOV V21.B16, V5.B16
	EXP_TERM(V20, 4, 5, V6, V7, 6, 7)
	EXP_TERM(V19, 6, 7, V4, V5, 4, 5)
	EXP_TERM(V18, 4, 5, V6, V7, 6, 7)
	EXP_TERM(V17, 6, 7, V4, V5, 4, 5)
	EXP_TERM(V16, 4, 5, V6, V7, 6, 7)
	FCVTNS(2, 2)
	FCVTNS(3, 3)
	VSHL $23, V2.S4, V2.S4
	VSHL $23, V3.S4, V3.S4
	VADD V2.S4, V6.S4, V6.S4
	VADD V3.S4, V7.S4, V7.S4
	FADD(6, 30, 30)
	FADD(7, 31, 31)
	VST1.P [V6.S4, V7.S4], 32(R3)
	SUBS $8, R4, R4
	BNE exp
	FADD(31, 30, 30)
	SUM4(30)
	FMOVS $1.0, F29
	FDIVS F30, F29, F30
	VDUP V30.S[0], V30.S4
divide:
	VLD1 (R0), [V0.S4, V1.S4, V2.S4, V3.S4]
	FMUL(30, 0, 0)
	FMUL(30, 1, 1)
	FMUL(30, 2, 2)
	FMUL(30, 3, 3)
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R0)
	SUBS $16, R1, R1
	BNE divide
	RET

// ROUND rounds four times four values to 16 bytes in the first register.
#define ROUND(a, b, c, d) \
	FSUB(28, a, a) \
	FSUB(28, b, b) \
	FSUB(28, c, c) \
	FSUB(28, d, d) \
	FMUL(29, a, a) \
	FMUL(29, b, b) \
	FMUL(29, c, c) \
	FMUL(29, d, d) \
	FCVTNS(a, a) \
	FCVTNS(b, b) \
	FCVTNS(c, c) \
	FCVTNS(d, d) \
	XTN_W(a, a) \
	XTN2_W(b, a) \
	XTN_W(c, c) \
	XTN2_W(d, c) \
	XTN_H(a, a) \
	XTN2_H(c, a)

// VALUES16 loads 16 inputs and multiplies them by their smoothing factors.
#define VALUES16(v0, v1, v2, v3, a, b, c, d) \
	VLD1.P 64(R2), [v0.S4, v1.S4, v2.S4, v3.S4] \
	VLD1.P 64(R3), [V24.S4, V25.S4, V26.S4, V27.S4] \
	FMUL(24, a, a) \
	FMUL(25, b, b) \
	FMUL(26, c, c) \
	FMUL(27, d, d) \
	FMIN(a, 28, 28) \
	FMAX(a, 30, 30) \
	FMIN(b, 28, 28) \
	FMAX(b, 30, 30) \
	FMIN(c, 28, 28) \
	FMAX(c, 30, 30) \
	FMIN(d, 28, 28) \
	FMAX(d, 30, 30)

// func quantizeNEON(bytes *uint8, ranges, x, smooth *float32, groups int, limits *float32)
// limits are 255 and tiniest, then the largest number and the smallest, each four times.
TEXT ·quantizeNEON(SB), NOSPLIT, $0-48
	MOVD bytes+0(FP), R0
	MOVD ranges+8(FP), R1
	MOVD x+16(FP), R2
	MOVD smooth+24(FP), R3
	MOVD groups+32(FP), R4
	MOVD limits+40(FP), R5
	FMOVS (R5), F20 // 255
	FMOVS 4(R5), F21 // tiniest
	ADD $16, R5
	FMOVS ZR, F22
group:
	VLD1 (R5), [V28.S4, V29.S4]
	VMOV V29.B16, V30.B16
	VALUES16(V0, V1, V2, V3, 0, 1, 2, 3)
	VALUES16(V4, V5, V6, V7, 4, 5, 6, 7)
	VALUES16(V8, V9, V10, V11, 8, 9, 10, 11)
	VALUES16(V12, V13, V14, V15, 12, 13, 14, 15)
	FMINV(28, 28)
	FMAXV(30, 30)
	FSUBS F28, F30, F30 // largest - low
	FDIVS F20, F30, F31
	FMOVS F31, (R1)
	FMOVS F28, 4(R1)
	FDIVS F30, F20, F29
	FCMPS F21, F30
	FCSELS GE, F29, F22, F29
	VDUP V28.S[0], V28.S4
	VDUP V29.S[0], V29.S4
	ROUND(0, 1, 2, 3)
	ROUND(4, 5, 6, 7)
	ROUND(8, 9, 10, 11)
	ROUND(12, 13, 14, 15)
	VST1.P [V0.B16], 16(R0)
	VST1.P [V4.B16], 16(R0)
	VST1.P [V8.B16], 16(R0)
	VST1.P [V12.B16], 16(R0)
	ADD $32, R1
	SUBS $1, R4, R4
	BNE group
	RET

// func normNEON(x, y, gain, bias *float32, n int, epsilon float32)
TEXT ·normNEON(SB), NOSPLIT, $0-44
	MOVD x+0(FP), R0
	MOVD y+8(FP), R1
	MOVD gain+16(FP), R2
	MOVD bias+24(FP), R3
	MOVD n+32(FP), R4
	SCVTFS R4, F30 // n
	CLEAR(V16)
	CLEAR(V17)
	MOVD R0, R5
	MOVD R4, R6
add:
	VLD1 (R5), [V0.S4, V1.S4]
	VLD1.P 32(R1), [V2.S4, V3.S4]
	FADD(2, 0, 0)
	FADD(3, 1, 1)
	FADD(0, 16, 16)
	FADD(1, 17, 17)
	VST1.P [V0.S4, V1.S4], 32(R5)
	SUBS $8, R6, R6
	BNE add
	FADD(17, 16, 16)
	SUM4(16)
	FDIVS F30, F16, F28
	VDUP V28.S[0], V28.S4 // mean
	CLEAR(V16)
	CLEAR(V17)
	MOVD R0, R5
	MOVD R4, R6
center:
	VLD1 (R5), [V0.S4, V1.S4]
	FSUB(28, 0, 0)
	FSUB(28, 1, 1)
	FMLA(0, 0, 16)
	FMLA(1, 1, 17)
	VST1.P [V0.S4, V1.S4], 32(R5)
	SUBS $8, R6, R6
	BNE center
	FADD(17, 16, 16)
	SUM4(16)
	FDIVS F30, F16, F28
	FMOVS epsilon+40(FP), F29
	FADDS F29, F28, F28
	FSQRTS F28, F28
	FMOVS $1.0, F29
	FDIVS F28, F29, F28
	VDUP V28.S[0], V28.S4 // 1 / standard deviation
scale:
	VLD1 (R0), [V0.S4, V1.S4]
	VLD1.P 32(R2), [V2.S4, V3.S4]
	VLD1.P 32(R3), [V4.S4, V5.S4]
	FMUL(28, 0, 0)
	FMUL(28, 1, 1)
	FMLA(2, 0, 4)
	FMLA(3, 1, 5)
	VST1.P [V4.S4, V5.S4], 32(R0)
	SUBS $8, R4, R4
	BNE scale
	RET

// func multiplyNEON(c *float32, ldC int, a *float32, ldA int, b *float32, ldB int, rows, inner,
//	columns int)
// Tiles of 4 rows by 16 columns.
TEXT ·multiplyNEON(SB), NOSPLIT, $0-72
	MOVD c+0(FP), R0
	MOVD ldC+8(FP), R1
	LSL $2, R1
	MOVD a+16(FP), R2
	MOVD ldA+24(FP), R3
	LSL $2, R3
	MOVD b+32(FP), R4
	MOVD ldB+40(FP), R5
	LSL $2, R5
	MOVD inner+56(FP), R7
	MOVD columns+64(FP), R8
columns16:
	MOVD rows+48(FP), R6
	MOVD R0, R20
	MOVD R2, R10
rows4:
	ADD R3, R10, R11
	ADD R3, R11, R12
	ADD R3, R12, R13
	ADD R3, R13, R9 // the next four
	MOVD R4, R14
	MOVD R7, R19
	CLEAR(V0)
	CLEAR(V1)
	CLEAR(V2)
	CLEAR(V3)
	CLEAR(V4)
	CLEAR(V5)
	CLEAR(V6)
	CLEAR(V7)
	CLEAR(V8)
	CLEAR(V9)
	CLEAR(V10)
	CLEAR(V11)
	CLEAR(V12)
	CLEAR(V13)
	CLEAR(V14)
	CLEAR(V15)
step:
	VLD1 (R14), [V16.S4, V17.S4, V18.S4, V19.S4]
	ADD R5, R14
	FMOVS.P 4(R10), F20
	FMOVS.P 4(R11), F21
	FMOVS.P 4(R12), F22
	FMOVS.P 4(R13), F23
	FMLA_LANE0(20, 16, 0)
	FMLA_LANE0(20, 17, 1)
	FMLA_LANE0(20, 18, 2)
	FMLA_LANE0(20, 19, 3)
	FMLA_LANE0(21, 16, 4)
	FMLA_LANE0(21, 17, 5)
	FMLA_LANE0(21, 18, 6)
	FMLA_LANE0(21, 19, 7)
	FMLA_LANE0(22, 16, 8)
	FMLA_LANE0(22, 17, 9)
	FMLA_LANE0(22, 18, 10)
	FMLA_LANE0(22, 19, 11)
	FMLA_LANE0(23, 16, 12)
	FMLA_LANE0(23, 17, 13)
	FMLA_LANE0(23, 18, 14)
	FMLA_LANE0(23, 19, 15)
	SUBS $1, R19, R19
	BNE step
	VST1 [V0.S4, V1.S4, V2.S4, V3.S4], (R20)
	ADD R1, R20
	VST1 [V4.S4, V5.S4, V6.S4, V7.S4], (R20)
	ADD R1, R20
	VST1 [V8.S4, V9.S4, V10.S4, V11.S4], (R20)
	ADD R1, R20
	VST1 [V12.S4, V13.S4, V14.S4, V15.S4], (R20)
	ADD R1, R20
	MOVD R9, R10
	SUBS $4, R6, R6
	BNE rows4
	ADD $64, R0
	ADD $64, R4
	SUBS $16, R8, R8
	BNE columns16
	RET
