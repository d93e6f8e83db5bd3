/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lex.h - PTX text to tokens */

#ifndef VGPU_SOFTGPU_PTX_LEX_H
#define VGPU_SOFTGPU_PTX_LEX_H

#include <stdbool.h>

#include "softgpu/ptx/load.h"

enum sg_token_kind {
	SG_TOKEN_END,
	SG_TOKEN_WORD,	 /* add, %r1, $L__BB0_1, _ */
	SG_TOKEN_DOTTED, /* .u32, .L2::128B; text is without the dot */
	SG_TOKEN_INTEGER,
	SG_TOKEN_FLOAT32, /* 0f3F800000: value has the bits */
	SG_TOKEN_FLOAT64, /* 0d..., 1.5: value has the bits of a double */
	SG_TOKEN_STRING,  /* text is without quotes */
	SG_TOKEN_PUNCT /* punct has the character; for <<, >>, <=, >=, ==, !=, &&, || see below */
};

/* Punctuation of two characters. */
enum {
	SG_PUNCT_SHL = 256,
	SG_PUNCT_SHR,
	SG_PUNCT_LE,
	SG_PUNCT_GE,
	SG_PUNCT_EQ,
	SG_PUNCT_NE,
	SG_PUNCT_AND,
	SG_PUNCT_OR
};

struct sg_token {
	enum sg_token_kind kind;
	const char *text; /* into the source; not terminated */
	size_t len_bytes;
	uint64_t value;
	int punct;
	bool is_unsigned; /* an integer written with U, or too big for a signed one */
	bool glued;	  /* no blank before it */
	uint32_t line;
	uint32_t column;
};

struct sg_lex {
	struct sg_load *load;
	const char *at, *end;
	const char *line_start;
	uint32_t line;
	struct sg_token token; /* the current one */
};

/* Starts reading; the first token is current. The text has to stay. */
void sg_lex_init(struct sg_lex *lex, struct sg_load *load, const char *text, size_t len_bytes);

/* Goes on to the next token. At the end it stays at SG_TOKEN_END. */
void sg_lex_next(struct sg_lex *lex);

/* Return: the token's text is this word. */
bool sg_lex_is(const struct sg_lex *lex, enum sg_token_kind kind, const char *text);
bool sg_lex_is_punct(const struct sg_lex *lex, int punct);

/* If it is this, goes on. Return: it was. */
bool sg_lex_accept_punct(struct sg_lex *lex, int punct);
bool sg_lex_accept_dotted(struct sg_lex *lex, const char *text);

/* Fails the load unless it is this; goes on. what: for the message, "after the name of a variable".
 */
void sg_lex_expect_punct(struct sg_lex *lex, int punct, const char *what);

/* Fails the load at the current token: "expected X, found Y". */
_Noreturn void sg_lex_fail_expected(struct sg_lex *lex, const char *expected);

#endif
