/* SPDX-License-Identifier: GPL-2.0-or-later */
/* refuse.h - what the program asked for and libcuda.so.1 does not have: said once, counted by the host */

#ifndef VGPU_GUEST_LIBCUDA_REFUSE_H
#define VGPU_GUEST_LIBCUDA_REFUSE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Notes that the program was refused something: says so at the first time, and has the host count each
 * time for the administrator. what: the function's name, or a few words; a constant that lives as long
 * as the library, of at most 63 bytes.
 */
void refuse(const char *what);

/* As refuse(), with a sentence of its own. */
void refuse_saying(const char *what, const char *sentence);

/*
 * Says that the channel is open: the host gets what was refused before, and what will be.
 * tell: tells the host. Return: whether the host knows it now.
 */
typedef bool refuse_tell(const char *what, uint32_t times);
void refuse_begin(refuse_tell *tell);

#endif
