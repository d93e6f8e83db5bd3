/* SPDX-License-Identifier: GPL-2.0-or-later */
/* help.c - lists the commands, and explains one */

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/vm_settings.h"
#include "vgpuadm/view/shape.h"
#include "vgpuadm/view/view_private.h"

#define USAGE_SIZE 512

static json_t *command_row(const struct admin_cmd *cmd)
{
	char usage[USAGE_SIZE];

	pattern_usage(cmd, usage, sizeof(usage));
	return json_pack("{s:s, s:s, s:s}", "name", cmd->name, "usage", usage, "what", cmd->what);
}

/* For programs: a row for each command, or for the one. */
static int help_rows(struct view *view, int only, struct fail *fail)
{
	struct output_shape shape = view_shape(ADMIN_CMD_HELP, &view->args);
	json_t *rows;
	int status;

	if (view_choose_columns(view, &shape, fail) != 0)
		return fail->status;
	rows = json_array();
	for (int i = 0; i < ADMIN_CMD_NUM; i++)
		if (only < 0 || i == only)
			json_array_append_new(rows, command_row(&admin_cmds[i]));
	status = view_write(view, &shape, rows, NULL, fail);
	json_decref(rows);
	return status;
}

static void help_all(void)
{
	puts("usage: vgpuadm [OPTION]... [COMMAND [ARGUMENT]...]\n"
	     "Administers vgpud, which lets virtual machines share a GPU. Without a command it reads\n"
	     "commands: from a terminal with a prompt, else from standard input.\n"
	     "\n"
	     "commands (vgpuadm help COMMAND says what one takes):");
	for (int i = 0; i < ADMIN_CMD_NUM; i++)
		printf("  %-14s %s\n", admin_cmds[i].name, admin_cmds[i].what);
	printf("\noptions, before a command or behind it:\n%s", options_help);
	puts("\nExit: 0 done, 1 refused, 2 usage, 3 vgpud unreachable, 4 denied, 5 not found,\n"
	     "6 timed out, 7 degraded, 8 warnings (of the doctor).\n"
	     "Manuals: vgpuadm(8), and vgpuadm-output(7) for scripts.");
}

/* Prints "PRIORITY" for a <priority>, and its possible values. */
static void explain_type(enum pattern_type type)
{
	const char *name = pattern_type_name(type), *word;

	fputs("  ", stdout);
	for (const char *c = name; *c; c++)
		putchar(toupper((unsigned char)*c));
	printf("%*s %s", (int)(strlen(name) < 10 ? 10 - strlen(name) : 0), "",
	       pattern_type_expected(type));
	for (unsigned i = 0; (word = pattern_type_word(type, i)) != NULL; i++)
		printf("%s%s", i == 0 ? ": " : ", ", word);
	putchar('\n');
}

/* Return: whether the type stands in the pattern, alone or as one of several. */
static bool mentions(const char *pattern, enum pattern_type type)
{
	const char *name = pattern_type_name(type);
	size_t len = strlen(name);

	for (const char *at = pattern; (at = strstr(at, name)) != NULL; at += len)
		if (at > pattern && strchr("<:|", at[-1]) && strchr(">|", at[len]))
			return true;
	return false;
}

/* "MEMORY     a size from 1 to 1024T, or none": of a setting that is typed as any word. */
static void explain_setting(const struct admin_cmd *cmd)
{
	const struct vm_setting *setting = vm_setting_of_command(cmd->name);
	char expected[80];

	if (!setting || !mentions(cmd->pattern, PATTERN_WORD))
		return;
	vm_setting_expected(setting, expected, sizeof(expected));
	fputs("  ", stdout);
	for (const char *c = setting->name; *c; c++)
		putchar(*c == '_' ? '-' : toupper((unsigned char)*c));
	printf("%*s %s\n", (int)(strlen(setting->name) < 10 ? 10 - strlen(setting->name) : 0), "",
	       expected);
}

static void help_one(const struct admin_cmd *cmd)
{
	bool named = strstr(cmd->pattern, ":word>") != NULL; /* the usage has its name */
	char usage[USAGE_SIZE];

	pattern_usage(cmd, usage, sizeof(usage));
	printf("usage: vgpuadm [OPTION]... %s\n%s%s.\n", usage, cmd->what,
	       cmd->role == ADMIN_ROLE_CHANGE ? " (takes the right to change things)" : "");
	for (int type = PATTERN_FLAG + 1; type < PATTERN_TYPE_NUM; type++)
		if (mentions(cmd->pattern, (enum pattern_type)type) &&
		    (type != PATTERN_WORD || !named))
			explain_type((enum pattern_type)type);
	explain_setting(cmd);
	puts("vgpuadm help lists the options that all commands take.");
}

int view_help(struct view *view, struct fail *fail)
{
	const char *name = pattern_value(&view->args, "command");
	int only = name ? admin_cmd_find(name) : -1;

	if (view->style.format != OUTPUT_TABLE)
		return help_rows(view, only, fail);
	if (only < 0)
		help_all();
	else
		help_one(&admin_cmds[only]);
	return 0;
}
