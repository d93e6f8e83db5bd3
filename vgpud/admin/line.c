/* SPDX-License-Identifier: GPL-2.0-or-later */
/* line.c - reads and judges one line of JSON from an administrator's client */

#include "vgpud/admin/line.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include "common/cmd/pattern.h"

/* Keeps printable ASCII only: cutting could split a UTF-8 sequence, and answers must be UTF-8. */
static void keep_name(char *out, size_t size, const char *name)
{
	snprintf(out, size, "%s", name);
	for (char *c = out; *c != '\0'; c++)
		if (!isascii((unsigned char)*c) || !isprint((unsigned char)*c))
			*c = '?';
}

int admin_line_read(const char *line, size_t len, struct admin_line *out)
{
	json_t *object = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const char *name = json_string_value(json_object_get(object, "cmd"));
	json_t *args = json_object_get(object, "args");
	int err = 0;

	*out = (struct admin_line){
		.id = json_integer_value(json_object_get(object, "id")),
		.cmd = -1,
	};
	if (name == NULL || (args != NULL && !json_is_object(args))) {
		err = -EINVAL;
	} else {
		keep_name(out->name, sizeof(out->name), name);
		out->cmd = admin_cmd_find(name);
		out->args = args != NULL ? json_incref(args) : json_object();
		if (out->args == NULL)
			err = -ENOMEM;
	}
	json_decref(object);
	return err;
}

int admin_line_check(const struct admin_cmd *cmd, json_t *args, char *why, size_t why_size)
{
	struct pattern_args list = { .num = 0 };
	const char *key;
	json_t *value;

	json_object_foreach(args, key, value) {
		if (!json_is_string(value) && !json_is_true(value)) {
			snprintf(why, why_size,
				 "%s: the values of args are strings, or true for a flag",
				 cmd->name);
			return -EINVAL;
		}
		if (pattern_add(&list, key, json_string_value(value), why, why_size) != 0)
			return -EINVAL;
	}
	return pattern_check(cmd, &list, why, why_size);
}
