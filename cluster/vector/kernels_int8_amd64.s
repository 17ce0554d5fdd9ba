#include "textflag.h"

DATA bias<>+0(SB)/4, $0x80808080
GLOBL bias<>(SB), RODATA|NOPTR, $4

// VPDPBUSD multiplies unsigned with signed bytes and does not saturate. The bytes of a row are made
// unsigned by adding 128, which flips their top bit. Every sum is then too large by 128 times the
// sum of the bytes of the query. This excess is the same for all rows, so sums start with minus the
// excess, which is computed once for each query. Arithmetic is modulo 2^32, as in Go.

// EXCESS sets S to minus 128 times the sum of the bytes of the query at Q, four neighbours to a
// lane. It overwrites AX, Z30 and Z31; Z29 is the bias.
#define EXCESS(Q, S, BLOCK, TAIL, DONE) \
	VPXORD      Z30, Z30, Z30; \
	XORQ        AX, AX; \
	CMPQ        AX, R10; \
	JGE         TAIL; \
BLOCK: \
	VPDPBUSD    (Q)(AX*1), Z29, Z30; \
	ADDQ        $64, AX; \
	CMPQ        AX, R10; \
	JLT         BLOCK; \
TAIL: \
	TESTQ       R9, R9; \
	JZ          DONE; \
	VMOVDQU8.Z  (Q)(AX*1), K1, Z31; \
	VPDPBUSD    Z31, Z29, Z30; \
DONE: \
	VPXORD      S, S, S; \
	VPSUBD      Z30, S, S

// FOLD4 adds the four lanes within each 128 bits of A, B, C and D. The sums are in the lanes of A,
// in that order.
#define FOLD4(A, B, C, D, T) \
	VPUNPCKLDQ  B, A, T; \
	VPUNPCKHDQ  B, A, A; \
	VPADDD      T, A, A; \
	VPUNPCKLDQ  D, C, T; \
	VPUNPCKHDQ  D, C, C; \
	VPADDD      T, C, C; \
	VPUNPCKLQDQ C, A, T; \
	VPUNPCKHQDQ C, A, A; \
	VPADDD      T, A, A

// func byteRows512(q, rows *int8, dim, n int, out *int32)
//
//	SI  q            R8   bytes of a row; R14  of three rows
//	DI  rows         R10  bytes of a row in whole blocks; R9  bytes of its tail
//	DX  out          AX   offset of the block; R11  the row at the block
//	CX  rows left    K1   mask of the tail
//	Z0 to Z3  sums of four rows                Z28  minus the excess of q; Z29  bias
//	Z4 to Z7  blocks of four rows              Z16  block of q; Z30, Z31  scratch
TEXT ·byteRows512(SB), NOSPLIT, $0-40
	MOVQ         q+0(FP), SI
	MOVQ         rows+8(FP), DI
	MOVQ         dim+16(FP), R8
	MOVQ         n+24(FP), CX
	MOVQ         out+32(FP), DX
	VPBROADCASTD bias<>(SB), Z29
	MOVQ         R8, R9
	ANDQ         $63, R9          // bytes after the last block
	MOVQ         R8, R10
	SUBQ         R9, R10          // bytes in whole blocks
	MOVQ         $-1, AX
	SHLXQ        R9, AX, AX
	NOTQ         AX
	KMOVQ        AX, K1
	LEAQ         (R8)(R8*2), R14
	EXCESS(SI, Z28, excess, excesstail, excessdone)

rows4:
	CMPQ      CX, $4
	JLT       rows1
	VMOVDQA32 Z28, Z0
	VMOVDQA32 Z28, Z1
	VMOVDQA32 Z28, Z2
	VMOVDQA32 Z28, Z3
	XORQ      AX, AX
	MOVQ      DI, R11
	CMPQ      AX, R10
	JGE       tail4

block4:
	VMOVDQU32 (SI)(AX*1), Z16
	VPXORD    (R11), Z29, Z4
	VPXORD    (R11)(R8*1), Z29, Z5
	VPXORD    (R11)(R8*2), Z29, Z6
	VPXORD    (R11)(R14*1), Z29, Z7
	VPDPBUSD  Z16, Z4, Z0
	VPDPBUSD  Z16, Z5, Z1
	VPDPBUSD  Z16, Z6, Z2
	VPDPBUSD  Z16, Z7, Z3
	ADDQ      $64, AX
	ADDQ      $64, R11
	CMPQ      AX, R10
	JLT       block4

tail4:
	TESTQ      R9, R9
	JZ         sum4
	VMOVDQU8.Z (SI)(AX*1), K1, Z16
	VMOVDQU8.Z (R11), K1, Z4
	VMOVDQU8.Z (R11)(R8*1), K1, Z5
	VMOVDQU8.Z (R11)(R8*2), K1, Z6
	VMOVDQU8.Z (R11)(R14*1), K1, Z7
	VPXORD     Z29, Z4, Z4
	VPXORD     Z29, Z5, Z5
	VPXORD     Z29, Z6, Z6
	VPXORD     Z29, Z7, Z7
	VPDPBUSD   Z16, Z4, Z0
	VPDPBUSD   Z16, Z5, Z1
	VPDPBUSD   Z16, Z6, Z2
	VPDPBUSD   Z16, Z7, Z3

sum4:
	FOLD4(Z0, Z1, Z2, Z3, Z30)
	VEXTRACTI64X4 $1, Z0, Y30
	VPADDD        Y30, Y0, Y0
	VEXTRACTI128  $1, Y0, X1
	VPADDD        X1, X0, X0
	VMOVDQU       X0, (DX)
	LEAQ          (DI)(R8*4), DI
	ADDQ          $16, DX
	SUBQ          $4, CX
	JMP           rows4

rows1:
	TESTQ     CX, CX
	JZ        done
	VMOVDQA32 Z28, Z0
	XORQ      AX, AX
	CMPQ      AX, R10
	JGE       tail1

block1:
	VPXORD   (DI)(AX*1), Z29, Z4
	VPDPBUSD (SI)(AX*1), Z4, Z0
	ADDQ     $64, AX
	CMPQ     AX, R10
	JLT      block1

tail1:
	TESTQ      R9, R9
	JZ         sum1
	VMOVDQU8.Z (SI)(AX*1), K1, Z16
	VMOVDQU8.Z (DI)(AX*1), K1, Z4
	VPXORD     Z29, Z4, Z4
	VPDPBUSD   Z16, Z4, Z0

sum1:
	VEXTRACTI64X4 $1, Z0, Y30
	VPADDD        Y30, Y0, Y0
	VEXTRACTI128  $1, Y0, X1
	VPADDD        X1, X0, X0
	VPSHUFD       $0xEE, X0, X1
	VPADDD        X1, X0, X0
	VPSHUFD       $0x55, X0, X1
	VPADDD        X1, X0, X0
	VMOVD         X0, (DX)
	ADDQ          R8, DI
	ADDQ          $4, DX
	DECQ          CX
	JMP           rows1

done:
	VZEROUPPER
	RET

// ROW512 multiplies the block of a row in X with the blocks of four queries in Z20 to Z23.
#define ROW512(X, S0, S1, S2, S3) \
	VPDPBUSD Z20, X, S0; \
	VPDPBUSD Z21, X, S1; \
	VPDPBUSD Z22, X, S2; \
	VPDPBUSD Z23, X, S3

// func byteTile512(q, rows *int8, dim, n int, out *int32, stride int)
//
//	SI  q            R8, R14   bytes of 1 and 3 rows or queries
//	DI  rows         R12, R13  bytes of 1 and 3 rows of output (stride)
//	DX  out          R10  bytes of a row in whole blocks; R9  bytes of its tail
//	CX  rows left    AX   offset of the block; BX, R11  query and row at the block
//	K1  mask of the tail
//	Z0 to Z15   sums: query i and row j have Z(4i+j)
//	Z16 to Z19  blocks of four rows            Z20 to Z23  blocks of four queries
//	Z24 to Z27  minus the excess of each query; Z29  bias; Z30, Z31  scratch
TEXT ·byteTile512(SB), NOSPLIT, $0-48
	MOVQ         q+0(FP), SI
	MOVQ         rows+8(FP), DI
	MOVQ         dim+16(FP), R8
	MOVQ         n+24(FP), CX
	MOVQ         out+32(FP), DX
	MOVQ         stride+40(FP), R12
	SHLQ         $2, R12
	VPBROADCASTD bias<>(SB), Z29
	MOVQ         R8, R9
	ANDQ         $63, R9
	MOVQ         R8, R10
	SUBQ         R9, R10
	MOVQ         $-1, AX
	SHLXQ        R9, AX, AX
	NOTQ         AX
	KMOVQ        AX, K1
	LEAQ         (R8)(R8*2), R14
	LEAQ         (R12)(R12*2), R13
	MOVQ         SI, R11
	EXCESS(R11, Z24, excess0, excesstail0, excessdone0)
	ADDQ         R8, R11
	EXCESS(R11, Z25, excess1, excesstail1, excessdone1)
	ADDQ         R8, R11
	EXCESS(R11, Z26, excess2, excesstail2, excessdone2)
	ADDQ         R8, R11
	EXCESS(R11, Z27, excess3, excesstail3, excessdone3)

tile:
	VMOVDQA32 Z24, Z0
	VMOVDQA32 Z24, Z1
	VMOVDQA32 Z24, Z2
	VMOVDQA32 Z24, Z3
	VMOVDQA32 Z25, Z4
	VMOVDQA32 Z25, Z5
	VMOVDQA32 Z25, Z6
	VMOVDQA32 Z25, Z7
	VMOVDQA32 Z26, Z8
	VMOVDQA32 Z26, Z9
	VMOVDQA32 Z26, Z10
	VMOVDQA32 Z26, Z11
	VMOVDQA32 Z27, Z12
	VMOVDQA32 Z27, Z13
	VMOVDQA32 Z27, Z14
	VMOVDQA32 Z27, Z15
	XORQ      AX, AX
	MOVQ      SI, BX
	MOVQ      DI, R11
	CMPQ      AX, R10
	JGE       tail

block:
	VMOVDQU32 (BX), Z20
	VMOVDQU32 (BX)(R8*1), Z21
	VMOVDQU32 (BX)(R8*2), Z22
	VMOVDQU32 (BX)(R14*1), Z23
	VPXORD    (R11), Z29, Z16
	VPXORD    (R11)(R8*1), Z29, Z17
	VPXORD    (R11)(R8*2), Z29, Z18
	VPXORD    (R11)(R14*1), Z29, Z19
	ROW512(Z16, Z0, Z4, Z8, Z12)
	ROW512(Z17, Z1, Z5, Z9, Z13)
	ROW512(Z18, Z2, Z6, Z10, Z14)
	ROW512(Z19, Z3, Z7, Z11, Z15)
	ADDQ      $64, AX
	ADDQ      $64, BX
	ADDQ      $64, R11
	CMPQ      AX, R10
	JLT       block

tail:
	TESTQ      R9, R9
	JZ         sum
	VMOVDQU8.Z (BX), K1, Z20
	VMOVDQU8.Z (BX)(R8*1), K1, Z21
	VMOVDQU8.Z (BX)(R8*2), K1, Z22
	VMOVDQU8.Z (BX)(R14*1), K1, Z23
	VMOVDQU8.Z (R11), K1, Z16
	VMOVDQU8.Z (R11)(R8*1), K1, Z17
	VMOVDQU8.Z (R11)(R8*2), K1, Z18
	VMOVDQU8.Z (R11)(R14*1), K1, Z19
	VPXORD     Z29, Z16, Z16
	VPXORD     Z29, Z17, Z17
	VPXORD     Z29, Z18, Z18
	VPXORD     Z29, Z19, Z19
	ROW512(Z16, Z0, Z4, Z8, Z12)
	ROW512(Z17, Z1, Z5, Z9, Z13)
	ROW512(Z18, Z2, Z6, Z10, Z14)
	ROW512(Z19, Z3, Z7, Z11, Z15)

sum:
	FOLD4(Z0, Z1, Z2, Z3, Z16)
	FOLD4(Z4, Z5, Z6, Z7, Z17)
	FOLD4(Z8, Z9, Z10, Z11, Z18)
	FOLD4(Z12, Z13, Z14, Z15, Z19)

	// The four parts of 128 bits of each of Z0, Z4, Z8 and Z12 are added: after two rounds, part i
	// of Z0 belongs to query i.
	VSHUFI32X4 $0x88, Z4, Z0, Z16
	VSHUFI32X4 $0xDD, Z4, Z0, Z17
	VPADDD     Z17, Z16, Z16
	VSHUFI32X4 $0x88, Z12, Z8, Z18
	VSHUFI32X4 $0xDD, Z12, Z8, Z19
	VPADDD     Z19, Z18, Z18
	VSHUFI32X4 $0x88, Z18, Z16, Z17
	VSHUFI32X4 $0xDD, Z18, Z16, Z19
	VPADDD     Z19, Z17, Z0

	VMOVDQU       X0, (DX)
	VEXTRACTI32X4 $1, Z0, (DX)(R12*1)
	VEXTRACTI32X4 $2, Z0, (DX)(R12*2)
	VEXTRACTI32X4 $3, Z0, (DX)(R13*1)
	LEAQ          (DI)(R8*4), DI
	ADDQ          $16, DX
	SUBQ          $4, CX
	JNZ           tile
	VZEROUPPER
	RET

// The AVX2 kernels widen bytes to 16 bits, multiply, and add neighbours into 32 bits (VPMADDWD).
// VPMADDUBSW would halve the work, but it saturates at 16 bits and products must be exact.

// func byteRows256(q, rows *int8, dim, whole, n int, out *int32)
//
//	SI  q            R8   bytes of a row; R14  of three rows
//	DI  rows         R10  bytes of a row that are multiplied (whole)
//	DX  out          AX   offset of the block; R11  the row at the block
//	CX  rows left
//	Y0 to Y3  sums of four rows                Y4 to Y7  blocks of rows, products; Y8  block of q
TEXT ·byteRows256(SB), NOSPLIT, $0-48
	MOVQ q+0(FP), SI
	MOVQ rows+8(FP), DI
	MOVQ dim+16(FP), R8
	MOVQ whole+24(FP), R10
	MOVQ n+32(FP), CX
	MOVQ out+40(FP), DX
	LEAQ (R8)(R8*2), R14

rows4:
	CMPQ  CX, $4
	JLT   rows1
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	VPXOR Y2, Y2, Y2
	VPXOR Y3, Y3, Y3
	XORQ  AX, AX
	MOVQ  DI, R11

block4:
	VPMOVSXBW (SI)(AX*1), Y8
	VPMOVSXBW (R11), Y4
	VPMOVSXBW (R11)(R8*1), Y5
	VPMOVSXBW (R11)(R8*2), Y6
	VPMOVSXBW (R11)(R14*1), Y7
	VPMADDWD  Y8, Y4, Y4
	VPMADDWD  Y8, Y5, Y5
	VPMADDWD  Y8, Y6, Y6
	VPMADDWD  Y8, Y7, Y7
	VPADDD    Y4, Y0, Y0
	VPADDD    Y5, Y1, Y1
	VPADDD    Y6, Y2, Y2
	VPADDD    Y7, Y3, Y3
	ADDQ      $16, AX
	ADDQ      $16, R11
	CMPQ      AX, R10
	JLT       block4

	FOLD4(Y0, Y1, Y2, Y3, Y4)
	VEXTRACTI128 $1, Y0, X1
	VPADDD       X1, X0, X0
	VMOVDQU      X0, (DX)
	LEAQ         (DI)(R8*4), DI
	ADDQ         $16, DX
	SUBQ         $4, CX
	JMP          rows4

rows1:
	TESTQ CX, CX
	JZ    done
	VPXOR Y0, Y0, Y0
	XORQ  AX, AX

block1:
	VPMOVSXBW (SI)(AX*1), Y8
	VPMOVSXBW (DI)(AX*1), Y4
	VPMADDWD  Y8, Y4, Y4
	VPADDD    Y4, Y0, Y0
	ADDQ      $16, AX
	CMPQ      AX, R10
	JLT       block1

	VEXTRACTI128 $1, Y0, X1
	VPADDD       X1, X0, X0
	VPSHUFD      $0xEE, X0, X1
	VPADDD       X1, X0, X0
	VPSHUFD      $0x55, X0, X1
	VPADDD       X1, X0, X0
	VMOVD        X0, (DX)
	ADDQ         R8, DI
	ADDQ         $4, DX
	DECQ         CX
	JMP          rows1

done:
	VZEROUPPER
	RET

// QUERY256 multiplies 16 values of the query at Q with those of two rows in Y8 and Y9 and adds to
// two sums.
#define QUERY256(Q, S0, S1) \
	VPMOVSXBW Q, Y10; \
	VPMADDWD  Y10, Y8, Y11; \
	VPMADDWD  Y10, Y9, Y12; \
	VPADDD    Y11, S0, S0; \
	VPADDD    Y12, S1, S1

// func byteTile256(q, rows *int8, dim, whole, n int, out *int32, stride int)
//
//	SI  q            R8, R14   bytes of 1 and 3 rows or queries
//	DI  rows         R12, R13  bytes of 1 and 3 rows of output (stride)
//	DX  out          R10  bytes of a row that are multiplied (whole)
//	CX  rows left    AX   offset of the block; BX, R11  query and row at the block
//	Y0 to Y7  sums: query i and row j have Y(2i+j)
//	Y8, Y9    blocks of two rows               Y10 to Y12  block of a query, products
TEXT ·byteTile256(SB), NOSPLIT, $0-56
	MOVQ q+0(FP), SI
	MOVQ rows+8(FP), DI
	MOVQ dim+16(FP), R8
	MOVQ whole+24(FP), R10
	MOVQ n+32(FP), CX
	MOVQ out+40(FP), DX
	MOVQ stride+48(FP), R12
	SHLQ $2, R12
	LEAQ (R8)(R8*2), R14
	LEAQ (R12)(R12*2), R13

tile:
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	VPXOR Y2, Y2, Y2
	VPXOR Y3, Y3, Y3
	VPXOR Y4, Y4, Y4
	VPXOR Y5, Y5, Y5
	VPXOR Y6, Y6, Y6
	VPXOR Y7, Y7, Y7
	XORQ  AX, AX
	MOVQ  SI, BX
	MOVQ  DI, R11

block:
	VPMOVSXBW (R11), Y8
	VPMOVSXBW (R11)(R8*1), Y9
	QUERY256((BX), Y0, Y1)
	QUERY256((BX)(R8*1), Y2, Y3)
	QUERY256((BX)(R8*2), Y4, Y5)
	QUERY256((BX)(R14*1), Y6, Y7)
	ADDQ      $16, AX
	ADDQ      $16, BX
	ADDQ      $16, R11
	CMPQ      AX, R10
	JLT       block

	FOLD4(Y0, Y1, Y2, Y3, Y8)
	FOLD4(Y4, Y5, Y6, Y7, Y8)
	VEXTRACTI128 $1, Y0, X1
	VPADDD       X1, X0, X0
	VEXTRACTI128 $1, Y4, X5
	VPADDD       X5, X4, X4
	VMOVQ        X0, (DX)
	VPEXTRQ      $1, X0, (DX)(R12*1)
	VMOVQ        X4, (DX)(R12*2)
	VPEXTRQ      $1, X4, (DX)(R13*1)
	LEAQ         (DI)(R8*2), DI
	ADDQ         $8, DX
	SUBQ         $2, CX
	JNZ          tile
	VZEROUPPER
	RET

// func above256(scores *int32, n int, bar int32, out *int32) int
//
//	SI  scores       Y0  bar                   AX  position
//	DI  out          Y1  comparison            DX  number found
//	CX  n            BX  bits of the eight scores that are above the bar; R8  position of one
TEXT ·above256(SB), NOSPLIT, $0-40
	MOVQ         scores+0(FP), SI
	MOVQ         n+8(FP), CX
	MOVL         bar+16(FP), AX
	VMOVD        AX, X0
	VPBROADCASTD X0, Y0
	MOVQ         out+24(FP), DI
	XORQ         AX, AX         // position
	XORQ         DX, DX         // found

eight:
	VMOVDQU   (SI)(AX*4), Y1
	VPCMPGTD  Y0, Y1, Y1
	VMOVMSKPS Y1, BX
	TESTL     BX, BX
	JNZ       hits

next:
	ADDQ $8, AX
	CMPQ AX, CX
	JLT  eight
	MOVQ DX, ret+32(FP)
	VZEROUPPER
	RET

hits:
	TZCNTL BX, R8
	ADDL   AX, R8
	MOVL   R8, (DI)(DX*4)
	INCQ   DX
	BLSRL  BX, BX
	JNZ    hits
	JMP    next
