/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_conf.c - settings: standards, file, errors, print-back, options, reload */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <unistd.h>

#include "vgpud/conf/file.h"
#include "vgpud/conf/options.h"
#include "vgpud/conf/reload.h"
#include "vgpud/conf/settings.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* They are too large for a stack. */
static struct conf conf, other;

/* Sentences, a line each. */
static char said[16384];
static size_t said_len;

static void listen(void *arg, const char *sentence)
{
	(void)arg;
	assert_in_range(said_len + strlen(sentence) + 2, 0, sizeof(said));
	said_len += (size_t)snprintf(said + said_len, sizeof(said) - said_len, "%s\n", sentence);
}

static int parse(const char *text)
{
	said_len = 0;
	said[0] = '\0';
	return conf_file_parse(&conf, "f", text, strlen(text), listen, NULL);
}

/* The text is wrong in this way, and nothing of it is taken. */
static void refuses(const char *text, const char *sentences)
{
	conf_settings_init(&conf);
	other = conf;
	if (parse(text) != -EINVAL)
		fail_msg("taken: %s", text);
	assert_string_equal(said, sentences);
	assert_memory_equal(&conf, &other, sizeof(conf));
}

static char *print(const struct conf *what)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	conf_settings_print(what, out);
	fclose(out);
	return text;
}

static void standards(void **state)
{
	(void)state;
	conf_settings_init(&conf);
	assert_string_equal(conf.runtime_dir, "/run/vgpud");
	assert_string_equal(conf.state_dir, "/var/lib/vgpud");
	assert_true(conf.ledger);
	assert_false(conf.ledger_lossy);
	assert_false(conf.isolation_vm);
	assert_int_equal(conf.vm_queue_max, 16);
	assert_int_equal(conf.aging_ms, 0);
	assert_int_equal(conf.ledger_max_bytes, UINT64_C(10) << 30);
	for (unsigned i = 0; i < SCHED_POOL_MAX; i++) {
		assert_int_equal(conf.pool[i].exists, i < 2);
		assert_string_equal(conf.pool[i].executor, "auto");
		assert_int_equal(conf.pool[i].window, 1);
		assert_int_equal(conf.pool[i].deadline_ms, 10000);
		assert_int_equal(conf.pool[i].exec_deadline_ms, 5000);
	}
}

/* Each setting's bounds are its own, and what is refused changes nothing. */
static void bounds(void **state)
{
	char text[32], got[CONF_TEXT_SIZE], why[256];

	(void)state;
	conf_settings_init(&conf);
	for (unsigned i = 0; i < CONF_SETTING_NUM; i++) {
		const struct conf_setting *s = &conf_settings[i];

		conf_setting_get(s, &conf, 3, got, sizeof(got));
		assert_string_equal(got, s->standard);
		assert_ptr_equal(conf_setting_find(s->section, s->key), s);
		assert_int_equal(conf_setting_set(s, &conf, 3, "\n", why, sizeof(why)), -EINVAL);
		if (s->type != CONF_GROUP && s->type != CONF_PATH_OR_NONE &&
		    s->type != CONF_SWITCHES)
			assert_int_equal(conf_setting_set(s, &conf, 3, "", why, sizeof(why)),
					 -EINVAL);
		if (s->type != CONF_NUMBER)
			continue;
		snprintf(text, sizeof(text), "%llu", (unsigned long long)s->most);
		assert_int_equal(conf_setting_set(s, &conf, 3, text, why, sizeof(why)), 0);
		snprintf(text, sizeof(text), "%llu", (unsigned long long)s->most + 1);
		assert_int_equal(conf_setting_set(s, &conf, 3, text, why, sizeof(why)), -EINVAL);
		if (s->least > 0) {
			snprintf(text, sizeof(text), "%llu", (unsigned long long)s->least - 1);
			assert_int_equal(conf_setting_set(s, &conf, 3, text, why, sizeof(why)),
					 -EINVAL);
		}
		snprintf(text, sizeof(text), "%llu", (unsigned long long)s->least);
		assert_int_equal(conf_setting_set(s, &conf, 3, text, why, sizeof(why)), 0);
		conf_setting_get(s, &conf, 3, got, sizeof(got));
		assert_string_equal(got, text);
	}
}

static void long_texts(void **state)
{
	const struct conf_setting *group = conf_setting_find("admin", "group");
	const struct conf_setting *path = conf_setting_find("paths", "runtime_dir");
	char name[CONF_GROUP_SIZE + 1], dir[CONF_RUNTIME_DIR_SIZE + 1], why[256];

	(void)state;
	conf_settings_init(&conf);
	memset(name, 'g', sizeof(name));
	memset(dir, '/', sizeof(dir));
	name[CONF_GROUP_SIZE] = dir[CONF_RUNTIME_DIR_SIZE] = '\0';
	assert_int_equal(conf_setting_set(group, &conf, 0, name, why, sizeof(why)), -EINVAL);
	assert_int_equal(conf_setting_set(path, &conf, 0, dir, why, sizeof(why)), -EINVAL);
	name[CONF_GROUP_SIZE - 1] = dir[CONF_RUNTIME_DIR_SIZE - 1] = '\0';
	assert_int_equal(conf_setting_set(group, &conf, 0, name, why, sizeof(why)), 0);
	assert_int_equal(conf_setting_set(path, &conf, 0, dir, why, sizeof(why)), 0);
	assert_int_equal(strlen(dir) + strlen("/vm/") + CONF_NAME_ROOM + strlen(".sock"), 107);
}

static void a_good_file(void **state)
{
	(void)state;
	conf_settings_init(&conf);
	assert_int_equal(parse("\xef\xbb\xbf# a comment\r\n"
			       "; another\n"
			       "\n"
			       "[vgpud] # and one here\n"
			       "isolation=vm\n"
			       "  aging_ms : 250   ; and here\n"
			       "[ledger]\n"
			       "max_size = 500M\r\n"
			       "\t[pool B]\n"
			       "executor = cuda:1\n"
			       "window = 4\n"
			       "[pool Z]\n"
			       "[gpu 63]\n"
			       "spares = 16\n"
			       "[gpu cpu]\n"
			       "spares = 0\n"
			       "[vgpud]\n"
			       "vm_queue_max = 1024\n"
			       "[admin]\n"
			       "read_group =\n"
			       "[paths]\n"
			       "state_dir = /srv/v g = p"),
			 0);
	assert_string_equal(said, "");
	assert_true(conf.isolation_vm);
	assert_int_equal(conf.aging_ms, 250);
	assert_int_equal(conf.ledger_max_bytes, 500u << 20);
	assert_string_equal(conf.pool[1].executor, "cuda:1");
	assert_int_equal(conf.pool[1].window, 4);
	assert_string_equal(conf.pool[0].executor, "auto");
	assert_true(conf.pool[25].exists);
	assert_false(conf.pool[2].exists);
	assert_int_equal(conf.gpu[63].spares, 16);
	assert_true(conf.gpu[63].named);
	assert_int_equal(conf.gpu[0].spares, 1);
	assert_false(conf.gpu[1].named);
	assert_int_equal(conf.gpu[conf_gpu_index("cpu")].spares, 0);
	assert_int_equal(conf_gpu_index("cuda:63"), 63);
	assert_int_equal(conf_gpu_index("auto"), -1);
	assert_int_equal(conf.vm_queue_max, 1024);
	assert_string_equal(conf.read_group, "");
	assert_string_equal(conf.state_dir, "/srv/v g = p");
	assert_int_equal(parse(""), 0);
}

static void one_error(void **state)
{
	static const struct {
		const char *text, *sentences;
	} cases[] = {
		{ "window = 1\n",
		  "f:1: window: it stands in no section; write one before it, as in [vgpud]\n" },
		{ "[vgpud]\nx = 1\n", "f:2: x: no such setting; vgpud -nv prints all there are\n" },
		{ "[vgpud]\nagingms = 1\n",
		  "f:2: agingms: no such setting; did you mean aging_ms?\n" },
		{ "[vgpud]\nwindow = 1\n", "f:2: window: it belongs into [pool A]\n" },
		{ "[pool A]\nretention_days = 1\n",
		  "f:2: retention_days: it belongs into [ledger]\n" },
		{ "[vgpud]\n\naging_ms = -1\n",
		  "f:3: aging_ms: -1: expected a number from 0 to 86400000\n" },
		{ "[vgpud]\naging_ms = 1 # ms\n",
		  "f:2: aging_ms: 1 # ms: expected a number from 0 to 86400000\n" },
		{ "[vgpud]\naging_ms =\n",
		  "f:2: aging_ms: '': expected a number from 0 to 86400000\n" },
		{ "[vgpud]\naging_ms\n", "f:2: expected KEY = VALUE\n" },
		{ "[vgpud]\naging_ms", "f:2: expected KEY = VALUE\n" },
		{ "[vgpud]\naging_ms ; = 1\n", "f:2: expected KEY = VALUE\n" },
		{ "[vgpud]\n= 1\n", "f:2: a setting without a name; expected KEY = VALUE\n" },
		{ "[vgpud]\nisolation = none\n", "f:2: isolation: none: expected pool or vm\n" },
		{ "[vgpud]\naging_ms = 1\n[vgpud]\naging_ms = 1\n",
		  "f:4: aging_ms: it stands in line 2 already; remove one of them\n" },
		{ "[vgpud\naging_ms = x\n", "f:1: [vgpud: expected a section, as in [vgpud]\n" },
		{ "[vgpud] x\n", "f:1: [vgpud] x: expected a section, as in [vgpud]\n" },
		{ "[vgpud ;]\n", "f:1: [vgpud ;]: expected a section, as in [vgpud]\n" },
		{ "[vgpu]\naging_ms = x\n",
		  "f:1: [vgpu]: no such section; did you mean [vgpud]?\n" },
		{ "[]\n",
		  "f:1: []: no such section ([vgpud], [pool A], [gpu 0], [ledger], [admin], "
		  "[file-transport], [paths])\n" },
		{ "[pool]\n",
		  "f:1: [pool]: a pool is named by one letter from A to Z, as in [pool C]\n" },
		{ "[pool AB]\n",
		  "f:1: [pool AB]: a pool is named by one letter from A to Z, as in [pool C]\n" },
		{ "[vgpud]\nspares = 1\n", "f:2: spares: it belongs into [gpu 0] or [gpu cpu]\n" },
		{ "[gpu 0]\nspares = 17\n", "f:2: spares: 17: expected a number from 0 to 16\n" },
		{ "[gpu 0]\nspares = 1\n[gpu cpu]\nspares = 1\n[gpu 0]\nspares = 1\n",
		  "f:6: spares: it stands in line 2 already; remove one of them\n" },
		{ "[gpu 64]\n", "f:1: [gpu 64]: a GPU is named by its number from 0 to 63, or "
				"cpu, as in [gpu 0] and [gpu cpu]\n" },
		{ "[gpu 01]\n", "f:1: [gpu 01]: a GPU is named by its number from 0 to 63, or "
				"cpu, as in [gpu 0] and [gpu cpu]\n" },
		{ "[pool A]\nexecutor = cuda:64\n",
		  "f:2: executor: cuda:64: expected auto, cpu, or cuda:N\n" },
		{ "[pool A]\nexecutor = cuda\n",
		  "f:2: executor: cuda: expected auto, cpu, or cuda:N\n" },
		{ "[paths]\nstate_dir = x\n", "f:2: state_dir: x: expected an absolute path, one "
					      "that begins with /\n" },
		{ "[file-transport]\ndir = x\n",
		  "f:2: dir: x: expected an absolute path, one that begins with /\n" },
		{ "[ledger]\nmax_size = 1e9\n", "f:2: max_size: 1e9: expected bytes, as in 500M or "
						"10G, at most 8388607T\n" },
		{ "[admin]\ngroup = a b\n",
		  "f:2: group: a b: expected a group's name of at most 32 bytes, or nothing\n" },
		{ "[vgpud]\na\033[2Jb = 1\n",
		  "f:2: the line has a control character in it; remove it\n" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		refuses(cases[i].text, cases[i].sentences);
}

static void all_errors(void **state)
{
	(void)state;
	refuses("[vgpud]\n"
		"aging_ms = x\n"
		"isolation = vm\n"
		"nonsense\n"
		"[nowhere]\n"
		"whatever = 1\n"
		"nonsense\n"
		"[pool C]\n"
		"window = 0\n",
		"f:2: aging_ms: x: expected a number from 0 to 86400000\n"
		"f:4: expected KEY = VALUE\n"
		"f:5: [nowhere]: no such section ([vgpud], [pool A], [gpu 0], [ledger], [admin], "
		"[file-transport], [paths])\n"
		"f:7: expected KEY = VALUE\n"
		"f:9: window: 0: expected a number from 1 to 1024\n");
}

static void long_lines(void **state)
{
	char text[600];

	(void)state;
	for (size_t len = 150; len < 500; len++) {
		size_t head = (size_t)snprintf(text, sizeof(text), "[paths]\nstate_dir = /");
		size_t line = head - strlen("[paths]\n") + len;

		memset(text + head, 'd', len);
		text[head + len] = '\0';
		if (line <= 190) {
			conf_settings_init(&conf);
			assert_int_equal(parse(text), 0);
			assert_int_equal(strlen(conf.state_dir), len + 1);
		} else {
			refuses(text, "f:2: the line is longer than 190 bytes; shorten it\n");
		}
	}
}

static void a_zero_byte(void **state)
{
	static const char text[] = "[vgpud]\naging_ms = 1\0 2\n";

	(void)state;
	conf_settings_init(&conf);
	said_len = 0;
	assert_int_equal(conf_file_parse(&conf, "f", text, sizeof(text) - 1, listen, NULL),
			 -EINVAL);
	assert_string_equal(said, "f:2: the line has a control character in it; remove it\n");
}

static void print_back(void **state)
{
	char *first, *second;

	(void)state;
	conf_settings_init(&conf);
	assert_int_equal(parse("[vgpud]\nisolation = vm\n[pool D]\nexecutor = cpu\nwindow = 9\n"
			       "[ledger]\nmode = lossy\nmax_size = 4097\n[admin]\ngroup =\n"),
			 0);
	first = print(&conf);
	other = conf;
	conf_settings_init(&conf);
	assert_int_equal(parse(first), 0);
	assert_memory_equal(&conf, &other, sizeof(conf));
	second = print(&conf);
	assert_string_equal(first, second);
	assert_non_null(strstr(first, "\n[pool D]\nexecutor = cpu\nwindow = 9\n"));
	assert_non_null(strstr(first, "\nmax_size = 4097\n"));
	assert_non_null(strstr(first, "\ngroup =\n"));
	assert_null(strstr(first, "[pool C]"));
	free(first);
	free(second);
}

static void files(void **state)
{
	char name[] = "/tmp/vgpu-test-conf-XXXXXX";
	int fd = mkstemp(name);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "[pool A]\nwindow = 3\n", 20), 20);
	close(fd);
	conf_settings_init(&conf);
	said_len = 0;
	said[0] = '\0';
	assert_int_equal(conf_file_load(&conf, name, listen, NULL), 0);
	assert_int_equal(conf.pool[0].window, 3);
	unlink(name);
	assert_int_equal(conf_file_load(&conf, name, listen, NULL), -ENOENT);
	assert_string_equal(said, "");
	assert_int_equal(conf_file_load(&conf, "/tmp", listen, NULL), -EISDIR);
	assert_int_equal(conf_file_load(&conf, "/dev/zero", listen, NULL), -EFBIG);
	assert_int_equal(conf_file_load(&conf, "/dev/null", listen, NULL), 0);
	assert_string_equal(said, "/tmp: cannot read it: Is a directory\n"
				  "/dev/zero: larger than 1048576 bytes; is it the right file?\n");
}

/* line: the options, with a space between two. */
static int read_options(enum conf_action *action, const char *line)
{
	static char words[512];
	static char *argv[32];
	char *save = NULL;
	int argc = 0;

	snprintf(words, sizeof(words), "vgpud %s", line);
	for (char *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		assert_in_range(argc, 0, 30);
		argv[argc++] = word;
	}
	argv[argc] = NULL;
	said_len = 0;
	said[0] = '\0';
	return conf_options_read(&conf, argc, argv, action, listen, NULL);
}

static void options(void **state)
{
	enum conf_action action;

	(void)state;
	assert_int_equal(
		read_options(
			&action,
			"-c /dev/null --vm vm3:C:high:9 --executor C=cpu --executor=B=cpu --executor A=cpu --window 4 --isolation vm --no-ledger"),
		0);
	assert_int_equal(action, CONF_RUN);
	assert_int_equal(conf.vm_num, 1);
	assert_string_equal(conf.vm[0].name, "vm3");
	assert_int_equal(conf.vm[0].id, 9);
	assert_int_equal(conf.vm[0].pool, 2);
	assert_int_equal(conf.pool[2].window, 4);
	assert_true(conf.isolation_vm);
	assert_false(conf.ledger);
	assert_int_equal(read_options(&action, "-c/dev/null -n"), 0);
	assert_int_equal(action, CONF_CHECK);
	assert_int_equal(read_options(&action, "-c/dev/null -nv"), 0);
	assert_int_equal(action, CONF_PRINT);
	assert_int_equal(conf.vm_num, 0); /* nothing is left of the last time */
	assert_int_equal(read_options(&action, "--help -c /nowhere"), 0);
	assert_int_equal(action, CONF_HELP);
	assert_int_equal(read_options(&action, "-n -V"), 0);
	assert_int_equal(action, CONF_VERSION);
}

static void wrong_options(void **state)
{
	enum conf_action action;

	(void)state;
	assert_int_equal(read_options(&action, "-c /nowhere/f"), -EINVAL);
	assert_string_equal(said, "/nowhere/f: no such file; name another with --config\n");
	assert_int_equal(read_options(&action, "-c /dev/null word"), -EINVAL);
	assert_string_equal(said, "word: unexpected; vgpud --help lists the options\n");
	assert_int_equal(
		read_options(
			&action,
			"-c /dev/null --window 0 --vm vm:A:high --executor gpu --vm vm1:A:vip"),
		-EINVAL);
	assert_string_equal(said, "--window: 0: expected a number from 1 to 1024\n"
				  "gpu: no such executor (auto, cpu, cuda:N)\n"
				  "vm: its name ends in no number: give one, as in vm:A:high:7\n"
				  "vm1: vip: no such priority (low, medium, high)\n");
	assert_int_equal(read_options(&action, "-c /dev/null --executor A=cuda:0"), -EINVAL);
	assert_non_null(strstr(said, "pool B's executor is auto and pool A's cuda:0, "));
}

/* Options count more than the file. */
static void precedence(void **state)
{
	char name[] = "/tmp/vgpu-test-conf-XXXXXX";
	int fd = mkstemp(name);
	enum conf_action action;
	char line[64];
	static const char text[] = "[pool A]\nwindow = 3\ndeadline_ms = 7\n[vgpud]\naging_ms = 5\n";

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	snprintf(line, sizeof(line), "--window 2 --config %s", name);
	assert_int_equal(read_options(&action, line), 0);
	assert_int_equal(conf.pool[0].window, 2);
	assert_int_equal(conf.pool[0].deadline_ms, 7);
	assert_int_equal(conf.pool[1].deadline_ms, 10000);
	assert_int_equal(conf.aging_ms, 5);
	assert_int_equal(conf.vm_queue_max, 16);
	unlink(name);
}

static void note_change(void *arg, const struct conf_change *change)
{
	(void)arg;
	said_len += (size_t)snprintf(said + said_len, sizeof(said) - said_len,
				     "[%s] %s %s -> %s%s\n", change->section, change->key,
				     change->from, change->to, change->live ? "" : " later");
}

static void reload(void **state)
{
	(void)state;
	conf_settings_init(&other);
	conf_settings_init(&conf);
	said_len = 0;
	said[0] = '\0';
	assert_int_equal(conf_reload_diff(&other, &conf, note_change, NULL), 0);
	assert_int_equal(parse("[vgpud]\nisolation = vm\naging_ms = 7\n[pool A]\nwindow = 2\n"
			       "executor = cpu\n[pool C]\nwindow = 5\n[admin]\ngroup = wheel\n"
			       "[ledger]\nmax_size = 1G\n[gpu 3]\nspares = 2\n[gpu cpu]\n"),
			 0);
	assert_int_equal(conf_reload_diff(&other, &conf, note_change, NULL), 8);
	assert_string_equal(said, "[vgpud] isolation pool -> vm later\n"
				  "[vgpud] aging_ms 0 -> 7\n"
				  "[ledger] max_size 10G -> 1G later\n"
				  "[admin] group vgpu-admin -> wheel\n"
				  "[pool A] executor auto -> cpu later\n"
				  "[pool A] window 1 -> 2\n"
				  "[pool C] pool no -> yes later\n"
				  "[gpu 3] spares 1 -> 2\n");
	conf_reload_apply(&other, &conf);
	assert_int_equal(other.aging_ms, 7);
	assert_int_equal(other.pool[0].window, 2);
	assert_string_equal(other.admin_group, "wheel");
	assert_int_equal(other.gpu[3].spares, 2);
	said_len = 0;
	assert_int_equal(conf_reload_diff(&other, &conf, note_change, NULL), 4);
	assert_string_equal(said, "[vgpud] isolation pool -> vm later\n"
				  "[ledger] max_size 10G -> 1G later\n"
				  "[pool A] executor auto -> cpu later\n"
				  "[pool C] pool no -> yes later\n");
	said_len = 0;
	assert_int_equal(conf_reload_diff(&conf, &other, note_change, NULL), 4);
	assert_non_null(strstr(said, "[pool C] pool yes -> no later\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(standards),  cmocka_unit_test(bounds),
		cmocka_unit_test(long_texts), cmocka_unit_test(a_good_file),
		cmocka_unit_test(one_error),  cmocka_unit_test(all_errors),
		cmocka_unit_test(long_lines), cmocka_unit_test(a_zero_byte),
		cmocka_unit_test(print_back), cmocka_unit_test(files),
		cmocka_unit_test(options),    cmocka_unit_test(wrong_options),
		cmocka_unit_test(precedence), cmocka_unit_test(reload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
