#include "textflag.h"

// lanemask is 32 words of ones and 32 of zeros. Read from word 32-r on, it masks the first r of 32
// lanes.
DATA lanemask<>+0(SB)/8, $-1
DATA lanemask<>+8(SB)/8, $-1
DATA lanemask<>+16(SB)/8, $-1
DATA lanemask<>+24(SB)/8, $-1
DATA lanemask<>+32(SB)/8, $-1
DATA lanemask<>+40(SB)/8, $-1
DATA lanemask<>+48(SB)/8, $-1
DATA lanemask<>+56(SB)/8, $-1
DATA lanemask<>+64(SB)/8, $-1
DATA lanemask<>+72(SB)/8, $-1
DATA lanemask<>+80(SB)/8, $-1
DATA lanemask<>+88(SB)/8, $-1
DATA lanemask<>+96(SB)/8, $-1
DATA lanemask<>+104(SB)/8, $-1
DATA lanemask<>+112(SB)/8, $-1
DATA lanemask<>+120(SB)/8, $-1
DATA lanemask<>+128(SB)/8, $0
DATA lanemask<>+136(SB)/8, $0
DATA lanemask<>+144(SB)/8, $0
DATA lanemask<>+152(SB)/8, $0
DATA lanemask<>+160(SB)/8, $0
DATA lanemask<>+168(SB)/8, $0
DATA lanemask<>+176(SB)/8, $0
DATA lanemask<>+184(SB)/8, $0
DATA lanemask<>+192(SB)/8, $0
DATA lanemask<>+200(SB)/8, $0
DATA lanemask<>+208(SB)/8, $0
DATA lanemask<>+216(SB)/8, $0
DATA lanemask<>+224(SB)/8, $0
DATA lanemask<>+232(SB)/8, $0
DATA lanemask<>+240(SB)/8, $0
DATA lanemask<>+248(SB)/8, $0
GLOBL lanemask<>(SB), RODATA|NOPTR, $256

// The float32 kernels follow the order that Dot documents. A pair of Z registers has the 32 partial
// sums, 0 to 15 and 16 to 31, or four Y registers have them, 8 each. Products and sums are separate
// instructions; halves are added 16, 8, 4, 2, 1. Zen and recent Intel cores multiply and add on
// different ports, so not fusing costs little.

// HALVES adds the lanes of a Y register by halves and stores the sum. X is the lower half of Y, XT
// is scratch.
#define HALVES(Y, X, XT, DST) \
	VEXTRACTF128 $1, Y, XT; \
	VADDPS       XT, X, X; \
	VPERMILPS    $0xEE, X, XT; \
	VADDPS       XT, X, X; \
	VMOVSHDUP    X, XT; \
	VADDSS       XT, X, X; \
	VMOVSS       X, DST

// SUM512 adds the 32 partial sums in ZA (0 to 15) and ZB (16 to 31). YA, XA, YB and XB are parts of
// them.
#define SUM512(ZA, YA, XA, ZB, YB, XB, DST) \
	VADDPS        ZB, ZA, ZA; \
	VEXTRACTF64X4 $1, ZA, YB; \
	VADDPS        YB, YA, YA; \
	HALVES(YA, XA, XB, DST)

// TAILMASK sets K1 and K2 to the masks of the R elements (0 to 31) after the last whole block of
// 32. T is scratch.
#define TAILMASK(R, T) \
	MOVQ  $-1, T; \
	SHLXQ R, T, T; \
	NOTQ  T; \
	KMOVW T, K1; \
	SHRQ  $16, T; \
	KMOVW T, K2

// func floatRows512(q, rows *float32, dim, n int, out *float32)
//
//	SI  q            R8   bytes of a row; R14  of three rows
//	DI  rows         R10  bytes of a row in whole blocks; R9  elements of its tail
//	DX  out          AX   offset of the block; R11  the row at the block
//	CX  rows left    K1, K2  masks of the tail
//	Z0 to Z7    sums: row r has Z(2r) for lanes 0 to 15 and Z(2r+1) for lanes 16 to 31
//	Z16, Z17    block of q                     Z20 to Z27  blocks of rows, products
TEXT ·floatRows512(SB), NOSPLIT, $0-40
	MOVQ q+0(FP), SI
	MOVQ rows+8(FP), DI
	MOVQ dim+16(FP), R8
	MOVQ n+24(FP), CX
	MOVQ out+32(FP), DX
	MOVQ R8, R9
	ANDQ $31, R9           // elements after the last block
	MOVQ R8, R10
	SUBQ R9, R10           // elements in whole blocks
	TAILMASK(R9, AX)
	SHLQ $2, R8            // bytes in a row
	SHLQ $2, R10
	LEAQ (R8)(R8*2), R14   // bytes in three rows

rows4:
	CMPQ CX, $4
	JLT  rows1
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3
	VPXORD Z4, Z4, Z4
	VPXORD Z5, Z5, Z5
	VPXORD Z6, Z6, Z6
	VPXORD Z7, Z7, Z7
	XORQ   AX, AX
	MOVQ   DI, R11
	CMPQ   AX, R10
	JGE    tail4

block4:
	VMOVUPS (SI)(AX*1), Z16
	VMOVUPS 64(SI)(AX*1), Z17
	VMULPS  (R11), Z16, Z20
	VMULPS  64(R11), Z17, Z21
	VMULPS  (R11)(R8*1), Z16, Z22
	VMULPS  64(R11)(R8*1), Z17, Z23
	VMULPS  (R11)(R8*2), Z16, Z24
	VMULPS  64(R11)(R8*2), Z17, Z25
	VMULPS  (R11)(R14*1), Z16, Z26
	VMULPS  64(R11)(R14*1), Z17, Z27
	VADDPS  Z20, Z0, Z0
	VADDPS  Z21, Z1, Z1
	VADDPS  Z22, Z2, Z2
	VADDPS  Z23, Z3, Z3
	VADDPS  Z24, Z4, Z4
	VADDPS  Z25, Z5, Z5
	VADDPS  Z26, Z6, Z6
	VADDPS  Z27, Z7, Z7
	ADDQ    $128, AX
	ADDQ    $128, R11
	CMPQ    AX, R10
	JLT     block4

tail4:
	TESTQ     R9, R9
	JZ        sum4
	VMOVUPS.Z (SI)(AX*1), K1, Z16
	VMOVUPS.Z 64(SI)(AX*1), K2, Z17
	VMOVUPS.Z (R11), K1, Z20
	VMOVUPS.Z 64(R11), K2, Z21
	VMOVUPS.Z (R11)(R8*1), K1, Z22
	VMOVUPS.Z 64(R11)(R8*1), K2, Z23
	VMOVUPS.Z (R11)(R8*2), K1, Z24
	VMOVUPS.Z 64(R11)(R8*2), K2, Z25
	VMOVUPS.Z (R11)(R14*1), K1, Z26
	VMOVUPS.Z 64(R11)(R14*1), K2, Z27
	VMULPS    Z20, Z16, Z20
	VMULPS    Z21, Z17, Z21
	VMULPS    Z22, Z16, Z22
	VMULPS    Z23, Z17, Z23
	VMULPS    Z24, Z16, Z24
	VMULPS    Z25, Z17, Z25
	VMULPS    Z26, Z16, Z26
	VMULPS    Z27, Z17, Z27
	VADDPS    Z20, Z0, Z0
	VADDPS    Z21, Z1, Z1
	VADDPS    Z22, Z2, Z2
	VADDPS    Z23, Z3, Z3
	VADDPS    Z24, Z4, Z4
	VADDPS    Z25, Z5, Z5
	VADDPS    Z26, Z6, Z6
	VADDPS    Z27, Z7, Z7

sum4:
	SUM512(Z0, Y0, X0, Z1, Y1, X1, (DX))
	SUM512(Z2, Y2, X2, Z3, Y3, X3, 4(DX))
	SUM512(Z4, Y4, X4, Z5, Y5, X5, 8(DX))
	SUM512(Z6, Y6, X6, Z7, Y7, X7, 12(DX))
	LEAQ (DI)(R8*4), DI
	ADDQ $16, DX
	SUBQ $4, CX
	JMP  rows4

rows1:
	TESTQ  CX, CX
	JZ     done
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	XORQ   AX, AX
	CMPQ   AX, R10
	JGE    tail1

block1:
	VMOVUPS (SI)(AX*1), Z16
	VMOVUPS 64(SI)(AX*1), Z17
	VMULPS  (DI)(AX*1), Z16, Z20
	VMULPS  64(DI)(AX*1), Z17, Z21
	VADDPS  Z20, Z0, Z0
	VADDPS  Z21, Z1, Z1
	ADDQ    $128, AX
	CMPQ    AX, R10
	JLT     block1

tail1:
	TESTQ     R9, R9
	JZ        sum1
	VMOVUPS.Z (SI)(AX*1), K1, Z16
	VMOVUPS.Z 64(SI)(AX*1), K2, Z17
	VMOVUPS.Z (DI)(AX*1), K1, Z20
	VMOVUPS.Z 64(DI)(AX*1), K2, Z21
	VMULPS    Z20, Z16, Z20
	VMULPS    Z21, Z17, Z21
	VADDPS    Z20, Z0, Z0
	VADDPS    Z21, Z1, Z1

sum1:
	SUM512(Z0, Y0, X0, Z1, Y1, X1, (DX))
	ADDQ R8, DI
	ADDQ $4, DX
	DECQ CX
	JMP  rows1

done:
	VZEROUPPER
	RET

// PAIR512 multiplies the blocks of two rows in Z24 to Z27 with the block of a query at QA and QB
// and adds to four sums. PAIR512TAIL does so for a tail.
#define PAIR512(QA, QB, S0, S1, S2, S3) \
	VMOVUPS QA, Z28; \
	VMOVUPS QB, Z29; \
	VMULPS  Z24, Z28, Z16; \
	VMULPS  Z25, Z29, Z17; \
	VMULPS  Z26, Z28, Z18; \
	VMULPS  Z27, Z29, Z19; \
	VADDPS  Z16, S0, S0; \
	VADDPS  Z17, S1, S1; \
	VADDPS  Z18, S2, S2; \
	VADDPS  Z19, S3, S3

#define PAIR512TAIL(QA, QB, S0, S1, S2, S3) \
	VMOVUPS.Z QA, K1, Z28; \
	VMOVUPS.Z QB, K2, Z29; \
	VMULPS  Z24, Z28, Z16; \
	VMULPS  Z25, Z29, Z17; \
	VMULPS  Z26, Z28, Z18; \
	VMULPS  Z27, Z29, Z19; \
	VADDPS  Z16, S0, S0; \
	VADDPS  Z17, S1, S1; \
	VADDPS  Z18, S2, S2; \
	VADDPS  Z19, S3, S3

// func floatTile512(q, rows *float32, dim, n int, out *float32, stride int)
//
//	SI  q            R8, R13   bytes of 1 and 3 rows or queries
//	DI  rows         R12, R14  bytes of 1 and 3 rows of output (stride)
//	DX  out          R10  bytes of a row in whole blocks; R9  elements of its tail
//	CX  rows left    AX   offset of the block; R11, BX  query and row at the block
//	K1, K2  masks of the tail
//	Z0 to Z15   sums: query i and row j have Z(4i+2j) and Z(4i+2j+1)
//	Z24 to Z27  blocks of two rows             Z28, Z29  block of a query; Z16 to Z19  products
TEXT ·floatTile512(SB), NOSPLIT, $0-48
	MOVQ q+0(FP), SI
	MOVQ rows+8(FP), DI
	MOVQ dim+16(FP), R8
	MOVQ n+24(FP), CX
	MOVQ out+32(FP), DX
	MOVQ stride+40(FP), R12
	MOVQ R8, R9
	ANDQ $31, R9
	MOVQ R8, R10
	SUBQ R9, R10
	TAILMASK(R9, AX)
	SHLQ $2, R8
	SHLQ $2, R10
	SHLQ $2, R12
	LEAQ (R8)(R8*2), R13   // bytes in three queries
	LEAQ (R12)(R12*2), R14 // bytes in three rows of output

pair:
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3
	VPXORD Z4, Z4, Z4
	VPXORD Z5, Z5, Z5
	VPXORD Z6, Z6, Z6
	VPXORD Z7, Z7, Z7
	VPXORD Z8, Z8, Z8
	VPXORD Z9, Z9, Z9
	VPXORD Z10, Z10, Z10
	VPXORD Z11, Z11, Z11
	VPXORD Z12, Z12, Z12
	VPXORD Z13, Z13, Z13
	VPXORD Z14, Z14, Z14
	VPXORD Z15, Z15, Z15
	XORQ   AX, AX
	MOVQ   SI, R11
	MOVQ   DI, BX
	CMPQ   AX, R10
	JGE    tail

block:
	VMOVUPS (BX), Z24
	VMOVUPS 64(BX), Z25
	VMOVUPS (BX)(R8*1), Z26
	VMOVUPS 64(BX)(R8*1), Z27
	PAIR512((R11), 64(R11), Z0, Z1, Z2, Z3)
	PAIR512((R11)(R8*1), 64(R11)(R8*1), Z4, Z5, Z6, Z7)
	PAIR512((R11)(R8*2), 64(R11)(R8*2), Z8, Z9, Z10, Z11)
	PAIR512((R11)(R13*1), 64(R11)(R13*1), Z12, Z13, Z14, Z15)
	ADDQ    $128, AX
	ADDQ    $128, R11
	ADDQ    $128, BX
	CMPQ    AX, R10
	JLT     block

tail:
	TESTQ     R9, R9
	JZ        sum
	VMOVUPS.Z (BX), K1, Z24
	VMOVUPS.Z 64(BX), K2, Z25
	VMOVUPS.Z (BX)(R8*1), K1, Z26
	VMOVUPS.Z 64(BX)(R8*1), K2, Z27
	PAIR512TAIL((R11), 64(R11), Z0, Z1, Z2, Z3)
	PAIR512TAIL((R11)(R8*1), 64(R11)(R8*1), Z4, Z5, Z6, Z7)
	PAIR512TAIL((R11)(R8*2), 64(R11)(R8*2), Z8, Z9, Z10, Z11)
	PAIR512TAIL((R11)(R13*1), 64(R11)(R13*1), Z12, Z13, Z14, Z15)

sum:
	SUM512(Z0, Y0, X0, Z1, Y1, X1, (DX))
	SUM512(Z2, Y2, X2, Z3, Y3, X3, 4(DX))
	SUM512(Z4, Y4, X4, Z5, Y5, X5, (DX)(R12*1))
	SUM512(Z6, Y6, X6, Z7, Y7, X7, 4(DX)(R12*1))
	SUM512(Z8, Y8, X8, Z9, Y9, X9, (DX)(R12*2))
	SUM512(Z10, Y10, X10, Z11, Y11, X11, 4(DX)(R12*2))
	SUM512(Z12, Y12, X12, Z13, Y13, X13, (DX)(R14*1))
	SUM512(Z14, Y14, X14, Z15, Y15, X15, 4(DX)(R14*1))
	LEAQ (DI)(R8*2), DI
	ADDQ $8, DX
	SUBQ $2, CX
	JNZ  pair
	VZEROUPPER
	RET

// SUM256 adds the 32 partial sums in YA (0 to 7), YB, YC and YD (24 to 31). XA is the lower half of
// YA.
#define SUM256(YA, XA, YB, YC, YD, DST) \
	VADDPS YC, YA, YA; \
	VADDPS YD, YB, YB; \
	VADDPS YB, YA, YA; \
	HALVES(YA, XA, X15, DST)

// func floatRows256(q, rows *float32, dim, n int, out *float32)
//
//	SI  q            R8   bytes of a row
//	DI  rows         R10  bytes of a row in whole blocks; R9  elements of its tail
//	DX  out          R11  masks of the tail
//	CX  rows left    AX   offset of the block
//	Y0 to Y3  sums of lanes 0 to 7, 8 to 15, 16 to 23 and 24 to 31
//	Y4 to Y7  block of q, products             Y8 to Y11  masks, block of the row
TEXT ·floatRows256(SB), NOSPLIT, $0-40
	MOVQ q+0(FP), SI
	MOVQ rows+8(FP), DI
	MOVQ dim+16(FP), R8
	MOVQ n+24(FP), CX
	MOVQ out+32(FP), DX
	MOVQ R8, R9
	ANDQ $31, R9
	MOVQ R8, R10
	SUBQ R9, R10
	LEAQ lanemask<>+128(SB), R11
	MOVQ R9, AX
	SHLQ $2, AX
	SUBQ AX, R11           // masks of the tail
	SHLQ $2, R8
	SHLQ $2, R10

row:
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	XORQ   AX, AX
	CMPQ   AX, R10
	JGE    tail

block:
	VMOVUPS (SI)(AX*1), Y4
	VMOVUPS 32(SI)(AX*1), Y5
	VMOVUPS 64(SI)(AX*1), Y6
	VMOVUPS 96(SI)(AX*1), Y7
	VMULPS  (DI)(AX*1), Y4, Y4
	VMULPS  32(DI)(AX*1), Y5, Y5
	VMULPS  64(DI)(AX*1), Y6, Y6
	VMULPS  96(DI)(AX*1), Y7, Y7
	VADDPS  Y4, Y0, Y0
	VADDPS  Y5, Y1, Y1
	VADDPS  Y6, Y2, Y2
	VADDPS  Y7, Y3, Y3
	ADDQ    $128, AX
	CMPQ    AX, R10
	JLT     block

tail:
	TESTQ      R9, R9
	JZ         sum
	VMOVUPS    (R11), Y8
	VMOVUPS    32(R11), Y9
	VMOVUPS    64(R11), Y10
	VMOVUPS    96(R11), Y11
	VMASKMOVPS (SI)(AX*1), Y8, Y4
	VMASKMOVPS 32(SI)(AX*1), Y9, Y5
	VMASKMOVPS 64(SI)(AX*1), Y10, Y6
	VMASKMOVPS 96(SI)(AX*1), Y11, Y7
	VMASKMOVPS (DI)(AX*1), Y8, Y8
	VMASKMOVPS 32(DI)(AX*1), Y9, Y9
	VMASKMOVPS 64(DI)(AX*1), Y10, Y10
	VMASKMOVPS 96(DI)(AX*1), Y11, Y11
	VMULPS     Y8, Y4, Y4
	VMULPS     Y9, Y5, Y5
	VMULPS     Y10, Y6, Y6
	VMULPS     Y11, Y7, Y7
	VADDPS     Y4, Y0, Y0
	VADDPS     Y5, Y1, Y1
	VADDPS     Y6, Y2, Y2
	VADDPS     Y7, Y3, Y3

sum:
	SUM256(Y0, X0, Y1, Y2, Y3, (DX))
	ADDQ R8, DI
	ADDQ $4, DX
	DECQ CX
	JNZ  row
	VZEROUPPER
	RET

// TWO256 multiplies eight values of a row, in Y8, with those of two queries and adds to two sums.
// TWO256TAIL loads and masks the values first.
#define TWO256(QA, QB, SA, SB) \
	VMULPS QA, Y8, Y9; \
	VMULPS QB, Y8, Y10; \
	VADDPS Y9, SA, SA; \
	VADDPS Y10, SB, SB

#define TWO256TAIL(MASK, R, QA, QB, SA, SB) \
	VMOVUPS    MASK, Y11; \
	VMASKMOVPS R, Y11, Y8; \
	VMASKMOVPS QA, Y11, Y9; \
	VMASKMOVPS QB, Y11, Y10; \
	VMULPS     Y9, Y8, Y9; \
	VMULPS     Y10, Y8, Y10; \
	VADDPS     Y9, SA, SA; \
	VADDPS     Y10, SB, SB

// func floatTile256(q, rows *float32, dim, n int, out *float32, stride int)
//
//	SI, R13  the two queries                   R8   bytes of a row
//	DI  rows         R10  bytes of a row in whole blocks; R9  elements of its tail
//	DX  out          R11  masks of the tail    R12  stride in elements
//	CX  rows left    AX   offset of the block
//	Y0 to Y3, Y4 to Y7  sums of the two queries, as in floatRows256
//	Y8  values of a row                        Y9 to Y11  products, mask
TEXT ·floatTile256(SB), NOSPLIT, $0-48
	MOVQ q+0(FP), SI
	MOVQ rows+8(FP), DI
	MOVQ dim+16(FP), R8
	MOVQ n+24(FP), CX
	MOVQ out+32(FP), DX
	MOVQ stride+40(FP), R12
	MOVQ R8, R9
	ANDQ $31, R9
	MOVQ R8, R10
	SUBQ R9, R10
	LEAQ lanemask<>+128(SB), R11
	MOVQ R9, AX
	SHLQ $2, AX
	SUBQ AX, R11
	SHLQ $2, R8
	SHLQ $2, R10
	LEAQ (SI)(R8*1), R13   // the second query

row:
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7
	XORQ   AX, AX
	CMPQ   AX, R10
	JGE    tail

block:
	VMOVUPS (DI)(AX*1), Y8
	TWO256((SI)(AX*1), (R13)(AX*1), Y0, Y4)
	VMOVUPS 32(DI)(AX*1), Y8
	TWO256(32(SI)(AX*1), 32(R13)(AX*1), Y1, Y5)
	VMOVUPS 64(DI)(AX*1), Y8
	TWO256(64(SI)(AX*1), 64(R13)(AX*1), Y2, Y6)
	VMOVUPS 96(DI)(AX*1), Y8
	TWO256(96(SI)(AX*1), 96(R13)(AX*1), Y3, Y7)
	ADDQ    $128, AX
	CMPQ    AX, R10
	JLT     block

tail:
	TESTQ R9, R9
	JZ    sum
	TWO256TAIL((R11), (DI)(AX*1), (SI)(AX*1), (R13)(AX*1), Y0, Y4)
	TWO256TAIL(32(R11), 32(DI)(AX*1), 32(SI)(AX*1), 32(R13)(AX*1), Y1, Y5)
	TWO256TAIL(64(R11), 64(DI)(AX*1), 64(SI)(AX*1), 64(R13)(AX*1), Y2, Y6)
	TWO256TAIL(96(R11), 96(DI)(AX*1), 96(SI)(AX*1), 96(R13)(AX*1), Y3, Y7)

sum:
	SUM256(Y0, X0, Y1, Y2, Y3, (DX))
	SUM256(Y4, X4, Y5, Y6, Y7, (DX)(R12*4))
	ADDQ R8, DI
	ADDQ $4, DX
	DECQ CX
	JNZ  row
	VZEROUPPER
	RET

DATA roundconst<>+0(SB)/4, $0x42FE0000 // 127
DATA roundconst<>+4(SB)/4, $0x3F000000 // one half
DATA roundconst<>+8(SB)/4, $0x80000000 // sign
DATA roundconst<>+12(SB)/4, $0xC2FE0000 // -127
GLOBL roundconst<>(SB), RODATA|NOPTR, $16

// func bytes256(v *float32, n int, scale float32, out *int8)
//
//	SI  v            Y0  scale                 Y3  sign
//	DI  out          Y1, Y4  127 and -127      Y5, Y6  values, rounding
//	CX  values left  Y2  one half
TEXT ·bytes256(SB), NOSPLIT, $0-32
	MOVQ         v+0(FP), SI
	MOVQ         n+8(FP), CX
	VBROADCASTSS scale+16(FP), Y0
	MOVQ         out+24(FP), DI
	VBROADCASTSS roundconst<>+0(SB), Y1
	VBROADCASTSS roundconst<>+4(SB), Y2
	VBROADCASTSS roundconst<>+8(SB), Y3
	VBROADCASTSS roundconst<>+12(SB), Y4

eight:
	VMULPS       (SI), Y0, Y5
	VMINPS       Y1, Y5, Y5
	VMAXPS       Y4, Y5, Y5
	VANDPS       Y3, Y5, Y6
	VORPS        Y2, Y6, Y6     // one half with the sign of the value
	VADDPS       Y6, Y5, Y5
	VCVTTPS2DQ   Y5, Y5
	VEXTRACTI128 $1, Y5, X6
	VPACKSSDW    X6, X5, X5
	VPACKSSWB    X5, X5, X5
	VMOVQ        X5, (DI)
	ADDQ         $32, SI
	ADDQ         $8, DI
	SUBQ         $8, CX
	JNZ          eight
	VZEROUPPER
	RET
