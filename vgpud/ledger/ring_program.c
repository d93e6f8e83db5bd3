/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ring_program.c - what a record of the ring says of a guest's program */

#include <string.h>

#include "vgpud/ledger/ring_private.h"

static struct ring_program common_of(const struct ledger_program *program)
{
	return (struct ring_program){
		.id = program->id,
		.begun_ns = program->begun_ns,
		.vm_id = program->vm_id,
		.uid = program->uid,
		.pool = program->pool,
		.priority = program->priority,
		.executor = program->executor,
		.device = program->device,
		.pid = program->pid,
	};
}

static uint32_t refused_of(const struct ledger_program *program)
{
	if (program->refused == LEDGER_UNKNOWN)
		return UINT32_MAX;
	return program->refused < UINT32_MAX ? (uint32_t)program->refused : UINT32_MAX - 1;
}

void ring_program_write(struct ring_record *record, const struct ledger_program *program)
{
	if (record->kind == RING_PROGRAM_BEGUN) {
		struct ring_program_begun *begun = &record->body.begun;

		begun->program = common_of(program);
		memcpy(begun->name, program->name, sizeof(begun->name));
		return;
	}
	record->body.ended = (struct ring_program_ended){
		.program = common_of(program),
		.ended_ns = program->ended_ns,
		.billed_ns = program->billed_ns,
		.memory_peak_bytes = program->memory_peak_bytes,
		.memory_byte_s = program->memory_byte_s,
		.submissions = program->submissions,
		.commands = program->commands,
		.launches = program->launches,
		.copies = program->copies,
		.copy_bytes = program->copy_bytes,
		.why = program->why,
		.refused = refused_of(program),
	};
}

static void read_common(const struct ring_program *from, struct ledger_program *program)
{
	*program = (struct ledger_program){
		.id = from->id,
		.begun_ns = from->begun_ns,
		.vm_id = from->vm_id,
		.uid = from->uid,
		.pid = from->pid,
		.pool = from->pool,
		.priority = from->priority,
		.executor = from->executor,
		.device = from->device,
	};
}

void ring_program_read(const struct ring_record *record, struct ledger_program *program)
{
	const struct ring_program_ended *ended = &record->body.ended;

	if (record->kind == RING_PROGRAM_BEGUN) {
		read_common(&record->body.begun.program, program);
		memcpy(program->name, record->body.begun.name, sizeof(program->name));
		program->name[sizeof(program->name) - 1] = '\0';
		return;
	}
	read_common(&ended->program, program);
	program->ended_ns = ended->ended_ns;
	program->why = ended->why;
	program->billed_ns = ended->billed_ns;
	program->memory_peak_bytes = ended->memory_peak_bytes;
	program->memory_byte_s = ended->memory_byte_s;
	program->submissions = ended->submissions;
	program->commands = ended->commands;
	program->launches = ended->launches;
	program->copies = ended->copies;
	program->copy_bytes = ended->copy_bytes;
	program->refused = ended->refused != UINT32_MAX ? ended->refused : LEDGER_UNKNOWN;
}
