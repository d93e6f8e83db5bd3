/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shape.c - which fields the commands' rows have */

#include "vgpuadm/view/shape.h"

#include <stddef.h>
#include <string.h>

#include "vgpuadm/view/say.h"
#include "vgpuadm/view/shape_field.h"
#include "vgpuadm/view/shape_programs.h"

/* How people read the kinds of a VM's settings. */
#define READ_POOL FIELD_TEXT, TONE_NONE
#define READ_PRIORITY FIELD_TEXT, TONE_NONE
#define READ_HALT FIELD_BOOL, TONE_TRUE_WARNS
#define READ_SWITCH FIELD_BOOL, TONE_NONE
#define READ_NUMBER FIELD_COUNT, TONE_NONE
#define READ_PERCENT FIELD_PERCENT, TONE_NONE
#define READ_SIZE FIELD_BYTES, TONE_NONE
#define READ_TEXT FIELD_TEXT, TONE_NONE

/* A setting's field in `list` and in `show`; without a heading only JSON has it. */
#define SETTING(key_, heading_, kind_, tone_, width_)                               \
	{                                                                           \
		.key = (key_), .heading = (heading_), .kind = kind_, .tone = tone_, \
		.width = (width_)                                                   \
	}
#define WIDTH_OF(heading) ((heading) == NULL ? 0 : sizeof(heading) - 1)
#define SETTING_AS(...) SETTING(__VA_ARGS__)
#define LIST_SETTING(NAME, name, KIND, least, most, standard, list, show, option, ...) \
	SETTING_AS(#name, list, READ_##KIND, WIDTH_OF(list)),
#define SHOW_SETTING(NAME, name, KIND, least, most, standard, list, show, option, ...) \
	SETTING_AS(#name, show, READ_##KIND, 0),

static const struct field status_fields[] = {
	FIELD("version", "version", TEXT, 0),
	FIELD("pid", "process", COUNT, 0),
	FIELD("started_unix_ns", "running since", TIME, 0),
	FIELD("uptime_ns", "for", DURATION, 0),
	FIELD("draining", "draining", BOOL, 0, .tone = TONE_TRUE_WARNS),
	FIELD("draining_since_unix_ns", "since", TIME, 0),
	FIELD("draining_uid", "by uid", COUNT, 0),
	FIELD("isolation", "isolation", TEXT, 0),
	FIELD("test_opcodes", "test opcodes", BOOL, 0, .tone = TONE_TRUE_WARNS),
	FIELD("confine", "confined", TEXT, 0),
	FIELD("workers_confined", "workers have", TEXT, 0),
	FIELD("vms", "VMs", COUNT, 0),
	FIELD("vms_connected", "VMs connected", COUNT, 0),
	FIELD("vms_paused", "VMs paused", COUNT, 0, .tone = TONE_SOME_WARNS),
	FIELD("vms_limited", "VMs limited", COUNT, 0),
	FIELD("programs", "programs", COUNT, 0),
	FIELD("program_spares", "spares for them", COUNT, 0),
	FIELD("programs_unconfined", "run unconfined", BOOL, 0, .tone = TONE_TRUE_WARNS),
	FIELD("programs_refused", "no programs, for", TEXT, 0),
	FIELD("queued", "requests waiting", COUNT, 0),
	FIELD("running", "requests running", COUNT, 0),
	FIELD("requests", "requests", COUNT, 0),
	FIELD("errors", "of them in error", COUNT, 0),
	FIELD("ledger", "ledger", TEXT, 0, .tone = TONE_STATE),
	FIELD("ledger_error", "ledger's last error", TEXT, 0, .tone = TONE_SOME_WARNS),
	FIELD("ledger_path", "ledger's file", TEXT, 0),
	FIELD("ledger_bytes", "ledger's size", BYTES, 0),
	FIELD("ledger_rows", "ledger's rows", COUNT, 0),
	FIELD("ledger_lost", "records lost", COUNT, 0, .tone = TONE_SOME_WARNS),
	FIELD("ledger_dropped", "records dropped", COUNT, 0, .tone = TONE_SOME_WARNS),
	FIELD("ledger_refused", "refused for it", COUNT, 0, .tone = TONE_SOME_WARNS),
	FIELD("ring_used", "ring used", COUNT, 0),
	FIELD("ring_records", "ring's records", COUNT, 0),
	FIELD("runtime_dir", "sockets in", TEXT, 0),
	FIELD("admin_clients", "admin clients", COUNT, 0),
	FIELD("file_state", "requests by file", TEXT, 0, .tone = TONE_STATE),
	FIELD("file_dir", "files in", TEXT, 0),
	END,
};

static const struct field list_fields[] = {
	FIELD("vm", "VM", TEXT, 12),
	FIELD("vm_id", "ID", COUNT, 4),
	VM_SETTING_TABLE(LIST_SETTING)
		FIELD("connected", "CONNECTED", BOOL, 9, .tone = TONE_FALSE_DIM),
	FIELD("queued", "QUEUED", COUNT, 6),
	FIELD("running", "RUNNING", COUNT, 7),
	FIELD("requests", "REQUESTS", COUNT, 10),
	FIELD("errors", "ERRORS", COUNT, 6, .tone = TONE_SOME_WARNS),
	FIELD("last_error", "LAST ERROR", TEXT, 12),
	HIDDEN("last_error_unix_ns"),
	HIDDEN("bad_frames"),
	HIDDEN("refused_peers"),
	HIDDEN("socket"),
	HIDDEN("programs_now"),
	HIDDEN("modules_kept"),
	HIDDEN("modules_bytes"),
	HIDDEN("module_hits"),
	HIDDEN("module_misses"),
	HIDDEN("socket_mode"),
	HIDDEN("limited"),
	END,
};

static const struct field vm_fields[] = {
	FIELD("vm", "VM", TEXT, 0),
	FIELD("vm_id", "number", COUNT, 0),
	VM_SETTING_TABLE(SHOW_SETTING) FIELD("programs_now", "programs now", COUNT, 0),
	FIELD("modules_kept", "modules kept", COUNT, 0),
	FIELD("modules_bytes", "they take", BYTES, 0),
	FIELD("module_hits", "loads from them", COUNT, 0),
	FIELD("module_misses", "loads compiled", COUNT, 0),
	FIELD("connected", "connected", BOOL, 0, .tone = TONE_FALSE_DIM),
	FIELD("limited", "waited for that", COUNT, 0),
	FIELD("queued", "requests waiting", COUNT, 0),
	FIELD("running", "requests running", COUNT, 0),
	FIELD("requests", "requests", COUNT, 0),
	FIELD("errors", "of them in error", COUNT, 0, .tone = TONE_SOME_WARNS),
	FIELD("last_error", "last error", TEXT, 0),
	FIELD("last_error_unix_ns", "it was at", TIME, 0),
	FIELD("bad_frames", "bad frames", COUNT, 0, .tone = TONE_SOME_WARNS),
	FIELD("refused_peers", "refused peers", COUNT, 0, .tone = TONE_SOME_WARNS),
	FIELD("socket", "socket", TEXT, 0),
	FIELD("socket_mode", "vgpud's part", TEXT, 0),
	END,
};

static const struct field pools_fields[] = {
	FIELD("pool", "POOL", TEXT, 4),
	FIELD("executor_wanted", "WANTED", TEXT, 8),
	FIELD("executor", "EXECUTOR", TEXT, 8),
	FIELD("device", "DEVICE", TEXT, 20),
	FIELD("memory_mib", "MEMORY", MIB, 9),
	FIELD("compute_capability", "CC", TEXT, 4),
	FIELD("state", "STATE", TEXT, 8, .tone = TONE_STATE),
	FIELD("window", "WINDOW", COUNT, 6),
	FIELD("deadline_ms", "DEADLINE", MILLISECONDS, 8),
	FIELD("exec_deadline_ms", "RUN LIMIT", MILLISECONDS, 9),
	FIELD("vms", "VMS", COUNT, 4),
	FIELD("queued", "QUEUED", COUNT, 6),
	FIELD("running", "RUNNING", COUNT, 7),
	FIELD("gpu", "QUEUE", COUNT, 5),
	FIELD("trouble", "TROUBLE", TEXT, 20, .tone = TONE_SOME_WARNS),
	END,
};

static const struct field queue_fields[] = {
	FIELD("position", "POSITION", COUNT, 8),
	FIELD("id", "ID", COUNT, 10),
	FIELD("vm", "VM", TEXT, 12),
	HIDDEN("vm_id"),
	FIELD("pool", "POOL", TEXT, 4),
	FIELD("priority", "PRIORITY", TEXT, 8),
	FIELD("opcode", "OPCODE", TEXT, 10),
	FIELD("transport", "BY", TEXT, 6),
	FIELD("state", "STATE", TEXT, 7),
	FIELD("waited_ns", "WAITED", DURATION, 8),
	FIELD("running_ns", "RUNNING FOR", DURATION, 11),
	FIELD("deadline_in_ns", "DEADLINE IN", DURATION, 11),
	FIELD("held", "HELD BY", TEXT, 11, .tone = TONE_SOME_WARNS),
	FIELD("turn_vm", "GPU WITH", TEXT, 12),
	HIDDEN("turn_why"),
	HIDDEN("turn_of"),
	HIDDEN("guest_request_id"),
	HIDDEN("limited_ns"),
	END,
};

static const struct field add_vm_fields[] = {
	FIELD("vm", "VM", TEXT, 0),
	FIELD("vm_id", "ID", COUNT, 0),
	FIELD("pool", "POOL", TEXT, 0),
	FIELD("priority", "PRIORITY", TEXT, 0),
	FIELD("socket", "SOCKET", TEXT, 0),
	FIELD("socket_mode", "MODE", TEXT, 0),
	FIELD("qemu_options", "QEMU", TEXT, 0),
	END,
};

static const struct field remove_vm_fields[] = {
	FIELD("vm", "VM", TEXT, 0),
	FIELD("vm_id", "ID", COUNT, 0),
	FIELD("cancelled", "CANCELLED", COUNT, 0),
	END,
};

/* What every change of a setting tells. */
#define CHANGE                                                                     \
	FIELD("vm", "VM", TEXT, 0), FIELD("vm_id", "ID", COUNT, 0),                \
		FIELD("what", "WHAT", TEXT, 0), FIELD("old", "OLD", TEXT, 0),      \
		FIELD("new", "NEW", TEXT, 0), FIELD("queued", "QUEUED", COUNT, 0), \
		FIELD("changed", "CHANGED", BOOL, 0),

static const struct field change_fields[] = { CHANGE END };
static const struct field memory_change_fields[] = { CHANGE FIELD("over_bytes", "OVER", BYTES, 0),
						     END };
static const struct field pool_change_fields[] = { CHANGE FIELD("programs_stay", "STAY", COUNT, 0),
						   END };

static const struct field programs_change_fields[] = {
	CHANGE FIELD("programs_refused", "REFUSED", TEXT, 0), END
};

static const struct field drain_fields[] = {
	FIELD("draining", "DRAINING", BOOL, 0),
	FIELD("until_restart", "UNTIL_RESTART", BOOL, 0),
	FIELD("ended", "ENDED", COUNT, 0),
	FIELD("waited_ns", "WAITED", DURATION, 0),
	END,
};

static const struct field cancel_fields[] = {
	FIELD("id", "ID", COUNT, 0),
	FIELD("vm", "VM", TEXT, 0),
	FIELD("was", "WAS", TEXT, 0),
	END,
};

static const struct field stats_fields[] = {
	FIELD("group", "GROUP", TEXT, 0),
	FIELD("count", "COUNT", COUNT, 0),
	FIELD("errors", "ERRORS", COUNT, 0, .tone = TONE_SOME_WARNS),
	FIELD("rate_per_s", "RATE/S", RATE, 0),
	FIELD("gpu_time_ns", "GPU TIME", DURATION, 0),
	FIELD("gpu_share", "SHARE", SHARE, 0),
	FIELD("submissions", "SUBMITTED", COUNT, 0),
	STACKED("wait_p50_ns", "P50", "wait"),
	STACKED("wait_p90_ns", "P90", "wait"),
	STACKED("wait_p99_ns", "P99", "wait"),
	STACKED("wait_p999_ns", "P99.9", "wait"),
	STACKED("wait_max_ns", "MAX", "wait"),
	STACKED("exec_p50_ns", "P50", "run"),
	STACKED("exec_p90_ns", "P90", "run"),
	STACKED("exec_p99_ns", "P99", "run"),
	STACKED("exec_p999_ns", "P99.9", "run"),
	STACKED("exec_max_ns", "MAX", "run"),
	STACKED("total_p50_ns", "P50", "total"),
	STACKED("total_p90_ns", "P90", "total"),
	STACKED("total_p99_ns", "P99", "total"),
	STACKED("total_p999_ns", "P99.9", "total"),
	STACKED("total_max_ns", "MAX", "total"),
	STACKED("submission_p50_ns", "P50", "submit"),
	STACKED("submission_p90_ns", "P90", "submit"),
	STACKED("submission_p99_ns", "P99", "submit"),
	STACKED("submission_p999_ns", "P99.9", "submit"),
	STACKED("submission_max_ns", "MAX", "submit"),
	HIDDEN("submissions_open"),
	HIDDEN("submission_time_ns"),
	HIDDEN("requests_gpu_time_ns"),
	HIDDEN("programs_gpu_time_ns"),
	END,
};

static const struct field blame_fields[] = {
	FIELD("group", "VM", TEXT, 0),
	FIELD("share", "SHARE", SHARE, 0),
	FIELD("blocked_ns", "RAN MEANWHILE", DURATION, 0),
	FIELD("programs_share", "OF TURNS' WAIT", SHARE, 0),
	FIELD("programs_blocked_ns", "HAD THE GPU", DURATION, 0),
	END,
};

static const struct field request_fields[] = {
	FIELD("id", "ID", COUNT, 10),
	FIELD("received_unix_ns", "RECEIVED", TIME, 23),
	FIELD("vm", "VM", TEXT, 12),
	HIDDEN("vm_id"),
	FIELD("pool", "POOL", TEXT, 4),
	FIELD("priority", "PRIORITY", TEXT, 8),
	FIELD("opcode", "OPCODE", TEXT, 10),
	FIELD("status", "STATUS", TEXT, 12, .tone = TONE_STATUS),
	FIELD("executor", "EXECUTOR", TEXT, 8),
	FIELD("transport", "BY", TEXT, 6),
	FIELD("wait_ns", "WAIT", DURATION, 8),
	FIELD("exec_ns", "RUN", DURATION, 8),
	FIELD("total_ns", "TOTAL", DURATION, 8),
	FIELD("request_bytes", "IN", BYTES, 8),
	FIELD("response_bytes", "OUT", BYTES, 8),
	HIDDEN("guest_request_id"),
	HIDDEN("limited_ns"),
	END,
};

static const struct field events_fields[] = {
	HIDDEN("id"),
	FIELD("time_unix_ns", "TIME", TIME, 23),
	FIELD("kind", "KIND", TEXT, 16),
	FIELD("subject", "SUBJECT", TEXT, 12),
	FIELD("old", "OLD", TEXT, 8),
	FIELD("new", "NEW", TEXT, 8),
	FIELD("uid", "UID", COUNT, 5),
	FIELD("pid", "PID", COUNT, 7),
	FIELD("text", "TEXT", TEXT, 0),
	END,
};

static const struct field rates_fields[] = {
	FIELD("minute_unix_ns", "MINUTE", TIME, 0),
	FIELD("count", "COUNT", COUNT, 0),
	FIELD("errors", "ERRORS", COUNT, 0, .tone = TONE_SOME_WARNS),
	FIELD("total_p99_ns", "P99", DURATION, 0),
	END,
};

static const struct field checks_fields[] = {
	FIELD("check", "CHECK", TEXT, 0),
	FIELD("result", "RESULT", TEXT, 0, .tone = TONE_STATE),
	FIELD("text", "TEXT", TEXT, 0),
	FIELD("remedy", "REMEDY", TEXT, 0),
	END,
};

static const struct field text_fields[] = { FIELD("text", "TEXT", TEXT, 0), END };

static const struct field snippet_fields[] = {
	FIELD("hypervisor", "HYPERVISOR", TEXT, 0),
	FIELD("vm", "VM", TEXT, 0),
	FIELD("text", "TEXT", TEXT, 0),
	END,
};

static const struct field help_fields[] = {
	FIELD("name", "COMMAND", TEXT, 0),
	FIELD("usage", "USAGE", TEXT, 0),
	FIELD("what", "WHAT IT DOES", TEXT, 0),
	END,
};

static const struct field top_fields[] = {
	FIELD("time_unix_ns", "TIME", TIME, 23),
	FIELD("vm", "VM", TEXT, 16),
	FIELD("pool", "POOL", TEXT, 4),
	FIELD("priority", "PRIORITY", TEXT, 8),
	FIELD("rate_per_s", "RATE/S", RATE, 8),
	FIELD("queued", "QUEUED", COUNT, 6),
	FIELD("running", "RUNNING", COUNT, 7),
	FIELD("wait_p50_ns", "WAIT P50", DURATION, 8),
	FIELD("wait_p99_ns", "WAIT P99", DURATION, 8),
	FIELD("gpu_share", "GPU", SHARE, 7),
	FIELD("programs_now", "PROGS", COUNT, 5),
	FIELD("programs_gpu_share", "PROG GPU", SHARE, 8),
	FIELD("last_error", "LAST ERROR", TEXT, 12),
	HIDDEN("paused"),
	HIDDEN("connected"),
	END,
};

static const struct field drain_gpu_fields[] = {
	FIELD("gpu", "GPU", TEXT, 0),
	FIELD("draining", "DRAINING", BOOL, 0),
	FIELD("programs", "PROGRAMS", COUNT, 0),
	FIELD("pools", "POOLS", TEXT, 0),
	FIELD("changed", "CHANGED", BOOL, 0),
	END,
};

#define NO_USAGE "nothing was used in that time (vgpuadm status shows when vgpud started)"
#define NO_SUBMISSIONS "no submissions in that time (vgpuadm programs --since 7d shows who ran)"
#define NO_REQUESTS "no requests in that time (vgpuadm status shows when vgpud started)"

static const struct output_shape shapes[ADMIN_CMD_NUM] = {
	[ADMIN_CMD_STATUS] = { .fields = status_fields, .layout = LAYOUT_BLOCK },
	[ADMIN_CMD_LIST] = { .fields = list_fields,
			     .sort_key = "vm",
			     .empty = "no VMs yet (vgpuadm add-vm NAME defines one)" },
	[ADMIN_CMD_POOLS] = { .fields = pools_fields, .sort_key = "pool" },
	[ADMIN_CMD_QUEUE] = { .fields = queue_fields, .empty = "nothing runs, nothing waits" },
	[ADMIN_CMD_ADD_VM] = { .fields = add_vm_fields, .layout = LAYOUT_SAY, .say = say_add_vm },
	[ADMIN_CMD_REMOVE_VM] = { .fields = remove_vm_fields,
				  .layout = LAYOUT_SAY,
				  .say = say_remove_vm },
#define SHAPE_SET(id, name, pattern, what)                                                         \
	[ADMIN_CMD_##id] = { .fields = ADMIN_CMD_##id == ADMIN_CMD_SET_MEMORY                      \
					       ? memory_change_fields                              \
				       : ADMIN_CMD_##id == ADMIN_CMD_SET_POOL ? pool_change_fields \
				       : ADMIN_CMD_##id == ADMIN_CMD_SET_PROGRAMS                  \
					       ? programs_change_fields                            \
					       : change_fields,                                    \
			     .layout = LAYOUT_SAY,                                                 \
			     .say = say_change },
#define SHAPE_OTHER()
#define SHAPE(NAME, name, KIND, least, most, standard, list, show, option, how, ...) \
	SHAPE_##how(__VA_ARGS__)
	VM_SETTING_TABLE(SHAPE)
#undef SHAPE
		[ADMIN_CMD_SET_LIMIT] = { .fields = change_fields,
					  .layout = LAYOUT_SAY,
					  .say = say_change },
	[ADMIN_CMD_PAUSE] = { .fields = change_fields, .layout = LAYOUT_SAY, .say = say_change },
	[ADMIN_CMD_RESUME] = { .fields = change_fields, .layout = LAYOUT_SAY, .say = say_change },
	[ADMIN_CMD_DRAIN] = { .fields = drain_fields, .layout = LAYOUT_SAY, .say = say_drain },
	[ADMIN_CMD_CANCEL] = { .fields = cancel_fields, .layout = LAYOUT_SAY, .say = say_cancel },
	[ADMIN_CMD_PROGRAMS] = { .fields = shape_programs_now,
				 .empty = "no program runs (vgpuadm set-programs VM on lets a VM "
					  "have some)" },
	[ADMIN_CMD_KILL_PROGRAM] = { .fields = shape_programs_kill,
				     .layout = LAYOUT_SAY,
				     .say = say_kill_program },
	[ADMIN_CMD_DRAIN_GPU] = { .fields = drain_gpu_fields,
				  .layout = LAYOUT_SAY,
				  .say = say_drain_gpu },
	[ADMIN_CMD_TRACE] = { .fields = shape_programs_trace,
			      .layout = LAYOUT_SAY,
			      .say = say_trace },
	[ADMIN_CMD_STATS] = { .fields = stats_fields, .empty = NO_REQUESTS, .head = say_window },
	[ADMIN_CMD_REQUESTS] = { .fields = request_fields,
				 .empty = NO_REQUESTS,
				 .foot = say_limited },
	[ADMIN_CMD_REQUEST] = { .fields = request_fields, .layout = LAYOUT_BLOCK },
	[ADMIN_CMD_PROGRAM] = { .fields = shape_programs_one, .layout = LAYOUT_BLOCK },
	[ADMIN_CMD_SUBMISSIONS] = { .fields = shape_programs_submissions,
				    .empty = NO_SUBMISSIONS,
				    .foot = say_limited },
	[ADMIN_CMD_SUBMISSION] = { .fields = shape_programs_submissions, .layout = LAYOUT_BLOCK },
	[ADMIN_CMD_SHOW] = { .fields = request_fields, .layout = LAYOUT_SAY, .say = say_story },
	[ADMIN_CMD_EVENTS] = { .fields = events_fields,
			       .empty = "no events in that time",
			       .foot = say_limited },
	[ADMIN_CMD_RATES] = { .fields = rates_fields, .empty = NO_REQUESTS },
	[ADMIN_CMD_USAGE] = { .fields = shape_programs_usage, .empty = NO_USAGE, .head = say_span },
	[ADMIN_CMD_METRICS] = { .fields = text_fields, .layout = LAYOUT_SAY, .say = say_text },
	[ADMIN_CMD_SNIPPET] = { .fields = snippet_fields, .layout = LAYOUT_SAY, .say = say_text },
	[ADMIN_CMD_DOCTOR] = { .fields = checks_fields, .layout = LAYOUT_SAY, .say = say_check },
	[ADMIN_CMD_CHECKS] = { .fields = checks_fields, .layout = LAYOUT_SAY, .say = say_check },
	[ADMIN_CMD_TOP] = { .fields = top_fields, .empty = "no VMs yet" },
	[ADMIN_CMD_SHELL] = { .fields = text_fields },
	[ADMIN_CMD_COMPLETION] = { .fields = text_fields, .layout = LAYOUT_SAY, .say = say_text },
	[ADMIN_CMD_HELP] = { .fields = help_fields },
};

static const struct output_shape blame = { .fields = blame_fields,
					   .empty = "nothing ran while it waited",
					   .head = say_blamed };

static const struct output_shape past_programs = { .fields = shape_programs_past,
						   .empty = "no program ran in that time",
						   .foot = say_limited };

static const struct output_shape vm = { .fields = vm_fields, .layout = LAYOUT_BLOCK };
static const struct output_shape queued = { .fields = queue_fields,
					    .layout = LAYOUT_SAY,
					    .say = say_queued };

static const struct output_shape program = { .fields = shape_programs_one,
					     .layout = LAYOUT_SAY,
					     .say = say_program };
static const struct output_shape submission = { .fields = shape_programs_submissions,
						.layout = LAYOUT_SAY,
						.say = say_submission };

/* "vm" sorts where the groups of statistics are names. */
static bool groups_are_names(const struct pattern_args *args)
{
	const char *by = pattern_value(args, "by");

	return by && strcmp(by, "vm") == 0;
}

struct output_shape view_shape(enum admin_cmd_id id, const struct pattern_args *args)
{
	struct output_shape shape = shapes[id];

	if (id == ADMIN_CMD_STATS && pattern_find(args, "blame"))
		shape = blame;
	else if (id == ADMIN_CMD_PROGRAMS &&
		 (pattern_find(args, "since") || pattern_find(args, "until")))
		shape = past_programs;
	else if (id == ADMIN_CMD_STATS && groups_are_names(args))
		shape.sort_key = "group";
	shape.command = admin_cmds[id].name;
	return shape;
}

static struct output_shape of_show(struct output_shape shape)
{
	shape.command = admin_cmds[ADMIN_CMD_SHOW].name;
	return shape;
}

struct output_shape view_shape_vm(void)
{
	return of_show(vm);
}

struct output_shape view_shape_queued(void)
{
	return of_show(queued);
}

struct output_shape view_shape_program(void)
{
	return of_show(program);
}

struct output_shape view_shape_submission(void)
{
	return of_show(submission);
}
