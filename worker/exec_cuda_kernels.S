/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_cuda_kernels.S - the kernels as nvcc made them, carried in the program */

	.section .rodata
	.balign 64
	.global exec_cuda_kernels
exec_cuda_kernels:
	.incbin "worker/exec_cuda_kernels.fatbin"
	.byte 0
	.section .note.GNU-stack, "", @progbits
