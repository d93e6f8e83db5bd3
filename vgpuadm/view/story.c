/* SPDX-License-Identifier: GPL-2.0-or-later */
/* story.c - one request's story in sentences */

#include <stdio.h>
#include <string.h>

#include "common/names.h"
#include "common/wire/vgpu_proto.h"
#include "vgpuadm/view/say.h"

static void put(const json_t *row, const char *key, enum field_kind kind)
{
	field_put(stdout, kind, json_object_get(row, key));
}

static bool is_known(const json_t *row, const char *key)
{
	return json_is_integer(json_object_get(row, key));
}

/* "the request's checksum is wrong" for "BAD_CRC". */
static const char *status_text(const char *status)
{
	for (uint32_t error = 0; error < VGPU_ERROR_NUM; error++)
		if (strcmp(name_error(error), status) == 0)
			return name_error_text(error);
	return "a status that this vgpuadm does not know";
}

static void put_opcode(const json_t *row)
{
	int opcode = name_to_opcode(field_string(row, "opcode"));

	put(row, "opcode", FIELD_TEXT);
	if (opcode >= 0)
		printf(" (%s)", name_opcode_text((uint32_t)opcode));
}

static void put_whose(const json_t *row)
{
	fputs("Request ", stdout);
	put(row, "id", FIELD_COUNT);
	fputs(" is of ", stdout);
	put(row, "vm", FIELD_TEXT);
	fputs(" (VM ", stdout);
	put(row, "vm_id", FIELD_COUNT);
	fputs("), pool ", stdout);
	put(row, "pool", FIELD_TEXT);
	fputs(", priority ", stdout);
	put(row, "priority", FIELD_TEXT);
	fputs("; the guest calls it ", stdout);
	put(row, "guest_request_id", FIELD_COUNT);
	fputs(".\nIt asks for ", stdout);
	put_opcode(row);
	puts(".");
}

/* " (950 ms of it for its VM's limit)" */
static void put_limited(const json_t *row)
{
	if (json_integer_value(json_object_get(row, "limited_ns")) == 0)
		return;
	fputs(" (", stdout);
	put(row, "limited_ns", FIELD_DURATION);
	fputs(" of it for its VM's limit)", stdout);
}

static void put_run(const json_t *row)
{
	if (!is_known(row, "total_ns")) {
		puts("How long it waited is not known: vgpud ended before it did.");
		return;
	}
	fputs("It waited ", stdout);
	put(row, "wait_ns", FIELD_DURATION);
	put_limited(row);
	if (strcmp(field_string(row, "executor"), "none") == 0 ||
	    json_integer_value(json_object_get(row, "exec_ns")) == 0) {
		puts(" and never ran.");
		return;
	}
	fputs(", then ran on ", stdout);
	put(row, "executor", FIELD_TEXT);
	fputs(" for ", stdout);
	put(row, "exec_ns", FIELD_DURATION);
	puts(".");
}

static void put_end(const json_t *row)
{
	const char *status = field_string(row, "status");

	fputs("It ended with ", stdout);
	put(row, "status", FIELD_TEXT);
	printf(": %s.\n", status_text(status));
	if (!is_known(row, "total_ns"))
		return;
	fputs("It was answered at ", stdout);
	json_t *answered =
		json_integer(json_integer_value(json_object_get(row, "received_unix_ns")) +
			     json_integer_value(json_object_get(row, "total_ns")));
	field_put(stdout, FIELD_MOMENT, answered);
	json_decref(answered);
	fputs(", ", stdout);
	put(row, "total_ns", FIELD_DURATION);
	fputs(" after it came, with ", stdout);
	put(row, "response_bytes", FIELD_BYTES);
	puts(".");
}

void say_story(const struct output_style *style, const json_t *row)
{
	(void)style;
	put_whose(row);
	fputs("It was received at ", stdout);
	put(row, "received_unix_ns", FIELD_MOMENT);
	fputs(", ", stdout);
	put(row, "request_bytes", FIELD_BYTES);
	if (*field_string(row, "transport")) {
		fputs(" by ", stdout);
		put(row, "transport", FIELD_TEXT);
	}
	puts(".");
	put_run(row);
	put_end(row);
}

/* ": programs of vm2 have the GPU (share)" */
static void put_turn(const json_t *row)
{
	if (!*field_string(row, "turn_why"))
		return;
	fputs(": ", stdout);
	if (*field_string(row, "turn_vm")) {
		put(row, "turn_of", FIELD_TEXT);
		fputs(" of ", stdout);
		put(row, "turn_vm", FIELD_TEXT);
		fputs(" have the GPU (", stdout);
	} else {
		fputs("nobody has the GPU (", stdout);
	}
	put(row, "turn_why", FIELD_TEXT);
	fputc(')', stdout);
}

void say_queued(const struct output_style *style, const json_t *row)
{
	bool runs = strcmp(field_string(row, "state"), "running") == 0;

	(void)style;
	put_whose(row);
	fputs("It has not ended. It waited ", stdout);
	put(row, "waited_ns", FIELD_DURATION);
	put_limited(row);
	if (runs) {
		fputs(" and has been running for ", stdout);
		put(row, "running_ns", FIELD_DURATION);
	} else {
		fputs(" so far and is number ", stdout);
		put(row, "position", FIELD_COUNT);
		fputs(" in the queue", stdout);
	}
	if (*field_string(row, "held")) {
		fputs(", held by ", stdout);
		put(row, "held", FIELD_TEXT);
		put_turn(row);
	}
	fputs(". Its deadline is in ", stdout);
	put(row, "deadline_in_ns", FIELD_DURATION);
	puts(".");
}
