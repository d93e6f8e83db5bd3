/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fixture.h - a ledger in a directory of its own, for the tests of the ledger */

#ifndef VGPU_TESTS_UNIT_LEDGER_FIXTURE_H
#define VGPU_TESTS_UNIT_LEDGER_FIXTURE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "vgpud/ledger/ledger.h"

#define FIXTURE_WAIT_MS 60000

struct fixture {
	char directory[64], db_path[96], ring_path[96], why[512];
	struct ledger_config config;
};

extern struct fixture fixture;

/* For cmocka: a directory of its own for each test, and fixture.config to match. */
int fixture_set_up(void **state);

int fixture_tear_down(void **state);

/* Fails the test if it cannot be opened. */
struct ledger *fixture_open(void);

/* A request whose every field follows from n. ledger: NULL: one that came as a file. */
struct ledger_request fixture_request(const struct ledger *ledger, uint64_t n);

/* Its end is not known yet when it is accepted. Return: as ledger_accepted(). */
int fixture_accept(struct ledger *ledger, struct ledger_request *request);

/* Requests from accepted to finished, waiting for the writer when the ring is full. */
void fixture_do_requests(struct ledger *ledger, unsigned n);

/* For a change: keeps its end. arg: an int. */
void fixture_note_end(void *arg, int err);

/* All that was told is in the database. */
void fixture_flush(struct ledger *ledger);

/* The one number that a query gives; -1: no row, or NULL. */
int64_t fixture_number_in(const char *path, const char *sql);

/* In the database of the test. */
int64_t fixture_number(const char *sql);

void fixture_write_sql(const char *sql);

/* Every sum of table minute against the rows themselves, its histograms' totals, and programs' minutes against theirs. */
void fixture_assert_minutes(void);

/* Runs a function on the ledger in a child that is then killed. */
void fixture_in_killed_child(void (*work)(struct ledger *ledger));

/* For it: 23 requests, of which 1 and 22 have no end. */
void fixture_leave_some_open(struct ledger *ledger);

/* Waits until a query gives a number; bounded. */
void fixture_wait_until(const char *sql, int64_t value);

/* With rubbish of at most 4096 bytes. */
void fixture_overwrite(const char *path, off_t at, size_t len);

/* For ledger_vm_each(). arg: an unsigned. */
void fixture_count_vm(void *arg, const struct ledger_vm *vm);

void fixture_add_vm_and_requests(struct ledger *ledger);

/* Return: how many events of a kind there are. */
int64_t fixture_events(const char *kind);

/* Return: whether the file PATH + SUFFIX exists. */
bool fixture_is_there(const char *path, const char *suffix);

/* The ledger does not open, and the sentence has these words. */
void fixture_assert_refused(int err, const char *words);

/* Return: a connection that keeps the database from being written until it is closed. */
sqlite3 *fixture_block_writer(void);

#endif
