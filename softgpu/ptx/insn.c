/* SPDX-License-Identifier: GPL-2.0-or-later */
/* insn.c - instructions of PTX: guard, mnemonic, operands */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "softgpu/ptx/parse_private.h"

#define SPELLING_BYTES 256

static void read_operand(struct sg_parser *p, struct sg_operand *out);

/* --- mnemonics ------------------------------------------------------------------------------- */

/* Return: the mnemonic with its suffixes, without blanks. */
static size_t read_spelling(struct sg_parser *p, char *out)
{
	size_t used = 0;

	do {
		const struct sg_token *token = &p->lex.token;
		bool dotted = token->kind == SG_TOKEN_DOTTED;

		if (token->len_bytes + 2 > SPELLING_BYTES - used)
			sg_parse_fail(p, -EINVAL, "%.60s...: no such instruction", out);
		if (dotted)
			out[used++] = '.';
		memcpy(out + used, token->text, token->len_bytes);
		used += token->len_bytes;
		out[used] = '\0';
		sg_lex_next(&p->lex);
	} while (p->lex.token.kind == SG_TOKEN_DOTTED);
	return used;
}

static const struct sg_isa_variant *match(struct sg_parser *p, const char *spelling, size_t len,
					  uint32_t line, uint32_t column)
{
	struct sg_isa_variant *variant = sg_load_alloc(p->load, sizeof(*variant));
	char mnemonic[64];
	const char *wrong;

	switch (sg_isa_match(spelling, len, variant)) {
	case SG_ISA_NO_MNEMONIC:
		sg_load_fail(p->load, -ENOTSUP, line, column, "%.120s: no such instruction",
			     spelling);
	case SG_ISA_NO_FORM:
		sg_load_fail(p->load, -ENOTSUP, line, column,
			     "%.120s: the instruction is known, not with these suffixes", spelling);
	default:
		break;
	}
	if (variant->row->feature != SG_FEATURE_RUNS) {
		sg_isa_mnemonic(variant->row, mnemonic, sizeof(mnemonic));
		sg_load_fail(p->load, -ENOTSUP, line, column, "%s: %s %s not supported by softgpu",
			     mnemonic, sg_isa_feature_text(variant->row->feature),
			     sg_isa_feature_verb(variant->row->feature));
	}
	wrong = sg_isa_rule(variant);
	if (wrong != NULL)
		sg_load_fail(p->load, -EINVAL, line, column, "%.120s: %s", spelling, wrong);
	return variant;
}

/* Each spelling is matched against the table once. */
static const struct sg_isa_variant *read_mnemonic(struct sg_parser *p)
{
	uint32_t line = p->lex.token.line, column = p->lex.token.column;
	char spelling[SPELLING_BYTES];
	size_t len = read_spelling(p, spelling);
	struct sg_symbol *known = sg_scope_find(&p->variants, spelling, len);

	if (known == NULL) {
		known = sg_scope_add(&p->variants, sg_load_text(p->load, spelling, len), len,
				     SG_SYMBOL_VARIANT, line);
		known->object = (void *)match(p, spelling, len, line, column);
	}
	return known->object;
}

/* --- operands -------------------------------------------------------------------------------- */

/* The digits of ".b3210": three bits each, at most four. Return: 0 if the text is no selector. */
static uint16_t parse_selector(const char *text, size_t len_bytes)
{
	uint16_t digits = 0;

	if (len_bytes < 2 || len_bytes > 5 || (text[0] != 'b' && text[0] != 'h'))
		return 0;
	for (size_t i = 1; i < len_bytes; i++) {
		if (text[i] < '0' || text[i] > '7')
			return 0;
		digits = (uint16_t)(digits << 3 | (text[i] - '0'));
	}
	return (uint16_t)(SG_SELECTOR | (text[0] == 'h' ? SG_SELECTOR_HALF : 0) |
			  (unsigned)(len_bytes - 2) << SG_SELECTOR_COUNT_SHIFT | digits);
}

/* What follows a register without a blank: ".x" of a vector, ".b0" of a video instruction. */
static void read_register_suffix(struct sg_parser *p, const struct sg_symbol *symbol,
				 struct sg_operand *out)
{
	const struct sg_token *token = &p->lex.token;
	static const char letters[] = "xyzwrgba";
	const char *letter;

	if (token->kind != SG_TOKEN_DOTTED || !token->glued)
		return;
	if (symbol->kind == SG_SYMBOL_REG && symbol->vector > 1) {
		letter = token->len_bytes == 1 ? strchr(letters, token->text[0]) : NULL;
		if (letter == NULL || (letter - letters) % 4 >= symbol->vector)
			sg_lex_fail_expected(&p->lex, "a component of this vector");
		out->reg += (uint32_t)((letter - letters) % 4);
	} else {
		out->selector = parse_selector(token->text, token->len_bytes);
		if (out->selector == 0)
			sg_lex_fail_expected(&p->lex, "an operand without a suffix");
	}
	sg_lex_next(&p->lex);
}

/* A vector register as a whole is the list of its parts. */
static void spread_vector(struct sg_parser *p, const struct sg_symbol *symbol,
			  struct sg_operand *out)
{
	struct sg_operand *elements = sg_load_array(p->load, symbol->vector,
						    sizeof(struct sg_operand));

	for (unsigned i = 0; i < symbol->vector; i++)
		elements[i] = (struct sg_operand){ .kind = SG_OPERAND_REG, .reg = out->reg + i };
	out->kind = SG_OPERAND_VECTOR;
	out->count = symbol->vector;
	out->elements = elements;
}

static void read_special(struct sg_parser *p, struct sg_operand *out)
{
	char name[48];
	const struct sg_token *token = &p->lex.token;
	size_t len = token->len_bytes;
	enum sg_sreg sreg;
	unsigned component;

	if (len < 2 || len > sizeof(name) - 4 || token->text[0] != '%')
		sg_parse_fail(p, -EINVAL, "'%.*s' is not declared", (int)(len > 80 ? 80 : len),
			      token->text);
	memcpy(name, token->text, len);
	name[len] = '\0';
	sg_lex_next(&p->lex);
	if (token->kind == SG_TOKEN_DOTTED && token->glued && token->len_bytes <= 2) {
		name[len++] = '.';
		memcpy(name + len, token->text, token->len_bytes);
		len += token->len_bytes;
		name[len] = '\0';
		sg_lex_next(&p->lex);
	}
	if (sg_isa_find_sreg(name + 1, len - 1, &sreg, &component) != 0)
		sg_parse_fail(p, -EINVAL, "'%s' is neither declared nor a special register", name);
	out->kind = SG_OPERAND_SREG;
	out->reg = sreg;
	out->value = component;
}

static int64_t read_offset(struct sg_parser *p)
{
	struct sg_value value;

	if (!sg_lex_is_punct(&p->lex, '+') && !sg_lex_is_punct(&p->lex, '-'))
		return 0;
	value = sg_parse_constant(p);
	if (value.kind != SG_OPERAND_INT)
		sg_parse_fail(p, -EINVAL, "an offset that is no integer");
	return (int64_t)value.bits;
}

static void read_word(struct sg_parser *p, struct sg_operand *out)
{
	const struct sg_token *token = &p->lex.token;
	uint32_t reg = 0;
	struct sg_symbol *symbol = sg_parse_find(p, token->text, token->len_bytes, &reg);

	if (symbol == NULL) {
		read_special(p, out);
		return;
	}
	sg_lex_next(&p->lex);
	switch (symbol->kind) {
	case SG_SYMBOL_REG:
	case SG_SYMBOL_RANGE: {
		bool dotted = token->kind == SG_TOKEN_DOTTED && token->glued;

		out->kind = SG_OPERAND_REG;
		out->reg = reg;
		read_register_suffix(p, symbol, out);
		if (symbol->kind == SG_SYMBOL_REG && symbol->vector > 1 && !dotted)
			spread_vector(p, symbol, out);
		break;
	}
	case SG_SYMBOL_VAR:
		out->kind = SG_OPERAND_VAR;
		out->var = symbol->object;
		out->value = read_offset(p);
		break;
	case SG_SYMBOL_FUNC:
		out->kind = SG_OPERAND_FUNC;
		out->func = symbol->object;
		break;
	default:
		sg_parse_fail(p, -EINVAL, "'%.*s' cannot be an operand here",
			      (int)(symbol->name_bytes > 80 ? 80 : symbol->name_bytes),
			      symbol->name);
	}
}

static void read_constant(struct sg_parser *p, struct sg_operand *out)
{
	struct sg_value value = sg_parse_constant(p);

	out->kind = value.kind;
	out->value = (int64_t)value.bits;
	out->is_unsigned = value.is_unsigned;
}

static bool is_name(struct sg_parser *p)
{
	return p->lex.token.kind == SG_TOKEN_WORD && !sg_lex_is(&p->lex, SG_TOKEN_WORD, "WARP_SZ");
}

/* "[base+offset]", the bracket was read. */
static void read_address(struct sg_parser *p, struct sg_operand *out)
{
	struct sg_operand base = { .kind = SG_OPERAND_NONE };

	out->kind = SG_OPERAND_ADDRESS;
	out->reg = SG_PTX_NO_REGISTER;
	if (is_name(p)) {
		read_word(p, &base);
		out->value = base.value;
		if (base.kind == SG_OPERAND_REG && base.selector == 0) {
			out->reg = base.reg;
			out->value = read_offset(p);
		} else if (base.kind == SG_OPERAND_VAR) {
			out->var = base.var;
		} else {
			sg_parse_fail(p, -EINVAL,
				      "an address is a register or a variable, and an offset");
		}
	} else {
		struct sg_value value = sg_parse_constant(p);

		if (value.kind != SG_OPERAND_INT)
			sg_parse_fail(p, -EINVAL, "an address that is no integer");
		out->value = (int64_t)value.bits;
	}
	sg_lex_expect_punct(&p->lex, ']', "after an address");
}

/* "{a, b}", the brace was read. */
static void read_vector(struct sg_parser *p, struct sg_operand *out)
{
	struct sg_operand *elements = sg_load_array(p->load, SG_PTX_VECTOR_MAX,
						    sizeof(struct sg_operand));

	out->kind = SG_OPERAND_VECTOR;
	out->elements = elements;
	do {
		if (out->count == SG_PTX_VECTOR_MAX)
			sg_parse_fail(p, -E2BIG, "a vector of more than %d elements",
				      SG_PTX_VECTOR_MAX);
		if (sg_lex_is_punct(&p->lex, '{') || sg_lex_is_punct(&p->lex, '['))
			sg_lex_fail_expected(&p->lex, "an element of a vector");
		read_operand(p, &elements[out->count++]);
	} while (sg_lex_accept_punct(&p->lex, ','));
	sg_lex_expect_punct(&p->lex, '}', "after a vector");
	/* "{%r1}" is %r1, as Triton writes it for all loads */
	if (out->count == 1)
		*out = elements[0];
}

/* -%r1, which vmad alone has: a minus in front of a register. The token after it decides. */
static bool read_negated_register(struct sg_parser *p, struct sg_operand *out)
{
	struct sg_lex before = p->lex;

	sg_lex_next(&p->lex);
	if (!is_name(p)) {
		p->lex = before;
		return false;
	}
	read_word(p, out);
	if (out->kind != SG_OPERAND_REG)
		sg_parse_fail(p, -EINVAL, "a minus stands before a register or a constant");
	out->negated = true;
	return true;
}

static void read_single(struct sg_parser *p, struct sg_operand *out)
{
	*out = (struct sg_operand){ .column = p->lex.token.column };
	if (sg_lex_accept_punct(&p->lex, '['))
		read_address(p, out);
	else if (sg_lex_accept_punct(&p->lex, '{'))
		read_vector(p, out);
	else if (sg_lex_is(&p->lex, SG_TOKEN_WORD, "_")) {
		out->kind = SG_OPERAND_SINK;
		sg_lex_next(&p->lex);
	} else if (is_name(p)) {
		read_word(p, out);
	} else if (sg_lex_is_punct(&p->lex, '-') && read_negated_register(p, out)) {
		return;
	} else if (sg_lex_is_punct(&p->lex, '!')) {
		struct sg_lex before = p->lex;

		sg_lex_next(&p->lex);
		if (is_name(p)) {
			read_word(p, out);
			if (out->kind != SG_OPERAND_REG)
				sg_parse_fail(p, -EINVAL, "'!' stands before a predicate");
			out->negated = true;
		} else {
			p->lex = before;
			read_constant(p, out);
		}
	} else {
		read_constant(p, out);
	}
}

static void read_operand(struct sg_parser *p, struct sg_operand *out)
{
	struct sg_operand *pair;

	read_single(p, out);
	if (!sg_lex_accept_punct(&p->lex, '|'))
		return;
	if (out->kind != SG_OPERAND_REG && out->kind != SG_OPERAND_SINK)
		sg_parse_fail(p, -EINVAL, "'|' stands between two registers");
	pair = sg_load_array(p->load, 2, sizeof(*pair));
	pair[0] = *out;
	read_single(p, &pair[1]);
	*out = (struct sg_operand){ .kind = SG_OPERAND_PAIR, .count = 2, .column = out->column };
	out->elements = pair;
}

/* --- calls ----------------------------------------------------------------------------------- */

/* "(a, b)": arguments or results; none if no parenthesis stands here. */
static struct sg_operand *read_actuals(struct sg_parser *p, uint32_t *count)
{
	struct sg_operand *list = NULL;
	size_t capacity = 0;

	*count = 0;
	if (!sg_lex_accept_punct(&p->lex, '(') || sg_lex_accept_punct(&p->lex, ')'))
		return NULL;
	do {
		if (*count == SG_PTX_PARAMS_MAX)
			sg_parse_fail(p, -E2BIG, "more than %d arguments", SG_PTX_PARAMS_MAX);
		list = sg_load_grow(p->load, list, *count, &capacity, sizeof(*list));
		read_operand(p, &list[(*count)++]);
	} while (sg_lex_accept_punct(&p->lex, ','));
	sg_lex_expect_punct(&p->lex, ')', "after arguments");
	return list;
}

static void read_callee(struct sg_parser *p, struct sg_ast_call *call)
{
	struct sg_operand callee;

	if (!is_name(p))
		sg_lex_fail_expected(&p->lex, "a function");
	callee = (struct sg_operand){ 0 };
	read_word(p, &callee);
	call->reg = SG_PTX_NO_REGISTER;
	if (callee.kind == SG_OPERAND_FUNC)
		call->func = callee.func;
	else if (callee.kind == SG_OPERAND_REG && callee.selector == 0)
		call->reg = callee.reg;
	else
		sg_parse_fail(p, -EINVAL, "a call needs a function or a register");
	if (call->func != NULL && call->func->entry)
		sg_parse_fail(p, -EINVAL, "'%.80s' is a kernel and cannot be called",
			      call->func->name);
}

/* call (ret), function, (args), prototype; each but the function may be missing. */
static void read_call(struct sg_parser *p, struct sg_ast_insn *insn)
{
	struct sg_ast_call *call = sg_load_alloc(p->load, sizeof(*call));
	bool comma;

	insn->call = call;
	if (sg_lex_is_punct(&p->lex, '(')) {
		call->rets = read_actuals(p, &call->ret_count);
		sg_lex_expect_punct(&p->lex, ',', "after a call's results");
	}
	read_callee(p, call);
	comma = sg_lex_accept_punct(&p->lex, ',');
	if (comma && sg_lex_is_punct(&p->lex, '(')) {
		call->args = read_actuals(p, &call->arg_count);
		comma = sg_lex_accept_punct(&p->lex, ',');
	}
	if (comma) {
		uint32_t reg;
		struct sg_symbol *symbol = sg_parse_find(p, p->lex.token.text,
							 p->lex.token.len_bytes, &reg);

		if (p->lex.token.kind != SG_TOKEN_WORD || symbol == NULL ||
		    symbol->kind != SG_SYMBOL_PROTO)
			sg_lex_fail_expected(&p->lex, "a prototype or a list of targets");
		call->proto = symbol->object;
		sg_lex_next(&p->lex);
	} else if (call->func == NULL) {
		sg_parse_fail(p, -EINVAL, "a call through a register needs a prototype");
	}
}

/* --- instructions ---------------------------------------------------------------------------- */

static void read_guard(struct sg_parser *p, struct sg_ast_insn *insn)
{
	struct sg_operand guard = { 0 };

	insn->guard = SG_PTX_NO_REGISTER;
	if (!sg_lex_accept_punct(&p->lex, '@'))
		return;
	insn->guard_not = sg_lex_accept_punct(&p->lex, '!');
	if (!is_name(p))
		sg_lex_fail_expected(&p->lex, "a predicate after '@'");
	read_word(p, &guard);
	if (guard.kind != SG_OPERAND_REG || p->func->reg_types[guard.reg] != SG_TYPE_PRED)
		sg_parse_fail(p, -EINVAL, "a guard is a predicate");
	insn->guard = guard.reg;
	if (p->lex.token.kind != SG_TOKEN_WORD)
		sg_lex_fail_expected(&p->lex, "an instruction after its guard");
}

static struct sg_operand *new_operands(struct sg_parser *p, size_t count)
{
	return sg_load_array(p->load, count, sizeof(struct sg_operand));
}

static void read_branch(struct sg_parser *p, struct sg_ast_insn *insn)
{
	bool indexed = insn->variant->row->op == SG_OP_BRX;

	insn->count = indexed ? 2 : 1;
	insn->operands = new_operands(p, insn->count);
	if (indexed) {
		read_operand(p, &insn->operands[0]);
		sg_lex_expect_punct(&p->lex, ',', "after the index of brx");
	}
	insn->operands[insn->count - 1].kind = indexed ? SG_OPERAND_TABLE : SG_OPERAND_LABEL;
	sg_parse_label_use(p, &insn->operands[insn->count - 1].value);
}

static void read_operands(struct sg_parser *p, struct sg_ast_insn *insn)
{
	struct sg_operand list[SG_PTX_OPERANDS_MAX];

	if (sg_lex_is_punct(&p->lex, ';'))
		return;
	do {
		if (insn->count == SG_PTX_OPERANDS_MAX)
			sg_parse_fail(p, -E2BIG, "more than %d operands", SG_PTX_OPERANDS_MAX);
		read_operand(p, &list[insn->count++]);
	} while (sg_lex_accept_punct(&p->lex, ','));
	insn->operands = new_operands(p, insn->count);
	memcpy(insn->operands, list, insn->count * sizeof(list[0]));
}

void sg_parse_insn(struct sg_parser *p)
{
	struct sg_ast_func *func = p->func;
	struct sg_ast_insn insn = { 0 };

	read_guard(p, &insn);
	insn.line = p->lex.token.line;
	insn.column = p->lex.token.column;
	insn.variant = read_mnemonic(p);
	switch (insn.variant->row->op) {
	case SG_OP_BRA:
	case SG_OP_BRX:
		read_branch(p, &insn);
		break;
	case SG_OP_CALL:
		read_call(p, &insn);
		break;
	default:
		read_operands(p, &insn);
	}
	sg_lex_expect_punct(&p->lex, ';', "after an instruction");
	func->insns = sg_load_grow(p->load, func->insns, func->insn_count, &func->insn_capacity,
				   sizeof(*func->insns));
	func->insns[func->insn_count++] = insn;
}
