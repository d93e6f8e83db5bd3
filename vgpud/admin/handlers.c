/* SPDX-License-Identifier: GPL-2.0-or-later */
/* handlers.c - the table of handlers, and what they share */

#include "vgpud/admin/handlers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/cmd/suggest.h"
#include "common/names.h"

admin_handler *const admin_handlers[ADMIN_CMD_NUM] = {
	[ADMIN_CMD_STATUS] = admin_status,
	[ADMIN_CMD_LIST] = admin_list,
	[ADMIN_CMD_POOLS] = admin_pools,
	[ADMIN_CMD_QUEUE] = admin_queue,
	[ADMIN_CMD_ADD_VM] = admin_add_vm,
	[ADMIN_CMD_REMOVE_VM] = admin_remove_vm,
#define HANDLER_SET(id, name, pattern, what) [ADMIN_CMD_##id] = admin_set,
#define HANDLER_OTHER()
#define HANDLER(NAME, name, KIND, least, most, standard, list, show, option, how, ...) \
	HANDLER_##how(__VA_ARGS__)
	VM_SETTING_TABLE(HANDLER)
#undef HANDLER
		[ADMIN_CMD_SET_LIMIT] = admin_set_limit,
	[ADMIN_CMD_PAUSE] = admin_pause,
	[ADMIN_CMD_RESUME] = admin_resume,
	[ADMIN_CMD_DRAIN] = admin_drain,
	[ADMIN_CMD_CANCEL] = admin_cancel,
	[ADMIN_CMD_PROGRAMS] = admin_programs,
	[ADMIN_CMD_KILL_PROGRAM] = admin_kill_program,
	[ADMIN_CMD_DRAIN_GPU] = admin_drain_gpu,
	[ADMIN_CMD_TRACE] = admin_trace,
	[ADMIN_CMD_STATS] = admin_query,
	[ADMIN_CMD_REQUESTS] = admin_query,
	[ADMIN_CMD_REQUEST] = admin_query,
	[ADMIN_CMD_PROGRAM] = admin_query,
	[ADMIN_CMD_SUBMISSIONS] = admin_query,
	[ADMIN_CMD_SUBMISSION] = admin_query,
	[ADMIN_CMD_EVENTS] = admin_query,
	[ADMIN_CMD_RATES] = admin_query,
	[ADMIN_CMD_USAGE] = admin_query,
	[ADMIN_CMD_METRICS] = admin_metrics,
	[ADMIN_CMD_CHECKS] = admin_checks,
};

struct vm *admin_vm_arg(struct admin_call *call)
{
	const char *name = admin_arg(call, "vm");
	struct vm *vm = vm_find(&call->daemon->broker.vms, name);
	struct suggest near = suggest_begin(name);
	const struct vm *other;

	if (vm != NULL)
		return vm;
	TAILQ_FOREACH(other, &call->daemon->broker.vms, link)
		suggest_offer(&near, other->name);
	admin_fail(call, ADMIN_ERROR_NOT_FOUND, "%s: no such vm (vgpuadm list shows them)%s", name,
		   suggest_question(&near));
	return NULL;
}

void admin_event(const struct admin_call *call, const char *kind, const char *subject,
		 const char *old_value, const char *new_value, const char *text)
{
	struct ledger *ledger = call->daemon->broker.ledger;
	struct ledger_event event = {
		.kind = kind,
		.subject = subject,
		.old_value = old_value,
		.new_value = new_value,
		.text = text,
		.uid = call->peer.uid,
		.pid = call->peer.pid,
	};

	ledger_event(ledger, &event);
}

json_t *admin_string(const char *text)
{
	json_t *string = text != NULL ? json_string(text) : NULL;

	return string != NULL ? string : json_null();
}

json_t *admin_pool_name(unsigned index)
{
	char name[2] = { name_pool(index), '\0' };

	return json_string(name);
}

json_t *admin_wall(const struct daemon *daemon, uint64_t mono_ns)
{
	return json_integer(ledger_wall_ns(daemon->broker.ledger, mono_ns));
}
