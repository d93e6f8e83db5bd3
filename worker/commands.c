/* SPDX-License-Identifier: GPL-2.0-or-later */
/* commands.c - judges a program's command and has it carried out */

#include "worker/commands.h"

#include <errno.h>
#include <string.h>

#include "common/util.h"
#include "common/wire/cmds_check.h"
#include "worker/run.h"
#include "worker/waits.h"

static CUresult (*const functions[VGPU_CMD_MOST])(struct program *program,
						  const struct vgpu_command *command,
						  uint64_t *values) = {
#define FUNCTION(number, NAME, name, WAY, WORK, ANSWER, tail, fields) [number] = run_##name,
	VGPU_COMMAND_TABLE(FUNCTION)
#undef FUNCTION
};

/* Return: whether a new object may have that number. */
static bool is_free(struct program *program, uint8_t kind, uint32_t number)
{
	static const enum handles_kind what[] = {
		[CMDS_NEW_STREAM] = HANDLES_STREAM, [CMDS_NEW_EVENT] = HANDLES_EVENT,
		[CMDS_NEW_MODULE] = HANDLES_MODULE, [CMDS_NEW_FUNCTION] = HANDLES_FUNCTION,
		[CMDS_NEW_POOL] = HANDLES_POOL,
	};
	struct handles_entry entry;

	return number != 0 && number <= VGPU_HANDLES_MOST &&
	       !program_find(program, what[kind], number, &entry);
}

/* Judges what can be judged by a field's kind. bytes: of the field behind it, for positions. */
static CUresult judge_field(struct program *program, const struct cmds_field *field, uint64_t value,
			    uint64_t bytes)
{
	switch ((enum cmds_kind)field->kind) {
	case CMDS_READ_AT:
	case CMDS_WRITE_AT:
		return window_is_own(&program->window, value, bytes) ? CUDA_SUCCESS
								     : CUDA_ERROR_INVALID_VALUE;
	case CMDS_PIECES_AT:
		return bytes > 0 && value % VGPU_PIECE == 0 && bytes % VGPU_PIECE == 0 &&
				       window_is_own(&program->window, value, bytes)
			       ? CUDA_SUCCESS
			       : CUDA_ERROR_INVALID_VALUE;
	case CMDS_NEW_STREAM:
	case CMDS_NEW_EVENT:
	case CMDS_NEW_MODULE:
	case CMDS_NEW_FUNCTION:
	case CMDS_NEW_POOL:
		return is_free(program, field->kind, (uint32_t)value) ? CUDA_SUCCESS
								      : CUDA_ERROR_INVALID_HANDLE;
	default: /* by the function, or with the field before */
		return CUDA_SUCCESS;
	}
}

/* What the function itself finds or judges: nothing is to be looked at before it runs. */
#define BY_THE_FUNCTION                                                                  \
	(1u << CMDS_NUMBER | 1u << CMDS_ADDRESS | 1u << CMDS_STREAM | 1u << CMDS_EVENT | \
	 1u << CMDS_MODULE | 1u << CMDS_FUNCTION | 1u << CMDS_POOL)

static CUresult judge(struct program *program, const struct cmds_entry *entry,
		      const struct vgpu_command *command)
{
	CUresult result = CUDA_SUCCESS;
	uint32_t at = 0;

	if ((entry->kinds & ~BY_THE_FUNCTION) == 0)
		return CUDA_SUCCESS;
	for (const struct cmds_field *field = entry->fields;
	     field->kind != CMDS_END && result == CUDA_SUCCESS; field++) {
		const struct cmds_field *next = field + 1;
		uint64_t value, bytes = 0;

		if (field->kind == CMDS_NUMBER) {
			at += field->bytes;
			continue;
		}
		value = cmds_value(command, field, at);
		at += field->bytes;
		if (next->kind != CMDS_END)
			bytes = cmds_value(command, next, at);
		result = judge_field(program, field, value, bytes);
	}
	return result;
}

/* Tells the program how a command ended: by its slot, or by the control page if it failed. */
static void answer(struct program *program, const struct vgpu_command *command, CUresult result,
		   const uint64_t *values)
{
	bool is_first;

	program_note(program, result);
	if (command->reply != VGPU_NO_REPLY) {
		channel_reply(&program->channel, command, (int32_t)result, values);
		return;
	}
	if (result == CUDA_SUCCESS)
		return;
	pthread_mutex_lock(&program->lock);
	is_first = program->error == CUDA_SUCCESS;
	if (is_first)
		program->error = (int32_t)result;
	pthread_mutex_unlock(&program->lock);
	if (is_first)
		channel_error(&program->channel, (int32_t)result);
}

/* What goes on when the context is lost: reading what a kernel said, and what is only counted. */
static bool works_without_context(uint16_t op)
{
	return op == VGPU_CMD_NOP || op == VGPU_CMD_TEXT_TAKE || op == VGPU_CMD_REFUSED;
}

/* Return: whether the command's reply bears the first error of those that had none. */
static bool bears_error(const struct cmds_entry *entry, uint16_t op)
{
	return entry->way == CMDS_WAIT || op == VGPU_CMD_CONTEXT_SYNCHRONIZE;
}

/* Return: whether the command's success says that work is done. */
static bool is_query(uint16_t op)
{
	return op == VGPU_CMD_STREAM_QUERY || op == VGPU_CMD_EVENT_QUERY;
}

/* A poll says nothing that its program's next command would not, and there may be millions. */
static uint64_t begin_trace(const struct program *program, uint16_t op)
{
	return is_query(op) || op == VGPU_CMD_NOP ? 0 : trace_begin(&program->report.trace);
}

/* Claims the reply's slot. Return: whether the program may use it. */
static bool claim(struct program *program, uint32_t slot)
{
	if (slot == VGPU_NO_REPLY || channel_claim(&program->channel, slot))
		return true;
	/* The GPU may have answered the last one, which nothing has noticed yet. */
	waits_look_at(program, slot);
	return channel_claim(&program->channel, slot);
}

int commands_run(struct program *program, const struct vgpu_command *command)
{
	const struct cmds_entry *entry = cmds_find(command->op);
	CUresult result, error = CUDA_SUCCESS;
	uint64_t values[7] = { 0 }, begun_ns;

	if (cmds_check(command) != CMDS_FINE || !claim(program, command->reply))
		return -EPROTO;
	report_command(&program->report, entry, command);
	begun_ns = begin_trace(program, command->op);
	result = works_without_context(command->op) ? CUDA_SUCCESS : program_sticky(program);
	if (result == CUDA_SUCCESS)
		result = judge(program, entry, command);
	if (result == CUDA_SUCCESS && entry->way == CMDS_ISSUE) {
		result = functions[command->op](program, command, values);
		if (result == CUDA_SUCCESS && is_query(command->op))
			report_close(&program->report, util_now_ns());
		trace_command(&program->report.trace, command, begun_ns, result != CUDA_SUCCESS);
		answer(program, command, result, values);
		return 0;
	}
	if (result == CUDA_SUCCESS && bears_error(entry, command->op))
		error = program_take_error(program);
	if (result == CUDA_SUCCESS && entry->way == CMDS_WAIT) {
		values[0] = (uint64_t)error; /* what the reply says unless the wait itself fails */
		result = functions[command->op](program, command, values);
		if (result == CUDA_SUCCESS)
			return 0;
		values[0] = 0;
	} else if (result == CUDA_SUCCESS) {
		if (helpers_push(&program->helpers, command, (int32_t)error) == 0)
			return 0;
		result = CUDA_ERROR_OUT_OF_MEMORY;
	}
	answer(program, command, result, values);
	return 0;
}

void commands_refuse(struct program *program, const struct vgpu_command *command, CUresult result)
{
	const uint64_t values[7] = { 0 };

	if (command->reply == VGPU_NO_REPLY || claim(program, command->reply))
		answer(program, command, result, values);
}

void commands_run_job(struct program *program, const struct helpers_job *job)
{
	const struct vgpu_command *command = (const struct vgpu_command *)job->command;
	const struct cmds_entry *entry = cmds_find(command->op);
	uint64_t begun_ns = begin_trace(program, command->op);
	CUresult result = program_sticky(program);
	uint64_t values[7] = { 0 };

	if (result == CUDA_SUCCESS && entry->way == CMDS_WAIT)
		result = run_wait_here(program, command);
	else if (result == CUDA_SUCCESS)
		result = functions[command->op](program, command, values);
	program_note(program, result);
	if (bears_error(entry, command->op)) {
		report_waited(&program->report);
		program_drain(program);
	}
	trace_command(&program->report.trace, command, begun_ns, result != CUDA_SUCCESS);
	answer(program, command, result != CUDA_SUCCESS ? result : (CUresult)job->pending, values);
}
