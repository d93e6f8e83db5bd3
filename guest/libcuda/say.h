/* SPDX-License-Identifier: GPL-2.0-or-later */
/* say.h - what libcuda.so.1 tells people: on standard error, or into the file that VGPU_LOG names */

#ifndef VGPU_GUEST_LIBCUDA_SAY_H
#define VGPU_GUEST_LIBCUDA_SAY_H

#include <stdbool.h>

#include "common/wire/vgpu_ends.h"

/*
 * VGPU_QUIET=1: nothing is said. VGPU_LOG=warn: warnings, the standard; call: each call, too; anything
 * else is the path of a file that gets warnings and calls.
 */
void say_begin(void); /* reads both variables, once; until then no call is said */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Says in a sentence why the program has no GPU: once for each reason. why: instead of the end's
 * own, or "".
 */
void say_end(enum vgpu_end end, const char *why);

/* Whether each call is to be said. */
bool say_calls(void);
void say_call(const char *symbol);

#endif
