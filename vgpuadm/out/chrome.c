/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chrome.c - writes a program's trace as Chrome's trace viewer and Perfetto read it */

#include "vgpuadm/out/chrome.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"

/* Tracks: the format's thread ids. A thread of the program has two. */
#define TRACK_SUBMISSIONS 1
#define TRACK_GAPS 2
#define TRACK_LEASE 3
#define TRACK_THREADS 10

/* --- one event --- */

static void put_text(FILE *out, const char *text)
{
	json_t *string = json_string(text);
	char *escaped = json_dumps(string ? string : json_null(),
				   JSON_ENCODE_ANY | JSON_ENSURE_ASCII);

	fputs(escaped ? escaped : "\"\"", out);
	free(escaped);
	json_decref(string);
}

static void put_us(FILE *out, int64_t ns)
{
	fprintf(out, "%" PRId64 ".%03d", ns / (int64_t)UTIL_NS_PER_US,
		(int)(ns % (int64_t)UTIL_NS_PER_US));
}

static void next_event(struct chrome *chrome)
{
	fputs(chrome->any ? ",\n" : "\n", chrome->out);
	chrome->any = true;
}

/* Names the process, or a track of it. */
static void put_name(struct chrome *chrome, const char *what, unsigned track, const char *name)
{
	next_event(chrome);
	fprintf(chrome->out,
		"{\"name\":\"%s\",\"ph\":\"M\",\"ts\":0,\"pid\":%" JSON_INTEGER_FORMAT
		",\"tid\":%u,\"args\":{\"name\":",
		what, chrome->program, track);
	put_text(chrome->out, name);
	fputs("}}", chrome->out);
}

struct span {
	const char *name, *category;
	unsigned track;
	int64_t at_ns, took_ns;
	const json_t *row; /* for its args; NULL: it has none */
};

static void put_args(FILE *out, const json_t *row)
{
	static const char *const keys[] = { "stream", "function", "bytes", "commands" };
	bool any = false;

	fputs(",\"args\":{", out);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const json_t *value = json_object_get(row, keys[i]);

		if (!json_is_integer(value))
			continue;
		fprintf(out, "%s\"%s\":%" JSON_INTEGER_FORMAT, any ? "," : "", keys[i],
			json_integer_value(value));
		any = true;
	}
	if (json_is_true(json_object_get(row, "failed")))
		fprintf(out, "%s\"failed\":true", any ? "," : "");
	fputc('}', out);
}

static void put_span(struct chrome *chrome, const struct span *span)
{
	FILE *out = chrome->out;

	next_event(chrome);
	fputs("{\"name\":", out);
	put_text(out, span->name);
	fprintf(out, ",\"cat\":\"%s\",\"ph\":\"X\",\"ts\":", span->category);
	put_us(out, span->at_ns);
	fputs(",\"dur\":", out);
	put_us(out, span->took_ns);
	fprintf(out, ",\"pid\":%" JSON_INTEGER_FORMAT ",\"tid\":%u", chrome->program, span->track);
	put_args(out, span->row);
	fputc('}', out);
}

/* --- the tracks --- */

/* Return: the word that the format's "cat" gets; NULL: the row is none of ours. */
static const char *category_of(const char *kind)
{
	static const char *const kinds[] = {
		"submission", "launch", "copy", "wait", "call", "lease"
	};

	for (size_t i = 0; kind && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kind, kinds[i]) == 0)
			return kinds[i];
	return NULL;
}

/* The time in which the program had given the GPU nothing to do. */
static void put_gap(struct chrome *chrome, int64_t until_ns)
{
	const struct span gap = {
		.name = "gap",
		.category = "gap",
		.track = TRACK_GAPS,
		.at_ns = chrome->submitted_ns,
		.took_ns = until_ns - chrome->submitted_ns,
	};

	if (chrome->submitted_ns < 0 || gap.took_ns <= 0)
		return;
	put_span(chrome, &gap);
	chrome->gaps++;
}

/* Within a track an event begins when the last one has ended. ended_ns: when that was; updated. */
static void put_on_track(struct chrome *chrome, struct span *span, unsigned track,
			 int64_t *ended_ns)
{
	int64_t end_ns = span->at_ns + span->took_ns;

	span->track = track;
	if (span->at_ns < *ended_ns)
		span->at_ns = *ended_ns < end_ns ? *ended_ns : end_ns;
	span->took_ns = end_ns - span->at_ns;
	put_span(chrome, span);
	if (end_ns > *ended_ns)
		*ended_ns = end_ns;
}

static void put_submission(struct chrome *chrome, struct span *span)
{
	put_gap(chrome, span->at_ns);
	put_on_track(chrome, span, TRACK_SUBMISSIONS, &chrome->submitted_ns);
}

/* What the program had of the GPU by the broker's account, or why it waited for it and who had it. */
static void put_lease(struct chrome *chrome, const struct span *of)
{
	const char *by = json_string_value(json_object_get(of->row, "by"));
	bool has = strcmp(of->name, "holds") == 0 || strcmp(of->name, "yields") == 0 ||
		   strcmp(of->name, "frozen") == 0;
	struct span span = *of;
	char name[160];

	snprintf(name, sizeof(name),
		 by && !has ? "waits: %s (%s has the GPU)"
		 : has	    ? "%s"
			    : "waits: %s",
		 of->name, by ? by : "");
	span.name = name;
	put_on_track(chrome, &span, TRACK_LEASE, &chrome->lease_ended_ns);
}

/*
 * A worker sees the end of a wait a little after its program does, whose next command may have
 * begun by then. So waits have a track beside the commands.
 */
static void put_of_thread(struct chrome *chrome, struct span *span, unsigned thread, bool waits)
{
	unsigned slot = 2 * (thread % CHROME_THREADS) + waits;
	int64_t *ended_ns = &chrome->ended_ns[slot];
	char name[32];

	if (*ended_ns < 0) {
		snprintf(name, sizeof(name), "thread %u%s", thread, waits ? ", waits" : "");
		put_name(chrome, "thread_name", TRACK_THREADS + slot, name);
	}
	put_on_track(chrome, span, TRACK_THREADS + slot, ended_ns);
}

/* --- the file --- */

int chrome_begin(struct chrome *chrome, FILE *out, json_int_t program)
{
	*chrome = (struct chrome){
		.out = out, .program = program, .submitted_ns = -1, .lease_ended_ns = -1
	};
	chrome->ended_ns = malloc(2 * CHROME_THREADS * sizeof(*chrome->ended_ns));
	if (!chrome->ended_ns)
		return -ENOMEM;
	for (size_t i = 0; i < 2 * CHROME_THREADS; i++)
		chrome->ended_ns[i] = -1;
	fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[", out);
	put_name(chrome, "thread_name", TRACK_SUBMISSIONS, "submissions");
	put_name(chrome, "thread_name", TRACK_GAPS, "gaps between submissions");
	put_name(chrome, "thread_name", TRACK_LEASE, "lease of the GPU");
	return 0;
}

void chrome_row(struct chrome *chrome, const json_t *row)
{
	struct span span = {
		.name = json_string_value(json_object_get(row, "what")),
		.category = category_of(json_string_value(json_object_get(row, "kind"))),
		.at_ns = json_integer_value(json_object_get(row, "at_ns")),
		.took_ns = json_integer_value(json_object_get(row, "took_ns")),
		.row = row,
	};
	json_int_t thread = json_integer_value(json_object_get(row, "thread"));
	const char *name = json_string_value(json_object_get(row, "name"));

	if (!span.name || !span.category || span.at_ns < 0 || span.took_ns < 0 ||
	    span.took_ns > INT64_MAX - span.at_ns)
		return;
	if (name && *name)
		span.name = name;
	if (strcmp(span.category, "submission") == 0)
		put_submission(chrome, &span);
	else if (strcmp(span.category, "lease") == 0)
		put_lease(chrome, &span);
	else
		put_of_thread(chrome, &span, (unsigned)thread & UINT16_MAX,
			      strcmp(span.category, "wait") == 0);
}

void chrome_end(struct chrome *chrome, const json_t *about)
{
	const char *name = json_string_value(json_object_get(about, "name"));
	const char *vm = json_string_value(json_object_get(about, "vm"));
	char text[256], *dumped;

	snprintf(text, sizeof(text), "program %" JSON_INTEGER_FORMAT " %s%s%s", chrome->program,
		 name ? name : "", vm ? " of " : "", vm ? vm : "");
	put_name(chrome, "process_name", 0, text);
	dumped = about ? json_dumps(about, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	fprintf(chrome->out, "\n],\"otherData\":%s}\n", dumped ? dumped : "{}");
	free(dumped);
	free(chrome->ended_ns);
	chrome->ended_ns = NULL;
}
