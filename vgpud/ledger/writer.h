/* SPDX-License-Identifier: GPL-2.0-or-later */
/* writer.h - the thread that owns the ledger's database */

#ifndef VGPUD_LEDGER_WRITER_H
#define VGPUD_LEDGER_WRITER_H

#include <pthread.h>
#include <stdint.h>

#include "vgpud/ledger/book.h"
#include "vgpud/ledger/changes.h"
#include "vgpud/ledger/retention.h"
#include "vgpud/ledger/start.h"
#include "vgpud/ledger/wake.h"
#include "vgpud/ledger/watch.h"

struct ledger_writer {
	pthread_t thread;
	struct ledger_book *book;
	struct ledger_start *start;
	struct ledger_changes *changes;
	struct ledger_wake *wake;
	struct ledger_retention retention;
	struct ledger_watch watch;
};

/* Starts the thread, which owns book and start from here on. Return: 0 or -errno. */
int ledger_writer_start(struct ledger_writer *writer);

/* Lets it do the work on its lists and waits for its end; then the caller owns book and start. */
void ledger_writer_stop(struct ledger_writer *writer);

#endif
