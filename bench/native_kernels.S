/* SPDX-License-Identifier: GPL-2.0-or-later */
/* native_kernels.S - the kernels as nvcc made them, carried in the program */

	.section .rodata
	.balign 64
	.global native_kernels
	.global native_kernels_len
native_kernels:
#ifdef VGPU_WITH_NVCC
	.incbin "bench/native_kernels.fatbin"
#endif
.Lend:
	.byte 0
	.balign 8
native_kernels_len:
	.quad .Lend - native_kernels
	.section .note.GNU-stack, "", @progbits
