/* SPDX-License-Identifier: GPL-2.0-or-later */
/* programs.c - the rows of the guests' programs */

/*
 * A program's row is there from its beginning on, without an end. So no table of pending programs
 * is needed, and a long one can be seen while it runs. Exactly one row: the id is its key, and only a
 * row without an end takes one. A record that is taken twice, after a crash, changes nothing.
 */

#include "vgpud/ledger/programs.h"

#include "common/util.h"
#include "common/wire/vgpu_ends.h"

static void bind_begin(sqlite3_stmt *statement, const struct ledger_program *program,
		       int64_t wall_offset_ns)
{
	sqlite3_bind_int64(statement, 1, (int64_t)program->id);
	sqlite3_bind_int64(statement, 2, (int64_t)program->begun_ns + wall_offset_ns);
	sqlite3_bind_int64(statement, 3, program->vm_id);
	sqlite3_bind_int64(statement, 4, program->pid);
	if (program->uid != UINT32_MAX)
		sqlite3_bind_int64(statement, 5, program->uid);
	else
		sqlite3_bind_null(statement, 5);
	sqlite3_bind_text(statement, 6, (const char *)&program->pool, 1, SQLITE_STATIC);
	sqlite3_bind_int(statement, 7, program->priority);
	sqlite3_bind_int(statement, 8, program->executor);
	sqlite3_bind_int(statement, 9, program->device);
}

int ledger_programs_begin(struct ledger_db *db, const struct ledger_program *program,
			  int64_t wall_offset_ns)
{
	sqlite3_stmt *statement = db->statement[LEDGER_DB_PROGRAM_BEGIN];

	bind_begin(statement, program, wall_offset_ns);
	sqlite3_bind_text(statement, 10, program->name, -1, SQLITE_STATIC);
	return ledger_db_run(db, LEDGER_DB_PROGRAM_BEGIN);
}

/* sqlite's integers are signed: a larger figure, which only a worker can claim, is cut. */
static void bind_figure(sqlite3_stmt *statement, int at, uint64_t figure)
{
	if (figure == LEDGER_UNKNOWN)
		sqlite3_bind_null(statement, at);
	else
		sqlite3_bind_int64(statement, at, figure > INT64_MAX ? INT64_MAX : (int64_t)figure);
}

/* ?13 to ?21 of the statements that set figures. */
static void bind_figures(sqlite3_stmt *statement, const struct ledger_program *program)
{
	const uint64_t figures[] = { program->billed_ns,     program->memory_peak_bytes,
				     program->memory_byte_s, program->submissions,
				     program->commands,	     program->launches,
				     program->copies,	     program->copy_bytes,
				     program->refused };

	for (int i = 0; i < (int)(sizeof(figures) / sizeof(figures[0])); i++)
		bind_figure(statement, 13 + i, figures[i]);
}

int ledger_programs_end(struct ledger_db *db, const struct ledger_program *program,
			int64_t wall_offset_ns, bool *again)
{
	sqlite3_stmt *statement = db->statement[LEDGER_DB_PROGRAM_END];
	int err;

	bind_begin(statement, program, wall_offset_ns);
	sqlite3_bind_int64(statement, 11, (int64_t)program->ended_ns + wall_offset_ns);
	sqlite3_bind_int64(statement, 12, program->why);
	bind_figures(statement, program);
	err = ledger_db_run(db, LEDGER_DB_PROGRAM_END);
	*again = err == 0 && sqlite3_changes(db->conn) == 0;
	return err;
}

int ledger_programs_use(struct ledger_db *db, const struct ledger_program *program, int64_t at_ns)
{
	sqlite3_stmt *statement = db->statement[LEDGER_DB_PROGRAM_USED];

	sqlite3_bind_int64(statement, 1, (int64_t)program->id);
	sqlite3_bind_int64(statement, 11, at_ns);
	bind_figures(statement, program);
	return ledger_db_run(db, LEDGER_DB_PROGRAM_USED);
}

int ledger_programs_lose(struct ledger_db *db, int64_t *lost)
{
	int err = ledger_db_begin(db);

	if (err == 0) {
		sqlite3_bind_int64(db->statement[LEDGER_DB_PROGRAMS_LOSE_TELL], 1, util_wall_ns());
		err = ledger_db_run(db, LEDGER_DB_PROGRAMS_LOSE_TELL);
	}
	if (err == 0) {
		sqlite3_bind_int(db->statement[LEDGER_DB_PROGRAMS_LOSE], 1, VGPU_END_HOST_LOST);
		err = ledger_db_run(db, LEDGER_DB_PROGRAMS_LOSE);
	}
	if (err == 0)
		*lost += sqlite3_changes(db->conn);
	return ledger_db_end(db, err);
}

int ledger_programs_claim(struct ledger_db *db, const struct ledger_program *program,
			  const char *names)
{
	sqlite3_stmt *statement = db->statement[LEDGER_DB_PROGRAM_CLAIM];

	sqlite3_bind_int64(statement, 1, (int64_t)program->id);
	sqlite3_bind_text(statement, 10, names, -1, SQLITE_STATIC);
	bind_figure(statement, 11, program->ended_ns);
	bind_figures(statement, program);
	return ledger_db_run(db, LEDGER_DB_PROGRAM_CLAIM);
}
