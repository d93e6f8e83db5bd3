/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon.c - commands about the daemon itself: status, pools */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/names.h"
#include "common/util.h"
#include "proc/confine.h"
#include "proc/sandbox.h"
#include "proc/spawn.h"
#include "vgpud/admin/handlers.h"
#include "vgpud/files/server.h"
#include "vgpud/ledger/ledger.h"

/* --- status --- */

/* Sums over all VMs. */
struct totals {
	json_int_t vms, connected, paused, limited, queued, running, requests, errors;
};

static struct totals add_up(const struct broker *broker)
{
	struct totals sum = { 0 };
	const struct vm *vm;

	TAILQ_FOREACH(vm, &broker->vms, link) {
		sum.vms++;
		sum.connected += port_connected(vm->port);
		sum.paused += vm->sched.paused;
		sum.limited += vm->sched.limit.rate_per_s > 0;
		sum.queued += vm->sched.queued;
		sum.running += vm->sched.started;
		sum.requests += (json_int_t)vm->figures.received;
		for (unsigned i = VGPU_ERR_OK + 1; i < VGPU_ERROR_NUM; i++)
			sum.errors += (json_int_t)vm->figures.ended[i];
	}
	return sum;
}

/* Return: a number of the ledger; null if the ledger is off, and so nothing is known. */
static json_t *known(const struct ledger_stats *stats, uint64_t number)
{
	return stats->state == LEDGER_OFF ? json_null() : json_integer((json_int_t)number);
}

static void add_ledger(const struct daemon *daemon, json_t *row)
{
	struct ledger_stats stats;

	ledger_stats(daemon->broker.ledger, &stats);
	json_object_update_new(
		row,
		json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "ledger",
			  ledger_state_name(stats.state), "ledger_error",
			  admin_string(stats.error[0] != '\0' ? stats.error : NULL), "ledger_path",
			  admin_string(stats.path), "ledger_bytes", known(&stats, stats.db_bytes),
			  "ledger_rows", known(&stats, stats.rows), "ledger_lost",
			  known(&stats, stats.lost), "ledger_dropped", known(&stats, stats.dropped),
			  "ledger_refused", known(&stats, stats.refused), "ring_used",
			  known(&stats, stats.ring_used), "ring_records",
			  known(&stats, stats.ring_records)));
}

/* "namespaces cgroup user", those that workers have; "no": none. text: 32 bytes. */
static const char *worker_sandbox(char *text)
{
	static const char *const names[] = { "namespaces ", "cgroup ", "user " };
	const char *why;
	unsigned parts = spawn_sandbox(&why);
	size_t len = 0;

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (parts & 1u << i)
			len += (size_t)snprintf(text + len, 32 - len, "%s", names[i]);
	if (len == 0)
		return "no";
	text[len - 1] = '\0';
	return text;
}

void admin_status(struct admin_call *call)
{
	const struct daemon *daemon = call->daemon;
	char text[32];
	struct totals sum = add_up(&daemon->broker);
	json_t *row = json_pack(
		"{s:s, s:i, s:I, s:o, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s, s:b, s:s, "
		"s:i, s:I}",
		"version", VGPU_VERSION, "pid", (int)getpid(), "uptime_ns",
		(json_int_t)(util_now_ns() - daemon->started_ns), "started_unix_ns",
		admin_wall(daemon, daemon->started_ns), "draining", daemon->broker.draining, "vms",
		sum.vms, "vms_connected", sum.connected, "vms_paused", sum.paused, "queued",
		sum.queued, "running", sum.running, "requests", sum.requests, "errors", sum.errors,
		"runtime_dir", daemon->conf->runtime_dir, "isolation",
		daemon->conf->isolation_vm ? "vm" : "pool", "test_opcodes",
		daemon->conf->test_opcodes, "confine", confine_state(), "admin_clients",
		(int)admin_server_clients(daemon->admin), "vms_limited", sum.limited);

	json_object_set_new(row, "draining_since_unix_ns",
			    daemon->broker.draining ? json_integer(daemon->draining.since_ns)
						    : json_null());
	json_object_set_new(row, "draining_uid",
			    daemon->broker.draining ? json_integer(daemon->draining.uid)
						    : json_null());
	json_object_set_new(row, "workers_confined", json_string(worker_sandbox(text)));
	json_object_set_new(row, "programs", json_integer(programs_num(daemon->programs)));
	json_object_set_new(row, "program_spares", json_integer(programs_spares(daemon->programs)));
	json_object_set_new(row, "programs_refused",
			    admin_string(programs_refusal(daemon->programs)));
	json_object_set_new(row, "programs_unconfined",
			    json_boolean(programs_unconfined(daemon->programs)));
	json_object_set_new(row, "file_state", json_string(file_server_state(daemon->files)));
	json_object_set_new(row, "file_dir",
			    admin_string(daemon->files != NULL ? daemon->conf->file_dir : NULL));
	add_ledger(daemon, row);
	admin_row(call, row);
	admin_end(call, NULL);
}

/* --- pools --- */

static json_t *capability(const struct worker_info *info)
{
	char text[24];

	if (info->executor != VGPU_EXECUTOR_CUDA)
		return json_null();
	snprintf(text, sizeof(text), "%u.%u", info->cc_major, info->cc_minor);
	return json_string(text);
}

static json_t *pool_row(const struct daemon *daemon, unsigned i)
{
	const struct conf_pool *conf = &daemon->conf->pool[i];
	const struct worker_info *info = executors_info(daemon->broker.executors, conf->executor);
	const char *trouble = executors_trouble(daemon->broker.executors, conf->executor);
	json_int_t vms = 0, queued = 0, running = 0;
	const char *state = "ready";
	const struct vm *vm;

	TAILQ_FOREACH(vm, &daemon->broker.vms, link) {
		if (vm->sched.pool != i)
			continue;
		vms++;
		queued += vm->sched.queued;
		running += vm->sched.started;
	}
	if (trouble != NULL)
		state = "failing";
	else if (info->executor == VGPU_EXECUTOR_NONE)
		state = "starting";
	return json_pack(
		"{s:o, s:s, s:s, s:o, s:o, s:o, s:s, s:o, s:i, s:i, s:i, s:I, s:I, s:I, s:i}",
		"pool", admin_pool_name(i), "executor_wanted", conf->executor, "executor",
		name_executor(info->executor), "device",
		admin_string(info->name[0] != '\0' ? info->name : NULL), "memory_mib",
		info->memory_mib > 0 ? json_integer(info->memory_mib) : json_null(),
		"compute_capability", capability(info), "state", state, "trouble",
		admin_string(trouble), "window", (int)conf->window, "deadline_ms",
		(int)conf->deadline_ms, "exec_deadline_ms", (int)conf->exec_deadline_ms, "vms", vms,
		"queued", queued, "running", running, "gpu", (int)daemon->broker.sched.pool[i].gpu);
}

void admin_pools(struct admin_call *call)
{
	for (unsigned i = 0; i < SCHED_POOL_MAX; i++)
		if (call->daemon->conf->pool[i].exists)
			admin_row(call, pool_row(call->daemon, i));
	admin_end(call, NULL);
}
