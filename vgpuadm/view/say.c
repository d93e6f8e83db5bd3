/* SPDX-License-Identifier: GPL-2.0-or-later */
/* say.c - answers in sentences, for people */

#include "vgpuadm/view/say.h"

#include <stdio.h>
#include <string.h>

#include "vgpuadm/out/text.h"

/* Prints a value of the row as tables have it. */
static void put(const json_t *row, const char *key, enum field_kind kind)
{
	field_put(stdout, kind, json_object_get(row, key));
}

/* Prints words and values by turns: words, key, words, key, ..., NULL. All values are texts or
 * counts. */
static void put_all(const json_t *row, const char *const *parts)
{
	for (; *parts; parts++) {
		fputs(*parts, stdout);
		if (!*++parts)
			break;
		put(row, *parts, FIELD_TEXT);
	}
}

#define PUT_ALL(row, ...) put_all(row, (const char *const[]){ __VA_ARGS__, NULL })

static const char *plural(const json_t *row, const char *key)
{
	return json_integer_value(json_object_get(row, key)) == 1 ? "" : "s";
}

/* ---- changes ---- */

void say_add_vm(const struct output_style *style, const json_t *row)
{
	bool connects = strcmp(field_string(row, "socket_mode"), "connect") == 0;

	PUT_ALL(row, "", "vm", ": added as VM ", "vm_id", ", pool ", "pool", ", priority ",
		"priority", connects ? "; vgpud connects to " : "; vgpud listens at ", "socket",
		"\n");
	if (field_string(row, "qemu_options")[0] == '\0') {
		PUT_ALL(row, "Its programs run with VGPU_SOCKET=", "socket",
			" and our libcuda.so.1, once vgpuadm set-programs ", "vm",
			" on lets them.\n");
		return;
	}
	PUT_ALL(row, "Give its QEMU these options (vgpuadm snippet libvirt ", "vm",
		" has them for libvirt; also proxmox, xl):\n");
	say_text(style, json_object_get(row, "qemu_options"));
}

void say_remove_vm(const struct output_style *style, const json_t *row)
{
	(void)style;
	PUT_ALL(row, "", "vm", ": removed; its records stay");
	if (json_integer_value(json_object_get(row, "cancelled")) > 0) {
		PUT_ALL(row, "; ", "cancelled", " request");
		printf("%s of it ended with it", plural(row, "cancelled"));
	}
	putchar('\n');
}

void say_change(const struct output_style *style, const json_t *row)
{
	bool changed = json_is_true(json_object_get(row, "changed"));

	(void)style;
	if (changed)
		PUT_ALL(row, "", "vm", ": ", "what", " was ", "old", ", is ", "new", " now");
	else
		PUT_ALL(row, "", "vm", ": ", "what", " is ", "new", " already");
	if (changed && json_integer_value(json_object_get(row, "queued")) > 0) {
		PUT_ALL(row, "; it holds for ", "queued", " waiting request");
		fputs(plural(row, "queued"), stdout);
	}
	if (json_integer_value(json_object_get(row, "over_bytes")) > 0) {
		fputs("; its programs hold ", stdout);
		put(row, "over_bytes", FIELD_BYTES);
		fputs(" more, and get nothing before that is freed", stdout);
	}
	if (json_integer_value(json_object_get(row, "programs_stay")) > 0)
		PUT_ALL(row, "; programs that stay on the old GPU: ", "programs_stay");
	if (strcmp(field_string(row, "new"), "on") == 0 && *field_string(row, "programs_refused"))
		fputs("; but none run on this host (vgpuadm doctor says why)", stdout);
	putchar('\n');
}

void say_drain(const struct output_style *style, const json_t *row)
{
	(void)style;
	if (!json_is_true(json_object_get(row, "draining"))) {
		puts("takes new requests again");
		return;
	}
	fputs("drained: ", stdout);
	PUT_ALL(row, "", "ended", " request");
	printf("%s ended in ", plural(row, "ended"));
	put(row, "waited_ns", FIELD_DURATION);
	puts(json_is_true(json_object_get(row, "until_restart"))
		     ? "; new ones are refused until vgpud ends"
		     : "; new ones are refused until vgpuadm drain --off");
}

void say_cancel(const struct output_style *style, const json_t *row)
{
	(void)style;
	PUT_ALL(row, "request ", "id", " of ", "vm", ": cancelled; it was ", "was", "\n");
}

void say_kill_program(const struct output_style *style, const json_t *row)
{
	(void)style;
	PUT_ALL(row, "program ", "id", " of ", "vm", ": ended; it was ", "state", "\n");
}

void say_trace(const struct output_style *style, const json_t *row)
{
	(void)style;
	PUT_ALL(row, "", "file", ": ", "events", " event");
	printf("%s of program ", plural(row, "events"));
	PUT_ALL(row, "", "program", " of ", "vm", " in ");
	put(row, "took_ns", FIELD_DURATION);
	if (json_is_true(json_object_get(row, "ended")))
		fputs(", which has ended", stdout);
	puts(" (Chrome's trace viewer and ui.perfetto.dev open it)");
	if (json_is_true(json_object_get(row, "limited")))
		puts("It ends early: a trace has no more events than that.");
	if (json_integer_value(json_object_get(row, "lost")) > 0) {
		PUT_ALL(row, "", "lost", " event");
		printf("%s came too fast to be kept: gaps may be none.\n", plural(row, "lost"));
	}
}

void say_drain_gpu(const struct output_style *style, const json_t *row)
{
	(void)style;
	if (!json_is_true(json_object_get(row, "draining")))
		PUT_ALL(row, "GPU ", "gpu", ": takes programs");
	else
		PUT_ALL(row, "GPU ", "gpu", ": takes no new programs; left there: ", "programs");
	/* A number that was mistyped is one of a GPU, too. An older vgpud does not say. */
	puts(json_is_null(json_object_get(row, "pools")) ? "; no pool uses it (vgpuadm pools)"
							 : "");
}

/* ---- checks ---- */

void say_check(const struct output_style *style, const json_t *row)
{
	static const struct field result = { .key = "result", .tone = TONE_STATE };
	const json_t *value = json_object_get(row, "result");
	const char *colour = style->colours ? field_colour(&result, value) : NULL;
	char name[16];

	snprintf(name, sizeof(name), "%s", field_string(row, "result"));
	if (colour)
		printf("\033[%sm", colour);
	text_put(stdout, name);
	if (colour)
		fputs("\033[0m", stdout);
	printf("%*s", strlen(name) < 9 ? 9 - (int)strlen(name) : 1, "");
	PUT_ALL(row, "", "check", ": ", "text", "\n");
	if (*field_string(row, "remedy"))
		PUT_ALL(row, "         what helps: ", "remedy", "\n");
}

void say_text(const struct output_style *style, const json_t *row)
{
	output_text(style,
		    json_is_string(row) ? json_string_value(row) : field_string(row, "text"));
}

/* ---- windows ---- */

/* "2026-11-21 07:30:00.000 to 2026-11-21 08:30:00.000 (1h00m)". */
static void put_window(const json_t *extras)
{
	json_int_t since_ns = json_integer_value(json_object_get(extras, "since_unix_ns"));
	json_int_t until_ns = json_integer_value(json_object_get(extras, "until_unix_ns"));

	if (since_ns <= 0) {
		fputs("from the beginning to ", stdout);
		put(extras, "until_unix_ns", FIELD_MOMENT);
		return;
	}
	put(extras, "since_unix_ns", FIELD_MOMENT);
	fputs(" to ", stdout);
	put(extras, "until_unix_ns", FIELD_MOMENT);
	if (until_ns > since_ns) {
		json_t *length = json_integer(until_ns - since_ns);

		fputs(" (", stdout);
		field_put(stdout, FIELD_DURATION, length);
		fputs(")", stdout);
		json_decref(length);
	}
}

void say_window(const json_t *extras)
{
	if (!json_object_get(extras, "since_unix_ns"))
		return;
	put_window(extras);
	fputs(json_is_true(json_object_get(extras, "exact"))
		      ? ", from the rows"
		      : ", from histograms (percentiles within 1.6 %)",
	      stdout);
	puts(json_is_true(json_object_get(extras, "widened")) ? ", widened to whole minutes" : "");
}

void say_span(const json_t *extras)
{
	if (!json_object_get(extras, "since_unix_ns"))
		return;
	put_window(extras);
	puts("");
}

/*
 * "its programs and requests waited for turns of the GPU for 3.00 s in all, 1.00 s of it for its
 * cap": nothing if they did not.
 */
static void put_programs_wait(const json_t *extras)
{
	static const struct {
		const char *key, *words;
	} causes[] = {
		{ "programs_cap_ns", " for its cap" },
		{ "programs_paused_ns", " while it was paused or stopped" },
		{ "programs_others_ns", " for further VMs" },
	};

	if (json_integer_value(json_object_get(extras, "programs_wait_total_ns")) == 0)
		return;
	fputs("its programs and requests waited for turns of the GPU for ", stdout);
	put(extras, "programs_wait_total_ns", FIELD_DURATION);
	fputs(" in all", stdout);
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
		if (json_integer_value(json_object_get(extras, causes[i].key)) == 0)
			continue;
		fputs(", ", stdout);
		put(extras, causes[i].key, FIELD_DURATION);
		fputs(causes[i].words, stdout);
	}
	putchar('\n');
}

void say_blamed(const json_t *extras)
{
	if (!json_object_get(extras, "vm"))
		return;
	put_window(extras);
	PUT_ALL(extras, ": ", "vm", " waited ");
	put(extras, "wait_total_ns", FIELD_DURATION);
	fputs(" in all, ", stdout);
	put(extras, "idle_ns", FIELD_DURATION);
	fputs(" of it while no request ran", stdout);
	if (json_integer_value(json_object_get(extras, "limited_ns")) > 0) {
		fputs(", ", stdout);
		put(extras, "limited_ns", FIELD_DURATION);
		fputs(" for its own limit", stdout);
	}
	putchar('\n');
	put_programs_wait(extras);
}

void say_limited(const json_t *extras)
{
	if (!json_is_true(json_object_get(extras, "limited")))
		return;
	fflush(stdout);
	fprintf(stderr, "the newest %" JSON_INTEGER_FORMAT " only (--limit NUMBER shows more)\n",
		json_integer_value(json_object_get(extras, "rows")));
}
