/* SPDX-License-Identifier: GPL-2.0-or-later */
/* expr.c - constant expressions of PTX */

#include <errno.h>
#include <string.h>

#include "softgpu/ptx/parse_private.h"

/*
 * The manual's section "Constant Expressions": 64-bit integers, signed unless one operand is
 * unsigned, with C's operators and precedences; floats only with + - * /. WARP_SZ is 32.
 */

struct operator
{
	int punct;
	int level; /* binds more tightly the higher */
};

static const struct operator operators[] = {
	{ SG_PUNCT_OR, 1 },  { SG_PUNCT_AND, 2 }, { '|', 3 },	      { '^', 4 },
	{ '&', 5 },	     { SG_PUNCT_EQ, 6 },  { SG_PUNCT_NE, 6 }, { '<', 7 },
	{ '>', 7 },	     { SG_PUNCT_LE, 7 },  { SG_PUNCT_GE, 7 }, { SG_PUNCT_SHL, 8 },
	{ SG_PUNCT_SHR, 8 }, { '+', 9 },	  { '-', 9 },	      { '*', 10 },
	{ '/', 10 },	     { '%', 10 },
};

static struct sg_value expression(struct sg_parser *p, int level);

static int level_of(const struct sg_lex *lex)
{
	if (lex->token.kind != SG_TOKEN_PUNCT)
		return 0;
	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
		if (operators[i].punct == lex->token.punct)
			return operators[i].level;
	return 0;
}

static double as_double(const struct sg_value *value)
{
	double number;
	float single;
	uint32_t bits = (uint32_t)value->bits;

	if (value->kind == SG_OPERAND_FLOAT64) {
		memcpy(&number, &value->bits, sizeof(number));
		return number;
	}
	if (value->kind == SG_OPERAND_FLOAT32) {
		memcpy(&single, &bits, sizeof(single));
		return single;
	}
	return value->is_unsigned ? (double)value->bits : (double)(int64_t)value->bits;
}

static struct sg_value of_double(double number)
{
	struct sg_value value = { .kind = SG_OPERAND_FLOAT64 };

	memcpy(&value.bits, &number, sizeof(number));
	return value;
}

static struct sg_value float_binary(struct sg_parser *p, int punct, double a, double b)
{
	switch (punct) {
	case '+':
		return of_double(a + b);
	case '-':
		return of_double(a - b);
	case '*':
		return of_double(a * b);
	case '/':
		return of_double(a / b);
	default:
		sg_parse_fail(p, -EINVAL, "this operator takes no floating-point constants");
	}
}

static uint64_t divide(struct sg_parser *p, bool remainder, uint64_t a, uint64_t b,
		       bool is_unsigned)
{
	if (b == 0)
		sg_parse_fail(p, -EINVAL, "a constant is divided by zero");
	if (is_unsigned)
		return remainder ? a % b : a / b;
	if (b == UINT64_MAX) /* -1: the one quotient that may not fit */
		return remainder ? 0 : 0 - a;
	return (uint64_t)(remainder ? (int64_t)a % (int64_t)b : (int64_t)a / (int64_t)b);
}

static bool less(uint64_t a, uint64_t b, bool is_unsigned)
{
	return is_unsigned ? a < b : (int64_t)a < (int64_t)b;
}

static uint64_t shift(bool right, uint64_t a, uint64_t by, bool is_unsigned)
{
	if (!right)
		return by < 64 ? a << by : 0;
	if (is_unsigned)
		return by < 64 ? a >> by : 0;
	return (uint64_t)((int64_t)a >> (by < 63 ? by : 63));
}

static uint64_t integer_binary(struct sg_parser *p, int punct, uint64_t a, uint64_t b,
			       bool is_unsigned)
{
	switch (punct) {
	case '+':
		return a + b;
	case '-':
		return a - b;
	case '*':
		return a * b;
	case '/':
	case '%':
		return divide(p, punct == '%', a, b, is_unsigned);
	case '&':
		return a & b;
	case '|':
		return a | b;
	case '^':
		return a ^ b;
	case '<':
		return less(a, b, is_unsigned);
	case '>':
		return less(b, a, is_unsigned);
	case SG_PUNCT_LE:
		return !less(b, a, is_unsigned);
	case SG_PUNCT_GE:
		return !less(a, b, is_unsigned);
	case SG_PUNCT_EQ:
		return a == b;
	case SG_PUNCT_NE:
		return a != b;
	case SG_PUNCT_AND:
		return a != 0 && b != 0;
	default:
		return a != 0 || b != 0;
	}
}

static struct sg_value binary(struct sg_parser *p, int punct, struct sg_value a, struct sg_value b)
{
	struct sg_value out = { .kind = SG_OPERAND_INT };

	if (a.kind != SG_OPERAND_INT || b.kind != SG_OPERAND_INT)
		return float_binary(p, punct, as_double(&a), as_double(&b));
	if (punct == SG_PUNCT_SHL || punct == SG_PUNCT_SHR) {
		out.is_unsigned = a.is_unsigned;
		out.bits = shift(punct == SG_PUNCT_SHR, a.bits, b.bits, a.is_unsigned);
		return out;
	}
	out.is_unsigned = a.is_unsigned || b.is_unsigned;
	out.bits = integer_binary(p, punct, a.bits, b.bits, out.is_unsigned);
	return out;
}

static struct sg_value literal(struct sg_parser *p)
{
	struct sg_lex *lex = &p->lex;
	struct sg_value value = { .bits = lex->token.value, .is_unsigned = lex->token.is_unsigned };

	switch (lex->token.kind) {
	case SG_TOKEN_INTEGER:
		value.kind = SG_OPERAND_INT;
		break;
	case SG_TOKEN_FLOAT32:
		value.kind = SG_OPERAND_FLOAT32;
		break;
	case SG_TOKEN_FLOAT64:
		value.kind = SG_OPERAND_FLOAT64;
		break;
	default:
		if (!sg_lex_is(lex, SG_TOKEN_WORD, "WARP_SZ"))
			sg_lex_fail_expected(lex, "a constant");
		value = (struct sg_value){ .kind = SG_OPERAND_INT, .bits = 32 };
	}
	sg_lex_next(lex);
	return value;
}

/* "(.s64)" or "(.u64)" in front of an operand, as the manual has them. The '(' was read. */
static bool cast(struct sg_parser *p, struct sg_value *out)
{
	bool to_unsigned = sg_lex_is(&p->lex, SG_TOKEN_DOTTED, "u64");

	if (!to_unsigned && !sg_lex_is(&p->lex, SG_TOKEN_DOTTED, "s64"))
		return false;
	sg_lex_next(&p->lex);
	sg_lex_expect_punct(&p->lex, ')', "after a cast");
	*out = expression(p, 11);
	if (out->kind != SG_OPERAND_INT)
		sg_parse_fail(p, -EINVAL, "a cast takes an integer constant");
	out->is_unsigned = to_unsigned;
	return true;
}

static struct sg_value negate(struct sg_value value)
{
	if (value.kind == SG_OPERAND_FLOAT32)
		value.bits ^= 1ull << 31;
	else if (value.kind == SG_OPERAND_FLOAT64)
		value.bits ^= 1ull << 63;
	else
		value.bits = 0 - value.bits;
	return value;
}

static struct sg_value unary(struct sg_parser *p)
{
	struct sg_lex *lex = &p->lex;
	struct sg_value value;

	if (sg_lex_accept_punct(lex, '(')) {
		if (cast(p, &value))
			return value;
		value = expression(p, 0);
		sg_lex_expect_punct(lex, ')', "in a constant expression");
		return value;
	}
	if (sg_lex_accept_punct(lex, '-'))
		return negate(expression(p, 11));
	if (sg_lex_accept_punct(lex, '+'))
		return expression(p, 11);
	if (!sg_lex_is_punct(lex, '~') && !sg_lex_is_punct(lex, '!'))
		return literal(p);

	bool bitwise = sg_lex_is_punct(lex, '~');

	sg_lex_next(lex);
	value = expression(p, 11);
	if (value.kind != SG_OPERAND_INT)
		sg_parse_fail(p, -EINVAL, "this operator takes no floating-point constants");
	value.bits = bitwise ? ~value.bits : value.bits == 0;
	return value;
}

/* Operators of at least this level; 0: the conditional one, too; 11: none. */
static struct sg_value expression(struct sg_parser *p, int level)
{
	struct sg_lex *lex = &p->lex;
	struct sg_value left;
	int here;

	sg_parse_nest(p);
	left = unary(p);
	while ((here = level_of(lex)) != 0 && here >= level) {
		int punct = lex->token.punct;

		sg_lex_next(lex);
		left = binary(p, punct, left, expression(p, here + 1));
	}
	if (level == 0 && sg_lex_accept_punct(lex, '?')) {
		struct sg_value yes = expression(p, 0), no;

		sg_lex_expect_punct(lex, ':', "in a conditional constant");
		no = expression(p, 0);
		left = left.bits != 0 ? yes : no;
	}
	p->nesting--;
	return left;
}

struct sg_value sg_parse_constant(struct sg_parser *p)
{
	return expression(p, 0);
}

uint64_t sg_parse_integer(struct sg_parser *p, uint64_t least, uint64_t most, const char *what)
{
	/* without comparisons: a '>' may end what is being read */
	struct sg_value value = expression(p, 9);

	if (value.kind != SG_OPERAND_INT)
		sg_parse_fail(p, -EINVAL, "%s is not an integer", what);
	if (value.bits < least || value.bits > most ||
	    (!value.is_unsigned && (int64_t)value.bits < 0))
		sg_parse_fail(p, -E2BIG, "%s is not between %llu and %llu", what,
			      (unsigned long long)least, (unsigned long long)most);
	return value.bits;
}

uint64_t sg_value_bits(struct sg_parser *p, const struct sg_value *value, enum sg_type type)
{
	unsigned bits = sg_isa_type_bits(type);
	bool is_float = sg_isa_type_kind(type) == SG_KIND_FLOAT && bits >= 32;
	uint64_t out = value->bits;

	if (value->kind != SG_OPERAND_INT && (type == SG_TYPE_F32 || bits == 32)) {
		float single = value->kind == SG_OPERAND_FLOAT32 ? 0 : (float)as_double(value);
		uint32_t word;

		memcpy(&word, &single, sizeof(word));
		return value->kind == SG_OPERAND_FLOAT32 ? (uint32_t)out : word;
	}
	if (value->kind == SG_OPERAND_FLOAT32 && bits == 64) {
		double number = as_double(value);

		memcpy(&out, &number, sizeof(out));
		return out;
	}
	if (value->kind != SG_OPERAND_INT && bits != 64)
		sg_parse_fail(p, -EINVAL, "a float constant does not fit .%s",
			      sg_isa_type_word(type));
	if (value->kind == SG_OPERAND_INT && is_float)
		sg_parse_fail(p, -EINVAL, "an integer constant where .%s needs a float",
			      sg_isa_type_word(type));
	return bits < 64 ? out & ((1ull << bits) - 1) : out;
}
