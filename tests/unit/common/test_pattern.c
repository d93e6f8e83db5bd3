/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_pattern.c - what follows a command: words, keys and values, completion, usage, sentences */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ctype.h>
#include <errno.h>

#include "common/cmd/pattern.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define WORDS_MAX 16

/* Words at spaces; "''" is an empty one, '+' a space. The result lives until the next call. */
static int split(const char *line, char **argv)
{
	static char words[1024];
	char *save = NULL;
	int argc = 0;

	snprintf(words, sizeof(words), "%s", line);
	for (char *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		for (char *plus = word; (plus = strchr(plus, '+')) != NULL;)
			*plus = ' ';
		if (strcmp(word, "''") == 0)
			word[0] = '\0';
		assert_in_range(argc, 0, WORDS_MAX - 1);
		argv[argc++] = word;
	}
	return argc;
}

static const struct admin_cmd *command(const char *name)
{
	int id = admin_cmd_find(name);

	assert_true(id >= 0);
	return &admin_cmds[id];
}

/* line: a command and its words. Return: pattern_parse()'s answer. */
static int parse(const char *line, struct pattern_args *args, char *why, size_t why_size)
{
	char *argv[WORDS_MAX];
	int argc = split(line, argv);

	return pattern_parse(command(argv[0]), argc - 1, argv + 1, args, why, why_size);
}

/* "vm=vm3 priority=high"; a flag is its key alone. */
static void show(const struct pattern_args *args, char *out, size_t size)
{
	size_t len = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < args->num; i++) {
		const struct pattern_arg *arg = &args->arg[i];

		len += (size_t)snprintf(out + len, size - len, "%s%s%s%s", i > 0 ? " " : "",
					arg->key, arg->value != NULL ? "=" : "",
					arg->value != NULL ? arg->value : "");
	}
}

static void what_is_right(void **state)
{
	static const struct {
		const char *line, *args;
	} cases[] = {
		{ "status", "" },
		{ "set-priority vm3 high", "vm=vm3 priority=high" },
		{ "set-pool vm3 B", "vm=vm3 pool=B" },
		{ "show vm3", "target=vm3" },
		{ "show 12345", "target=12345" },
		{ "help", "" },
		{ "help stats", "command=stats" },
		{ "stats", "" },
		{ "stats --since 1h --by vm", "since=1h by=vm" },
		{ "stats --since=1h --exact --by=pool", "since=1h exact by=pool" },
		{ "stats --since 2026-11-21+07:30", "since=2026-11-21 07:30" },
		{ "stats --", "" },
		{ "drain --off", "off" },
		{ "drain --timeout 0.5", "timeout=0.5" },
		{ "remove-vm --force vm3", "force vm=vm3" },
		{ "remove-vm vm3 --force", "vm=vm3 force" },
		{ "remove-vm --force -- vm3", "force vm=vm3" },
		{ "add-vm vm4 --pool B --priority high --id 7 --connect /run/q/vm4.sock",
		  "name=vm4 pool=B priority=high id=7 connect=/run/q/vm4.sock" },
		{ "add-vm --connect=/a=b vm4", "connect=/a=b name=vm4" },
		{ "requests --status GPU_FAULT --opcode vector-add --limit 10 --follow",
		  "status=GPU_FAULT opcode=vector-add limit=10 follow" },
		{ "events --subject -x", "subject=-x" },
		{ "snippet libvirt vm3", "hypervisor=libvirt vm=vm3" },
		{ "completion zsh", "shell=zsh" },
		{ "cancel 18446744073709551615", "id=18446744073709551615" },
		{ "doctor --qemu -", "qemu=-" },
		{ "set-limit vm3 200/s", "vm=vm3 limit=200/s" },
		{ "set-limit vm3 --burst 5 200", "vm=vm3 burst=5 limit=200" },
		{ "set-limit vm3 off", "vm=vm3 limit=off" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct pattern_args args;
		char why[PATTERN_WHY_SIZE], text[512];

		if (parse(cases[i].line, &args, why, sizeof(why)) != 0)
			fail_msg("%s: %s", cases[i].line, why);
		show(&args, text, sizeof(text));
		assert_string_equal(text, cases[i].args);
	}
}

static void types_and_finding(void **state)
{
	struct pattern_args args;
	char why[PATTERN_WHY_SIZE];

	(void)state;
	assert_int_equal(parse("show 12345", &args, why, sizeof(why)), 0);
	assert_int_equal(args.arg[0].type, PATTERN_ID);
	assert_int_equal(parse("show vm3", &args, why, sizeof(why)), 0);
	assert_int_equal(args.arg[0].type, PATTERN_VM);
	assert_int_equal(parse("show 0", &args, why, sizeof(why)), 0);
	assert_int_equal(args.arg[0].type, PATTERN_VM); /* no request has number 0 */
	assert_int_equal(parse("drain --off --timeout 3", &args, why, sizeof(why)), 0);
	assert_int_equal(pattern_find(&args, "off")->type, PATTERN_FLAG);
	assert_null(pattern_value(&args, "off"));
	assert_string_equal(pattern_value(&args, "timeout"), "3");
	assert_null(pattern_find(&args, "vm"));
	assert_null(pattern_value(&args, "vm"));
	assert_int_equal(pattern_type_index(PATTERN_STATUS, "GPU_FAULT"), 13);
	assert_int_equal(pattern_type_index(PATTERN_PRIORITY, "high"), 2);
	assert_int_equal(pattern_type_index(PATTERN_PRIORITY, "vip"), -ENOENT);
	assert_int_equal(pattern_type_index(PATTERN_POOL, "A"), -ENOENT);
}

static void what_is_wrong(void **state)
{
	static const struct {
		const char *line, *why;
	} cases[] = {
		{ "set-priority",
		  "set-priority: the vm is missing; usage: set-priority VM PRIORITY" },
		{ "set-priority vm3", "set-priority: the priority is missing (low, medium, high); "
				      "usage: set-priority VM PRIORITY" },
		{ "set-cap vm3",
		  "set-cap: the cap is missing: expected percents (as in 30%) from 1 "
		  "to 100, or none; usage: set-cap VM CAP" },
		{ "set-memory vm3 ''", "set-memory: '': expected a size (as in 500M or 4G) from 1 "
				       "to 1024T, or none" },
		{ "trace 1 --for 5m", "trace: --for: 5m: expected seconds, as in 10 or 0.5, from "
				      "0.1 to 60" },
		{ "top --interval 61", "top: --interval: 61: expected seconds, as in 10 or 0.5, "
				       "from 0.1 to 60" },
		{ "set-priority vm3 vip",
		  "set-priority: vip: no such priority (low, medium, high)" },
		{ "set-priority vm3 hihg", "set-priority: hihg: no such priority (low, medium, "
					   "high); did you mean high?" },
		{ "set-priority vm3 High", "set-priority: High: no such priority (low, medium, "
					   "high); did you mean high?" },
		{ "set-priority vm3 high now",
		  "set-priority: now: one word too many; usage: set-priority VM PRIORITY" },
		{ "set-priority .vm high", "set-priority: .vm: expected a VM's name: 1 to 63 "
					   "letters, digits, '.', '_' and '-', the first one a "
					   "letter or digit" },
		{ "set-pool vm3 b", "set-pool: b: expected a pool: one letter from A to Z" },
		{ "set-pool vm3 ''", "set-pool: '': expected a pool: one letter from A to Z" },
		{ "show -3",
		  "show: -3: no such option; usage: show VM|ID [--program] [--submission]" },
		{ "show a/b", "show: a/b: expected a VM's name: 1 to 63 letters, digits, '.', '_' "
			      "and '-', the first one a letter or digit; or a number: 1 or more" },
		{ "status --all", "status: --all: no such option, it takes none; usage: status" },
		{ "stats --sinse 1h", "stats: --sinse: no such option; did you mean --since?" },
		{ "drain --xyz",
		  "drain: --xyz: no such option; usage: drain [--off] [--until-restart] "
		  "[--timeout SECONDS]" },
		{ "drain --timeout", "drain: --timeout needs a value: --timeout SECONDS" },
		{ "drain --timeout --off", "drain: --timeout needs a value: --timeout SECONDS" },
		{ "drain --timeout x", "drain: --timeout: x: expected seconds, as in 10 or 0.5, "
				       "at most 86400" },
		{ "drain --timeout=", "drain: --timeout: '': expected seconds, as in 10 or 0.5, "
				      "at most 86400" },
		{ "drain --off=1", "drain: --off takes no value" },
		{ "drain --off --off", "drain: --off is there twice; give it once" },
		{ "drain --timeout 1 --timeout=1",
		  "drain: --timeout is there twice; give it once" },
		{ "drain -- --off",
		  "drain: --off: one word too many; usage: drain [--off] [--until-restart] [--timeout SECONDS]" },
		{ "set-limit vm3 0",
		  "set-limit: 0: expected requests a second, as in 200/s, at most "
		  "1000000; or off for none" },
		{ "set-limit vm3", "set-limit: the limit is missing; usage: set-limit VM RATE|OFF "
				   "[--burst NUMBER]" },
		{ "cancel 0", "cancel: 0: expected a number: 1 or more" },
		{ "cancel 18446744073709551616",
		  "cancel: 18446744073709551616: expected a number: 1 or more" },
		{ "requests --limit 4294967296", "requests: --limit: 4294967296: expected a whole "
						 "number from 1 to 4294967295" },
		{ "stats --by vms", "stats: --by: vms: no such group (vm, pool, priority, "
				    "opcode); did you mean vm?" },
		{ "completion fish", "completion: fish: no such shell (bash, zsh)" },
		{ "stats --since 25:00",
		  "stats: --since: 25:00: expected a time, as in 1h, 90m, 1h30m, 2d, 1w, now, "
		  "today, yesterday, boot, start, 07:30, 2026-11-21, \"2026-11-21 07:30\", "
		  "2026-11-21T07:30:00+01:00, @1795245000" },
		{ "doctor --qemu a\033[2Jb", "doctor: --qemu: a?[2Jb: expected a path without "
					     "control characters" },
		{ "cancel \303\274", "cancel: ??: expected a number: 1 or more" },
		{ "cancel 1234567890123456789012345678901234567890123456789012345678901234567890",
		  "cancel: 1234567890123456789012345678901234567890123456789012345678901234...: "
		  "expected a number: 1 or more" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct pattern_args args;
		char why[PATTERN_WHY_SIZE] = "";

		assert_int_equal(parse(cases[i].line, &args, why, sizeof(why)), -EINVAL);
		assert_string_equal(why, cases[i].why);
	}
}

/* A small buffer cuts the sentence, wherever it is cut. */
static void short_sentences(void **state)
{
	struct pattern_args args;
	char full[PATTERN_WHY_SIZE];

	(void)state;
	assert_int_equal(parse("stats --sinc 1h", &args, full, sizeof(full)), -EINVAL);
	for (size_t size = 1; size <= strlen(full) + 1; size++) {
		char *why = malloc(size);

		assert_int_equal(parse("stats --sinc 1h", &args, why, size), -EINVAL);
		assert_int_equal(strlen(why), size - 1);
		assert_memory_equal(why, full, size - 1);
		free(why);
	}
}

/* "vm=vm3 off": keys and values as they come over the socket. */
static int check(const char *line, struct pattern_args *args, char *why, size_t why_size)
{
	char *argv[WORDS_MAX];
	int argc = split(line, argv);

	*args = (struct pattern_args){ 0 };
	for (int i = 1; i < argc; i++) {
		char *value = strchr(argv[i], '=');

		if (value != NULL)
			*value++ = '\0';
		assert_int_equal(pattern_add(args, argv[i], value, why, why_size), 0);
	}
	return pattern_check(command(argv[0]), args, why, why_size);
}

static void keys_and_values(void **state)
{
	static const struct {
		const char *line, *why; /* NULL: right */
	} cases[] = {
		{ "status", NULL },
		{ "set-priority vm=vm3 priority=high", NULL },
		{ "set-priority priority=high vm=vm3", NULL },
		{ "show target=12", NULL },
		{ "stats since=1h exact", NULL },
		{ "help", NULL },
		{ "set-priority vm=vm3", "set-priority: the priority is missing (low, medium, "
					 "high); usage: set-priority VM PRIORITY" },
		{ "set-priority vm=vm3 priority=vip",
		  "set-priority: vip: no such priority (low, medium, high)" },
		{ "set-priority vm=vm3 prioriti=high",
		  "set-priority: prioriti: no such argument; did you mean priority?" },
		{ "set-priority vm=vm3 q=high",
		  "set-priority: q: no such argument; usage: set-priority VM PRIORITY" },
		{ "set-priority vm=vm3 vm=vm3 priority=high",
		  "set-priority: vm is there twice; give it once" },
		{ "set-priority vm priority=high", "set-priority: vm needs a value: VM" },
		{ "stats exact=yes", "stats: exact takes no value: true" },
		{ "stats --exact", "stats: --exact: no such argument; did you mean exact?" },
		{ "stats since=1h1h",
		  "stats: --since: 1h1h: expected a time, as in 1h, 90m, 1h30m, 2d, 1w, now, "
		  "today, yesterday, boot, start, 07:30, 2026-11-21, \"2026-11-21 07:30\", "
		  "2026-11-21T07:30:00+01:00, @1795245000" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct pattern_args args;
		char why[PATTERN_WHY_SIZE] = "";
		int err = check(cases[i].line, &args, why, sizeof(why));

		if (cases[i].why == NULL && err != 0)
			fail_msg("%s: %s", cases[i].line, why);
		if (cases[i].why != NULL) {
			assert_int_equal(err, -EINVAL);
			assert_string_equal(why, cases[i].why);
		}
	}
}

static void too_many_keys(void **state)
{
	struct pattern_args args = { 0 };
	char why[PATTERN_WHY_SIZE] = "", key[PATTERN_KEY_SIZE + 1];

	(void)state;
	memset(key, 'k', sizeof(key));
	key[PATTERN_KEY_SIZE] = '\0';
	assert_int_equal(pattern_add(&args, key, "x", why, sizeof(why)), -E2BIG);
	assert_true(strlen(why) > 0);
	key[PATTERN_KEY_SIZE - 1] = '\0';
	for (int i = 0; i < PATTERN_ARGS_MAX; i++)
		assert_int_equal(pattern_add(&args, key, "x", why, sizeof(why)), 0);
	assert_int_equal(pattern_add(&args, "vm", "x", why, sizeof(why)), -E2BIG);
	assert_int_equal(args.num, PATTERN_ARGS_MAX);
	assert_int_equal(pattern_check(command("status"), &args, why, sizeof(why)), -EINVAL);
}

/* The daemon takes what vgpuadm makes of any line. */
static void both_sides_agree(void **state)
{
	static const char *const lines[] = {
		"set-priority vm3 high", "stats --since 1h --exact",   "show 12",
		"drain --off",		 "add-vm vm4 --pool B --id 7",
	};

	(void)state;
	for (size_t i = 0; i < LEN(lines); i++) {
		struct pattern_args args, again = { 0 };
		char why[PATTERN_WHY_SIZE], name[32];

		snprintf(name, sizeof(name), "%.*s", (int)strcspn(lines[i], " "), lines[i]);
		assert_int_equal(parse(lines[i], &args, why, sizeof(why)), 0);
		for (unsigned j = 0; j < args.num; j++)
			assert_int_equal(pattern_add(&again, args.arg[j].key, args.arg[j].value,
						     why, sizeof(why)),
					 0);
		assert_int_equal(pattern_check(command(name), &again, why, sizeof(why)), 0);
		assert_int_equal(again.num, args.num);
		for (unsigned j = 0; j < args.num; j++)
			assert_int_equal(again.arg[j].type, args.arg[j].type);
	}
}

static void completion(void **state)
{
	/* The last word is the one under way. */
	static const struct {
		const char *line, *offers;
	} cases[] = {
		{ "set-priority ''", "<vm>" },
		{ "set-priority vm3 ''", "<priority>" },
		{ "set-priority vm3 h", "<priority>" },
		{ "set-priority vm3 high ''", "" },
		{ "show ''", "--program --submission <vm> <id>" },
		{ "help s", "<command>" },
		{ "drain ''", "--off --until-restart --timeout" },
		{ "drain --off ''", "--until-restart --timeout" },
		{ "drain --timeout ''", "<seconds>" },
		{ "drain --timeout --", "<seconds>" },
		{ "drain --timeout=1 ''", "--off --until-restart" },
		{ "drain --timeout=", "<seconds>" },
		{ "drain --off=", "" },
		{ "drain --nonsense=", "" },
		{ "drain --nonsense ''", "--off --until-restart --timeout" },
		{ "drain -- ''", "" },
		{ "remove-vm ''", "--force <vm>" },
		{ "remove-vm --force ''", "<vm>" },
		{ "remove-vm vm3 --f", "--force" },
		{ "remove-vm -- ''", "<vm>" },
		{ "stats --by ''", "<group>" },
		{ "status ''", "" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		char *argv[WORDS_MAX] = { NULL }, offers[256] = "";
		int argc = split(cases[i].line, argv);
		struct pattern_next next;
		size_t len = 0;

		pattern_next(command(argv[0]), argc - 2, argv + 1, argv[argc - 1], &next);
		for (unsigned j = 0; j < next.option_num; j++)
			len += (size_t)snprintf(offers + len, sizeof(offers) - len, "%s%s",
						len > 0 ? " " : "", next.option[j]);
		for (unsigned j = 0; j < next.type_num; j++)
			len += (size_t)snprintf(offers + len, sizeof(offers) - len, "%s<%s>",
						len > 0 ? " " : "",
						pattern_type_name(next.type[j]));
		if (strcmp(offers, cases[i].offers) != 0)
			fail_msg("%s: offers %s, not %s", cases[i].line, offers, cases[i].offers);
	}
}

static void what_a_completion_replaces(void **state)
{
	char word[] = "--timeout=1", dash[] = "--t";
	struct pattern_next next;

	(void)state;
	pattern_next(command("drain"), 0, NULL, word, &next);
	assert_ptr_equal(next.typed, word + strlen("--timeout="));
	pattern_next(command("drain"), 0, NULL, dash, &next);
	assert_ptr_equal(next.typed, dash);
}

static void usage(void **state)
{
	char text[PATTERN_WHY_SIZE];

	(void)state;
	pattern_usage(command("set-priority"), text, sizeof(text));
	assert_string_equal(text, "set-priority VM PRIORITY");
	pattern_usage(command("show"), text, sizeof(text));
	assert_string_equal(text, "show VM|ID [--program] [--submission]");
	pattern_usage(command("help"), text, sizeof(text));
	assert_string_equal(text, "help [COMMAND]");
	pattern_usage(command("remove-vm"), text, sizeof(text));
	assert_string_equal(text, "remove-vm VM [--force]");
}

/*
 * Each pattern in the table is whole: its usage, turned back, is the pattern less its keys, but for an
 * argument that may be any word: that one has its key. The longest sentences fit.
 */
static void every_pattern_is_sound(void **state)
{
	(void)state;
	for (int i = 0; i < ADMIN_CMD_NUM; i++) {
		char usage_text[PATTERN_WHY_SIZE], expected[PATTERN_WHY_SIZE], why[4096];
		char word[] = "--an-option-that-is-far-away", *argv[] = { word };
		struct pattern_args args;
		size_t len;

		pattern_usage(&admin_cmds[i], usage_text, sizeof(usage_text));
		len = (size_t)snprintf(expected, sizeof(expected), "%s%s", admin_cmds[i].name,
				       admin_cmds[i].pattern[0] != '\0' ? " " : "");
		for (const char *c = admin_cmds[i].pattern; *c != '\0'; c++) {
			const char *colon = *c == '<' ? strchr(c, ':') : NULL;
			const char *end = *c == '<' ? strchr(c, '>') : NULL;

			if (*c != '<') {
				expected[len++] = *c;
				continue;
			}
			if (colon != NULL && colon < end && strncmp(colon, ":word>", 6) == 0) {
				for (c++; *c != ':'; c++)
					expected[len++] =
						(char)(*c == '_' ? '-'
								 : toupper((unsigned char)*c));
				c = end;
				continue;
			}
			if (colon != NULL && colon < end)
				c = colon;
			for (c++; *c != '>'; c++)
				expected[len++] = (char)toupper((unsigned char)*c);
		}
		expected[len] = '\0';
		assert_string_equal(usage_text, expected);
		assert_int_equal(pattern_parse(&admin_cmds[i], 1, argv, &args, why, sizeof(why)),
				 -EINVAL);
		assert_in_range(strlen(why), 1, PATTERN_WHY_SIZE - 1);
	}
}

static void every_type_says_what_is_right(void **state)
{
	(void)state;
	for (int type = PATTERN_FLAG + 1; type < PATTERN_TYPE_NUM; type++) {
		const char *name = pattern_type_name((enum pattern_type)type);

		assert_int_equal(pattern_type_find(name, strlen(name)), type);
		assert_non_null(pattern_type_expected((enum pattern_type)type));
		assert_false(pattern_type_fits((enum pattern_type)type, ""));
		assert_false(pattern_type_fits((enum pattern_type)type, "\n"));
	}
	assert_int_equal(pattern_type_find("flag", 4), PATTERN_TYPE_NUM);
	assert_int_equal(pattern_type_find("v", 1), PATTERN_TYPE_NUM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_right),
		cmocka_unit_test(types_and_finding),
		cmocka_unit_test(what_is_wrong),
		cmocka_unit_test(short_sentences),
		cmocka_unit_test(keys_and_values),
		cmocka_unit_test(too_many_keys),
		cmocka_unit_test(both_sides_agree),
		cmocka_unit_test(completion),
		cmocka_unit_test(what_a_completion_replaces),
		cmocka_unit_test(usage),
		cmocka_unit_test(every_pattern_is_sound),
		cmocka_unit_test(every_type_says_what_is_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
