/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_conf.c - any bytes as the configuration file */

#include "tests/fuzz/fuzz.h"
#include "vgpud/conf/file.h"
#include "vgpud/conf/reload.h"
#include "vgpud/conf/settings.h"

/*
 * Input: the file. Either it is taken, and what is printed back is the same configuration; or each
 * of its errors is said in a line, and nothing has changed.
 */

static struct conf before, after, again; /* before: the defaults */

static void count(void *arg, const char *sentence)
{
	unsigned *sentences = arg;

	REQUIRE(strncmp(sentence, "f:", 2) == 0);
	for (const char *c = sentence; *c != '\0'; c++)
		REQUIRE(*c == '\t' || (unsigned char)*c >= ' ');
	++*sentences;
}

static void fail(void *arg, const struct conf_change *change)
{
	(void)arg;
	fprintf(stderr, "[%s] %s: %s is not %s\n", change->section, change->key, change->from,
		change->to);
	abort();
}

static void check_change(void *arg, const struct conf_change *change)
{
	(void)arg;
	REQUIRE(strcmp(change->from, change->to) != 0);
}

static void check_taken(void)
{
	unsigned sentences = 0;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	REQUIRE(out != NULL);
	conf_settings_print(&after, out);
	fclose(out);
	again = before;
	REQUIRE(conf_file_parse(&again, "f", text, len, count, &sentences) == 0);
	conf_reload_diff(&after, &again, fail, NULL);
	conf_reload_diff(&before, &after, check_change, NULL);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len_bytes)
{
	uint8_t *text = fuzz_copy(input, len_bytes);
	unsigned sentences = 0;
	int err;

	if (!before.pool[0].exists)
		conf_settings_init(&before);
	after = before;
	err = conf_file_parse(&after, "f", (const char *)text, len_bytes, count, &sentences);
	REQUIRE((err == 0) == (sentences == 0));
	if (err == 0)
		check_taken();
	else
		REQUIRE(conf_reload_diff(&before, &after, fail, NULL) == 0);
	free(text);
	return 0;
}
