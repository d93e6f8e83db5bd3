/* SPDX-License-Identifier: GPL-2.0-or-later */
/* admin.h - the administrator's protocol: constants that daemon and vgpuadm share */

#ifndef VGPU_COMMON_CMD_ADMIN_H
#define VGPU_COMMON_CMD_ADMIN_H

#include "common/vm_settings.h"

/*
 * JSON, one object a line, over a Unix stream socket.
 *
 *   daemon:  {"vgpud":"0.1.0","protocol":1,"schema":1,"role":"change","uid":0}
 *   client:  {"id":1,"cmd":"set-priority","args":{"vm":"vm3","priority":"high"}}
 *   daemon:  {"id":1,"row":{...}}		any number of these
 *   daemon:  {"id":1,"end":{"rows":1,...}}	or
 *            {"id":1,"error":{"code":"not-found","text":"vm7: no such vm (vgpuadm list shows
 * them)"}}
 *
 * Argument values are strings as typed, flags are true. One command is answered at a time; the next
 * may be sent before. A client that has no right to read gets an error with id 0 instead of a
 * greeting.
 */
#define ADMIN_PROTOCOL_VERSION 1
#define ADMIN_SCHEMA_VERSION 1 /* of the rows: keys are only ever added */
#define ADMIN_SOCKET_DEFAULT "/run/vgpud/admin.sock"
#define ADMIN_LINE_MAX 65536 /* bytes of a client's line, newline included */

/* X(NAME, "code in an error", vgpuadm's exit status) */
#define ADMIN_ERROR_TABLE(X)             \
	X(REFUSED, "refused", 1)         \
	X(USAGE, "usage", 2)             \
	X(UNREACHABLE, "unreachable", 3) \
	X(DENIED, "denied", 4)           \
	X(NOT_FOUND, "not-found", 5)     \
	X(TIMED_OUT, "timed-out", 6)     \
	X(DEGRADED, "degraded", 7)       \
	X(WARNING, "warning", 8)

#define ADMIN_ERROR_ENUM(name, text, status) ADMIN_ERROR_##name = status,
enum admin_error { ADMIN_OK = 0, ADMIN_ERROR_TABLE(ADMIN_ERROR_ENUM) };
#undef ADMIN_ERROR_ENUM

enum admin_role { ADMIN_ROLE_NONE, ADMIN_ROLE_READ, ADMIN_ROLE_CHANGE };
enum admin_where { ADMIN_WHERE_DAEMON, ADMIN_WHERE_QUERY, ADMIN_WHERE_CLIENT };

/* The commands, in the order in which help lists them. */
#define ADMIN_CMD(name, text, pattern, role, where, what) ADMIN_CMD_##name,
enum admin_cmd_id {
#include "common/cmd/admin_cmds.def"
	ADMIN_CMD_NUM
};

struct admin_cmd {
	const char *name;
	const char *pattern;
	enum admin_role role;
	enum admin_where where;
	const char *what;
};

/* Indexed by enum admin_cmd_id. */
extern const struct admin_cmd admin_cmds[ADMIN_CMD_NUM];

/* Return: the command's number, -1: there is none of that name. */
int admin_cmd_find(const char *name);

#endif
