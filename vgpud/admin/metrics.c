/* SPDX-License-Identifier: GPL-2.0-or-later */
/* metrics.c - all counters in Prometheus's text format */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/names.h"
#include "vgpud/admin/handlers.h"
#include "vgpud/admin/metrics_daemon.h"
#include "vgpud/admin/metrics_gpus.h"
#include "vgpud/admin/metrics_text.h"
#include "vgpud/programs/module_cache.h"

/*
 * Names and units by Prometheus's conventions: base units (seconds, bytes), counters end in _total.
 * VM names hold no character that a label would have to escape (vm_name_ok()).
 *
 * The answer is long, 60 lines for each series of each VM, so it is made in parts. The numbers are
 * copied before the first part: so all lines are of one instant, and VMs may come and go meanwhile.
 */

#define PART_ROWS 256u

/* One VM as it was. */
struct vm_shot {
	char name[VM_NAME_SIZE];
	uint32_t id;
	char pool;
	uint8_t priority;
	bool connected, paused;
	unsigned queued, running, programs;
	uint64_t program_starts;
	struct programs_work work;
	struct module_cache_figures modules;
	uint32_t limit_per_s; /* 0: none */
	bool may_have_programs;
	uint64_t max_programs, share;
	uint64_t memory, cap; /* 0: none */
	uint64_t limited, bad_frames, refused_peers, refused_files;
	const struct stats_series *series;
	size_t series_num;
};

struct shot {
	struct vm_shot *vm;
	size_t vm_num;
	struct stats_series *series; /* of all VMs */
	unsigned family;	     /* index of the one that is being told */
	size_t at;		     /* the VM that comes next in it */
};

/* --- the families of each VM --- */

/* One number for each VM. */
#define VM_NUMBER(emit, metric, format, value)                                          \
	static void emit(struct admin_call *call, const struct vm_shot *vm)             \
	{                                                                               \
		metrics_text_line(call, metric "{vm=\"%s\"} " format, vm->name, value); \
	}

VM_NUMBER(emit_programs_of, "vgpu_vm_programs", "%u", vm->programs)
VM_NUMBER(emit_allowed, "vgpu_vm_programs_allowed", "%d", vm->may_have_programs)
VM_NUMBER(emit_max_programs, "vgpu_vm_programs_limit", "%" PRIu64, vm->max_programs)
VM_NUMBER(emit_share, "vgpu_vm_program_share", "%" PRIu64, vm->share)
VM_NUMBER(emit_program_starts, "vgpu_vm_program_starts_total", "%" PRIu64, vm->program_starts)
VM_NUMBER(emit_submissions, "vgpu_vm_program_submissions_total", "%" PRIu64, vm->work.submissions)
VM_NUMBER(emit_launches, "vgpu_vm_program_launches_total", "%" PRIu64, vm->work.launches)
VM_NUMBER(emit_copied, "vgpu_vm_program_copied_bytes_total", "%" PRIu64, vm->work.copy_bytes)
VM_NUMBER(emit_billed, "vgpu_vm_program_gpu_seconds_total", "%.9f",
	  metrics_text_seconds(vm->work.billed_ns))
VM_NUMBER(emit_memory, "vgpu_vm_program_memory_bytes", "%" PRIu64, vm->work.memory_bytes)
VM_NUMBER(emit_refused, "vgpu_vm_program_refused_calls_total", "%" PRIu64, vm->work.refused)
VM_NUMBER(emit_modules, "vgpu_vm_modules_kept_bytes", "%" PRIu64, vm->modules.bytes)
VM_NUMBER(emit_module_hits, "vgpu_vm_module_hits_total", "%" PRIu64, vm->modules.hits)
VM_NUMBER(emit_module_misses, "vgpu_vm_module_misses_total", "%" PRIu64, vm->modules.misses)
VM_NUMBER(emit_connected, "vgpu_vm_connected", "%d", vm->connected)
VM_NUMBER(emit_paused, "vgpu_vm_paused", "%d", vm->paused)
VM_NUMBER(emit_priority, "vgpu_vm_priority", "%u", vm->priority)
VM_NUMBER(emit_queued, "vgpu_vm_requests_queued", "%u", vm->queued)
VM_NUMBER(emit_running, "vgpu_vm_requests_running", "%u", vm->running)
VM_NUMBER(emit_limited, "vgpu_vm_limited_requests_total", "%" PRIu64, vm->limited)
VM_NUMBER(emit_bad_frames, "vgpu_vm_bad_frames_total", "%" PRIu64, vm->bad_frames)
VM_NUMBER(emit_refused_peers, "vgpu_vm_refused_peers_total", "%" PRIu64, vm->refused_peers)
VM_NUMBER(emit_refused_files, "vgpu_vm_refused_files_total", "%" PRIu64, vm->refused_files)

static void emit_info(struct admin_call *call, const struct vm_shot *vm)
{
	metrics_text_line(call,
			  "vgpu_vm_info{vm=\"%s\",vm_id=\"%u\",pool=\"%c\",priority=\"%s\"} 1",
			  vm->name, vm->id, vm->pool, name_priority(vm->priority));
}

/* A VM without a limit has no line: 0 would look like the tightest limit. */
static void emit_limit(struct admin_call *call, const struct vm_shot *vm)
{
	if (vm->limit_per_s > 0)
		metrics_text_line(call, "vgpu_vm_limit_requests_per_second{vm=\"%s\"} %u", vm->name,
				  vm->limit_per_s);
}

static void emit_quota(struct admin_call *call, const struct vm_shot *vm)
{
	if (vm->memory > 0)
		metrics_text_line(call, "vgpu_vm_program_memory_limit_bytes{vm=\"%s\"} %" PRIu64,
				  vm->name, vm->memory);
}

static void emit_cap(struct admin_call *call, const struct vm_shot *vm)
{
	if (vm->cap > 0)
		metrics_text_line(call, "vgpu_vm_program_gpu_limit_ratio{vm=\"%s\"} %.2f", vm->name,
				  (double)vm->cap / 100);
}

static void emit_requests(struct admin_call *call, const struct vm_shot *vm)
{
	for (size_t s = 0; s < vm->series_num; s++) {
		const struct stats_series *series = &vm->series[s];

		for (unsigned i = 0; i < VGPU_ERROR_NUM; i++)
			if (series->ended[i] > 0)
				metrics_text_line(
					call,
					"vgpu_requests_total{vm=\"%s\",pool=\"%c\",priority=\"%s\","
					"status=\"%s\"} %" PRIu64,
					vm->name, series->pool, name_priority(series->priority),
					name_error(i), series->ended[i]);
	}
}

static void emit_histogram(struct admin_call *call, const char *name, const struct vm_shot *vm,
			   const struct stats_series *series,
			   const struct stats_histogram *histogram)
{
	uint64_t below = 0;
	char labels[128];

	snprintf(labels, sizeof(labels), "vm=\"%s\",pool=\"%c\",priority=\"%s\"", vm->name,
		 series->pool, name_priority(series->priority));
	for (unsigned i = 0; i < STATS_BOUND_NUM; i++) {
		below += histogram->count[i];
		metrics_text_line(call, "%s_bucket{%s,le=\"%g\"} %" PRIu64, name, labels,
				  metrics_text_seconds(stats_bound_ns[i]), below);
	}
	below += histogram->count[STATS_BOUND_NUM];
	metrics_text_line(call, "%s_bucket{%s,le=\"+Inf\"} %" PRIu64, name, labels, below);
	metrics_text_line(call, "%s_sum{%s} %.9f", name, labels,
			  metrics_text_seconds(histogram->sum_ns));
	metrics_text_line(call, "%s_count{%s} %" PRIu64, name, labels, below);
}

static void emit_wait(struct admin_call *call, const struct vm_shot *vm)
{
	for (size_t s = 0; s < vm->series_num; s++)
		emit_histogram(call, "vgpu_request_wait_seconds", vm, &vm->series[s],
			       &vm->series[s].wait);
}

static void emit_exec(struct admin_call *call, const struct vm_shot *vm)
{
	for (size_t s = 0; s < vm->series_num; s++)
		emit_histogram(call, "vgpu_request_execution_seconds", vm, &vm->series[s],
			       &vm->series[s].exec);
}

static void emit_total(struct admin_call *call, const struct vm_shot *vm)
{
	for (size_t s = 0; s < vm->series_num; s++)
		emit_histogram(call, "vgpu_request_duration_seconds", vm, &vm->series[s],
			       &vm->series[s].total);
}

static const struct family {
	const char *name, *type, *help;
	void (*emit)(struct admin_call *call, const struct vm_shot *vm);
} families[] = {
	{ "vgpu_vm_info", "gauge", "The VM, its number, pool and priority.", emit_info },
	{ "vgpu_vm_connected", "gauge", "Whether the VM's device is connected.", emit_connected },
	{ "vgpu_vm_programs", "gauge", "Programs of the VM that have not ended.",
	  emit_programs_of },
	{ "vgpu_vm_programs_allowed", "gauge", "Whether the VM may have programs.", emit_allowed },
	{ "vgpu_vm_programs_limit", "gauge", "Programs that the VM may have at the same time.",
	  emit_max_programs },
	{ "vgpu_vm_program_share", "gauge", "What the VM's programs weigh against those of others.",
	  emit_share },
	{ "vgpu_vm_program_gpu_limit_ratio", "gauge",
	  "Part of the GPU's time that the VM's programs may use; VMs without a cap have no sample.",
	  emit_cap },
	{ "vgpu_vm_program_memory_limit_bytes", "gauge",
	  "Memory of a GPU that the VM's programs may hold; VMs without a quota have no sample.",
	  emit_quota },
	{ "vgpu_vm_program_starts_total", "counter", "Programs of the VM that began to run.",
	  emit_program_starts },
	{ "vgpu_vm_program_submissions_total", "counter",
	  "Submissions of the VM's programs, as their workers count them.", emit_submissions },
	{ "vgpu_vm_program_launches_total", "counter",
	  "Kernels that the VM's programs launched, as their workers count them.", emit_launches },
	{ "vgpu_vm_program_copied_bytes_total", "counter",
	  "Bytes that the VM's programs copied, as their workers count them.", emit_copied },
	{ "vgpu_vm_program_refused_calls_total", "counter",
	  "Calls of functions that vgpu does not have, as the VM's programs tell.", emit_refused },
	{ "vgpu_vm_program_gpu_seconds_total", "counter",
	  "GPU time of programs of the VM, as vgpud bills it.", emit_billed },
	{ "vgpu_vm_program_memory_bytes", "gauge",
	  "Memory of GPUs that programs of the VM hold, as their workers say.", emit_memory },
	{ "vgpu_vm_modules_kept_bytes", "gauge",
	  "Memory of the host that kept code of the VM's programs takes.", emit_modules },
	{ "vgpu_vm_module_hits_total", "counter",
	  "Loads of the VM's programs that found their code compiled.", emit_module_hits },
	{ "vgpu_vm_module_misses_total", "counter", "Loads of the VM's programs that did not.",
	  emit_module_misses },
	{ "vgpu_vm_paused", "gauge", "Whether the VM is paused.", emit_paused },
	{ "vgpu_vm_priority", "gauge", "The VM's priority: 0 low, 1 medium, 2 high.",
	  emit_priority },
	{ "vgpu_vm_requests_queued", "gauge", "Requests of the VM that wait.", emit_queued },
	{ "vgpu_vm_requests_running", "gauge", "Requests of the VM that run.", emit_running },
	{ "vgpu_vm_limit_requests_per_second", "gauge",
	  "Requests of the VM that may start in a second; VMs without a limit have no sample.",
	  emit_limit },
	{ "vgpu_vm_limited_requests_total", "counter",
	  "Requests of the VM that waited for its limit.", emit_limited },
	{ "vgpu_vm_bad_frames_total", "counter",
	  "Connections of the VM's device closed for a malformed frame.", emit_bad_frames },
	{ "vgpu_vm_refused_peers_total", "counter",
	  "Connections to the VM's socket that were refused.", emit_refused_peers },
	{ "vgpu_vm_refused_files_total", "counter",
	  "Request files of the VM that are no valid requests.", emit_refused_files },
	{ "vgpu_requests_total", "counter", "Requests by how they ended.", emit_requests },
	{ "vgpu_request_wait_seconds", "histogram", "From arrival to start of execution.",
	  emit_wait },
	{ "vgpu_request_execution_seconds", "histogram", "On the executor.", emit_exec },
	{ "vgpu_request_duration_seconds", "histogram", "From arrival to answer.", emit_total },
};

#define FAMILY_NUM (sizeof(families) / sizeof(families[0]))

/* --- the copy, and its parts --- */

static void shot_free(struct shot *shot)
{
	free(shot->series);
	free(shot->vm);
	free(shot);
}

static void take_vm(struct vm_shot *shot, const struct vm *vm, const struct programs *programs,
		    struct stats_series *series)
{
	const struct stats_series *one;
	size_t num = 0;

	SLIST_FOREACH(one, &vm->figures.stats, link)
		series[num++] = *one;
	*shot = (struct vm_shot){
		.id = vm->id,
		.pool = name_pool(vm->sched.pool),
		.priority = vm->sched.priority,
		.connected = port_connected(vm->port),
		.paused = vm->sched.paused,
		.queued = vm->sched.queued,
		.running = vm->sched.started,
		.limit_per_s = vm->sched.limit.rate_per_s,
		.may_have_programs = vm->settings.programs != 0,
		.max_programs = vm->settings.max_programs,
		.share = vm->settings.share,
		.memory = vm->settings.memory,
		.cap = vm->settings.cap,
		.programs = programs_of_vm(programs, vm),
		.program_starts = vm->programs.started,
		.work = programs_work_of(programs, vm),
		.modules = module_cache_figures(vm->programs.modules),
		.limited = vm->figures.limited,
		.bad_frames = port_counts(vm->port)->broke,
		.refused_peers = port_counts(vm->port)->refused,
		.refused_files = vm->figures.refused_files,
		.series = series,
		.series_num = num,
	};
	memcpy(shot->name, vm->name, sizeof(shot->name));
}

/* Return: NULL: no memory. */
static struct shot *shot_take(const struct broker *broker, const struct programs *programs)
{
	struct shot *shot = calloc(1, sizeof(*shot));
	const struct stats_series *series;
	size_t vm_num = 0, series_num = 0;
	const struct vm *vm;

	if (shot == NULL)
		return NULL;
	TAILQ_FOREACH(vm, &broker->vms, link) {
		vm_num++;
		SLIST_FOREACH(series, &vm->figures.stats, link)
			series_num++;
	}
	shot->vm = calloc(vm_num + 1, sizeof(*shot->vm));
	shot->series = calloc(series_num + 1, sizeof(*shot->series));
	if (shot->vm == NULL || shot->series == NULL) {
		shot_free(shot);
		return NULL;
	}
	series_num = 0;
	TAILQ_FOREACH(vm, &broker->vms, link) {
		struct vm_shot *one = &shot->vm[shot->vm_num++];

		take_vm(one, vm, programs, shot->series + series_num);
		series_num += one->series_num;
	}
	return shot;
}

static void metrics_end(struct admin_call *call)
{
	shot_free(call->data);
	admin_end(call, NULL);
}

static void metrics_part(struct admin_call *call)
{
	struct shot *shot = call->data;
	const unsigned until = call->rows + PART_ROWS;

	while (call->rows < until && shot->family < FAMILY_NUM) {
		const struct family *family = &families[shot->family];

		if (shot->at == 0)
			metrics_text_head(call, family->name, family->type, family->help);
		if (shot->at < shot->vm_num)
			family->emit(call, &shot->vm[shot->at++]);
		if (shot->at == shot->vm_num) {
			shot->family++;
			shot->at = 0;
		}
	}
	if (shot->family == FAMILY_NUM)
		metrics_end(call);
}

void admin_metrics(struct admin_call *call)
{
	struct shot *shot = shot_take(&call->daemon->broker, call->daemon->programs);

	if (shot == NULL) {
		admin_fail(call, ADMIN_ERROR_REFUSED, "out of memory");
		return;
	}
	call->data = shot;
	call->gone = metrics_end;
	metrics_daemon(call);
	metrics_gpus(call);
	admin_in_parts(call, metrics_part);
}
