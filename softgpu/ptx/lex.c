/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lex.c - PTX text to tokens */

#include "softgpu/ptx/lex.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Mangled C++ names are long; ptxas has no bound that is documented. */
#define NAME_BYTES_MAX 4096

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name_char(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       c == '$';
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static size_t left(const struct sg_lex *lex)
{
	return (size_t)(lex->end - lex->at);
}

static char peek(const struct sg_lex *lex, size_t ahead)
{
	if (ahead >= left(lex))
		return '\0';
	return lex->at[ahead];
}

static uint32_t column(const struct sg_lex *lex)
{
	return (uint32_t)(lex->at - lex->line_start) + 1;
}

static void newline(struct sg_lex *lex)
{
	lex->at++;
	lex->line++;
	lex->line_start = lex->at;
}

static void skip_comment(struct sg_lex *lex)
{
	uint32_t line = lex->line, from = column(lex);

	lex->at += 2;
	while (left(lex) > 0 && !(peek(lex, 0) == '*' && peek(lex, 1) == '/')) {
		if (*lex->at == '\n')
			newline(lex);
		else
			lex->at++;
	}
	if (left(lex) == 0)
		sg_load_fail(lex->load, -EINVAL, line, from, "a comment does not end");
	lex->at += 2;
}

/* Return: something was skipped. */
static bool skip_blanks(struct sg_lex *lex)
{
	const char *from = lex->at;

	while (left(lex) > 0) {
		char c = *lex->at;

		if (c == '\n')
			newline(lex);
		else if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v')
			lex->at++;
		else if (c == '/' && peek(lex, 1) == '/')
			while (left(lex) > 0 && *lex->at != '\n')
				lex->at++;
		else if (c == '/' && peek(lex, 1) == '*')
			skip_comment(lex);
		else
			break;
	}
	return lex->at != from;
}

static void read_name(struct sg_lex *lex, struct sg_token *token)
{
	const char *from = lex->at;

	lex->at++;
	while (left(lex) > 0 && is_name_char(*lex->at))
		lex->at++;
	token->kind = SG_TOKEN_WORD;
	token->text = from;
	token->len_bytes = (size_t)(lex->at - from);
	if (token->len_bytes > NAME_BYTES_MAX)
		sg_load_fail(lex->load, -E2BIG, token->line, token->column,
			     "a name has more than %d characters", NAME_BYTES_MAX);
}

/* ".L2::128B": the pieces of one suffix are joined by "::". */
static void read_dotted(struct sg_lex *lex, struct sg_token *token)
{
	lex->at++;
	token->text = lex->at;
	while (left(lex) > 0 &&
	       (is_name_char(*lex->at) ||
		(*lex->at == ':' && peek(lex, 1) == ':' && is_name_char(peek(lex, 2)))))
		lex->at += *lex->at == ':' ? 2 : 1;
	token->kind = SG_TOKEN_DOTTED;
	token->len_bytes = (size_t)(lex->at - token->text);
	if (token->len_bytes == 0)
		sg_load_fail(lex->load, -EINVAL, token->line, token->column,
			     "a dot without a word after it");
	if (token->len_bytes > NAME_BYTES_MAX)
		sg_load_fail(lex->load, -E2BIG, token->line, token->column,
			     "a name has more than %d characters", NAME_BYTES_MAX);
}

/* 0f and 8 digits, 0d and 16: the bits of a float. Return: it was one. */
static bool read_float_bits(struct sg_lex *lex, struct sg_token *token)
{
	char letter = (char)(peek(lex, 1) | 0x20);
	size_t digits = letter == 'f' ? 8 : 16;
	uint64_t bits = 0;

	if (peek(lex, 0) != '0' || (letter != 'f' && letter != 'd'))
		return false;
	for (size_t i = 0; i < digits; i++) {
		int digit = hex_digit(peek(lex, 2 + i));

		if (digit < 0)
			sg_load_fail(lex->load, -EINVAL, token->line, token->column,
				     "a float in bits has %zu hexadecimal digits after 0%c", digits,
				     letter);
		bits = bits << 4 | (unsigned)digit;
	}
	lex->at += 2 + digits;
	token->kind = letter == 'f' ? SG_TOKEN_FLOAT32 : SG_TOKEN_FLOAT64;
	token->value = bits;
	return true;
}

static void read_decimal_float(struct sg_lex *lex, struct sg_token *token)
{
	char text[64];
	size_t len = 0;
	double number;

	while (len < sizeof(text) - 1 && (is_digit(peek(lex, len)) || peek(lex, len) == '.' ||
					  (peek(lex, len) | 0x20) == 'e' ||
					  (len > 0 && (text[len - 1] | 0x20) == 'e' &&
					   (peek(lex, len) == '+' || peek(lex, len) == '-')))) {
		text[len] = peek(lex, len);
		len++;
	}
	text[len] = '\0';
	if (len == sizeof(text) - 1)
		sg_load_fail(lex->load, -EINVAL, token->line, token->column,
			     "a decimal number has more than %zu characters", sizeof(text) - 2);
	number = strtod(text, NULL);
	memcpy(&token->value, &number, sizeof(number));
	token->kind = SG_TOKEN_FLOAT64;
	lex->at += len;
}

static bool is_decimal_float(const struct sg_lex *lex)
{
	size_t i = 0;

	while (is_digit(peek(lex, i)))
		i++;
	return (peek(lex, i) == '.' && !is_name_char(peek(lex, i + 1))) ||
	       (peek(lex, i) == '.' && is_digit(peek(lex, i + 1))) ||
	       ((peek(lex, i) | 0x20) == 'e' &&
		(is_digit(peek(lex, i + 1)) || peek(lex, i + 1) == '-' || peek(lex, i + 1) == '+'));
}

static void read_number(struct sg_lex *lex, struct sg_token *token)
{
	unsigned base = 10;
	size_t digits = 0;

	if (read_float_bits(lex, token))
		return;
	if (is_decimal_float(lex)) {
		read_decimal_float(lex, token);
		return;
	}
	if (peek(lex, 0) == '0') {
		char letter = (char)(peek(lex, 1) | 0x20);

		base = letter == 'x' ? 16 : letter == 'b' ? 2 : 8;
		lex->at += base == 8 ? 0 : 2;
	}
	token->kind = SG_TOKEN_INTEGER;
	for (; left(lex) > 0; lex->at++, digits++) {
		int digit = hex_digit(*lex->at);

		if (digit < 0 || (unsigned)digit >= base)
			break;
		if (token->value > (UINT64_MAX - (unsigned)digit) / base)
			sg_load_fail(lex->load, -EINVAL, token->line, token->column,
				     "a number has more than 64 bits");
		token->value = token->value * base + (unsigned)digit;
	}
	token->is_unsigned = token->value > INT64_MAX;
	if (peek(lex, 0) == 'U') {
		token->is_unsigned = true;
		lex->at++;
	}
	if (digits == 0 || is_name_char(peek(lex, 0)))
		sg_load_fail(lex->load, -EINVAL, token->line, token->column, "malformed number");
}

static void read_string(struct sg_lex *lex, struct sg_token *token)
{
	lex->at++;
	token->kind = SG_TOKEN_STRING;
	token->text = lex->at;
	while (left(lex) > 0 && *lex->at != '"' && *lex->at != '\n')
		lex->at += *lex->at == '\\' && left(lex) > 1 && lex->at[1] != '\n' ? 2 : 1;
	if (left(lex) == 0 || *lex->at != '"')
		sg_load_fail(lex->load, -EINVAL, token->line, token->column,
			     "a string does not end on its line");
	token->len_bytes = (size_t)(lex->at - token->text);
	lex->at++;
}

static void read_punct(struct sg_lex *lex, struct sg_token *token)
{
	static const struct {
		char text[3];
		int punct;
	} doubles[] = {
		{ "<<", SG_PUNCT_SHL }, { ">>", SG_PUNCT_SHR }, { "<=", SG_PUNCT_LE },
		{ ">=", SG_PUNCT_GE },	{ "==", SG_PUNCT_EQ },	{ "!=", SG_PUNCT_NE },
		{ "&&", SG_PUNCT_AND }, { "||", SG_PUNCT_OR },
	};

	token->kind = SG_TOKEN_PUNCT;
	token->text = lex->at;
	for (size_t i = 0; i < sizeof(doubles) / sizeof(doubles[0]); i++) {
		if (peek(lex, 0) != doubles[i].text[0] || peek(lex, 1) != doubles[i].text[1])
			continue;
		token->punct = doubles[i].punct;
		token->len_bytes = 2;
		lex->at += 2;
		return;
	}
	if (strchr("{}()[],;:+-*/%&|^~!<>=?@", *lex->at) == NULL)
		sg_load_fail(lex->load, -EINVAL, token->line, token->column,
			     "a character that PTX does not have (byte 0x%02x)",
			     (unsigned char)*lex->at);
	token->punct = (unsigned char)*lex->at;
	token->len_bytes = 1;
	lex->at++;
}

void sg_lex_next(struct sg_lex *lex)
{
	struct sg_token *token = &lex->token;
	bool blank = skip_blanks(lex);
	char c;

	*token = (struct sg_token){ .line = lex->line, .column = column(lex), .glued = !blank };
	token->text = lex->at;
	if (left(lex) == 0)
		return;
	c = *lex->at;
	if (c == '%' && !is_name_char(peek(lex, 1)))
		read_punct(lex, token);
	else if (c == '%' && is_digit(peek(lex, 1)))
		read_punct(lex, token);
	else if (c == '%' || (is_name_char(c) && !is_digit(c)))
		read_name(lex, token);
	else if (c == '.')
		read_dotted(lex, token);
	else if (is_digit(c))
		read_number(lex, token);
	else if (c == '"')
		read_string(lex, token);
	else
		read_punct(lex, token);
}

void sg_lex_init(struct sg_lex *lex, struct sg_load *load, const char *text, size_t len_bytes)
{
	*lex = (struct sg_lex){ .load = load, .at = text, .end = text + len_bytes, .line = 1 };
	lex->line_start = text;
	sg_lex_next(lex);
}

bool sg_lex_is(const struct sg_lex *lex, enum sg_token_kind kind, const char *text)
{
	return lex->token.kind == kind && strlen(text) == lex->token.len_bytes &&
	       memcmp(text, lex->token.text, lex->token.len_bytes) == 0;
}

bool sg_lex_is_punct(const struct sg_lex *lex, int punct)
{
	return lex->token.kind == SG_TOKEN_PUNCT && lex->token.punct == punct;
}

bool sg_lex_accept_punct(struct sg_lex *lex, int punct)
{
	if (!sg_lex_is_punct(lex, punct))
		return false;
	sg_lex_next(lex);
	return true;
}

bool sg_lex_accept_dotted(struct sg_lex *lex, const char *text)
{
	if (!sg_lex_is(lex, SG_TOKEN_DOTTED, text))
		return false;
	sg_lex_next(lex);
	return true;
}

void sg_lex_expect_punct(struct sg_lex *lex, int punct, const char *what)
{
	char expected[96];

	if (sg_lex_accept_punct(lex, punct))
		return;
	snprintf(expected, sizeof(expected), "'%c' %s", punct, what);
	sg_lex_fail_expected(lex, expected);
}

_Noreturn void sg_lex_fail_expected(struct sg_lex *lex, const char *expected)
{
	const struct sg_token *token = &lex->token;
	int len = token->len_bytes > 40 ? 40 : (int)token->len_bytes;

	if (token->kind == SG_TOKEN_END)
		sg_load_fail(lex->load, -EINVAL, token->line, token->column,
			     "expected %s, found the end of the text", expected);
	if (token->kind == SG_TOKEN_INTEGER || token->kind == SG_TOKEN_FLOAT32 ||
	    token->kind == SG_TOKEN_FLOAT64)
		sg_load_fail(lex->load, -EINVAL, token->line, token->column,
			     "expected %s, found a number", expected);
	sg_load_fail(lex->load, -EINVAL, token->line, token->column, "expected %s, found '%s%.*s'",
		     expected, token->kind == SG_TOKEN_DOTTED ? "." : "", len, token->text);
}
