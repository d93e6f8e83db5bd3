/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - vgpuadm: administers vgpud */

#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vgpuadm/complete.h"
#include "vgpuadm/shell.h"
#include "vgpuadm/view/view.h"

static void print_candidate(void *context, const char *candidate)
{
	(void)context;
	puts(candidate);
}

/* Answers the scripts of `vgpuadm completion`: the last word is the one being typed. */
static int complete(int argc, char **argv)
{
	struct options options = options_default();

	if (argc > 0)
		complete_word(&options, argc - 1, argv, argv[argc - 1], print_candidate, NULL);
	return 0;
}

int main(int argc, char **argv)
{
	struct options options = options_default();
	struct fail fail = { 0 };

	setlocale(LC_ALL, "");
	setlocale(LC_NUMERIC, "C"); /* a decimal point, in CSV above all, wherever this runs */
	if (argc < 1)
		return ADMIN_ERROR_USAGE;
	argc--;
	argv++;
	if (argc > 0 && strcmp(argv[0], "--complete") == 0)
		return complete(argc - 1, argv + 1);
	if (options_take(&options, &argc, argv, &fail) != 0) {
		view_report(&options, &fail);
		return fail.status;
	}
	if (!options.help && !options.version &&
	    (argc == 0 || (argc == 1 && strcmp(argv[0], "shell") == 0)))
		return shell_run(&options);
	return view_run(&options, -1, argc, argv);
}
