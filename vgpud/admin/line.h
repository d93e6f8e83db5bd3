/* SPDX-License-Identifier: GPL-2.0-or-later */
/* line.h - reads and judges one line of JSON from an administrator's client */

#ifndef VGPUD_ADMIN_LINE_H
#define VGPUD_ADMIN_LINE_H

#include <jansson.h>
#include <stddef.h>

#include "common/cmd/admin.h"

struct admin_line {
	json_int_t id; /* the client's number for the command; 0: it gave none */
	char name[32]; /* of the command, known or not; printable ASCII, cut off if too long */
	int cmd;       /* enum admin_cmd_id, -1: there is none of that name */
	json_t *args;  /* object; the caller's to free */
};

/*
 * Takes a line apart, which may hold anything. len: without the newline.
 * Return: 0; -EINVAL: it is no command, out->args is NULL then; -ENOMEM.
 */
int admin_line_read(const char *line, size_t len, struct admin_line *out);

/* Judges a command's arguments. why: a sentence on failure. Return: 0 or -EINVAL. */
int admin_line_check(const struct admin_cmd *cmd, json_t *args, char *why, size_t why_size);

#endif
