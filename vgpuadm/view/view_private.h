/* SPDX-License-Identifier: GPL-2.0-or-later */
/* view_private.h - what the views share: the command under way */

#ifndef VGPUADM_VIEW_VIEW_PRIVATE_H
#define VGPUADM_VIEW_VIEW_PRIVATE_H

#include "common/cmd/pattern.h"
#include "vgpuadm/client.h"
#include "vgpuadm/options.h"

struct view {
	const struct options *options;
	struct output_style style;
	const struct admin_cmd *cmd;
	struct pattern_args args;
	struct client_target target;
	struct client *client;			 /* NULL: not connected yet */
	struct field chosen[OUTPUT_FIELDS_MOST]; /* by -o */
};

/* A command's own way. Return: 0, or fail's status. */
typedef int (*view_fn)(struct view *view, struct fail *fail);

/* Connects, if that is still to be done. */
int view_connect(struct view *view, struct fail *fail);

/* Hangs up: the next question connects anew. */
void view_disconnect(struct view *view);

/* Return: the rows as an array, to be decref'd; NULL: fail says why. end: see client_call(). */
json_t *view_rows(struct view *view, const char *command, json_t *args, json_t **end,
		  struct fail *fail);

/* The list's row of a VM, to be decref'd. Return: NULL: fail says why. */
json_t *view_vm(struct view *view, const char *vm, struct fail *fail);

/*
 * Gives a shape the columns of -o, where the answer has columns. The view keeps them, so of one shape of a command.
 * Return: 0, or fail's status.
 */
int view_choose_columns(struct view *view, struct output_shape *shape, struct fail *fail);

/* Writes rows that are here already. */
int view_write(const struct view *view, const struct output_shape *shape, const json_t *rows,
	       const json_t *extras, struct fail *fail);

/* The commands with a function of their own; each has its file. */
int view_status(struct view *view, struct fail *fail);
int view_show(struct view *view, struct fail *fail);
int view_snippet(struct view *view, struct fail *fail);
int view_doctor(struct view *view, struct fail *fail);
int view_top(struct view *view, struct fail *fail);
int view_trace(struct view *view, struct fail *fail);
int view_completion(struct view *view, struct fail *fail);
int view_help(struct view *view, struct fail *fail);

#endif
