/* SPDX-License-Identifier: GPL-2.0-or-later */
/* story_program.c - the story of a program, and of its submissions, in sentences */

#include <stdio.h>
#include <string.h>

#include "common/names.h"
#include "common/wire/vgpu_ends.h"
#include "vgpuadm/view/say.h"

#define END_VALUES 256u /* that are looked through for a name */

static void put(const json_t *row, const char *key, enum field_kind kind)
{
	field_put(stdout, kind, json_object_get(row, key));
}

static bool is_known(const json_t *row, const char *key)
{
	return json_is_integer(json_object_get(row, key));
}

static bool is_some(const json_t *row, const char *key)
{
	return json_integer_value(json_object_get(row, key)) > 0;
}

static const char *plural(const json_t *row, const char *key)
{
	return json_integer_value(json_object_get(row, key)) == 1 ? "" : "s";
}

/* "41 launches" */
static void put_count(const json_t *row, const char *key, const char *one, const char *more)
{
	put(row, key, FIELD_COUNT);
	printf(" %s%s", one, *plural(row, key) ? more : "");
}

/* Return: what the name of an end means, in words. */
static const char *end_text(const char *name)
{
	for (uint32_t end = 0; end < END_VALUES; end++)
		if (strcmp(name_end(end), name) == 0)
			return name_end_text(end);
	return "an end that this vgpuadm does not know";
}

static void put_vm(const json_t *row)
{
	put(row, "vm", FIELD_TEXT);
	fputs(" (VM ", stdout);
	put(row, "vm_id", FIELD_COUNT);
	fputc(')', stdout);
}

static void put_who(const json_t *row)
{
	fputs("Program ", stdout);
	put(row, "id", FIELD_COUNT);
	fputs(" is of ", stdout);
	put_vm(row);
	fputs(", pool ", stdout);
	put(row, "pool", FIELD_TEXT);
	fputs(", priority ", stdout);
	put(row, "priority", FIELD_TEXT);
	if (*field_string(row, "name")) {
		fputs("; it says that it is ", stdout);
		put(row, "name", FIELD_TEXT);
		fputs(", process ", stdout);
		put(row, "pid", FIELD_COUNT);
	}
	if (is_known(row, "peer_uid")) {
		fputs(", and came with uid ", stdout);
		put(row, "peer_uid", FIELD_COUNT);
	}
	puts(".");
}

static void put_life(const json_t *row)
{
	const char *end = field_string(row, "end");

	fputs("It began at ", stdout);
	put(row, "since_unix_ns", FIELD_MOMENT);
	fputs(" on ", stdout);
	put(row, "executor", FIELD_TEXT);
	if (strncmp(field_string(row, "executor"), "cuda", 4) == 0 && is_known(row, "device")) {
		fputc(':', stdout);
		put(row, "device", FIELD_COUNT);
	}
	if (!*end) {
		fputs(" and has run for ", stdout);
		put(row, "age_ns", FIELD_DURATION);
		puts(".");
		return;
	}
	if (is_known(row, "ended_unix_ns")) {
		fputs(" and ended ", stdout);
		put(row, "age_ns", FIELD_DURATION);
		fputs(" later, at ", stdout);
		put(row, "ended_unix_ns", FIELD_MOMENT);
		puts(".");
	} else {
		puts("; when it ended is not known: vgpud ended before it did.");
	}
	if (strcmp(end, name_end(VGPU_END_NONE)) == 0) {
		puts("It ended with its process.");
		return;
	}
	fputs("It ended with ", stdout);
	put(row, "end", FIELD_TEXT);
	printf(": %s.\n", end_text(end));
}

static void put_used(const json_t *row)
{
	if (is_known(row, "gpu_time_ns")) {
		fputs("It had the GPU for ", stdout);
		put(row, "gpu_time_ns", FIELD_DURATION);
	} else {
		fputs("How long it had the GPU is not known", stdout);
	}
	if (is_known(row, "memory_peak_bytes")) {
		fputs("; it held ", stdout);
		put(row, "memory_peak_bytes", FIELD_BYTES);
		fputs(" of its memory at most", stdout);
	}
	if (is_known(row, "memory_byte_s")) {
		fputs(", in all ", stdout);
		put(row, "memory_byte_s", FIELD_BYTES);
		fputs(" times seconds", stdout);
	}
	puts(".");
}

/* What the tenant's worker says. */
static void put_claims(const json_t *row)
{
	if (!is_known(row, "submissions")) {
		puts("What its worker counted is not known.");
		return;
	}
	fputs("Its worker, which belongs to the tenant, counted ", stdout);
	put_count(row, "submissions", "submission", "s");
	if (is_known(row, "latency_p50_ns")) {
		fputs(" (p50 ", stdout);
		put(row, "latency_p50_ns", FIELD_DURATION);
		fputs(", p99 ", stdout);
		put(row, "latency_p99_ns", FIELD_DURATION);
		fputs(", the longest ", stdout);
		put(row, "latency_max_ns", FIELD_DURATION);
		fputc(')', stdout);
	}
	fputs(" with ", stdout);
	put_count(row, "commands", "command", "s");
	fputs(": ", stdout);
	put_count(row, "launches", "launch", "es");
	fputs(", ", stdout);
	put(row, "copies", FIELD_COUNT);
	printf(" cop%s of ", *plural(row, "copies") ? "ies" : "y");
	put(row, "copy_bytes", FIELD_BYTES);
	puts(".");
	if (!is_some(row, "refused"))
		return;
	fputs("It made ", stdout);
	put_count(row, "refused", "call", "s");
	fputs(" of functions that vgpu does not have", stdout);
	if (*field_string(row, "refused_names")) {
		fputs(": ", stdout);
		put(row, "refused_names", FIELD_TEXT);
	}
	puts(".");
}

static void put_waits(const json_t *row)
{
	if (is_known(row, "waited_ns")) {
		fputs("It has waited for the GPU for ", stdout);
		put(row, "waited_ns", FIELD_DURATION);
		if (*field_string(row, "lease")) {
			fputs(", and its lease says now: ", stdout);
			put(row, "lease", FIELD_TEXT);
		}
		puts(".");
	}
	if (!is_known(row, "vm_waited_ns"))
		return;
	if (!is_some(row, "vm_waited_ns")) {
		fputs("In these minutes no program of ", stdout);
		put(row, "vm", FIELD_TEXT);
		puts(" waited for the GPU.");
		return;
	}
	fputs("In these minutes programs of ", stdout);
	put(row, "vm", FIELD_TEXT);
	fputs(" waited for the GPU for ", stdout);
	put(row, "vm_waited_ns", FIELD_DURATION);
	fputs(", while it was with or held back by: ", stdout);
	put(row, "vm_waited_for", FIELD_TEXT);
	puts(".");
}

void say_program(const struct output_style *style, const json_t *row)
{
	(void)style;
	put_who(row);
	put_life(row);
	put_used(row);
	put_claims(row);
	put_waits(row);
}

/* "Submission 7", "Submissions 7 to 12" of the program's own numbers. */
static void put_numbers(const json_t *row)
{
	json_int_t first = json_integer_value(json_object_get(row, "first"));
	json_int_t count = json_integer_value(json_object_get(row, "count"));

	if (count > 1)
		printf("Row %" JSON_INTEGER_FORMAT " is submissions %" JSON_INTEGER_FORMAT
		       " to %" JSON_INTEGER_FORMAT,
		       json_integer_value(json_object_get(row, "id")), first, first + (count - 1));
	else
		printf("Row %" JSON_INTEGER_FORMAT " is submission %" JSON_INTEGER_FORMAT,
		       json_integer_value(json_object_get(row, "id")), first);
}

void say_submission(const struct output_style *style, const json_t *row)
{
	bool open = json_is_true(json_object_get(row, "open"));
	bool many = json_integer_value(json_object_get(row, "count")) > 1;

	(void)style;
	put_numbers(row);
	fputs(" of program ", stdout);
	put(row, "program", FIELD_COUNT);
	if (*field_string(row, "name")) {
		fputs(" (", stdout);
		put(row, "name", FIELD_TEXT);
		fputc(')', stdout);
	}
	fputs(" of ", stdout);
	put_vm(row);
	fputs(", with ", stdout);
	put_count(row, "commands", "command", "s");
	printf(".\n%s began at ", many ? "They" : "It");
	put(row, "begun_unix_ns", FIELD_MOMENT);
	if (open) {
		puts(" and had not ended when the program did.");
	} else {
		fputs(" and ended at ", stdout);
		put(row, "ended_unix_ns", FIELD_MOMENT);
		fputs(many ? ", taking " : ", after ", stdout);
		put(row, "took_ns", FIELD_DURATION);
		if (many) {
			fputs(" in all, ", stdout);
			put(row, "mean_ns", FIELD_DURATION);
			fputs(" each, ", stdout);
			put(row, "most_ns", FIELD_DURATION);
			fputs(" at most", stdout);
		}
		puts(".");
	}
	puts("The program's worker, which belongs to the tenant, says so.");
}
