/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernels.S - the PTX text of the device's tests, with a NUL */

	.section .rodata
	.global kernels
	.global kernels_end
kernels:
	.incbin "tests/unit/softgpu/kernels.ptx"
	.byte 0
kernels_end:
	.section .note.GNU-stack, "", @progbits
