/* SPDX-License-Identifier: GPL-2.0-or-later */
/* softgpu_kernels.S - the PTX text of the benchmark's kernels, with a NUL */

	.section .rodata
	.global softgpu_kernels
	.global softgpu_kernels_end
softgpu_kernels:
	.incbin "bench/softgpu_kernels.ptx"
	.byte 0
softgpu_kernels_end:
	.section .note.GNU-stack, "", @progbits
