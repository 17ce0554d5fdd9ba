#include "textflag.h"

// Quantize takes two passes: the largest magnitude, then rounding in float64, as in the portable
// code, so that the bytes are the same.

DATA quantconst<>+0(SB)/8, $0x3FE0000000000000 // one half
DATA quantconst<>+8(SB)/8, $0x8000000000000000 // sign
DATA quantconst<>+16(SB)/4, $0x7FFFFFFF        // all but the sign
DATA quantconst<>+20(SB)/4, $0
GLOBL quantconst<>(SB), RODATA|NOPTR, $24

// func largest256(v *float32, n int) float32
//
//	SI  v            Y0  largest magnitudes    Y3  all bits but the sign
//	CX  values left  Y1  values
TEXT ·largest256(SB), NOSPLIT, $0-20
	MOVQ         v+0(FP), SI
	MOVQ         n+8(FP), CX
	VBROADCASTSS quantconst<>+16(SB), Y3
	VXORPS       Y0, Y0, Y0

eight:
	VANDPS (SI), Y3, Y1
	VMAXPS Y1, Y0, Y0
	ADDQ   $32, SI
	SUBQ   $8, CX
	JNZ    eight

	VEXTRACTF128 $1, Y0, X1
	VMAXPS       X1, X0, X0
	VPSHUFD      $0x4E, X0, X1
	VMAXPS       X1, X0, X0
	VPSHUFD      $0xB1, X0, X1
	VMAXPS       X1, X0, X0
	VMOVSS       X0, ret+16(FP)
	VZEROUPPER
	RET

// func quantize256(v *float32, n int, inverse float64, out *int8)
//
//	SI  v            Y0  inverse               Y3, Y4  values
//	DI  out          Y1  one half              Y5, Y6  one half with the sign of the value
//	CX  values left  Y2  sign
TEXT ·quantize256(SB), NOSPLIT, $0-32
	MOVQ         v+0(FP), SI
	MOVQ         n+8(FP), CX
	VBROADCASTSD inverse+16(FP), Y0
	MOVQ         out+24(FP), DI
	VBROADCASTSD quantconst<>+0(SB), Y1
	VBROADCASTSD quantconst<>+8(SB), Y2

eight:
	VCVTPS2PD   (SI), Y3
	VCVTPS2PD   16(SI), Y4
	VMULPD      Y0, Y3, Y3
	VMULPD      Y0, Y4, Y4
	VANDPD      Y2, Y3, Y5
	VANDPD      Y2, Y4, Y6
	VORPD       Y1, Y5, Y5        // one half with the sign of the value
	VORPD       Y1, Y6, Y6
	VADDPD      Y5, Y3, Y3
	VADDPD      Y6, Y4, Y4
	VCVTTPD2DQY Y3, X3
	VCVTTPD2DQY Y4, X4
	VPACKSSDW   X4, X3, X3
	VPACKSSWB   X3, X3, X3
	VMOVQ       X3, (DI)
	ADDQ        $32, SI
	ADDQ        $8, DI
	SUBQ        $8, CX
	JNZ         eight
	VZEROUPPER
	RET

// func largest512(v *float32, n int) float32
//
//	SI  v            Z0  largest magnitudes    Z3  all bits but the sign
//	CX  values left  Z1  values
TEXT ·largest512(SB), NOSPLIT, $0-20
	MOVQ         v+0(FP), SI
	MOVQ         n+8(FP), CX
	VPBROADCASTD quantconst<>+16(SB), Z3
	VPXORQ       Z0, Z0, Z0

sixteen:
	VPANDD (SI), Z3, Z1
	VMAXPS Z1, Z0, Z0
	ADDQ   $64, SI
	SUBQ   $16, CX
	JNZ    sixteen

	VEXTRACTF64X4 $1, Z0, Y1
	VMAXPS        Y1, Y0, Y0
	VEXTRACTF128  $1, Y0, X1
	VMAXPS        X1, X0, X0
	VPSHUFD       $0x4E, X0, X1
	VMAXPS        X1, X0, X0
	VPSHUFD       $0xB1, X0, X1
	VMAXPS        X1, X0, X0
	VMOVSS        X0, ret+16(FP)
	VZEROUPPER
	RET

// func quantize512(v *float32, n int, inverse float64, out *int8)
//
//	SI  v            Z0  inverse               Z3, Z4  values
//	DI  out          Z1  one half              Z5, Z6  one half with the sign of the value
//	CX  values left  Z2  sign
TEXT ·quantize512(SB), NOSPLIT, $0-32
	MOVQ         v+0(FP), SI
	MOVQ         n+8(FP), CX
	VBROADCASTSD inverse+16(FP), Z0
	MOVQ         out+24(FP), DI
	VBROADCASTSD quantconst<>+0(SB), Z1
	VBROADCASTSD quantconst<>+8(SB), Z2

sixteen:
	VCVTPS2PD    (SI), Z3
	VCVTPS2PD    32(SI), Z4
	VMULPD       Z0, Z3, Z3
	VMULPD       Z0, Z4, Z4
	VPANDQ       Z2, Z3, Z5
	VPANDQ       Z2, Z4, Z6
	VPORQ        Z1, Z5, Z5
	VPORQ        Z1, Z6, Z6
	VADDPD       Z5, Z3, Z3
	VADDPD       Z6, Z4, Z4
	VCVTTPD2DQ   Z3, Y3
	VCVTTPD2DQ   Z4, Y4
	VINSERTI64X4 $1, Y4, Z3, Z3
	VPMOVSDB     Z3, (DI)
	ADDQ         $64, SI
	ADDQ         $16, DI
	SUBQ         $16, CX
	JNZ          sixteen
	VZEROUPPER
	RET
