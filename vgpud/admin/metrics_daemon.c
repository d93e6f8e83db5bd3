/* SPDX-License-Identifier: GPL-2.0-or-later */
/* metrics_daemon.c - the daemon's own counters in Prometheus's text format */

#include "vgpud/admin/metrics_daemon.h"

#include <inttypes.h>

#include "common/names.h"
#include "vgpud/admin/metrics_text.h"
#include "vgpud/admin/server.h"
#include "vgpud/daemon_private.h"
#include "vgpud/ledger/ledger.h"

static void emit_daemon(struct admin_call *call)
{
	metrics_text_head(call, "vgpu_build_info", "gauge", "The daemon's version.");
	metrics_text_line(call, "vgpu_build_info{version=\"%s\"} 1", VGPU_VERSION);
	metrics_text_head(call, "vgpu_start_time_seconds", "gauge",
			  "Start of the daemon since the Unix epoch.");
	metrics_text_line(call, "vgpu_start_time_seconds %.3f",
			  metrics_text_seconds((uint64_t)ledger_wall_ns(call->daemon->broker.ledger,
									call->daemon->started_ns)));
	metrics_text_head(call, "vgpu_draining", "gauge", "Whether new requests are refused.");
	metrics_text_line(call, "vgpu_draining %d", call->daemon->broker.draining);
	metrics_text_head(call, "vgpu_admin_clients", "gauge", "Connections to the admin socket.");
	metrics_text_line(call, "vgpu_admin_clients %u", admin_server_clients(call->daemon->admin));
}

/* One number for each pool. value: of the pool with this index. */
static void each_pool(struct admin_call *call, const char *name, const char *help,
		      unsigned (*value)(const struct daemon *daemon, unsigned pool))
{
	const struct daemon *daemon = call->daemon;

	metrics_text_head(call, name, "gauge", help);
	for (unsigned i = 0; i < SCHED_POOL_MAX; i++)
		if (daemon->conf->pool[i].exists)
			metrics_text_line(call, "%s{pool=\"%c\",executor=\"%s\"} %u", name,
					  name_pool(i), daemon->conf->pool[i].executor,
					  value(daemon, i));
}

static unsigned pool_ready(const struct daemon *daemon, unsigned pool)
{
	const char *executor = daemon->conf->pool[pool].executor;

	return executors_trouble(daemon->broker.executors, executor) == NULL &&
	       executors_info(daemon->broker.executors, executor)->executor != VGPU_EXECUTOR_NONE;
}

static unsigned pool_window(const struct daemon *daemon, unsigned pool)
{
	return daemon->conf->pool[pool].window;
}

static unsigned pool_queued(const struct daemon *daemon, unsigned pool)
{
	const struct vm *vm;
	unsigned queued = 0;

	TAILQ_FOREACH(vm, &daemon->broker.vms, link)
		queued += vm->sched.pool == pool ? vm->sched.queued : 0;
	return queued;
}

static unsigned pool_running(const struct daemon *daemon, unsigned pool)
{
	const struct vm *vm;
	unsigned running = 0;

	TAILQ_FOREACH(vm, &daemon->broker.vms, link)
		running += vm->sched.pool == pool ? vm->sched.started : 0;
	return running;
}

static void emit_pools(struct admin_call *call)
{
	each_pool(call, "vgpu_pool_ready", "Whether the pool's executor can run requests.",
		  pool_ready);
	each_pool(call, "vgpu_pool_window_requests", "Requests that may be on the GPU at once.",
		  pool_window);
	each_pool(call, "vgpu_pool_requests_queued", "Requests of the pool that wait.",
		  pool_queued);
	each_pool(call, "vgpu_pool_requests_running", "Requests of the pool that run.",
		  pool_running);
}

static void emit_workers(struct admin_call *call)
{
	const struct executors *executors = call->daemon->broker.executors;
	const struct executor *executor = NULL;

	metrics_text_head(call, "vgpu_worker_ends_total", "counter",
			  "Workers that ended otherwise than vgpud meant them to, by why.");
	while ((executor = executors_next(executors, executor)) != NULL)
		for (unsigned i = 0; i < EXECUTOR_END_NUM; i++)
			metrics_text_line(
				call,
				"vgpu_worker_ends_total{executor=\"%s\",reason=\"%s\"} %" PRIu64,
				executor_spec(executor), executor_end_name(i),
				executor_ends(executor, (enum executor_end)i));
	metrics_text_head(call, "vgpu_workers_dying", "gauge",
			  "Workers that were killed and have not ended.");
	while ((executor = executors_next(executors, executor)) != NULL)
		metrics_text_line(call, "vgpu_workers_dying{executor=\"%s\"} %u",
				  executor_spec(executor), executor_dying(executor));
}

/* Of GPUs that programs have used. */
static void emit_gpu_time(struct admin_call *call)
{
	const struct programs *programs = call->daemon->programs;
	struct programs_gpu_time gpu;

	metrics_text_head(
		call, "vgpu_gpu_program_seconds_total", "counter",
		"Time of a GPU: billed to programs and to requests beside them, idle, or overhead: "
		"unused though one wanted it.");
	for (unsigned i = 0; programs_gpu_time(programs, i, &gpu); i++) {
		const struct {
			const char *use;
			uint64_t ns;
		} uses[] = { { "billed", gpu.time.billed_ns },
			     { "idle", gpu.time.idle_ns },
			     { "overhead", gpu.time.overhead_ns } };

		for (size_t j = 0; j < sizeof(uses) / sizeof(uses[0]); j++)
			metrics_text_line(
				call,
				"vgpu_gpu_program_seconds_total{executor=\"%s\",use=\"%s\"} %.9f",
				gpu.executor, uses[j].use, metrics_text_seconds(uses[j].ns));
	}
}

static void emit_programs(struct admin_call *call)
{
	const struct programs *programs = call->daemon->programs;

	metrics_text_head(call, "vgpu_programs", "gauge",
			  "Programs of guests, those that are ending too.");
	metrics_text_line(call, "vgpu_programs %u", programs_num(programs));
	metrics_text_head(call, "vgpu_program_spares", "gauge",
			  "Workers that are ready for programs.");
	metrics_text_line(call, "vgpu_program_spares %u", programs_spares(programs));
	metrics_text_head(call, "vgpu_program_starts_total", "counter",
			  "Programs that began to run.");
	metrics_text_line(call, "vgpu_program_starts_total %" PRIu64, programs_started(programs));
	metrics_text_head(call, "vgpu_program_ends_total", "counter",
			  "Programs that ended, by why; none: they left by themselves.");
	for (unsigned i = 0; i < NAME_ENDS; i++)
		if (i == 0 || programs_ended(programs, i) > 0)
			metrics_text_line(call, "vgpu_program_ends_total{reason=\"%s\"} %" PRIu64,
					  name_end_at(i), programs_ended(programs, i));
	metrics_text_head(call, "vgpu_program_bad_reports_total", "counter",
			  "Programs whose workers claimed submissions that cannot be.");
	metrics_text_line(call, "vgpu_program_bad_reports_total %" PRIu64,
			  programs_distrusted(programs));
}

static void emit_ledger(struct admin_call *call)
{
	struct ledger_stats stats;

	ledger_stats(call->daemon->broker.ledger, &stats);
	if (stats.state == LEDGER_OFF)
		return; /* Prometheus wants no family without a sample */
	metrics_text_head(call, "vgpu_ledger_up", "gauge", "Whether the ledger takes records.");
	metrics_text_line(call, "vgpu_ledger_up %d", stats.state == LEDGER_OK);
	metrics_text_head(call, "vgpu_ledger_rows_total", "counter",
			  "Requests and programs recorded.");
	metrics_text_line(call, "vgpu_ledger_rows_total %" PRIu64, stats.rows);
	metrics_text_head(call, "vgpu_ledger_dropped_total", "counter",
			  "Requests not recorded for want of room.");
	metrics_text_line(call, "vgpu_ledger_dropped_total %" PRIu64, stats.dropped);
	metrics_text_head(call, "vgpu_ledger_refused_total", "counter",
			  "Requests refused for want of room.");
	metrics_text_line(call, "vgpu_ledger_refused_total %" PRIu64, stats.refused);
	metrics_text_head(call, "vgpu_ledger_size_bytes", "gauge", "Bytes of the database in use.");
	metrics_text_line(call, "vgpu_ledger_size_bytes %" PRIu64, stats.db_bytes);
	if (stats.free_bytes != UINT64_MAX) {
		metrics_text_head(call, "vgpu_ledger_disk_free_bytes", "gauge",
				  "Bytes free on the database's disk.");
		metrics_text_line(call, "vgpu_ledger_disk_free_bytes %" PRIu64, stats.free_bytes);
	}
	metrics_text_head(call, "vgpu_ledger_ring_records", "gauge",
			  "Records in the ring that wait for the database.");
	metrics_text_line(call, "vgpu_ledger_ring_records %u", stats.ring_used);
	metrics_text_head(call, "vgpu_ledger_ring_size_records", "gauge",
			  "Records that the ring has room for.");
	metrics_text_line(call, "vgpu_ledger_ring_size_records %u", stats.ring_records);
	metrics_text_head(call, "vgpu_ledger_lost_total", "counter",
			  "Requests that were lost when an earlier vgpud was killed.");
	metrics_text_line(call, "vgpu_ledger_lost_total %" PRIu64, stats.lost);
	metrics_text_head(call, "vgpu_ledger_programs_lost_total", "counter",
			  "Programs that were lost when an earlier vgpud was killed.");
	metrics_text_line(call, "vgpu_ledger_programs_lost_total %" PRIu64, stats.programs_lost);
}

void metrics_daemon(struct admin_call *call)
{
	emit_daemon(call);
	emit_pools(call);
	emit_workers(call);
	emit_programs(call);
	emit_gpu_time(call);
	emit_ledger(call);
}
