/* SPDX-License-Identifier: GPL-2.0-or-later */
/* native_kernels.S - the kernels as nvcc made them, carried in the program */

	.section .rodata
	.balign 64
	.global native_kernels
native_kernels:
	.incbin "bench/native_kernels.fatbin"
	.byte 0
	.section .note.GNU-stack, "", @progbits
