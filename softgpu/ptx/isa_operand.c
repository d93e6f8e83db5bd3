/* SPDX-License-Identifier: GPL-2.0-or-later */
/* isa_operand.c - the operands column of isa.def, read for one variant */

#include <string.h>

#include "softgpu/ptx/isa.h"

static enum sg_type twice(enum sg_type type)
{
	switch (type) {
	case SG_TYPE_U16:
		return SG_TYPE_U32;
	case SG_TYPE_S16:
		return SG_TYPE_S32;
	case SG_TYPE_U32:
		return SG_TYPE_U64;
	case SG_TYPE_S32:
		return SG_TYPE_S64;
	default:
		return SG_TYPE_NONE;
	}
}

/* A letter of the column, or a type's name. */
static void read_form(const struct sg_isa_variant *v, const char *text, size_t len_bytes,
		      struct sg_isa_operand *out)
{
	out->form = SG_FORM_VALUE;
	if (len_bytes > 1) {
		out->type = sg_isa_find_type(text, len_bytes);
		return;
	}
	out->type = v->type[0];
	switch (text[0]) {
	case 's':
		out->type = v->type[1];
		break;
	case 'r':
		out->type = v->type[2];
		break;
	case 'w':
		out->type = twice(v->type[0]);
		break;
	case 'p':
		out->type = SG_TYPE_PRED;
		break;
	case 'T':
		out->form = SG_FORM_RELAXED;
		break;
	case 'S':
		out->form = SG_FORM_RELAXED;
		out->type = v->type[1];
		break;
	case 'v':
		out->form = SG_FORM_VECTOR;
		break;
	case 'a':
		out->form = SG_FORM_POINTER;
		break;
	case 'm':
		out->form = SG_FORM_ADDRESS;
		break;
	case 'i':
		out->form = SG_FORM_INTEGER;
		break;
	default: /* 't' */
		break;
	}
}

static void read_one(const struct sg_isa_variant *v, const char *text, size_t len_bytes,
		     struct sg_isa_operand *out)
{
	memset(out, 0, sizeof(*out));
	for (; len_bytes > 0 && (*text == '~' || *text == '='); text++, len_bytes--) {
		out->selector |= *text == '~';
		out->written |= *text == '=';
	}
	if (len_bytes > 0 && text[len_bytes - 1] == '?') {
		out->optional = true;
		len_bytes--;
	}
	if (len_bytes > 2 && memcmp(text + len_bytes - 2, "|p", 2) == 0) {
		out->pair = true;
		len_bytes -= 2;
	}
	read_form(v, text, len_bytes, out);
}

int sg_isa_operands(const struct sg_isa_variant *variant,
		    struct sg_isa_operand out[SG_ISA_OPERANDS_MAX])
{
	const char *text = variant->row->operands;
	int count = 0;

	if (strcmp(text, "*") == 0)
		return -1;
	while (*text != '\0' && count < SG_ISA_OPERANDS_MAX) {
		size_t len_bytes = strcspn(text, ",");

		read_one(variant, text, len_bytes, &out[count++]);
		text += len_bytes + (text[len_bytes] == ',');
	}
	return count;
}
