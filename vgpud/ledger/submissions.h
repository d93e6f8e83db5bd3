/* SPDX-License-Identifier: GPL-2.0-or-later */
/* submissions.h - the rows and minutes of what programs submitted */

#ifndef VGPUD_LEDGER_SUBMISSIONS_H
#define VGPUD_LEDGER_SUBMISSIONS_H

#include "vgpud/ledger/db.h"
#include "vgpud/ledger/ledger.h"

#define LEDGER_SUBMISSION_SPAN_BITS 12 /* of an id: ids of one row of table submission_span */

/* What is to be added to a row of table submission_span. All zero: nothing. */
struct ledger_submission_span {
	int64_t span, begun_from_ns, begun_to_ns;
	uint64_t vms, programs;
};

/* Return: the bit of a VM's or program's number in a row of table submission_span. */
static inline uint64_t ledger_submission_bit(uint64_t number)
{
	return UINT64_C(1) << number % 64;
}

/*
 * Takes what ledger_submissions() was given into the database; it belongs into a transaction. What the
 * database has already changes nothing, and neither does a program without a row.
 * span: of this transaction, for ledger_submissions_end(). Return: 0 or -errno.
 */
int ledger_submissions_write(struct ledger_db *db, const struct ledger_submissions *given,
			     struct ledger_submission_span *span);

/* Before the transaction is committed: writes what is left of its spans. Return: 0 or -errno. */
int ledger_submissions_end(struct ledger_db *db, struct ledger_submission_span *span);

#endif
