/* SPDX-License-Identifier: GPL-2.0-or-later */
/* copier.h - copies bytes of the program's own memory to and from staging, by several threads if many */

#ifndef VGPU_GUEST_LIBCUDA_COPIER_H
#define VGPU_GUEST_LIBCUDA_COPIER_H

#include <stddef.h>

/* As memcpy(). */
void copier_copy(void *to, const void *from, size_t bytes);

#endif
