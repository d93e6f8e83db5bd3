/* SPDX-License-Identifier: GPL-2.0-or-later */
/* schema.h - the text of schema.sql, which the program carries */

#ifndef VGPUD_LEDGER_SCHEMA_H
#define VGPUD_LEDGER_SCHEMA_H

/* PRAGMA user_version and application_id of schema.sql: what this vgpud reads and writes. */
#define SCHEMA_VERSION 7
#define SCHEMA_APPLICATION_ID 0x76677075

extern const char schema_sql[]; /* schema.S */

#endif
