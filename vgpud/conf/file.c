/* SPDX-License-Identifier: GPL-2.0-or-later */
/* file.c - the configuration file */

#include "vgpud/conf/file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cmd/suggest.h"
#include "common/names.h"
#include "vgpud/conf/settings.h"

/*
 * The file has the form of ini files: [section], KEY = VALUE or KEY: VALUE, comments behind # or ;
 * at the beginning of a line and behind " ;" within it. There are no continued lines. Each line is
 * judged by itself, so that every mistake in a file is reported with its line.
 */
#define LINE_MAX_BYTES 190
#define SENTENCE_SIZE 1024
#define SPACE " \t\r\v\f"

struct reading {
	struct conf *conf;
	const char *name;    /* of the file */
	unsigned line;	     /* from 1 */
	const char *section; /* as in conf_settings; NULL: before the first, or in a wrong one */
	bool any_section;
	unsigned place; /* of the section: which pool or GPU; 0: it stands once */
	unsigned set_line[CONF_SETTING_NUM][CONF_PLACES_MAX]; /* where it was set, 0: nowhere */
	conf_report *report;
	void *arg;
	bool failed;
};

static void __attribute__((format(printf, 2, 3))) wrong(struct reading *r, const char *format, ...)
{
	char sentence[SENTENCE_SIZE];
	int len = snprintf(sentence, sizeof(sentence), "%s:%u: ", r->name, r->line);
	va_list args;

	r->failed = true;
	if (len < 0 || (size_t)len >= sizeof(sentence))
		len = 0; /* a very long file name: the sentence is worth more */
	va_start(args, format);
	vsnprintf(sentence + len, sizeof(sentence) - (size_t)len, format, args);
	va_end(args);
	r->report(r->arg, sentence);
}

/* --- sections --- */

/* "pool B". Return: its index, or -1. */
static int pool_of(const char *section)
{
	if (strncmp(section, "pool ", 5) != 0 || section[5] == '\0' || section[6] != '\0')
		return -1;
	return name_to_pool(section[5]);
}

/* "gpu 0", "gpu cpu". Return: its index, or -1. */
static int gpu_of(const char *section)
{
	return strncmp(section, "gpu ", 4) == 0 ? conf_gpu_find(section + 4) : -1;
}

static void wrong_section(struct reading *r, const char *section)
{
	struct suggest near = suggest_begin(section);

	if (strncasecmp(section, "pool", 4) == 0) {
		wrong(r, "[%s]: a pool is named by one letter from A to Z, as in [pool C]",
		      section);
		return;
	}
	if (strncasecmp(section, "gpu", 3) == 0) {
		wrong(r,
		      "[%s]: a GPU is named by its number from 0 to %d, or cpu, as in [gpu 0] "
		      "and [gpu cpu]",
		      section, CONF_CUDA_MAX - 1);
		return;
	}
	for (unsigned i = 0; i < CONF_SETTING_NUM; i++)
		suggest_offer(&near, conf_settings[i].section);
	if (near.best != NULL)
		wrong(r, "[%s]: no such section; did you mean [%s]?", section, near.best);
	else
		wrong(r,
		      "[%s]: no such section ([vgpud], [pool A], [gpu 0], [ledger], [admin], "
		      "[file-transport], [paths])",
		      section);
}

static void enter_section(struct reading *r, const char *section)
{
	int pool = pool_of(section), gpu = gpu_of(section);

	r->any_section = true;
	r->section = NULL;
	r->place = 0;
	if (pool >= 0) {
		r->section = "pool";
		r->place = (unsigned)pool;
		r->conf->pool[pool].exists = true;
		return;
	}
	if (gpu >= 0) {
		r->section = "gpu";
		r->place = (unsigned)gpu;
		r->conf->gpu[gpu].named = true;
		return;
	}
	for (unsigned i = 0; i < CONF_SETTING_NUM; i++)
		if (conf_setting_scope(&conf_settings[i]) == CONF_ONCE &&
		    strcmp(conf_settings[i].section, section) == 0)
			r->section = conf_settings[i].section;
	if (r->section == NULL)
		wrong_section(r, section);
}

/* --- settings --- */

/* What the settings' section is called in a sentence. */
static const char *section_example(const struct conf_setting *setting)
{
	switch (conf_setting_scope(setting)) {
	case CONF_OF_POOL:
		return "pool A";
	case CONF_OF_GPU:
		return "gpu 0] or [gpu cpu";
	default:
		return setting->section;
	}
}

static void wrong_key(struct reading *r, const char *key)
{
	struct suggest near = suggest_begin(key);

	if (key[0] == '\0') {
		wrong(r, "a setting without a name; expected KEY = VALUE");
		return;
	}
	for (unsigned i = 0; i < CONF_SETTING_NUM; i++) {
		const struct conf_setting *setting = &conf_settings[i];

		if (strcmp(setting->section, r->section) == 0) {
			suggest_offer(&near, setting->key);
		} else if (strcmp(setting->key, key) == 0) {
			wrong(r, "%s: it belongs into [%s]", key, section_example(setting));
			return;
		}
	}
	if (near.best != NULL)
		wrong(r, "%s: no such setting%s", key, suggest_question(&near));
	else
		wrong(r, "%s: no such setting; vgpud -nv prints all there are", key);
}

static void take_setting(struct reading *r, const char *key, const char *value)
{
	const struct conf_setting *setting = conf_setting_find(r->section, key);
	unsigned place = r->place, *set_line;
	char why[SENTENCE_SIZE / 2];

	if (setting == NULL) {
		wrong_key(r, key);
		return;
	}
	set_line = &r->set_line[setting - conf_settings][place];
	if (*set_line != 0) {
		wrong(r, "%s: it stands in line %u already; remove one of them", key, *set_line);
		return;
	}
	*set_line = r->line;
	/* vgpud must be able to read the line that it prints, which has a space on either side of
	 * "=". */
	if (strlen(key) + strlen(" = ") + strlen(value) > LINE_MAX_BYTES)
		wrong(r, "the line is longer than %d bytes; shorten it", LINE_MAX_BYTES);
	else if ((setting->type == CONF_PATH && value[0] != '/') ||
		 (setting->type == CONF_PATH_OR_NONE && value[0] != '\0' && value[0] != '/'))
		wrong(r, "%s: %s: expected an absolute path, one that begins with /", key,
		      value[0] != '\0' ? value : "''");
	else if (conf_setting_set(setting, r->conf, place, value, why, sizeof(why)) != 0)
		wrong(r, "%s: %s", key, why);
}

/* --- lines --- */

/* Cuts off the space at the text's end. Return: the text without the space before it. */
static char *trim(char *text)
{
	size_t len = strlen(text);

	while (len > 0 && isspace((unsigned char)text[len - 1]))
		len--;
	text[len] = '\0';
	return text + strspn(text, SPACE);
}

/* Cuts off a comment: a semicolon after a space, since a value may have one within a word. */
static void cut_comment(char *line)
{
	for (char *c = line + 1; *c != '\0'; c++) {
		if (*c == ';' && isspace((unsigned char)c[-1])) {
			*c = '\0';
			return;
		}
	}
}

/* [name], and nothing behind it but a comment. */
static void take_head(struct reading *r, char *line)
{
	size_t len = strcspn(line + 1, "[]=:;#");
	char *rest = line + 1 + len;
	char after = 'x';

	if (*rest == ']')
		after = rest[1 + strspn(rest + 1, SPACE)];
	if (after != '\0' && after != ';' && after != '#') {
		wrong(r, "%s: expected a section, as in [vgpud]", line);
		r->any_section = true;
		r->section = NULL;
		return;
	}
	*rest = '\0';
	enter_section(r, line + 1);
}

static void take_pair(struct reading *r, char *line)
{
	char *separator;

	cut_comment(line);
	separator = strpbrk(line, "=:");
	if (separator == NULL) {
		wrong(r, "expected KEY = VALUE");
		return;
	}
	*separator = '\0';
	line = trim(line);
	if (r->section != NULL)
		take_setting(r, line, trim(separator + 1));
	else if (!r->any_section)
		wrong(r, "%s: it stands in no section; write one before it, as in [vgpud]", line);
}

/* bytes: the line without the space around it; it may have any bytes. */
static void take_line(struct reading *r, const char *bytes, size_t len_bytes)
{
	char line[LINE_MAX_BYTES + 1];

	if (len_bytes > LINE_MAX_BYTES) {
		wrong(r, "the line is longer than %d bytes; shorten it", LINE_MAX_BYTES);
		return;
	}
	for (size_t i = 0; i < len_bytes; i++) {
		if (bytes[i] != '\t' && iscntrl((unsigned char)bytes[i])) {
			wrong(r, "the line has a control character in it; remove it");
			return;
		}
	}
	memcpy(line, bytes, len_bytes);
	line[len_bytes] = '\0';
	if (line[0] == '[')
		take_head(r, line);
	else if (line[0] != '\0' && line[0] != '#' && line[0] != ';')
		take_pair(r, line);
}

static void take_text(struct reading *r, const char *text, size_t len_bytes)
{
	const char *end = text + len_bytes;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *line = text, *line_end = newline != NULL ? newline : end;

		text = newline != NULL ? newline + 1 : end;
		while (line < line_end && isspace((unsigned char)line[0]))
			line++;
		while (line < line_end && isspace((unsigned char)line_end[-1]))
			line_end--;
		r->line++;
		take_line(r, line, (size_t)(line_end - line));
	}
}

/* --- files --- */

int conf_file_parse(struct conf *conf, const char *name, const char *text, size_t len_bytes,
		    conf_report *report, void *arg)
{
	static const char mark[] = "\xef\xbb\xbf"; /* of UTF-8, which some editors write */
	struct reading *r = calloc(1, sizeof(*r));
	struct conf *wanted = malloc(sizeof(*wanted));
	int err = -ENOMEM;

	if (r != NULL && wanted != NULL) {
		*wanted = *conf;
		*r = (struct reading){ .conf = wanted, .name = name, .report = report, .arg = arg };
		if (len_bytes >= 3 && memcmp(text, mark, 3) == 0)
			take_text(r, text + 3, len_bytes - 3);
		else
			take_text(r, text, len_bytes);
		err = r->failed ? -EINVAL : 0;
	} else {
		report(arg, "out of memory");
	}
	if (err == 0)
		*conf = *wanted;
	free(wanted);
	free(r);
	return err;
}

/* Return: bytes read, or -errno; CONF_FILE_MAX + 1 when there are more. */
static ssize_t read_all(const char *path, char *text)
{
	/* O_NONBLOCK: opening a FIFO must not wait for its writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t len = 0, n = 1;
	struct stat st;

	if (fd < 0)
		return -errno;
	/* One that no process writes into reads as an empty file, which would be all standard values. */
	if (fstat(fd, &st) < 0 || S_ISFIFO(st.st_mode)) {
		close(fd);
		return -EAGAIN;
	}
	while (n > 0 && len <= CONF_FILE_MAX) {
		n = read(fd, text + len, (size_t)(CONF_FILE_MAX + 1 - len));
		if (n > 0)
			len += n;
	}
	if (n < 0)
		len = -errno;
	close(fd);
	return len;
}

int conf_file_load(struct conf *conf, const char *path, conf_report *report, void *arg)
{
	char sentence[SENTENCE_SIZE], *text = calloc(1, CONF_FILE_MAX + 1);
	ssize_t len = text != NULL ? read_all(path, text) : -ENOMEM;
	int err = len < 0 ? (int)len : 0;

	if (len > CONF_FILE_MAX) {
		snprintf(sentence, sizeof(sentence),
			 "%s: larger than %d bytes; is it the right file?", path, CONF_FILE_MAX);
		report(arg, sentence);
		err = -EFBIG;
	} else if (len >= 0) {
		err = conf_file_parse(conf, path, text, (size_t)len, report, arg);
	} else if (err != -ENOENT) {
		snprintf(sentence, sizeof(sentence), "%s: cannot read it: %s", path,
			 err == -EAGAIN ? "it is a pipe; a file can be read again"
					: strerror(-err));
		report(arg, sentence);
	}
	free(text);
	return err;
}
