/* SPDX-License-Identifier: GPL-2.0-or-later */
/* held.h - what memory of its GPU a program has held, as its worker's page says */

#ifndef VGPUD_PROGRAMS_HELD_H
#define VGPUD_PROGRAMS_HELD_H

#include "common/report_page.h"
#include "vgpud/ledger/ledger.h"

/*
 * Sets the memory's figures of a program's record: claims, bounded to what the program can have held
 * since it began. fd: of its worker's page (harvest.h); what cannot be read stays unknown.
 */
void held_record(int fd, uint64_t now_ns, struct ledger_program *program);

/*
 * The same from the page that a program left which was lost with vgpud. It counts up to the last thing
 * that the page tells of: when the program ended is not known. The ledger bounds it to its row's time.
 */
void held_left(const struct report_page *page, struct ledger_program *program);

#endif
