/* SPDX-License-Identifier: GPL-2.0-or-later */
/* metrics.c - all counters in Prometheus's text format */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/names.h"
#include "common/util.h"
#include "vgpud/admin/handlers.h"
#include "vgpud/ledger/ledger.h"

/*
 * Names and units by Prometheus's conventions: base units (seconds, bytes), counters end in _total.
 * VM names hold no character that a label would have to escape (vm_name_ok()).
 */

__attribute__((format(printf, 2, 3))) static void line(struct admin_call *call, const char *format,
						       ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	admin_row(call, json_pack("{s:s}", "text", text));
}

static void head(struct admin_call *call, const char *name, const char *type, const char *help)
{
	line(call, "# HELP %s %s", name, help);
	line(call, "# TYPE %s %s", name, type);
}

static double seconds(uint64_t ns)
{
	return (double)ns / (double)UTIL_NS_PER_S;
}

/* Calls emit for each series of each VM. */
static void each_series(struct admin_call *call,
			void (*emit)(struct admin_call *call, const struct vm *vm,
				     const struct stats_series *series))
{
	const struct stats_series *series;
	const struct vm *vm;

	TAILQ_FOREACH(vm, &call->daemon->broker.vms, link)
		SLIST_FOREACH(series, &vm->figures.stats, link)
			emit(call, vm, series);
}

static void emit_requests(struct admin_call *call, const struct vm *vm,
			  const struct stats_series *series)
{
	for (unsigned i = 0; i < VGPU_ERROR_NUM; i++)
		if (series->ended[i] > 0)
			line(call,
			     "vgpu_requests_total{vm=\"%s\",pool=\"%c\",priority=\"%s\",status=\"%s\"} "
			     "%" PRIu64,
			     vm->name, series->pool, name_priority(series->priority), name_error(i),
			     series->ended[i]);
}

static void emit_histogram(struct admin_call *call, const char *name, const struct vm *vm,
			   const struct stats_series *series,
			   const struct stats_histogram *histogram)
{
	uint64_t below = 0;
	char labels[128];

	snprintf(labels, sizeof(labels), "vm=\"%s\",pool=\"%c\",priority=\"%s\"", vm->name,
		 series->pool, name_priority(series->priority));
	for (unsigned i = 0; i < STATS_BOUND_NUM; i++) {
		below += histogram->count[i];
		line(call, "%s_bucket{%s,le=\"%g\"} %" PRIu64, name, labels,
		     seconds(stats_bound_ns[i]), below);
	}
	below += histogram->count[STATS_BOUND_NUM];
	line(call, "%s_bucket{%s,le=\"+Inf\"} %" PRIu64, name, labels, below);
	line(call, "%s_sum{%s} %.9f", name, labels, seconds(histogram->sum_ns));
	line(call, "%s_count{%s} %" PRIu64, name, labels, below);
}

static void emit_wait(struct admin_call *call, const struct vm *vm,
		      const struct stats_series *series)
{
	emit_histogram(call, "vgpu_request_wait_seconds", vm, series, &series->wait);
}

static void emit_exec(struct admin_call *call, const struct vm *vm,
		      const struct stats_series *series)
{
	emit_histogram(call, "vgpu_request_execution_seconds", vm, series, &series->exec);
}

static void emit_total(struct admin_call *call, const struct vm *vm,
		       const struct stats_series *series)
{
	emit_histogram(call, "vgpu_request_duration_seconds", vm, series, &series->total);
}

/* One number for each VM. */
#define EACH_VM(call, metric, type, help, format, value)                           \
	do {                                                                       \
		const struct vm *vm;                                               \
		head(call, metric, type, help);                                    \
		TAILQ_FOREACH(vm, &(call)->daemon->broker.vms, link)               \
			line(call, metric "{vm=\"%s\"} " format, vm->name, value); \
	} while (0)

static void emit_vms(struct admin_call *call)
{
	EACH_VM(call, "vgpu_vm_connected", "gauge", "Whether the VM's device is connected.", "%d",
		port_connected(vm->port));
	EACH_VM(call, "vgpu_vm_paused", "gauge", "Whether the VM is paused.", "%d",
		vm->sched.paused);
	EACH_VM(call, "vgpu_vm_priority", "gauge", "The VM's priority: 0 low, 1 medium, 2 high.",
		"%u", vm->sched.priority);
	EACH_VM(call, "vgpu_vm_requests_queued", "gauge", "Requests of the VM that wait.", "%u",
		vm->sched.queued);
	EACH_VM(call, "vgpu_vm_requests_running", "gauge", "Requests of the VM that run.", "%u",
		vm->sched.started);
	EACH_VM(call, "vgpu_vm_limit_requests_per_second", "gauge",
		"Requests of the VM that may start in a second, 0: no limit.", "%u",
		vm->sched.limit.rate_per_s);
	EACH_VM(call, "vgpu_vm_limited_requests_total", "counter",
		"Requests of the VM that waited for its limit.", "%" PRIu64, vm->figures.limited);
	EACH_VM(call, "vgpu_vm_bad_frames_total", "counter",
		"Connections of the VM's device closed for what they sent.", "%" PRIu64,
		port_counts(vm->port)->broke);
	EACH_VM(call, "vgpu_vm_refused_peers_total", "counter",
		"Connections to the VM's socket that were refused.", "%" PRIu64,
		port_counts(vm->port)->refused);
	EACH_VM(call, "vgpu_vm_refused_files_total", "counter",
		"Files of the VM that were to be requests and are none.", "%" PRIu64,
		vm->figures.refused_files);
}

static void emit_ledger(struct admin_call *call)
{
	struct ledger_stats stats;

	ledger_stats(call->daemon->broker.ledger, &stats);
	if (stats.state == LEDGER_OFF)
		return; /* a series of nothing is none */
	head(call, "vgpu_ledger_up", "gauge", "Whether the ledger takes records.");
	line(call, "vgpu_ledger_up %d", stats.state == LEDGER_OK);
	head(call, "vgpu_ledger_rows_total", "counter", "Requests recorded.");
	line(call, "vgpu_ledger_rows_total %" PRIu64, stats.rows);
	head(call, "vgpu_ledger_dropped_total", "counter",
	     "Requests not recorded for want of room.");
	line(call, "vgpu_ledger_dropped_total %" PRIu64, stats.dropped);
	head(call, "vgpu_ledger_refused_total", "counter", "Requests refused for want of room.");
	line(call, "vgpu_ledger_refused_total %" PRIu64, stats.refused);
	head(call, "vgpu_ledger_size_bytes", "gauge", "Bytes of the database in use.");
	line(call, "vgpu_ledger_size_bytes %" PRIu64, stats.db_bytes);
	head(call, "vgpu_ledger_ring_records", "gauge",
	     "Records in the ring that wait for the database.");
	line(call, "vgpu_ledger_ring_records %u", stats.ring_used);
}

void admin_metrics(struct admin_call *call)
{
	head(call, "vgpu_build_info", "gauge", "The daemon's version.");
	line(call, "vgpu_build_info{version=\"%s\"} 1", VGPU_VERSION);
	head(call, "vgpu_start_time_seconds", "gauge", "Start of the daemon since the Unix epoch.");
	line(call, "vgpu_start_time_seconds %.3f",
	     seconds((uint64_t)((int64_t)call->daemon->started_ns + call->daemon->wall_offset_ns)));
	head(call, "vgpu_draining", "gauge", "Whether new requests are refused.");
	line(call, "vgpu_draining %d", call->daemon->broker.draining);
	emit_vms(call);
	head(call, "vgpu_requests_total", "counter", "Requests by how they ended.");
	each_series(call, emit_requests);
	head(call, "vgpu_request_wait_seconds", "histogram", "From arrival to start of execution.");
	each_series(call, emit_wait);
	head(call, "vgpu_request_execution_seconds", "histogram", "On the executor.");
	each_series(call, emit_exec);
	head(call, "vgpu_request_duration_seconds", "histogram", "From arrival to answer.");
	each_series(call, emit_total);
	emit_ledger(call);
	admin_end(call, NULL);
}
