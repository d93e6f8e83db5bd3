/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ptx_mutate.h - new PTX texts for a fuzzer, right and wrong ones, most of them short */

#ifndef TESTS_FUZZ_PTX_MUTATE_H
#define TESTS_FUZZ_PTX_MUTATE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Makes another text of one: a program of its own of few instructions, or the old text with some of
 * its words exchanged. text has room for room_bytes. Return: the new text's length.
 */
size_t ptx_mutate(char *text, size_t len_bytes, size_t room_bytes, uint32_t seed);

#endif
