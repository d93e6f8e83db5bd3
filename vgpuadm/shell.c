/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shell.c - reads commands one after another, from a person or from a file */

/*
 * Links GNU readline, which is under the GNU General Public Licence, version 3 or later: the
 * program as a whole is therefore distributed under that version. No other file uses readline.
 */

#include "vgpuadm/shell.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <readline/history.h>
#include <readline/readline.h>

#include "vgpuadm/complete.h"
#include "vgpuadm/history_file.h"
#include "vgpuadm/view/view.h"
#include "vgpuadm/words.h"

#define PROMPT "vgpuadm> "
#define HISTORY_LINES 1000

/* readline calls back without a context, and there is one terminal. */
static struct {
	const struct options *options;
	int wake_fd;   /* readable after ^C */
	char *history; /* path of its file, NULL: none is kept */
	char *line;    /* that was typed; NULL: none yet */
	bool ended;    /* ^D */
} shell;

/* ---- a line ---- */

static bool is_word(const struct words *words, const char *word)
{
	return words->argc == 1 && strcmp(words->argv[0], word) == 0;
}

/* Runs one line. leave: set when it asks for that. Return: its exit status. */
static int run_line(const char *line, bool *leave)
{
	struct fail fail = { 0 };
	struct words words;
	int status = 0, skip;

	if (words_split(line, &words, &fail) != 0) {
		view_report(shell.options, &fail);
		return fail.status;
	}
	/* A command pasted from a manual begins with the program's name. */
	skip = words.argc > 1 && strcmp(words.argv[0], "vgpuadm") == 0;
	if (is_word(&words, "exit") || is_word(&words, "quit"))
		*leave = true;
	else if (words.argc > 0)
		status = view_run(shell.options, shell.wake_fd, words.argc - skip,
				  words.argv + skip);
	words_free(&words);
	return status;
}

/* ---- completion ---- */

static void add_match(void *context, const char *candidate)
{
	char ***end = context;
	size_t count = 0;
	char **larger;

	while (*end && (*end)[count])
		count++;
	larger = reallocarray(*end, count + 2, sizeof(**end));
	if (!larger)
		return;
	larger[count] = strdup(candidate);
	larger[count + 1] = NULL;
	*end = larger;
}

static char **candidates;

/* readline calls this for each candidate, and frees them. */
static char *next_candidate(const char *text, int state)
{
	static size_t next;

	(void)text;
	if (state == 0)
		next = 0;
	return candidates && candidates[next] ? candidates[next++] : NULL;
}

static char **complete(const char *text, int start, int end)
{
	char *before = strndup(rl_line_buffer, (size_t)start);
	char **matches = NULL;
	struct words words;
	struct fail fail;

	(void)end;
	rl_attempted_completion_over = 1; /* no names of files in place of ours */
	if (!before || words_split(before, &words, &fail) != 0) {
		free(before);
		return NULL;
	}
	complete_word(shell.options, words.argc, words.argv, text, add_match, &candidates);
	matches = rl_completion_matches(text, next_candidate);
	free(candidates); /* the strings went to readline */
	candidates = NULL;
	words_free(&words);
	free(before);
	return matches;
}

/* ---- a person ---- */

static void on_interrupt(int number)
{
	const uint64_t one = 1;
	int saved = errno;

	(void)number;
	if (write(shell.wake_fd, &one, sizeof(one)) < 0) {
		/* A full counter is readable: nothing is lost. */
	}
	errno = saved;
}

static void clear_wake(void)
{
	uint64_t count;

	if (read(shell.wake_fd, &count, sizeof(count)) < 0) {
		/* Nothing was there to clear. */
	}
}

static void on_line(char *line)
{
	rl_callback_handler_remove();
	shell.line = line;
	shell.ended = line == NULL;
}

/* ^C while a line is typed: it is gone, and a new one begins. */
static void drop_line(void)
{
	clear_wake();
	rl_callback_sigcleanup();
	rl_free_line_state();
	fputs("^C\n", stdout);
	rl_callback_handler_remove();
	rl_callback_handler_install(PROMPT, on_line);
}

/* Return: the line, to be freed; NULL: the input ended. */
static char *read_line(void)
{
	struct pollfd fds[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = shell.wake_fd, .events = POLLIN },
	};

	shell.line = NULL;
	shell.ended = false;
	rl_callback_handler_install(PROMPT, on_line);
	while (!shell.line && !shell.ended) {
		if (poll(fds, 2, -1) < 0) {
			/* A new window size, or ^C: readline and wake_fd handle them. */
			if (errno != EINTR)
				break;
			rl_resize_terminal();
			continue;
		}
		if (fds[1].revents)
			drop_line();
		else if (fds[0].revents)
			rl_callback_read_char();
	}
	return shell.line;
}

/* Keeps a line, unless it is empty or the same as the last. */
static void remember(const char *line)
{
	const HIST_ENTRY *last = history_length > 0 ? history_get(history_base + history_length - 1)
						    : NULL;

	if (!line[strspn(line, " \t")] || (last && strcmp(last->line, line) == 0))
		return;
	add_history(line);
	if (shell.history)
		append_history(1, shell.history);
}

static void begin_history(void)
{
	shell.history = history_file_make();
	using_history();
	stifle_history(HISTORY_LINES);
	if (shell.history) {
		read_history(shell.history);
		history_truncate_file(shell.history, HISTORY_LINES);
	}
}

/* Runs the text typed before Return; pasted text may have several lines. */
static void run_typed(char *text, bool *leave)
{
	char *line;

	while (!*leave && (line = strsep(&text, "\r\n")) != NULL) {
		remember(line);
		clear_wake();
		run_line(line, leave);
		clear_wake();
	}
}

static int run_person(void)
{
	const struct sigaction action = { .sa_handler = on_interrupt };
	struct sigaction before;
	bool leave = false;
	char *line;

	rl_readline_name = "vgpuadm";
	rl_attempted_completion_function = complete;
	rl_completer_word_break_characters = (char *)" \t\n\"'";
	rl_catch_signals = 0; /* ^C is ours; it must be read between two characters */
	begin_history();
	sigaction(SIGINT, &action, &before);
	while (!leave && (line = read_line())) {
		run_typed(line, &leave);
		free(line);
	}
	sigaction(SIGINT, &before, NULL);
	rl_callback_handler_remove();
	if (!leave)
		putchar('\n');
	free(shell.history);
	return 0;
}

/* ---- a file ---- */

static int run_file(void)
{
	bool leave = false;
	char *line = NULL;
	size_t size = 0;
	unsigned long number = 0;
	int status, last = 0;

	while (!leave && getline(&line, &size, stdin) >= 0) {
		number++;
		status = run_line(line, &leave);
		if (status == 0)
			continue;
		last = status;
		fprintf(stderr, "vgpuadm: that was line %lu of standard input\n", number);
	}
	free(line);
	return last;
}

int shell_run(const struct options *options)
{
	bool person = isatty(STDIN_FILENO);
	int status;

	shell.options = options;
	shell.wake_fd = person ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
	status = person ? run_person() : run_file();
	if (shell.wake_fd >= 0)
		close(shell.wake_fd);
	return status;
}
