/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_view.c - what vgpuadm shows: rows in, text out, compared with files */

#include <dirent.h>
#include <fcntl.h>
#include <locale.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/scratch.h"
#include "vgpuadm/client.h"
#include "vgpuadm/view/view.h"
#include "vgpuadm/words.h"

/*
 * views/NAME.in:
 *
 *	$ list --vm vm3		what is typed behind vgpuadm, once or several times
 *	$80 list		the same, in 80 columns
 *	[list]			what the daemon answers to a command: its rows, a line each,
 *	{"vm":"vm3", ...}
 *	end {"limited":true}	what stands at its end,
 *	error not-found TEXT	or why there is none
 *
 * views/NAME.out has what comes on the terminal, standard error too. UPDATE=1 writes it anew: look at
 * the difference before you commit it.
 */

#define VIEWS "tests/unit/vgpuadm/views"

/* --- a daemon that answers from the file --- */

struct client {
	json_t *greeting;
};

static const char *answers; /* the file's text */

struct client *client_open(const struct client_target *target, struct fail *fail)
{
	static struct client client;

	(void)target;
	*fail = (struct fail){ 0 };
	client.greeting = json_pack("{s:s, s:s}", "vgpud", VGPU_VERSION, "runtime_dir",
				    "/run/vgpud");
	return &client;
}

void client_close(struct client *client)
{
	if (client != NULL)
		json_decref(client->greeting);
}

const json_t *client_greeting(const struct client *client)
{
	return client->greeting;
}

void client_set_timeout(struct client *client, int timeout_ms)
{
	(void)client;
	(void)timeout_ms;
}

/* Takes a line of an answer. Return: whether the answer goes on. */
static bool take_line(const char *line, size_t len, client_row_fn row, void *context, json_t **end,
		      struct fail *fail)
{
	char code[32] = "", text[256] = "";
	json_t *object;

	if (len == 0 || line[0] == '[' || line[0] == '$')
		return false;
	if (strncmp(line, "error ", 6) == 0) {
		sscanf(line, "error %31s %255[^\n]", code, text);
		fail_set(fail, fail_status(code), "%s", text);
		return false;
	}
	if (strncmp(line, "end ", 4) == 0) {
		if (end != NULL)
			*end = json_loadb(line + 4, len - 4, 0, NULL);
		return true;
	}
	object = json_loadb(line, len, 0, NULL);
	if (object == NULL)
		fail_msg("not JSON: %.*s", (int)len, line);
	row(context, object);
	json_decref(object);
	return true;
}

int client_call(struct client *client, const char *command, json_t *args, client_row_fn row,
		void *context, json_t **end, struct fail *fail)
{
	char section[40];
	const char *at;

	(void)client;
	(void)args;
	*fail = (struct fail){ 0 };
	if (end != NULL)
		*end = NULL;
	snprintf(section, sizeof(section), "\n[%s]\n", command);
	at = strstr(answers, section);
	if (at == NULL) {
		fail_msg("the case has no answer to %s", command);
		return -1;
	}
	at += strlen(section);
	while (take_line(at, strcspn(at, "\n"), row, context, end, fail))
		at += strcspn(at, "\n") + 1;
	if (end != NULL && *end == NULL && fail->status == 0)
		*end = json_object();
	return fail->status;
}

/* --- a host that has nothing of its own --- */

struct passwd *getpwnam(const char *name)
{
	(void)name;
	return NULL;
}

/* --- the cases --- */

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	if (file == NULL)
		return NULL;
	if (getdelim(&text, &size, '\0', file) < 0 && text != NULL)
		text[0] = '\0';
	fclose(file);
	return text;
}

/* Runs what the line types, and leaves its exit status behind the output. */
static void run_line(const char *line, size_t len)
{
	struct options options = options_default();
	char *copy = strndup(line, len);
	struct fail fail = { 0 };
	struct words words;
	int status;

	assert_non_null(copy);
	assert_int_equal(words_split(copy, &words, &fail), 0);
	printf("$ vgpuadm %s\n", copy);
	fflush(stdout);
	status = view_run(&options, -1, words.argc, words.argv);
	if (status != 0)
		printf("(exit status %d)\n", status);
	words_free(&words);
	free(copy);
}

/* " list", or "80 list": on a terminal that has so many columns. */
static void run_typed(const char *line)
{
	size_t digits = strspn(line, "0123456789");
	char columns[8];

	if (digits > 0 && digits < sizeof(columns)) {
		snprintf(columns, sizeof(columns), "%.*s", (int)digits, line);
		setenv("COLUMNS", columns, 1);
	}
	line += digits + 1;
	run_line(line, strcspn(line, "\n"));
	unsetenv("COLUMNS");
}

/* Return: what the case prints, to be freed. */
static char *run_case(void)
{
	char dir[] = "/tmp/vgpu-view.XXXXXX", path[64], *text;
	int out, saved_out = dup(STDOUT_FILENO), saved_err = dup(STDERR_FILENO);

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/out", dir);
	fflush(stdout);
	out = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	assert_true(out >= 0 && dup2(out, STDOUT_FILENO) >= 0 && dup2(out, STDERR_FILENO) >= 0);
	for (const char *line = answers; *line != '\0'; line += strcspn(line, "\n") + 1)
		if (line[0] == '$')
			run_typed(line + 1);
	fflush(stdout);
	dup2(saved_out, STDOUT_FILENO);
	dup2(saved_err, STDERR_FILENO);
	close(saved_out);
	close(saved_err);
	close(out);
	text = read_file(path);
	unlink(path);
	rmdir(dir);
	return text != NULL ? text : strdup("");
}

static void update(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void test_view(void **state)
{
	const char *name = *state, *wish = getenv("UPDATE");
	char in[300], out[300], *text, *wanted, *file;

	snprintf(in, sizeof(in), VIEWS "/%s.in", name);
	snprintf(out, sizeof(out), VIEWS "/%s.out", name);
	file = read_file(in);
	assert_non_null(file);
	answers = file;
	text = run_case();
	if (wish != NULL && *wish != '\0')
		update(out, text);
	wanted = read_file(out);
	if (wanted == NULL) {
		fail_msg("%s is missing; UPDATE=1 writes it", out);
		return;
	}
	assert_string_equal(text, wanted);
	free(wanted);
	free(text);
	free(file);
}

static int is_case(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot != NULL && strcmp(dot, ".in") == 0;
}

int main(void)
{
	struct CMUnitTest tests[64];
	struct dirent **entries;
	int num = scandir(VIEWS, &entries, is_case, alphasort), status;

	/* The output depends on these. */
	setenv("TZ", "IST-5:30", 1); /* a zone that has no summer */
	setenv("PATH", "/nonexistent", 1);
	unsetenv("COLUMNS");
	unsetenv("VGPUADM_SOCKET");
	setlocale(LC_ALL, "C.UTF-8");
	if (num <= 0 || num > 64) {
		fprintf(stderr, "%s: no cases, or too many; run this from the top of the tree\n",
			VIEWS);
		return 1;
	}
	for (int i = 0; i < num; i++) {
		*strrchr(entries[i]->d_name, '.') = '\0';
		tests[i] = (struct CMUnitTest){
			.name = entries[i]->d_name,
			.test_func = test_view,
			.initial_state = entries[i]->d_name,
		};
	}
	status = _cmocka_run_group_tests("views", tests, (size_t)num, NULL, NULL);
	for (int i = 0; i < num; i++)
		free(entries[i]);
	free(entries);
	return status;
}
