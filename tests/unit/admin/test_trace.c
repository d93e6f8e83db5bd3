/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_trace.c - a worker that always has more to tell does not hold up the loop */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/util.h"
#include "vgpud/admin/handlers.h"
#include "vgpud/programs/tracing.h"

#define PATIENCE_USEC 20000000ull
#define TURN_MOST 2048u	       /* events that one turn of the loop may take */
#define TAKEN_ENOUGH 10000000u /* ends the test where there is no bound */

/* --- doubles: of the trace, and of what the command is told by and answers to --- */

static unsigned taken, rows, ends;
static struct channel program = { .id = 7, .vm_name = "vm1" };

int tracing_begin(struct tracing **out, struct channel *channel, uint64_t for_ns)
{
	(void)channel;
	(void)for_ns;
	*out = (struct tracing *)&taken;
	return 0;
}

uint64_t tracing_begun_ns(const struct tracing *tracing)
{
	(void)tracing;
	return 1;
}

uint64_t tracing_until_ns(const struct tracing *tracing)
{
	(void)tracing;
	return UINT64_MAX / 2;
}

/* All of them are of a kind that there is not, so none makes a row. */
int tracing_take(struct tracing *tracing, struct trace_event *events, unsigned most)
{
	(void)tracing;
	memset(events, 0, most * sizeof(*events));
	taken += most;
	return taken < TAKEN_ENOUGH ? (int)most : 0;
}

const char *tracing_name(struct tracing *tracing, uint32_t number)
{
	(void)tracing;
	(void)number;
	return NULL;
}

bool tracing_lease(struct tracing *tracing, struct arbiter_note *note)
{
	(void)tracing;
	(void)note;
	return false;
}

uint64_t tracing_lost(const struct tracing *tracing)
{
	(void)tracing;
	return 0;
}

void tracing_end(struct tracing *tracing, struct channel *channel)
{
	(void)tracing;
	assert_ptr_equal(channel, &program);
}

struct channel *programs_find(const struct programs *programs, uint64_t id)
{
	(void)programs;
	assert_int_equal(id, program.id);
	return &program;
}

const char *admin_arg(const struct admin_call *call, const char *key)
{
	(void)call;
	return strcmp(key, "id") == 0 ? "7" : NULL;
}

void admin_row(struct admin_call *call, json_t *row)
{
	(void)call;
	json_decref(row);
	rows++;
}

void admin_end(struct admin_call *call, json_t *extra)
{
	(void)call;
	json_decref(extra);
	ends++;
}

void admin_fail(struct admin_call *call, enum admin_error error, const char *format, ...)
{
	(void)call;
	(void)error;
	fail_msg("%s", format);
}

void admin_event(const struct admin_call *call, const char *kind, const char *subject,
		 const char *old_value, const char *new_value, const char *text)
{
	(void)call;
	(void)subject;
	(void)old_value;
	(void)new_value;
	(void)text;
	assert_string_equal(kind, "trace");
}

json_t *admin_string(const char *text)
{
	return text != NULL ? json_string(text) : json_null();
}

json_t *admin_wall(const struct daemon *daemon, uint64_t mono_ns)
{
	(void)daemon;
	return json_integer((json_int_t)mono_ns);
}

static bool has_room(const struct admin_client *client)
{
	(void)client;
	return true;
}

/* --- the test --- */

static void a_worker_that_always_has_more(void **state)
{
	static const struct admin_client_ops ops = { .has_room = has_room };
	static struct daemon daemon;
	struct admin_call call = { .daemon = &daemon, .ops = &ops };

	(void)state;
	assert_return_code(sd_event_new(&daemon.event), 0);
	admin_trace(&call);
	for (unsigned before = 0; before < 5 * TURN_MOST; before = taken) {
		while (taken == before)
			assert_int_not_equal(sd_event_run(daemon.event, PATIENCE_USEC), 0);
		assert_in_range(taken - before, 1, TURN_MOST);
	}
	assert_int_equal(rows + ends, 0);
	call.gone(&call); /* its client goes */
	assert_int_equal(ends, 1);
	sd_event_unref(daemon.event);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_worker_that_always_has_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
