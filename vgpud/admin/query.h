/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query.h - the process that answers one query from the database */

#ifndef VGPUD_ADMIN_QUERY_H
#define VGPUD_ADMIN_QUERY_H

#define QUERY_SOCKET "client" /* the name of its administrator's socket: inherit_fd() */

/*
 * The process's main function.
 * text: the JSON object of make_query() in admin/ask.c: the checked command, the database's path,
 * and the settings and times that an answer needs.
 * Return: its exit status; 0 when a whole answer was written, even if that is an error.
 */
int query_main(const char *text);

#endif
