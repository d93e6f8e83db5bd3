/* SPDX-License-Identifier: GPL-2.0-or-later */
/* declared.h - what an image declares and programs have otherwise here */

#ifndef VGPU_GUEST_LIBCUDA_DECLARED_H
#define VGPU_GUEST_LIBCUDA_DECLARED_H

#include "guest/libcuda/image.h"

/*
 * Says of each managed variable in an image's PTX that it lies in the GPU's memory: once for each name.
 * In machine code, and in containers whose parts are compressed, none is seen.
 */
void declared_say_managed(const struct image *image);

#endif
