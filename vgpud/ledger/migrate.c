/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migrate.c - brings a database of an older schema up to this one */

#include "vgpud/ledger/migrate.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/util.h"
#include "vgpud/ledger/schema.h"

/*
 * The columns that each version of the schema added; views are made anew from schema.sql. An
 * administrator may step a database back and migrate it again (see vgpud(8)). So versions only add
 * columns, each with a default, tables, an index and triggers; what exists already is skipped.
 */
static const struct addition {
	int version;
	const char *table, *column, *definition;
} additions[] = {
	{ 2, "vm", "limit_per_s", "INTEGER" },
	{ 2, "vm", "limit_burst", "INTEGER" },
	{ 2, "request", "limited_ns", "INTEGER NOT NULL DEFAULT 0" },
	{ 3, "session", "clock_ahead_ns", "INTEGER NOT NULL DEFAULT 0" },
	{ 3, "session", "clock_behind_ns", "INTEGER NOT NULL DEFAULT 0" },
	{ 3, "session", "clock_steps", "INTEGER NOT NULL DEFAULT 0" },
	{ 3, "session", "clock_step_ns", "INTEGER NOT NULL DEFAULT 0" },
	{ 4, "ledger", "last_program_id", "INTEGER NOT NULL DEFAULT 0" },
	{ 5, "program", "latency_sum_ns", "INTEGER NOT NULL DEFAULT 0" },
	{ 5, "program", "latency_max_ns", "INTEGER NOT NULL DEFAULT 0" },
	{ 5, "program", "latency_hist", "BLOB" },
	{ 5, "program", "submissions_to", "INTEGER NOT NULL DEFAULT 0" },
	{ 7, "program", "counted_ns", "INTEGER" },
};

/* The tables that each version added, as schema.sql has them. */
static const struct table {
	int version;
	const char *name;
} tables[] = {
	{ 4, "program" },      { 5, "submission" },	 { 5, "submission_minute" },
	{ 5, "wait_minute" },  { 6, "submission_span" }, { 6, "event_span" },
	{ 6, "program_span" }, { 7, "program_minute" },
};

/*
 * Fills the new columns of old rows, once all columns are there.
 * 3: older versions told only in an event's text that a start came long after the last entry; the
 * event has the time of the session's row. That a start was a day or more before the end of the
 * previous session follows from the times of the two rows.
 * 6: an older vgpud that had the database meanwhile has written no spans. Different powers of two add up to what
 * their bits are together.
 * 7: what a program used before counts in the minute of its end, as it did then.
 */
static const struct filling {
	int version;
	const char *sql;
} fillings[] = {
	{ 3, "UPDATE session SET clock_ahead_ns = coalesce((SELECT sum(strftime('%s', new_value) - "
	     "strftime('%s', old_value)) * 1000000000 FROM event WHERE kind = 'clock-ahead' AND "
	     "time_ns >= session.started_ns AND time_ns < coalesce((SELECT started_ns FROM "
	     "session AS next WHERE next.id > session.id ORDER BY next.id LIMIT 1), "
	     "9223372036854775807)), 0) WHERE clock_ahead_ns = 0" },
	{ 3, "UPDATE session SET clock_behind_ns = coalesce((SELECT max(before.started_ns, "
	     "coalesce(before.ended_ns, 0)) - session.started_ns FROM session AS before WHERE "
	     "before.id < session.id ORDER BY before.id DESC LIMIT 1), 0)" },
	{ 3, "UPDATE session SET clock_behind_ns = 0 WHERE clock_behind_ns < 86400000000000" },
	{ 6, "INSERT OR REPLACE INTO submission_span SELECT id >> 12, min(begun_ns), "
	     "max(begun_ns), sum(DISTINCT 1 << (vm_id % 64)), sum(DISTINCT 1 << (program_id % "
	     "64)) FROM submission GROUP BY 1" },
	{ 6, "INSERT OR REPLACE INTO event_span SELECT id >> 12, min(time_ns), max(time_ns) FROM "
	     "event GROUP BY 1" },
	{ 6, "INSERT OR REPLACE INTO program_span SELECT id >> 12, min(begun_ns), "
	     "max(coalesce(ended_ns, begun_ns)) FROM program GROUP BY 1" },
	{ 7, "INSERT INTO program_minute SELECT coalesce(ended_ns, begun_ns) / 60000000000, id, "
	     "vm_id, pool, priority, billed_ns, memory_byte_s, submissions, commands, launches, "
	     "copies, copy_bytes, refused FROM program WHERE why IS NOT NULL AND id NOT IN "
	     "(SELECT program_id FROM program_minute)" },
};

/* Return: 0, or -errno. */
static int add_column(struct ledger_db *db, const struct addition *add)
{
	char sql[256];
	int64_t there = 0;
	int err;

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM pragma_table_info('%s') WHERE name = '%s'",
		 add->table, add->column);
	err = ledger_db_numbers(db, sql, &there, 1);
	if (err || there > 0)
		return err;
	snprintf(sql, sizeof(sql), "ALTER TABLE %s ADD COLUMN %s %s", add->table, add->column,
		 add->definition);
	return ledger_db_exec(db->conn, sql);
}

/* Return: 0, or -errno. */
static int add_table(struct ledger_db *db, const char *name)
{
	sqlite3_stmt *statement;
	char sql[128];
	const char *create;
	int64_t there = 0;
	int rc, err;

	snprintf(sql, sizeof(sql),
		 "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '%s'", name);
	err = ledger_db_numbers(db, sql, &there, 1);
	if (err || there > 0)
		return err;
	snprintf(sql, sizeof(sql), "\nCREATE TABLE %s (", name);
	create = strstr(schema_sql, sql);
	if (!create)
		return -ENOENT;
	/* sqlite compiles one statement and leaves the rest of the text alone. */
	rc = sqlite3_prepare_v2(db->conn, create, -1, &statement, NULL);
	if (rc != SQLITE_OK)
		return ledger_db_prepare_errno(db->conn, rc);
	rc = sqlite3_step(statement);
	sqlite3_finalize(statement);
	return rc == SQLITE_DONE ? 0 : ledger_db_errno(db->conn, rc);
}

/* Views, and what may be there already, stand at the end of schema.sql, behind all tables. */
static int renew_rest(sqlite3 *conn)
{
	const char *create = strstr(schema_sql, "\nCREATE INDEX IF NOT EXISTS");
	char drop[128];
	int err = 0;

	for (const char *at = schema_sql; err == 0 && (at = strstr(at + 1, "\nCREATE VIEW"));) {
		char name[64] = "";

		sscanf(at, " CREATE VIEW %63[a-z_]", name);
		snprintf(drop, sizeof(drop), "DROP VIEW IF EXISTS %s", name);
		err = ledger_db_exec(conn, drop);
	}
	return err ? err : ledger_db_exec(conn, create);
}

/* Writes the event about the migration, in the migration's own transaction. */
static int tell_migration(sqlite3 *conn, int64_t version, const char *text)
{
	sqlite3_stmt *statement;
	int rc = sqlite3_prepare_v2(conn,
				    "INSERT INTO event (time_ns, kind, old_value, new_value, text) "
				    "VALUES (?1, 'ledger-migrated', ?2, ?3, ?4)",
				    -1, &statement, NULL);

	if (rc != SQLITE_OK)
		return ledger_db_prepare_errno(conn, rc);
	sqlite3_bind_int64(statement, 1, util_wall_ns());
	sqlite3_bind_int64(statement, 2, version); /* a TEXT column: stored as text */
	sqlite3_bind_int64(statement, 3, SCHEMA_VERSION);
	sqlite3_bind_text(statement, 4, text, -1, SQLITE_STATIC);
	rc = sqlite3_step(statement);
	sqlite3_finalize(statement);
	return rc == SQLITE_DONE ? 0 : ledger_db_errno(conn, rc);
}

/* All of it in one transaction: a vgpud that is killed meanwhile leaves the database as it was. */
static int migrate_tables(struct ledger_db *db, int64_t version, const char *text)
{
	sqlite3 *conn = db->conn;
	char bump[64];
	int err = ledger_db_exec(conn, "BEGIN IMMEDIATE");

	/* Tables first: one that is made now has the columns of all versions. */
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]) && err == 0; i++)
		if (tables[i].version > version)
			err = add_table(db, tables[i].name);
	for (size_t i = 0; i < sizeof(additions) / sizeof(additions[0]) && err == 0; i++)
		if (additions[i].version > version)
			err = add_column(db, &additions[i]);
	for (size_t i = 0; i < sizeof(fillings) / sizeof(fillings[0]) && err == 0; i++)
		if (fillings[i].version > version)
			err = ledger_db_exec(conn, fillings[i].sql);
	if (err == 0)
		err = renew_rest(conn);
	if (err == 0)
		err = tell_migration(conn, version, text);
	snprintf(bump, sizeof(bump), "PRAGMA user_version = %d", SCHEMA_VERSION);
	if (err == 0)
		err = ledger_db_exec(conn, bump);
	return err ? err : ledger_db_exec(conn, "COMMIT");
}

static int sync_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;

	if (fd < 0 || fsync(fd) < 0)
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

/*
 * Copies the database to PATH.schema-N. A file of that name is taken for the copy: an earlier start
 * made it and was killed, or an administrator made an empty one because no copy is wanted.
 */
static int keep_copy(sqlite3 *conn, const char *path, int64_t version, char *copy, size_t copy_len,
		     bool *old)
{
	char part[PATH_MAX];
	sqlite3_stmt *statement;
	int rc, err;

	if ((size_t)snprintf(copy, copy_len, "%s.schema-%d", path, (int)version) >= copy_len ||
	    (size_t)snprintf(part, sizeof(part), "%s.new", copy) >= sizeof(part))
		return -ENAMETOOLONG;
	*old = access(copy, F_OK) == 0;
	if (*old)
		return 0;
	if (unlink(part) < 0 && errno != ENOENT)
		return -errno;
	rc = sqlite3_prepare_v2(conn, "VACUUM INTO ?1", -1, &statement, NULL);
	if (rc != SQLITE_OK)
		return ledger_db_prepare_errno(conn, rc);
	sqlite3_bind_text(statement, 1, part, -1, SQLITE_STATIC);
	errno = 0;
	rc = sqlite3_step(statement);
	err = rc == SQLITE_DONE ? 0 : ledger_db_errno(conn, rc);
	sqlite3_finalize(statement);
	if (err == 0 && chmod(part, 0600) < 0)
		err = -errno;
	if (err == 0)
		err = sync_file(part);
	if (err == 0 && rename(part, copy) < 0)
		err = -errno;
	if (err)
		unlink(part);
	return err;
}

int ledger_migrate(struct ledger_db *db, const char *path, int64_t version, char *told,
		   size_t told_len, char *why, size_t why_len)
{
	char copy[PATH_MAX] = "";
	bool old = false;
	int err = keep_copy(db->conn, path, version, copy, sizeof(copy), &old);

	if (err && err != -EUCLEAN) {
		snprintf(
			why, why_len,
			"%s: it has schema %d and is to get %d, but no copy of it as it is can be kept "
			"as %s: %s; give it as much space as it has now, or make an empty file of that "
			"name to go without",
			path, (int)version, SCHEMA_VERSION, copy, strerror(-err));
		return err;
	}
	snprintf(told, told_len, "the database had schema %d and has %d now; %s%s", (int)version,
		 SCHEMA_VERSION,
		 old ? "no copy was made, for there is a " : "as it was it is kept as ", copy);
	if (err == 0)
		err = migrate_tables(db, version, told);
	if (err)
		told[0] = '\0';
	return err;
}
