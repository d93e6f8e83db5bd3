/* SPDX-License-Identifier: GPL-2.0-or-later */
/* view.c - one command, from its words to what is shown */

#include "vgpuadm/view/view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cmd/suggest.h"
#include "common/units.h"
#include "vgpuadm/out/text.h"
#include "vgpuadm/times.h"
#include "vgpuadm/view/shape.h"
#include "vgpuadm/view/view_private.h"

/* ---- asking ---- */

int view_connect(struct view *view, struct fail *fail)
{
	if (!view->client)
		view->client = client_open(&view->target, fail);
	return view->client ? 0 : fail->status;
}

void view_disconnect(struct view *view)
{
	client_close(view->client);
	view->client = NULL;
}

/* As client_call(), connecting first. */
static int view_ask(struct view *view, const char *command, json_t *args, client_row_fn row,
		    void *context, json_t **end, struct fail *fail)
{
	if (view_connect(view, fail) != 0)
		return fail->status;
	return client_call(view->client, command, args, row, context, end, fail);
}

static void keep_row(void *context, json_t *row)
{
	json_array_append(context, row);
}

json_t *view_rows(struct view *view, const char *command, json_t *args, json_t **end,
		  struct fail *fail)
{
	json_t *rows = json_array();

	if (view_ask(view, command, args, keep_row, rows, end, fail) == 0)
		return rows;
	json_decref(rows);
	return NULL;
}

json_t *view_vm(struct view *view, const char *vm, struct fail *fail)
{
	json_t *args = json_pack("{s:s}", "vm", vm), *found = NULL, *row;
	json_t *rows = view_rows(view, "list", args, NULL, fail);
	size_t i;

	json_array_foreach(rows, i, row) {
		if (!found && strcmp(field_string(row, "vm"), vm) == 0)
			found = json_incref(row);
	}
	if (rows && !found)
		fail_set(fail, ADMIN_ERROR_NOT_FOUND, "%s: no such vm (vgpuadm list shows them)",
			 vm);
	json_decref(args);
	json_decref(rows);
	return found;
}

/* ---- writing ---- */

int view_choose_columns(struct view *view, struct output_shape *shape, struct fail *fail)
{
	bool sentences = shape->layout == LAYOUT_SAY && view->style.format == OUTPUT_TABLE;

	if (!view->style.columns || sentences)
		return 0;
	if (output_choose(&view->style, shape, view->chosen, fail) != 0)
		return fail->status;
	if (view->style.format != OUTPUT_JSON)
		shape->fields = view->chosen;
	return 0;
}

int view_write(const struct view *view, const struct output_shape *shape, const json_t *rows,
	       const json_t *extras, struct fail *fail)
{
	struct output *output = output_begin(&view->style, shape, false);
	json_t *row;
	size_t i;

	if (!output)
		return fail_set(fail, ADMIN_ERROR_REFUSED, "out of memory");
	*fail = (struct fail){ 0 };
	json_array_foreach(rows, i, row) {
		output_row(output, row);
	}
	output_end(output, extras, fail);
	return 0;
}

void view_report(const struct options *options, const struct fail *fail)
{
	bool colours = options_error_colours(options);

	if (fail->status == FAIL_INTERRUPTED || !fail->text[0])
		return;
	fflush(stdout);
	fputs(colours ? "\033[31mvgpuadm:\033[0m " : "vgpuadm: ", stderr);
	text_put(stderr, fail->text);
	fputc('\n', stderr);
}

/* ---- a command that the daemon answers ---- */

static json_t *args_object(const struct pattern_args *args)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < args->num; i++) {
		const struct pattern_arg *arg = &args->arg[i];
		const char *value = arg->value;
		char resolved[TIMES_SIZE];

		if (arg->type == PATTERN_TIME)
			value = times_resolve(value, resolved);
		json_object_set_new(object, arg->key, value ? json_string(value) : json_true());
	}
	return object;
}

/* Return: whether the command may wait without a time limit, as --follow does. */
static bool is_patient(const struct view *view)
{
	return pattern_find(&view->args, "follow") ||
	       (strcmp(view->cmd->name, "drain") == 0 && !view->options->timeout_given);
}

static int ask_and_show(struct view *view, struct fail *fail)
{
	struct output_shape shape = view_shape((enum admin_cmd_id)(view->cmd - admin_cmds),
					       &view->args);
	json_t *end = NULL, *args;
	struct output *output;

	if (view_choose_columns(view, &shape, fail) != 0)
		return fail->status;
	/* Connecting still has a time limit. */
	if (view_connect(view, fail) != 0)
		return fail->status;
	if (is_patient(view))
		client_set_timeout(view->client, CLIENT_WAIT_FOR_EVER);
	output = output_begin(&view->style, &shape, pattern_find(&view->args, "follow") != NULL);
	args = args_object(&view->args);
	if (!output || !args)
		return fail_set(fail, ADMIN_ERROR_REFUSED, "out of memory");
	view_ask(view, view->cmd->name, args, output_row, output, &end, fail);
	output_end(output, end, fail);
	json_decref(args);
	json_decref(end);
	return fail->status;
}

/* ---- the run ---- */

static int already_in_shell(struct view *view, struct fail *fail)
{
	(void)view;
	return fail_set(fail, ADMIN_ERROR_REFUSED,
			"shell: this is the shell (help lists commands)");
}

static const view_fn ways[ADMIN_CMD_NUM] = {
	[ADMIN_CMD_STATUS] = view_status,   [ADMIN_CMD_SHOW] = view_show,
	[ADMIN_CMD_SNIPPET] = view_snippet, [ADMIN_CMD_DOCTOR] = view_doctor,
	[ADMIN_CMD_TOP] = view_top,	    [ADMIN_CMD_SHELL] = already_in_shell,
	[ADMIN_CMD_HELP] = view_help,	    [ADMIN_CMD_COMPLETION] = view_completion,
	[ADMIN_CMD_TRACE] = view_trace,
};

static int find_command(const char *name, struct fail *fail)
{
	struct suggest suggest = suggest_begin(name);
	int id = admin_cmd_find(name);

	if (id >= 0)
		return id;
	for (int i = 0; i < ADMIN_CMD_NUM; i++)
		suggest_offer(&suggest, admin_cmds[i].name);
	fail_set(fail, ADMIN_ERROR_USAGE, "%s: no such command (vgpuadm help lists them)%s", name,
		 suggest_question(&suggest));
	return -1;
}

static int flush(struct fail *fail)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return fail->status;
	clearerr(stdout);
	/* The doctor's verdict is worth nothing without the findings that it counts. */
	if (fail->status != 0 && fail->status != ADMIN_ERROR_DEGRADED &&
	    fail->status != ADMIN_ERROR_WARNING)
		return fail->status;
	return fail_set(fail, ADMIN_ERROR_REFUSED, "cannot write the output: %s", strerror(errno));
}

/* argv: without options_take()'s options. */
static int run(struct view *view, int argc, char **argv, struct fail *fail)
{
	char why[PATTERN_WHY_SIZE];
	int id;

	if (view->options->version) {
		puts("vgpuadm " VGPU_VERSION);
		return 0;
	}
	if (argc == 0)
		return view->options->help ? view_help(view, fail) : 0;
	id = find_command(argv[0], fail);
	if (id < 0)
		return fail->status;
	view->cmd = &admin_cmds[id];
	if (view->options->help) {
		view->args.num = 0;
		pattern_add(&view->args, "command", argv[0], why, sizeof(why));
		return view_help(view, fail);
	}
	if (pattern_parse(view->cmd, argc - 1, argv + 1, &view->args, why, sizeof(why)) != 0)
		return fail_set(fail, ADMIN_ERROR_USAGE, "%s", why);
	return (ways[id] ? ways[id] : ask_and_show)(view, fail);
}

int view_run(const struct options *given, int wake_fd, int argc, char **argv)
{
	struct options options = *given;
	struct view view = { .options = &options };
	struct fail fail = { 0 };

	if (options_take(&options, &argc, argv, &fail) == 0) {
		view.style = options_style(&options);
		view.target = (struct client_target){ .socket = options.socket,
						      .timeout_ms = options.timeout_ms,
						      .wake_fd = wake_fd };
		run(&view, argc, argv, &fail);
		view_disconnect(&view);
	}
	flush(&fail);
	view_report(&options, &fail);
	return fail.status;
}
