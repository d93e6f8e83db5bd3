/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names.c - numbers of the guest ABI to names, and back */

#include "common/names.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "common/wire/vgpu_proto.h"
#include "common/wire/vgpu_regs.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The tables of the headers are dense and start at 0, so a number is its own index; opcodes' is
 * not. */
#define SYMBOL_ROW(value, name, ...) [value] = #name,
#define NAME_ROW(value, name, text, ...) [value] = text,
#define OPCODE_ROW(value, name, text, params, data_unit, what) { value, text, what },

static const char *const error_names[] = { VGPU_ERROR_TABLE(SYMBOL_ROW) };
static const char *const error_texts[] = { VGPU_ERROR_TABLE(NAME_ROW) };
static const struct {
	uint32_t opcode;
	const char *name, *text;
} opcodes[] = { VGPU_OPCODE_TABLE(OPCODE_ROW) };
static const char *const status_names[] = { VGPU_STATUS_TABLE(NAME_ROW) };
static const char *const priority_names[] = { VGPU_PRIORITY_TABLE(NAME_ROW) };
static const char *const executor_names[] = { VGPU_EXECUTOR_TABLE(NAME_ROW) };

_Static_assert(ARRAY_SIZE(error_names) == VGPU_ERROR_NUM, "an error code has no name");
_Static_assert(ARRAY_SIZE(opcodes) == VGPU_OPCODE_NUM, "an opcode has no name");
_Static_assert(ARRAY_SIZE(priority_names) == VGPU_PRIORITY_NUM, "a priority has no name");

static const char *lookup(const char *const *table, size_t count, uint32_t value)
{
	return value < count && table[value] ? table[value] : "?";
}

static int reverse(const char *const *table, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (table[i] && strcmp(table[i], name) == 0)
			return (int)i;
	}
	return -ENOENT;
}

const char *name_error(uint32_t error)
{
	return lookup(error_names, ARRAY_SIZE(error_names), error);
}

const char *name_error_text(uint32_t error)
{
	return lookup(error_texts, ARRAY_SIZE(error_texts), error);
}

const char *name_opcode(uint32_t opcode)
{
	for (size_t i = 0; i < ARRAY_SIZE(opcodes); i++)
		if (opcodes[i].opcode == opcode)
			return opcodes[i].name;
	return "?";
}

const char *name_opcode_text(uint32_t opcode)
{
	for (size_t i = 0; i < ARRAY_SIZE(opcodes); i++)
		if (opcodes[i].opcode == opcode)
			return opcodes[i].text;
	return "?";
}

const char *name_opcode_at(unsigned index)
{
	return index < ARRAY_SIZE(opcodes) ? opcodes[index].name : NULL;
}

static const struct {
	uint32_t end;
	const char *name, *text;
} ends[] = {
#define END_ROW(value, NAME, name, result, words) { value, name, words },
	VGPU_END_TABLE(END_ROW)
#undef END_ROW
};

unsigned name_end_index(uint32_t end)
{
	for (unsigned i = 0; i < ARRAY_SIZE(ends); i++)
		if (ends[i].end == end)
			return i;
	return 0;
}

const char *name_end(uint32_t end)
{
	return ends[name_end_index(end)].name;
}

const char *name_end_text(uint32_t end)
{
	return ends[name_end_index(end)].text;
}

const char *name_end_at(unsigned index)
{
	return index < ARRAY_SIZE(ends) ? ends[index].name : NULL;
}

const char *name_status(uint32_t status)
{
	return lookup(status_names, ARRAY_SIZE(status_names), status);
}

const char *name_priority(uint32_t priority)
{
	return lookup(priority_names, ARRAY_SIZE(priority_names), priority);
}

const char *name_executor(uint32_t executor)
{
	return lookup(executor_names, ARRAY_SIZE(executor_names), executor);
}

int name_to_opcode(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(opcodes); i++)
		if (strcmp(opcodes[i].name, name) == 0)
			return (int)opcodes[i].opcode;
	return -ENOENT;
}

int name_to_priority(const char *name)
{
	return reverse(priority_names, ARRAY_SIZE(priority_names), name);
}
