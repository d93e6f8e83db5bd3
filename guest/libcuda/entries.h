/* SPDX-License-Identifier: GPL-2.0-or-later */
/* entries.h - the functions that libcuda.so.1 really has */

#ifndef VGPU_GUEST_LIBCUDA_ENTRIES_H
#define VGPU_GUEST_LIBCUDA_ENTRIES_H

#include "common/cuda/cuda_export.h"

#define REAL(symbol, name, version, stream, arguments, note) \
	__attribute__((visibility("default"))) CUresult symbol arguments;
#define REFUSED(symbol, name, version, stream)
#include "guest/libcuda/entries.def"
#undef REAL
#undef REFUSED

/* A function that is the same as a later form of it, which its file defines. */
#define SAME_AS(symbol) __attribute__((alias(#symbol)))

#endif
