/* SPDX-License-Identifier: MIT */
/* cmds_check.c - what the table of commands says about one command: its size, its fields */

#include "common/wire/cmds_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define IS_SIGNED(type) __builtin_types_compatible_p(type, int32_t)

/* fields_nop[] and so on, each ending in a row of zeros. */
#define F(type, name, kind) { #name, CMDS_##kind, sizeof(type), IS_SIGNED(type) },
#define FIELDS(number, NAME, name, WAY, WORK, ANSWER, tail, fields) \
	static const struct cmds_field fields_##name[] = { fields{ NULL, CMDS_END, 0, 0 } };
VGPU_COMMAND_TABLE(FIELDS)
#undef FIELDS
#undef F

#define F(type, name, kind) | 1u << CMDS_##kind
static const struct cmds_entry entries[VGPU_CMD_MOST] = {
#define ENTRY(number, NAME, name_, WAY, WORK, ANSWER, tail, args_) \
	[number] = {                                               \
		.name = #name_,                                    \
		.way = CMDS_##WAY,                                 \
		.work = CMDS_##WORK,                               \
		.answer = CMDS_##ANSWER,                           \
		.args_bytes = sizeof(struct vgpu_cmd_##name_),     \
		.tail_most = tail,                                 \
		.kinds = 0 args_,                                  \
		.fields = fields_##name_,                          \
	},
	VGPU_COMMAND_TABLE(ENTRY)
#undef ENTRY
};
#undef F

#define F(type, name, kind)
#define FITS(number, NAME, name, WAY, WORK, ANSWER, tail, fields)                               \
	_Static_assert((number) > 0 && (number) < VGPU_CMD_MOST, #name);                        \
	_Static_assert(sizeof(struct vgpu_command) + sizeof(struct vgpu_cmd_##name) + (tail) <= \
			       VGPU_COMMAND_MOST,                                               \
		       #name);
VGPU_COMMAND_TABLE(FITS)
#undef FITS
#undef F

const struct cmds_entry *cmds_find(unsigned op)
{
	return op < VGPU_CMD_MOST && entries[op].name != NULL ? &entries[op] : NULL;
}

enum cmds_fault cmds_check(const struct vgpu_command *head)
{
	const struct cmds_entry *entry = cmds_find(head->op);
	uint32_t least;

	if (entry == NULL)
		return CMDS_FAULT_OP;
	least = (uint32_t)sizeof(*head) + entry->args_bytes;
	if (head->bytes < least || head->bytes - least > entry->tail_most)
		return CMDS_FAULT_BYTES;
	if (head->reply == VGPU_NO_REPLY)
		return entry->answer == CMDS_ALWAYS ? CMDS_FAULT_REPLY : CMDS_FINE;
	return head->reply < VGPU_REPLIES ? CMDS_FINE : CMDS_FAULT_REPLY;
}

uint64_t cmds_value(const struct vgpu_command *command, const struct cmds_field *field, uint32_t at)
{
	const uint8_t *from = (const uint8_t *)(command + 1) + at;
	uint64_t wide;
	uint32_t narrow;

	if (field->bytes == sizeof(wide)) {
		memcpy(&wide, from, sizeof(wide));
		return wide;
	}
	memcpy(&narrow, from, sizeof(narrow));
	return field->is_signed ? (uint64_t)(int64_t)(int32_t)narrow : narrow;
}

uint64_t cmds_copied(const struct vgpu_command *command)
{
	const void *args = command + 1;
	uint64_t bytes;

	if (command->op == VGPU_CMD_COPY_IN)
		return command->bytes - sizeof(*command) - sizeof(struct vgpu_cmd_copy_in);
	if (command->op == VGPU_CMD_COPY)
		return ((const struct vgpu_cmd_copy *)args)->bytes;
	if (command->op == VGPU_CMD_COPY_WAIT)
		return ((const struct vgpu_cmd_copy_wait *)args)->bytes;
	if (command->op == VGPU_CMD_COPY_BOX) {
		const struct vgpu_cmd_copy_box *box = args;

		if (__builtin_mul_overflow(box->width_bytes, box->rows, &bytes) ||
		    __builtin_mul_overflow(bytes, box->planes, &bytes))
			return 0;
		return bytes;
	}
	return 0;
}

/* Appends, counting what is cut too. */
#define APPEND(...)                                                                                \
	(used += (size_t)snprintf(used < size ? text + used : NULL, used < size ? size - used : 0, \
				  __VA_ARGS__))

size_t cmds_print(const struct vgpu_command *command, char *text, size_t size)
{
	const struct cmds_entry *entry = cmds_find(command->op);
	uint32_t at = 0;
	size_t used = 0;

	if (entry == NULL) {
		APPEND("op %u", command->op);
		return used;
	}
	APPEND("%s", entry->name);
	for (const struct cmds_field *field = entry->fields; field->kind != CMDS_END; field++) {
		uint64_t value = cmds_value(command, field, at);

		if (field->kind == CMDS_NUMBER && field->is_signed)
			APPEND(" %s=%" PRId64, field->name, (int64_t)value);
		else if (field->bytes == sizeof(value))
			APPEND(" %s=0x%" PRIx64, field->name, value);
		else
			APPEND(" %s=%" PRIu64, field->name, value);
		at += field->bytes;
	}
	if (command->bytes > sizeof(*command) + at)
		APPEND(" +%u", (unsigned)(command->bytes - sizeof(*command) - at));
	if (command->reply != VGPU_NO_REPLY)
		APPEND(" reply=%u/%u", command->reply, command->sequence);
	return used;
}
