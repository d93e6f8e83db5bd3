/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ptx_program.h - instructions of the table as PTX text, chosen by bytes */

#ifndef TESTS_FUZZ_PTX_PROGRAM_H
#define TESTS_FUZZ_PTX_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

#define PTX_TEXT_MAX 16384
#define PTX_BUFFER_BYTES 512 /* what an address in %d8 to %d11 is expected to have behind it */

/* Bytes that decide. When they are used up, each decision is 0. */
struct ptx_source {
	const uint8_t *at;
	size_t left;
};

struct ptx_text {
	char bytes[PTX_TEXT_MAX];
	size_t used;
};

/* Return: the next decision, in [0, below); of one byte where 256 are enough, else of two. */
unsigned ptx_take(struct ptx_source *s, unsigned below);

/* Adds to a text; one that gets too long ends the process. */
void __attribute__((format(printf, 2, 3))) ptx_put(struct ptx_text *t, const char *format, ...);

/* A piece of text, and the words of which one has to be used for it to stand: "%d8|%d9"; "": always. */
struct ptx_part {
	const char *words, *text;
};

/* Adds a part where a body uses one of its words. */
void ptx_put_part(struct ptx_text *t, const struct ptx_part *part, const char *body);

/*
 * Adds so many instructions and the branch table "table". What the table of instructions says runs has
 * operands of its types: registers %p %h %r %d %q 0 to 3, constants, addresses in sh, lo, co, a and
 * behind %d8 to %d11. Others branch, call the function f, or use the prototype proto.
 */
void ptx_put_body(struct ptx_text *t, struct ptx_source *s, unsigned count);

#endif
