/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_ptx.c - any text that a guest may have loaded as PTX */

#include <ctype.h>

#include "softgpu/ptx/print.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/ptx_mutate.h"
#include "tests/unit/softgpu/code_check.h"

#define MEMORY_BYTES (64ull << 20)
#define SHORT_BYTES 768 /* of nearly all texts: how many are tried counts more than their length */

static void check_sentence(const struct sg_error *error)
{
	REQUIRE(error->text[0] != '\0');
	for (const char *c = error->text; *c != '\0'; c++)
		REQUIRE(isascii((unsigned char)*c) && isprint((unsigned char)*c));
}

/* A text that loads is printed back as one that loads and prints the same again. */
static char *print(const char *text, size_t len_bytes, size_t *printed_bytes)
{
	struct sg_module_text source = { text, len_bytes };
	struct sg_error error;
	char *printed = NULL;
	FILE *out = open_memstream(&printed, printed_bytes);
	int err;

	REQUIRE(out != NULL);
	err = sg_ptx_print(&source, out, &error);
	REQUIRE(fclose(out) == 0);
	if (err != 0)
		fprintf(stderr, "line %u: %s\n%s\n", error.line, error.text, text);
	REQUIRE(err == 0);
	return printed;
}

static void print_twice(const char *text, size_t len_bytes)
{
	size_t once_bytes, twice_bytes;
	char *once = print(text, len_bytes, &once_bytes);
	char *twice = print(once, once_bytes, &twice_bytes);

	if (once_bytes != twice_bytes || memcmp(once, twice, once_bytes) != 0)
		fprintf(stderr, "--- once\n%s--- twice\n%s", once, twice);
	REQUIRE(once_bytes == twice_bytes && memcmp(once, twice, once_bytes) == 0);
	free(once);
	free(twice);
}

/* Return: one text of eight is printed: that takes as long as loading it several times. */
static bool is_printed(const char *text, size_t len_bytes)
{
	unsigned sum = 0;

	for (size_t n = 0; n < len_bytes; n++)
		sum = sum * 31 + (unsigned char)text[n];
	return (sum >> 7 & 7) == 0;
}

/* libFuzzer's name and types: the input is changed in place. Return: its new length. */
size_t LLVMFuzzerCustomMutator(uint8_t *input, size_t len_bytes, size_t room_bytes, unsigned seed)
{
	if (seed % 16 == 0)
		return LLVMFuzzerMutate(input, len_bytes, room_bytes);
	if (seed % 64 != 1 && room_bytes > SHORT_BYTES)
		room_bytes = SHORT_BYTES;
	if (len_bytes > room_bytes)
		len_bytes = 0;
	return ptx_mutate((char *)input, len_bytes, room_bytes, seed);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len_bytes)
{
	static const struct sg_module_limits limits = { .memory_bytes = MEMORY_BYTES,
							.data_bytes = MEMORY_BYTES };
	char *text = (char *)fuzz_copy(input, len_bytes);
	struct sg_module_text source = { text, len_bytes };
	struct sg_module *module;
	struct sg_error error;
	int err = sg_module_load(&source, 1, &limits, &module, &error);

	REQUIRE((err == 0) == (module != NULL) && err <= 0 && err == error.code);
	if (err != 0) {
		check_sentence(&error);
		free(text);
		return 0;
	}
	sg_module_place(module, 0x7f0000000000, 0x7e0000000000);
	REQUIRE(code_check_module(module));
	sg_module_free(module);
	if (is_printed(text, len_bytes))
		print_twice(text, len_bytes);
	free(text);
	return 0;
}
