/* SPDX-License-Identifier: GPL-2.0-or-later */
/* db.h - the writing connection to the database; for the ledger's files alone */

#ifndef VGPUD_LEDGER_DB_H
#define VGPUD_LEDGER_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/vm_settings.h"

#define LEDGER_DB_BUSY_MS 1000 /* an administrator's sqlite3(1) may hold a lock */

/* The columns of table vm that are settings, their parameters (from ?4 on), and what sets them. */
#define LEDGER_DB_VM_COLUMN(NAME, name, ...) ", " #name
#define LEDGER_DB_VM_VALUE(NAME, name, ...) ", :" #name
#define LEDGER_DB_VM_SET(NAME, name, ...) ", " #name " = :" #name
#define LEDGER_DB_VM_COLUMNS VM_SETTING_TABLE(LEDGER_DB_VM_COLUMN)
#define LEDGER_DB_VM_VALUES VM_SETTING_TABLE(LEDGER_DB_VM_VALUE)
#define LEDGER_DB_VM_SETS VM_SETTING_TABLE(LEDGER_DB_VM_SET)

/*
 * Whether entries dated after now are old enough to go: true when the last start that found such
 * entries was before ?1. A clock that was ahead made them, so their own dates say nothing.
 */
#define LEDGER_DB_BELIEVED "(SELECT max(started_ns) < ?1 FROM session WHERE clock_behind_ns > 0)"

/* Sets figures of a program that only grow; ?14 to ?21 as in PROGRAM_END, where NULL is not known. */
#define LEDGER_DB_HELD                                                                        \
	"memory_peak_bytes = coalesce(max(memory_peak_bytes, ?14), ?14, memory_peak_bytes), " \
	"memory_byte_s = coalesce(max(memory_byte_s, ?15), ?15, memory_byte_s), "
#define LEDGER_DB_COUNTED                                                   \
	"submissions = coalesce(max(submissions, ?16), ?16, submissions), " \
	"commands = coalesce(max(commands, ?17), ?17, commands), "          \
	"launches = coalesce(max(launches, ?18), ?18, launches), "          \
	"copies = coalesce(max(copies, ?19), ?19, copies), "                \
	"copy_bytes = coalesce(max(copy_bytes, ?20), ?20, copy_bytes), "    \
	"refused = coalesce(max(refused, ?21), ?21, refused) "

/* X(NAME, SQL): the statements of the writer, prepared once. */
#define LEDGER_DB_STATEMENTS(X)                                                                                                                                                                     \
	X(BEGIN, "BEGIN IMMEDIATE")                                                                                                                                                                 \
	X(COMMIT, "COMMIT")                                                                                                                                                                         \
	X(REQUEST, "INSERT OR IGNORE INTO request (id, received_ns, vm_id, guest_request_id, "                                                                                                      \
		   "opcode, pool, priority, transport, request_bytes, wait_ns, exec_ns, "                                                                                                           \
		   "total_ns, status, executor, response_bytes, limited_ns) "                                                                                                                       \
		   "VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16)")                                                                                                               \
	X(PENDING, "INSERT OR IGNORE INTO pending (id, received_ns, vm_id, guest_request_id, "                                                                                                      \
		   "opcode, pool, priority, transport, request_bytes) "                                                                                                                             \
		   "VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)")                                                                                                                                           \
	X(PENDING_END, "DELETE FROM pending WHERE id = ?1")                                                                                                                                         \
	X(PENDING_LIST, "SELECT id, received_ns, vm_id, guest_request_id, opcode, pool, "                                                                                                           \
			"priority, transport, request_bytes FROM pending ORDER BY id LIMIT ?1")                                                                                                     \
	X(MINUTE_GET, "SELECT count, errors, wait_sum_ns, wait_max_ns, exec_sum_ns, "                                                                                                               \
		      "exec_max_ns, total_sum_ns, total_max_ns, wait_hist, exec_hist, "                                                                                                             \
		      "total_hist FROM minute WHERE minute = ?1 AND vm_id = ?2 AND pool = ?3 "                                                                                                      \
		      "AND priority = ?4 AND opcode = ?5")                                                                                                                                          \
	X(MINUTE_PUT, "INSERT INTO minute VALUES "                                                                                                                                                  \
		      "(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16) "                                                                                                                   \
		      "ON CONFLICT (minute, vm_id, pool, priority, opcode) DO UPDATE SET "                                                                                                          \
		      "count = ?6, errors = ?7, wait_sum_ns = ?8, wait_max_ns = ?9, "                                                                                                               \
		      "exec_sum_ns = ?10, exec_max_ns = ?11, total_sum_ns = ?12, "                                                                                                                  \
		      "total_max_ns = ?13, wait_hist = ?14, exec_hist = ?15, total_hist = ?16")                                                                                                     \
	X(POSITION, "UPDATE ledger SET ring_id = ?1, ring_position = ?2, "                                                                                                                          \
		    "last_request_id = max(last_request_id, ?3), "                                                                                                                                  \
		    "last_program_id = max(last_program_id, ?4)")                                                                                                                                   \
	X(PROGRAM_BEGIN, "INSERT OR IGNORE INTO program (id, begun_ns, vm_id, pid, uid, pool, "                                                                                                     \
			 "priority, executor, device, name) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,"                                                                                                    \
			 "?10)")                                                                                                                                                                    \
	X(PROGRAM_END,                                                                                                                                                                              \
	  "INSERT INTO program (id, begun_ns, vm_id, pid, uid, pool, priority, executor, device, "                                                                                                  \
	  "ended_ns, why, billed_ns, memory_peak_bytes, memory_byte_s, submissions, commands, "                                                                                                     \
	  "launches, copies, copy_bytes, refused) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?11,?12,?13,"                                                                                                  \
	  "?14,?15,?16,?17,?18,?19,?20,?21) ON CONFLICT (id) DO UPDATE SET ended_ns = ?11, "                                                                                                        \
	  "why = ?12, billed_ns = ?13, " LEDGER_DB_HELD LEDGER_DB_COUNTED "WHERE why IS NULL")                                                                                                      \
	X(PROGRAM_USED, "UPDATE program SET counted_ns = ?11, billed_ns = ?13, " LEDGER_DB_HELD                                                                                                     \
				LEDGER_DB_COUNTED "WHERE id = ?1 AND why IS NULL")                                                                                                                  \
	X(PROGRAM_CLAIM,                                                                                                                                                                            \
	  "UPDATE program SET refused_names = coalesce(?10, refused_names), "                                                                                                                       \
	  "counted_ns = max(coalesce(counted_ns, 0), begun_ns + coalesce(?13, 0)), "                                                                                                                \
	  "billed_ns = coalesce(?13, billed_ns), "                                                                                                                                                  \
	  "memory_peak_bytes = coalesce(memory_peak_bytes, ?14), "                                                                                                                                  \
	  "memory_byte_s = coalesce(max(coalesce(memory_byte_s, 0), min(?15, CAST(?14 * max(?11 - "                                                                                                 \
	  "begun_ns, 0) / 1e9 AS INTEGER))), memory_byte_s), " LEDGER_DB_COUNTED "WHERE id = ?1")                                                                                                   \
	X(PROGRAMS_LOSE_TELL,                                                                                                                                                                       \
	  "INSERT INTO event (time_ns, kind, subject, new_value, text) SELECT ?1, 'program-end', "                                                                                                  \
	  "(SELECT name FROM vm WHERE vm.id = vm_id), 'host-lost', 'program ' || id || ' \"' || "                                                                                                   \
	  "name || '\" (pid ' || pid || ') ran when the last vgpud died' FROM program "                                                                                                             \
	  "WHERE why IS NULL ORDER BY id")                                                                                                                                                          \
	X(PROGRAMS_LOSE, "UPDATE program SET why = ?1 WHERE why IS NULL")                                                                                                                           \
	X(SUBMISSION_OF,                                                                                                                                                                            \
	  "SELECT vm_id, pool, priority, begun_ns, latency_sum_ns, "                                                                                                                                \
	  "latency_max_ns, submissions_to, latency_hist FROM program WHERE id = ?1")                                                                                                                \
	X(SUBMISSION, "INSERT INTO submission (program_id, vm_id, first, count, begun_ns, "                                                                                                         \
		      "ended_ns, took_ns, most_ns, commands) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)")                                                                                                  \
	X(SUBMISSION_SPAN_PUT,                                                                                                                                                                      \
	  "INSERT INTO submission_span VALUES (?1,?2,?3,?4,?5) ON CONFLICT (span) DO UPDATE SET "                                                                                                   \
	  "begun_from_ns = min(begun_from_ns, ?2), begun_to_ns = max(begun_to_ns, ?3), "                                                                                                            \
	  "vms = vms | ?4, programs = programs | ?5")                                                                                                                                               \
	X(EXPIRE_EVENT_SPAN, "DELETE FROM event_span WHERE span < "                                                                                                                                 \
			     "coalesce((SELECT min(id) FROM event), 1 << 62) >> 12")                                                                                                                \
	X(EXPIRE_PROGRAM_SPAN, "DELETE FROM program_span WHERE span < "                                                                                                                             \
			       "coalesce((SELECT min(id) FROM program), 1 << 62) >> 12")                                                                                                            \
	X(EXPIRE_SUBMISSION_SPAN, "DELETE FROM submission_span WHERE span < "                                                                                                                       \
				  "coalesce((SELECT min(id) FROM submission), 1 << 62) >> 12")                                                                                                      \
	X(SUBMISSION_TO, "UPDATE program SET latency_sum_ns = ?2, latency_max_ns = ?3, "                                                                                                            \
			 "submissions_to = ?4, latency_hist = ?5 WHERE id = ?1")                                                                                                                    \
	X(SUBMISSION_MINUTE_GET, "SELECT count, open, latency_sum_ns, latency_max_ns, "                                                                                                             \
				 "latency_hist FROM submission_minute WHERE minute = ?1 AND "                                                                                                       \
				 "vm_id = ?2 AND pool = ?3 AND priority = ?4")                                                                                                                      \
	X(SUBMISSION_MINUTE_PUT,                                                                                                                                                                    \
	  "INSERT INTO submission_minute VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9) ON CONFLICT "                                                                                                          \
	  "(minute, vm_id, pool, priority) DO UPDATE SET count = ?5, open = ?6, "                                                                                                                   \
	  "latency_sum_ns = ?7, latency_max_ns = ?8, latency_hist = ?9")                                                                                                                            \
	X(WAIT_MINUTE, "INSERT INTO wait_minute VALUES (?1,?2,?3,?4,?5) ON CONFLICT "                                                                                                               \
		       "(minute, vm_id, cause, by_vm_id) DO UPDATE SET wait_ns = wait_ns + ?5")                                                                                                     \
	X(EXPIRE_WAIT_MINUTE,                                                                                                                                                                       \
	  "DELETE FROM wait_minute WHERE rowid IN (SELECT rowid FROM wait_minute "                                                                                                                  \
	  "WHERE minute < ?1 / 60000000000 OR (minute > ?3 / 60000000000 AND " LEDGER_DB_BELIEVED                                                                                                   \
	  ") ORDER BY minute LIMIT ?2)")                                                                                                                                                            \
	X(SUBMISSION_COUNT, "SELECT id, vm_id FROM submission WHERE id > ?1 ORDER BY id LIMIT ?2")                                                                                                  \
	X(SUBMISSION_SPAN, "SELECT coalesce(max(id), -1) FROM (SELECT id FROM submission "                                                                                                          \
			   "WHERE id >= ?1 ORDER BY id LIMIT ?2)")                                                                                                                                  \
	X(SUBMISSION_EXPIRE,                                                                                                                                                                        \
	  "DELETE FROM submission WHERE id IN (SELECT id FROM submission "                                                                                                                          \
	  "WHERE id BETWEEN ?1 AND ?2 AND vm_id % 1024 = ?3 ORDER BY id LIMIT ?4)")                                                                                                                 \
	X(EXPIRE_SUBMISSION,                                                                                                                                                                        \
	  "DELETE FROM submission WHERE id IN (SELECT id FROM (SELECT id, coalesce(ended_ns, "                                                                                                      \
	  "begun_ns) AS at_ns FROM submission ORDER BY id LIMIT ?2) WHERE at_ns < ?1 OR "                                                                                                           \
	  "(at_ns > ?3 AND " LEDGER_DB_BELIEVED ")) RETURNING vm_id")                                                                                                                               \
	X(EXPIRE_SUBMISSION_MINUTE,                                                                                                                                                                 \
	  "DELETE FROM submission_minute WHERE rowid IN (SELECT rowid FROM submission_minute "                                                                                                      \
	  "WHERE minute < ?1 / 60000000000 OR (minute > ?3 / 60000000000 AND " LEDGER_DB_BELIEVED                                                                                                   \
	  ") ORDER BY minute LIMIT ?2)")                                                                                                                                                            \
	X(PROGRAM_MINUTE_COUNT,                                                                                                                                                                     \
	  "SELECT minute, vm_id FROM program_minute WHERE minute > ?1 ORDER BY minute LIMIT ?2")                                                                                                    \
	X(PROGRAM_MINUTE_SPAN,                                                                                                                                                                      \
	  "SELECT coalesce(max(minute), -1) FROM (SELECT minute FROM program_minute WHERE minute >= ?1 ORDER BY minute LIMIT ?2)")                                                                  \
	X(PROGRAM_MINUTE_EXPIRE,                                                                                                                                                                    \
	  "DELETE FROM program_minute WHERE (minute, program_id) IN (SELECT minute, program_id FROM program_minute WHERE minute BETWEEN ?1 AND ?2 AND vm_id % 1024 = ?3 ORDER BY minute LIMIT ?4)") \
	X(EXPIRE_PROGRAM_MINUTE,                                                                                                                                                                    \
	  "DELETE FROM program_minute WHERE (minute, program_id) IN (SELECT minute, program_id FROM program_minute "                                                                                \
	  "WHERE minute < ?1 / 60000000000 OR (minute > ?3 / 60000000000 AND " LEDGER_DB_BELIEVED                                                                                                   \
	  ") ORDER BY minute LIMIT ?2) RETURNING vm_id")                                                                                                                                            \
	X(EXPIRE_PROGRAM,                                                                                                                                                                           \
	  "DELETE FROM program WHERE id IN (SELECT id FROM (SELECT id, why, "                                                                                                                       \
	  "coalesce(ended_ns, begun_ns) AS at_ns FROM program ORDER BY id LIMIT "                                                                                                                   \
	  "?2 + 4096) WHERE why IS NOT NULL AND (at_ns < ?1 OR (at_ns > ?3 AND " LEDGER_DB_BELIEVED                                                                                                 \
	  ")) LIMIT ?2)")                                                                                                                                                                           \
	X(PROGRAM_COUNT, "SELECT id, vm_id FROM program WHERE id > ?1 AND why IS NOT NULL "                                                                                                         \
			 "ORDER BY id LIMIT ?2")                                                                                                                                                    \
	X(PROGRAM_SPAN, "SELECT coalesce(max(id), -1) FROM (SELECT id FROM program "                                                                                                                \
			"WHERE id >= ?1 ORDER BY id LIMIT ?2)")                                                                                                                                     \
	X(PROGRAM_EXPIRE, "DELETE FROM program WHERE id IN (SELECT id FROM program WHERE id "                                                                                                       \
			  "BETWEEN ?1 AND ?2 AND vm_id % 1024 = ?3 AND why IS NOT NULL "                                                                                                            \
			  "ORDER BY id LIMIT ?4)")                                                                                                                                                  \
	X(EVENT, "INSERT INTO event (time_ns, kind, subject, old_value, new_value, text, uid, "                                                                                                     \
		 "pid) VALUES (?1,?2,?3,?4,?5,?6,?7,?8)")                                                                                                                                           \
	X(VM_PUT,                                                                                                                                                                                   \
	  "INSERT INTO vm (id, name, created_ns" LEDGER_DB_VM_COLUMNS                                                                                                                               \
	  ") VALUES (?1, ?2, ?3" LEDGER_DB_VM_VALUES                                                                                                                                                \
	  ") ON CONFLICT (id) DO UPDATE SET name = ?2, removed_ns = NULL" LEDGER_DB_VM_SETS)                                                                                                        \
	X(VM_DELETE, "UPDATE vm SET removed_ns = ?2 WHERE id = ?1 AND removed_ns IS NULL")                                                                                                          \
	X(SESSION_END, "UPDATE session SET ended_ns = ?2 WHERE id = ?1")                                                                                                                            \
	X(NEWEST, "SELECT max(started_ns, coalesce(ended_ns, 0), coalesce((SELECT received_ns "                                                                                                     \
		  "FROM request WHERE id >= first_request_id ORDER BY id DESC LIMIT 1), 0)) "                                                                                                       \
		  "FROM session ORDER BY id DESC LIMIT 1")                                                                                                                                          \
	X(CLOCK_AHEAD, "SELECT coalesce(sum(clock_ahead_ns), 0), coalesce(max(started_ns), 0) "                                                                                                     \
		       "FROM session WHERE clock_ahead_ns > 0 AND started_ns > ?1 AND "                                                                                                             \
		       "started_ns <= ?2")                                                                                                                                                          \
	X(CLOCK_BEHIND, "SELECT coalesce(max(started_ns + clock_behind_ns), 0) FROM session "                                                                                                       \
			"WHERE clock_behind_ns > 0 AND started_ns + clock_behind_ns > ?1")                                                                                                          \
	X(CLOCK_STEP, "UPDATE session SET clock_steps = clock_steps + 1, "                                                                                                                          \
		      "clock_step_ns = clock_step_ns + ?2 WHERE id = ?1")                                                                                                                           \
	X(EXPIRE, "DELETE FROM request WHERE id IN (SELECT id FROM (SELECT id, received_ns "                                                                                                        \
		  "FROM request ORDER BY id LIMIT ?2) WHERE received_ns < ?1 OR "                                                                                                                   \
		  "(received_ns > ?3 AND id < (SELECT max(first_request_id) FROM session "                                                                                                          \
		  "WHERE clock_behind_ns > 0 AND started_ns < ?1))) RETURNING vm_id")                                                                                                               \
	X(HISTORY_COUNT, "SELECT id, vm_id FROM request WHERE id > ?1 ORDER BY id LIMIT ?2")                                                                                                        \
	X(HISTORY_SPAN, "SELECT coalesce(max(id), -1) FROM (SELECT id FROM request "                                                                                                                \
			"WHERE id >= ?1 ORDER BY id LIMIT ?2)")                                                                                                                                     \
	X(HISTORY_EXPIRE,                                                                                                                                                                           \
	  "DELETE FROM request WHERE id IN (SELECT id FROM request "                                                                                                                                \
	  "WHERE id BETWEEN ?1 AND ?2 AND vm_id % 1024 = ?3 ORDER BY id LIMIT ?4)")                                                                                                                 \
	X(EXPIRE_MINUTE,                                                                                                                                                                            \
	  "DELETE FROM minute WHERE rowid IN (SELECT rowid FROM minute "                                                                                                                            \
	  "WHERE minute < ?1 / 60000000000 OR (minute > ?3 / 60000000000 AND " LEDGER_DB_BELIEVED                                                                                                   \
	  ") ORDER BY minute LIMIT ?2)")                                                                                                                                                            \
	X(EXPIRE_EVENT, "DELETE FROM event WHERE id IN (SELECT id FROM (SELECT id, time_ns "                                                                                                        \
			"FROM event ORDER BY id LIMIT ?2) WHERE time_ns < ?1 OR "                                                                                                                   \
			"(time_ns > ?3 AND " LEDGER_DB_BELIEVED "))")                                                                                                                               \
	X(UNUSED, "SELECT freelist_count FROM pragma_freelist_count")                                                                                                                               \
	X(SIZE, "SELECT (c.page_count - f.freelist_count) * s.page_size FROM "                                                                                                                      \
		"pragma_page_count AS c, pragma_freelist_count AS f, pragma_page_size AS s")

#define LEDGER_DB_STATEMENT_ENUM(name, text) LEDGER_DB_##name,
enum ledger_db_statement { LEDGER_DB_STATEMENTS(LEDGER_DB_STATEMENT_ENUM) LEDGER_DB_STATEMENT_NUM };
#undef LEDGER_DB_STATEMENT_ENUM

/* One thread at a time uses it. */
struct ledger_db {
	sqlite3 *conn;
	sqlite3_stmt *statement[LEDGER_DB_STATEMENT_NUM];
	int wal_pages;	    /* in the log as of the last commit */
	int wal_pages_done; /* those of them that were there at the last checkpoint */
};

/* Closes it. If no other process has it open, everything is in the one file afterwards. */
void ledger_db_close(struct ledger_db *db);

/* Prepares the statements above. Return: 0 or -errno. */
int ledger_db_prepare(struct ledger_db *db);

/* Runs SQL that returns no row. Return: 0 or -errno. */
int ledger_db_exec(sqlite3 *conn, const char *sql);

/* Reads the first n numbers of a query's only row. Return: 0, -ENODATA: no row, or -errno. */
int ledger_db_numbers(struct ledger_db *db, const char *sql, int64_t *numbers, int n);

/* Runs a bound statement that returns no row, and resets it. Return: 0 or -errno. */
int ledger_db_run(struct ledger_db *db, enum ledger_db_statement which);

/* Runs a bound statement for the one number that it returns. Return: 0, -ENODATA: no row, or
 * -errno. */
int ledger_db_number(struct ledger_db *db, enum ledger_db_statement which, int64_t *value);

/* Begin a transaction; end it: commit when err is 0, else roll back. Return: err if that is not 0,
 * else 0 or -errno. */
int ledger_db_begin(struct ledger_db *db);
int ledger_db_end(struct ledger_db *db, int err);

/* Return: -errno for an answer of sqlite that is not OK, ROW or DONE; -EUCLEAN: the file is
 * damaged. */
int ledger_db_errno(sqlite3 *conn, int rc);

/*
 * Describes the last failure in sqlite's words and the system's.
 * conn: NULL where no connection could be made; then err is described. Return: out.
 */
const char *ledger_db_words(sqlite3 *conn, int err, char *out, size_t len);

/*
 * Return: -errno for a statement that could not be prepared. Our statements are valid, so an error
 * in one of them means that the tables are damaged: -EUCLEAN.
 */
int ledger_db_prepare_errno(sqlite3 *conn, int rc);

/*
 * Moves committed pages from the log into the database file, as far as readers allow.
 * cut: also empties the log's file, if all pages could be moved. Return: 0 or -errno.
 */
int ledger_db_checkpoint(struct ledger_db *db, bool cut);

/*
 * As ledger_db_checkpoint() with cut, but waits up to wait_ms for readers that use the log.
 * Return: 0, -EBUSY: one still does, or another -errno.
 */
int ledger_db_cut(struct ledger_db *db, int wait_ms);

/* Sets whether a commit waits for the disk. Return: 0 or -errno. */
int ledger_db_sync(struct ledger_db *db, bool full);

#endif
