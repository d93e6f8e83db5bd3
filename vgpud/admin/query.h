/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query.h - the process that answers one query from the database */

#ifndef VGPUD_ADMIN_QUERY_H
#define VGPUD_ADMIN_QUERY_H

#define QUERY_SOCKET "client" /* the name of its administrator's socket: inherit_fd() */

/*
 * What the process does, from main().
 * text: {"id","cmd","args","db","start_ns"}: the command as admin/server.c checked it, the
 * database's path, and the daemon's start since the Unix epoch.
 * Return: its exit status; 0 when a whole answer was written, an error too.
 */
int query_main(const char *text);

#endif
