/* SPDX-License-Identifier: GPL-2.0-or-later */
/* db.c - opens the ledger's database: sound, damaged, old, new or not there yet */

#include "vgpud/ledger/db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/util.h"
#include "common/wire/vgpu_proto.h"
#include "common/wire/vgpu_regs.h"
#include "vgpud/ledger/ledger.h"
#include "vgpud/ledger/set_aside.h"

#define BUSY_MS 1000		 /* an administrator's sqlite3(1) may hold a lock */
#define LOG_LIMIT_BYTES 67108864 /* the log's file is cut to this once it has been larger */
#define CHECK_S 20u /* longest that the check after an unclean end may delay the start */

extern const char schema_sql[]; /* schema.S */

/*
 * What each version of the schema added to the one before. Views are made anew from schema.sql. So
 * that a database may also be stepped back, and migrated again (see vgpud(8)), versions only add
 * columns, each with a default, and a column that is there already is passed over.
 */
static const struct migration {
	int version;
	const char *table, *column, *definition;
} migrations[] = {
	{ 2, "vm", "limit_per_s", "INTEGER" },
	{ 2, "vm", "limit_burst", "INTEGER" },
	{ 2, "request", "limited_ns", "INTEGER NOT NULL DEFAULT 0" },
};

static const char *const statement_sql[] = {
#define STATEMENT_SQL(name, text) [LEDGER_DB_##name] = text,
	LEDGER_DB_STATEMENTS(STATEMENT_SQL)
#undef STATEMENT_SQL
};

/* The rows of table name. */
static const struct {
	const char *what;
	int value;
	const char *name;
	const char *meaning;
} names[] = {
#define ROW(value, symbol, text) { "priority", value, text, NULL },
	VGPU_PRIORITY_TABLE(ROW)
#undef ROW
#define ROW(value, symbol, text, params, unit, what) { "opcode", value, text, what },
		VGPU_OPCODE_TABLE(ROW)
#undef ROW
#define ROW(value, symbol, text) { "status", value, #symbol, text },
			VGPU_ERROR_TABLE(ROW)
#undef ROW
#define ROW(value, symbol, text) { "executor", value, text, NULL },
				VGPU_EXECUTOR_TABLE(ROW)
#undef ROW
#define ROW(value, symbol, text) { "transport", value, text, NULL },
					LEDGER_TRANSPORT_TABLE(ROW)
#undef ROW
};

int ledger_db_errno(sqlite3 *conn, int rc)
{
	/* A commit that fails leaves it in errno alone. */
	int system = conn && sqlite3_system_errno(conn) ? sqlite3_system_errno(conn) : errno;

	switch (rc & 0xff) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_INTERRUPT:
		return -EINTR;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_CANTOPEN:
		return system == ENOSPC ? -ENOSPC : -EACCES;
	case SQLITE_IOERR:
		/* A quota or a limit on the length of files fills up like a disk. */
		if (system == EDQUOT || system == EFBIG || system == ENOSPC)
			return -ENOSPC;
		return -EIO;
	default:
		return -EIO;
	}
}

/* A statement that succeeded since, such as a ROLLBACK, leaves sqlite without a word. */
static bool has_words(int rc)
{
	return rc != SQLITE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE;
}

const char *ledger_db_words(sqlite3 *conn, int err, char *out, size_t len)
{
	int system = conn ? sqlite3_system_errno(conn) : -err;
	int rc = conn ? sqlite3_errcode(conn) & 0xff : SQLITE_OK;
	bool file = rc == SQLITE_IOERR || rc == SQLITE_CANTOPEN || rc == SQLITE_FULL;

	if (err == -ENODATA)
		snprintf(out, len, "a row is missing that is always there");
	else if (!has_words(rc))
		snprintf(out, len, "%s", strerror(-err));
	else if (file && system != 0)
		snprintf(out, len, "%s (%s)", sqlite3_errmsg(conn), strerror(system));
	else
		snprintf(out, len, "%s", sqlite3_errmsg(conn));
	return out;
}

int ledger_db_prepare_errno(sqlite3 *conn, int rc)
{
	return rc == SQLITE_ERROR ? -EUCLEAN : ledger_db_errno(conn, rc);
}

/* --- statements --- */

int ledger_db_run(struct ledger_db *db, enum ledger_db_statement which)
{
	int rc, err;

	errno = 0;
	rc = sqlite3_step(db->statement[which]);
	err = rc == SQLITE_DONE ? 0 : ledger_db_errno(db->conn, rc);
	sqlite3_reset(db->statement[which]);
	return err;
}

int ledger_db_number(struct ledger_db *db, enum ledger_db_statement which, int64_t *value)
{
	int rc = sqlite3_step(db->statement[which]);
	int err = 0;

	if (rc == SQLITE_ROW)
		*value = sqlite3_column_int64(db->statement[which], 0);
	else
		err = rc == SQLITE_DONE ? -ENODATA : ledger_db_errno(db->conn, rc);
	sqlite3_reset(db->statement[which]);
	return err;
}

int ledger_db_begin(struct ledger_db *db)
{
	return ledger_db_run(db, LEDGER_DB_BEGIN);
}

int ledger_db_end(struct ledger_db *db, int err)
{
	if (err == 0)
		err = ledger_db_run(db, LEDGER_DB_COMMIT);
	if (err && !sqlite3_get_autocommit(db->conn))
		sqlite3_exec(db->conn, "ROLLBACK", NULL, NULL, NULL);
	return err;
}

int ledger_db_checkpoint(struct ledger_db *db, bool cut)
{
	int mode = cut ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE, rc;

	/* Readers keep the log from being cut, and are not waited for. */
	sqlite3_busy_timeout(db->conn, 0);
	rc = sqlite3_wal_checkpoint_v2(db->conn, NULL, mode, NULL, NULL);
	sqlite3_busy_timeout(db->conn, BUSY_MS);
	if (rc != SQLITE_OK && rc != SQLITE_BUSY)
		return ledger_db_errno(db->conn, rc);
	if (cut && rc == SQLITE_OK)
		db->wal_pages = 0;
	db->wal_pages_done = db->wal_pages;
	return 0;
}

int ledger_db_sync(struct ledger_db *db, bool full)
{
	int rc = sqlite3_exec(db->conn,
			      full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL",
			      NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : ledger_db_errno(db->conn, rc);
}

static int count_wal_pages(void *arg, sqlite3 *conn, const char *name, int pages)
{
	struct ledger_db *db = arg;

	(void)conn;
	(void)name;
	db->wal_pages = pages;
	/* It began anew: all that was in it is in the database file. */
	if (pages < db->wal_pages_done)
		db->wal_pages_done = 0;
	return SQLITE_OK;
}

/* --- opening --- */

static int exec(sqlite3 *conn, const char *sql)
{
	int rc = sqlite3_exec(conn, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : ledger_db_errno(conn, rc);
}

/* The first number that a query gives. Return: 0, -ENODATA, or -errno. */
static int query_number(sqlite3 *conn, const char *sql, int64_t *value)
{
	sqlite3_stmt *statement;
	int rc = sqlite3_prepare_v2(conn, sql, -1, &statement, NULL);

	if (rc != SQLITE_OK)
		return ledger_db_prepare_errno(conn, rc);
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		*value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	if (rc == SQLITE_ROW)
		return 0;
	return rc == SQLITE_DONE ? -ENODATA : ledger_db_errno(conn, rc);
}

/* Return: 0, -EOPNOTSUPP: this file system has no shared memory to offer, or another error. */
static int use_log(struct ledger_db *db)
{
	sqlite3_stmt *statement;
	const char *mode = NULL;
	bool on = false;
	int rc = sqlite3_prepare_v2(db->conn, "PRAGMA journal_mode = WAL", -1, &statement, NULL);

	if (rc != SQLITE_OK)
		return ledger_db_prepare_errno(db->conn, rc);
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		mode = (const char *)sqlite3_column_text(statement, 0);
	on = mode && strcmp(mode, "wal") == 0;
	sqlite3_finalize(statement);
	if (rc != SQLITE_ROW)
		return ledger_db_prepare_errno(db->conn, rc);
	return on ? 0 : -EOPNOTSUPP;
}

static int set_up(struct ledger_db *db, const char *path)
{
	static const char settings[] = "PRAGMA synchronous = NORMAL;"
				       "PRAGMA wal_autocheckpoint = 0;"
				       "PRAGMA mmap_size = 0;"
				       "PRAGMA temp_store = MEMORY;";
	char limit[64];
	int persist = 1;
	int rc = sqlite3_open_v2(path, &db->conn,
				 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
					 SQLITE_OPEN_EXRESCODE,
				 NULL);
	int err;

	if (rc != SQLITE_OK)
		return db->conn ? ledger_db_errno(db->conn, rc) : -ENOMEM;
	sqlite3_busy_timeout(db->conn, BUSY_MS);
	/* The index of the log stays, as the room that the next start needs on a full disk. */
	sqlite3_file_control(db->conn, "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
	err = use_log(db);
	if (err == 0)
		err = exec(db->conn, settings);
	if (err)
		return err;
	snprintf(limit, sizeof(limit), "PRAGMA journal_size_limit = %d", LOG_LIMIT_BYTES);
	err = exec(db->conn, limit);
	sqlite3_wal_hook(db->conn, count_wal_pages, db);
	return err;
}

/* --- migration --- */

/* Return: 0, or -errno. */
static int add_column(sqlite3 *conn, const struct migration *add)
{
	char sql[256];
	int64_t there = 0;
	int err;

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM pragma_table_info('%s') WHERE name = '%s'",
		 add->table, add->column);
	err = query_number(conn, sql, &there);
	if (err || there > 0)
		return err;
	snprintf(sql, sizeof(sql), "ALTER TABLE %s ADD COLUMN %s %s", add->table, add->column,
		 add->definition);
	return exec(conn, sql);
}

/* They stand at the end of schema.sql, behind all tables. */
static int renew_views(sqlite3 *conn)
{
	const char *create = strstr(schema_sql, "\nCREATE VIEW");
	char drop[128];
	int err = 0;

	for (const char *at = create; err == 0 && at; at = strstr(at + 1, "\nCREATE VIEW")) {
		char name[64] = "";

		sscanf(at, " CREATE VIEW %63[a-z_]", name);
		snprintf(drop, sizeof(drop), "DROP VIEW IF EXISTS %s", name);
		err = exec(conn, drop);
	}
	return err ? err : exec(conn, create);
}

/* The audit trail tells of it from the same moment on. */
static int tell_migration(sqlite3 *conn, int64_t version, const char *text)
{
	sqlite3_stmt *statement;
	int rc = sqlite3_prepare_v2(conn,
				    "INSERT INTO event (time_ns, kind, old_value, new_value, text) "
				    "VALUES (?1, 'ledger-migrated', ?2, ?3, ?4)",
				    -1, &statement, NULL);
	struct timespec now;

	if (rc != SQLITE_OK)
		return ledger_db_prepare_errno(conn, rc);
	clock_gettime(CLOCK_REALTIME, &now);
	sqlite3_bind_int64(statement, 1, now.tv_sec * INT64_C(1000000000) + now.tv_nsec);
	sqlite3_bind_int64(statement, 2, version); /* a TEXT column: stored as text */
	sqlite3_bind_int64(statement, 3, LEDGER_SCHEMA_VERSION);
	sqlite3_bind_text(statement, 4, text, -1, SQLITE_STATIC);
	rc = sqlite3_step(statement);
	sqlite3_finalize(statement);
	return rc == SQLITE_DONE ? 0 : ledger_db_errno(conn, rc);
}

/* All of it in one transaction: whoever dies meanwhile leaves the database as it was. */
static int migrate_tables(sqlite3 *conn, int64_t version, const char *text)
{
	char bump[64];
	int err = exec(conn, "BEGIN IMMEDIATE");

	for (size_t i = 0; i < sizeof(migrations) / sizeof(migrations[0]) && err == 0; i++)
		if (migrations[i].version > version)
			err = add_column(conn, &migrations[i]);
	if (err == 0)
		err = renew_views(conn);
	if (err == 0)
		err = tell_migration(conn, version, text);
	snprintf(bump, sizeof(bump), "PRAGMA user_version = %d", LEDGER_SCHEMA_VERSION);
	if (err == 0)
		err = exec(conn, bump);
	return err ? err : exec(conn, "COMMIT");
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
 * Keeps the database as it is as PATH.schema-N. One that is there already is taken for that: the
 * last start was killed, or somebody wants none.
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
	if (err == 0)
		err = sync_file(part);
	if (err == 0 && rename(part, copy) < 0)
		err = -errno;
	if (err)
		unlink(part);
	return err;
}

static int migrate(struct ledger_db *db, const char *path, int64_t version,
		   struct ledger_db_report *report, char *why, size_t why_len)
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
			path, (int)version, LEDGER_SCHEMA_VERSION, copy, strerror(-err));
		return err;
	}
	snprintf(report->migrated, sizeof(report->migrated),
		 "the database had schema %d and has %d now; %s%s", (int)version,
		 LEDGER_SCHEMA_VERSION,
		 old ? "no copy was made, for there is a " : "as it was it is kept as ", copy);
	if (err == 0)
		err = migrate_tables(db->conn, version, report->migrated);
	if (err)
		report->migrated[0] = '\0';
	return err;
}

static int create_tables(struct ledger_db *db)
{
	int err = exec(db->conn, "BEGIN IMMEDIATE");

	if (err == 0)
		err = exec(db->conn, schema_sql);
	return err ? err : exec(db->conn, "COMMIT");
}

/*
 * Makes the tables, or looks at whose they are. Return: 0 with the version of the schema; -ENOTSUP
 * with why: not for us to touch; or another error.
 */
static int adopt(struct ledger_db *db, const char *path, int64_t *schema,
		 struct ledger_db_report *report, char *why, size_t why_len)
{
	int64_t application = 0, version = 0, tables = 0;
	int err = query_number(db->conn, "PRAGMA application_id", &application);

	if (err == 0)
		err = query_number(db->conn, "PRAGMA user_version", &version);
	if (err == 0)
		err = query_number(db->conn, "SELECT count(*) FROM sqlite_schema", &tables);
	if (err)
		return err;
	report->fresh = tables == 0;
	*schema = report->fresh ? LEDGER_SCHEMA_VERSION : version;
	if (report->fresh)
		return create_tables(db);
	if (application != LEDGER_APPLICATION_ID || version < 1) {
		snprintf(why, why_len,
			 "%s: a database, but not vgpud's; move it away, or name another directory "
			 "with --state-dir",
			 path);
		return -ENOTSUP;
	}
	if (version > LEDGER_SCHEMA_VERSION) {
		snprintf(why, why_len,
			 "%s: made by a newer vgpud (schema %lld, this one knows %d); "
			 "upgrade vgpud, or move the file away",
			 path, (long long)version, LEDGER_SCHEMA_VERSION);
		return -ENOTSUP;
	}
	return 0;
}

static int out_of_time(void *arg)
{
	const uint64_t *end_ns = arg;

	return util_now_ns() > *end_ns;
}

/*
 * A page that could not be read is the disk's fault, or memory's, and says nothing of the database.
 * Where the file is too short, sqlite reads zeros.
 */
static bool is_about_reading(const char *answer)
{
	return strstr(answer, "unable to get the page") != NULL ||
	       strstr(answer, "failed to get page") != NULL;
}

/* After an unclean end. Return: 0, -EUCLEAN with report->reason, or another error. */
static int check(struct ledger_db *db, struct ledger_db_report *report)
{
	uint64_t end_ns = util_now_ns() + CHECK_S * UTIL_NS_PER_S;
	int64_t unclean = 0;
	sqlite3_stmt *statement;
	int rc, err;

	err = query_number(db->conn,
			   "SELECT ended_ns IS NULL FROM session ORDER BY id DESC LIMIT 1",
			   &unclean);
	if (err || !unclean)
		return err == -ENODATA ? 0 : err;
	rc = sqlite3_prepare_v2(db->conn, "PRAGMA quick_check(1)", -1, &statement, NULL);
	if (rc != SQLITE_OK)
		return ledger_db_errno(db->conn, rc);
	sqlite3_progress_handler(db->conn, 10000, out_of_time, &end_ns);
	rc = sqlite3_step(statement);
	sqlite3_progress_handler(db->conn, 0, NULL, NULL);
	if (rc == SQLITE_ROW) {
		const char *answer = (const char *)sqlite3_column_text(statement, 0);

		snprintf(report->reason, sizeof(report->reason), "%s", answer ? answer : "?");
		for (char *c = report->reason; *c != '\0'; c++)
			if (*c == '\n')
				*c = ' '; /* it goes into one line of a log */
	}
	sqlite3_finalize(statement);
	if (rc == SQLITE_ROW && is_about_reading(report->reason))
		return -EIO;
	if (rc == SQLITE_ROW && strcmp(report->reason, "ok") != 0)
		return -EUCLEAN;
	report->reason[0] = '\0'; /* of what may go wrong later, "ok" is no reason */
	if (rc == SQLITE_ROW)
		return 0;
	err = ledger_db_errno(db->conn, rc);
	if (err != -EINTR)
		return err;
	report->check_cut_short = true;
	return 0;
}

int ledger_db_fill_names(struct ledger_db *db)
{
	sqlite3_stmt *statement;
	int rc = sqlite3_prepare_v2(
		db->conn,
		"INSERT INTO name VALUES (?1,?2,?3,?4) "
		"ON CONFLICT (what, value) DO UPDATE SET name = ?3, meaning = ?4 "
		"WHERE name IS NOT ?3 OR meaning IS NOT ?4",
		-1, &statement, NULL);
	int err = rc == SQLITE_OK ? ledger_db_begin(db) : ledger_db_prepare_errno(db->conn, rc);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && err == 0; i++) {
		sqlite3_bind_text(statement, 1, names[i].what, -1, SQLITE_STATIC);
		sqlite3_bind_int(statement, 2, names[i].value);
		sqlite3_bind_text(statement, 3, names[i].name, -1, SQLITE_STATIC);
		sqlite3_bind_text(statement, 4, names[i].meaning, -1, SQLITE_STATIC);
		rc = sqlite3_step(statement);
		if (rc != SQLITE_DONE)
			err = ledger_db_errno(db->conn, rc);
		sqlite3_reset(statement);
	}
	sqlite3_finalize(statement);
	return ledger_db_end(db, err);
}

static int prepare(struct ledger_db *db)
{
	for (unsigned i = 0; i < LEDGER_DB_STATEMENT_NUM; i++) {
		int rc = sqlite3_prepare_v3(db->conn, statement_sql[i], -1,
					    SQLITE_PREPARE_PERSISTENT, &db->statement[i], NULL);

		if (rc != SQLITE_OK)
			return ledger_db_prepare_errno(db->conn, rc);
	}
	return 0;
}

void ledger_db_close(struct ledger_db *db)
{
	for (unsigned i = 0; i < LEDGER_DB_STATEMENT_NUM; i++)
		sqlite3_finalize(db->statement[i]);
	sqlite3_close(db->conn);
	*db = (struct ledger_db){ 0 };
}

/* Leaves its log as it is: a damaged one changes no more. */
static void abandon(struct ledger_db *db)
{
	if (db->conn)
		sqlite3_db_config(db->conn, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	ledger_db_close(db);
}

int ledger_db_open(struct ledger_db *db, const char *path, struct ledger_db_report *report,
		   char *why, size_t why_len)
{
	char words[256];
	int64_t version = 0;
	int err;

	abandon(db);
	*report = (struct ledger_db_report){ 0 };
	why[0] = '\0';
	err = set_up(db, path);
	if (err == 0)
		err = adopt(db, path, &version, report, why, why_len);
	if (err == 0 && !report->fresh)
		err = check(db, report);
	if (err == 0 && version < LEDGER_SCHEMA_VERSION)
		err = migrate(db, path, version, report, why, why_len);
	if (err == 0)
		err = prepare(db);
	if (err == 0)
		return 0;
	if (report->reason[0] == '\0')
		ledger_db_words(db->conn, err, report->reason, sizeof(report->reason));
	snprintf(words, sizeof(words), "%s", report->reason);
	if (why[0] == '\0')
		snprintf(why, why_len, "%s: cannot open the ledger: %s%s", path, words,
			 err == -ENOSPC	  ? "; free some space"
			 : err == -EACCES ? "; it and its directory must be writable for vgpud"
			 : err == -EBUSY  ? "; end the program that holds it"
			 : err == -EIO
				 ? "; the disk does not do what it should, see the kernel's log"
				 : "");
	abandon(db);
	return err;
}

/* --- what a damaged database still has --- */

/*
 * The VMs are few, and all that an administrator would have to enter again.
 * Return: how many could be copied.
 */
static unsigned copy_vms(sqlite3 *from, sqlite3 *to)
{
	static const char get_sql[] = "SELECT id, name, pool, priority, paused, created_ns, "
				      "removed_ns, connect, limit_per_s, limit_burst FROM vm";
	/* Of schema 1. */
	static const char get_old_sql[] = "SELECT id, name, pool, priority, paused, created_ns, "
					  "removed_ns, connect, NULL, NULL FROM vm";
	static const char put_sql[] =
		"INSERT OR IGNORE INTO vm (id, name, pool, priority, paused, created_ns, "
		"removed_ns, connect, limit_per_s, limit_burst) "
		"VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)";
	sqlite3_stmt *get = NULL, *put = NULL;
	unsigned copied = 0;

	if ((sqlite3_prepare_v2(from, get_sql, -1, &get, NULL) == SQLITE_OK ||
	     sqlite3_prepare_v2(from, get_old_sql, -1, &get, NULL) == SQLITE_OK) &&
	    sqlite3_prepare_v2(to, put_sql, -1, &put, NULL) == SQLITE_OK) {
		while (sqlite3_step(get) == SQLITE_ROW) {
			for (int i = 0; i < 10; i++)
				sqlite3_bind_value(put, i + 1, sqlite3_column_value(get, i));
			copied += sqlite3_step(put) == SQLITE_DONE;
			sqlite3_reset(put);
		}
	}
	sqlite3_finalize(get);
	sqlite3_finalize(put);
	return copied;
}

/* Return: a database in memory with what could be read of the VMs, or NULL. */
static sqlite3 *save_vms(const char *path)
{
	sqlite3 *memory = NULL, *damaged = NULL;

	if (sqlite3_open(":memory:", &memory) == SQLITE_OK &&
	    sqlite3_open_v2(path, &damaged, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
	    sqlite3_exec(memory,
			 "CREATE TABLE vm (id INTEGER PRIMARY KEY, name, pool, priority, paused, "
			 "created_ns, removed_ns, connect, limit_per_s, limit_burst)",
			 NULL, NULL, NULL) == SQLITE_OK)
		copy_vms(damaged, memory);
	sqlite3_close(damaged);
	return memory;
}

int ledger_db_start_afresh(struct ledger_db *db, const char *path, struct ledger_db_report *report,
			   char *why, size_t why_len)
{
	static const char *const companions[] = { "-wal", "-shm", NULL };
	struct ledger_db_report was = { 0 };
	sqlite3 *saved;
	int err;

	abandon(db);
	snprintf(was.reason, sizeof(was.reason), "%s", report->reason);
	saved = save_vms(path);
	err = set_aside(path, companions, was.set_aside, sizeof(was.set_aside));
	if (err)
		snprintf(why, why_len, "%s: damaged (%s), and cannot be moved aside: %s", path,
			 was.reason, strerror(-err));
	else
		err = ledger_db_open(db, path, report, why, why_len);
	if (err == 0 && saved)
		was.vms_saved = copy_vms(saved, db->conn);
	sqlite3_close(saved);
	if (err == 0) {
		was.fresh = report->fresh;
		*report = was;
	}
	return err;
}

int ledger_sqlite_version(void)
{
	return sqlite3_libversion_number();
}
