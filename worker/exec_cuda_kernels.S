/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_cuda_kernels.S - the kernels as nvcc made them, carried in the program */

	.section .rodata
	.balign 64
	.global exec_cuda_kernels
	.global exec_cuda_kernels_len
exec_cuda_kernels:
#ifdef VGPU_WITH_NVCC
	.incbin "worker/exec_cuda_kernels.fatbin"
#endif
.Lend:
	.byte 0
	.balign 8
exec_cuda_kernels_len:
	.quad .Lend - exec_cuda_kernels
	.section .note.GNU-stack, "", @progbits
