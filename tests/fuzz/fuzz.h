/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz.h - what the fuzzers share */

#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A condition for every input. Unlike assert() it cannot be compiled out. */
#define REQUIRE(ok)                                                                             \
	do {                                                                                    \
		if (!(ok)) {                                                                    \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #ok); \
			abort();                                                                \
		}                                                                               \
	} while (0)

/* A copy that ends where the memory ends, so that one byte too far is seen. The caller frees it. */
static inline uint8_t *fuzz_copy(const uint8_t *bytes, size_t len_bytes)
{
	uint8_t *copy = malloc(len_bytes ? len_bytes : 1);

	REQUIRE(copy != NULL);
	if (len_bytes > 0)
		memcpy(copy, bytes, len_bytes);
	return copy;
}

/* libFuzzer calls the first; the second, where a fuzzer has it, calls the third for any change. */
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len_bytes);
size_t LLVMFuzzerCustomMutator(uint8_t *input, size_t len_bytes, size_t room_bytes, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t len_bytes, size_t room_bytes);

#endif
