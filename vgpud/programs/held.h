/* SPDX-License-Identifier: GPL-2.0-or-later */
/* held.h - what memory of its GPU a program has held, as its worker's page says */

#ifndef VGPUD_PROGRAMS_HELD_H
#define VGPUD_PROGRAMS_HELD_H

#include "vgpud/ledger/ledger.h"

/*
 * Sets the memory's figures of a program's record: claims, bounded to what the program can have held
 * since it began. fd: of its worker's page (harvest.h); what cannot be read stays unknown.
 */
void held_record(int fd, uint64_t now_ns, struct ledger_program *program);

#endif
