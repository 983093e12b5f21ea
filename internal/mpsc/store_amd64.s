// SPDX-License-Identifier: MIT

//go:build !race && !mpscmodel

#include "textflag.h"

// func storeRelease(addr *atomic.Uint32, val uint32)
TEXT ·storeRelease(SB), NOSPLIT, $0-12
	MOVQ addr+0(FP), AX
	MOVL val+8(FP), CX
	MOVL CX, (AX)
	RET

// func storeRelease64(addr *atomic.Uint64, val uint64)
TEXT ·storeRelease64(SB), NOSPLIT, $0-16
	MOVQ addr+0(FP), AX
	MOVQ val+8(FP), CX
	MOVQ CX, (AX)
	RET
