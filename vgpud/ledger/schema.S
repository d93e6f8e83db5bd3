/* SPDX-License-Identifier: GPL-2.0-or-later */
/* schema.S - schema.sql, carried in the program as a string */

	.section .rodata
	.global schema_sql
schema_sql:
	.incbin "schema.sql"
	.byte 0
	.section .note.GNU-stack, "", @progbits
