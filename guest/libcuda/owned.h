/* SPDX-License-Identifier: GPL-2.0-or-later */
/* owned.h - ends what was made under a context */

#ifndef VGPU_GUEST_LIBCUDA_OWNED_H
#define VGPU_GUEST_LIBCUDA_OWNED_H

#include <stdint.h>

/* Each room frees what the context with that id owns. */
void stream_end_owned(uint64_t context);
void event_end_owned(uint64_t context);
void module_end_owned(uint64_t context);
void memory_end_owned(uint64_t context);
void hostmem_end_owned(uint64_t context);

#endif
