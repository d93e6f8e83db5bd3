/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core.c - the process's one connection: when it begins, how calls reach the worker, its errors */

#include "guest/libcuda/core.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest/libcuda/refuse.h"
#include "guest/libcuda/say.h"
#include "guest/libcuda/settings.h"
#include "guest/libvgpu/cancel.h"

#define SPIN_US 30

static struct {
	pthread_mutex_t lock;
	atomic_bool ready;
	atomic_bool started; /* the channel has been opened */
	atomic_bool spins;
	struct vgpu *vgpu;
	struct vgpu_device_page device;
	struct slot slot;
	bool blocking;
	atomic_int kept_error;
} core = { .lock = PTHREAD_MUTEX_INITIALIZER };

static uint32_t spin_us(void)
{
	cpu_set_t set;

	/* A thread that polls on the only processor keeps the worker from it. */
	if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) < 2)
		return 0;
	return SPIN_US;
}

static CUresult connect_to_host(void)
{
	struct settings settings;
	struct vgpu_options options = { .spin_us = spin_us() };
	char why[VGPU_WHY];
	enum vgpu_end end;

	settings_read(&settings);
	if (settings.socket && settings.window_bytes == 0)
		return CUDA_ERROR_SYSTEM_NOT_READY;
	options.socket = settings.socket;
	options.device = settings.device;
	options.window_bytes = settings.window_bytes;
	options.name = program_invocation_short_name;
	end = vgpu_open(&options, &core.vgpu, why);
	if (end != VGPU_END_NONE) {
		say_end(end, why);
		return core_end(end);
	}
	atomic_store(&core.spins, options.spin_us > 0);
	vgpu_device(core.vgpu, &core.device);
	vgpu_slot(core.vgpu, &core.slot);
	core.blocking = settings.blocking;
	if (!settings_show_device(&settings, core.device.uuid)) {
		if (*settings.visible != '\0' && strcmp(settings.visible, "-1") != 0)
			say("CUDA_VISIBLE_DEVICES=%s hides the one device that there is, 0",
			    settings.visible);
		vgpu_close(core.vgpu);
		core.vgpu = NULL;
		return CUDA_ERROR_NO_DEVICE;
	}
	atomic_store(&core.ready, true);
	return CUDA_SUCCESS;
}

CUresult core_init(void)
{
	CUresult result = CUDA_SUCCESS;

	say_begin();
	if (atomic_load(&core.ready))
		return core_check("cuInit");
	CANCEL_OFF();
	pthread_mutex_lock(&core.lock);
	if (!atomic_load(&core.ready))
		result = connect_to_host();
	pthread_mutex_unlock(&core.lock);
	return result;
}

CUresult core_check(const char *symbol)
{
	if (say_calls())
		say_call(symbol);
	if (!atomic_load(&core.ready) || vgpu_ended(core.vgpu) == VGPU_END_FORKED)
		return CUDA_ERROR_NOT_INITIALIZED;
	return CUDA_SUCCESS;
}

CUresult core_end(enum vgpu_end end)
{
	if (end == VGPU_END_NONE)
		return CUDA_SUCCESS;
	say_end(end, "");
	switch (end) {
#define RESULT_OF(value, NAME, name, result, words) \
	case VGPU_END_##NAME:                       \
		return (CUresult)(result);
		VGPU_END_TABLE(RESULT_OF)
#undef RESULT_OF
	default:
		return CUDA_ERROR_UNKNOWN;
	}
}

CUresult core_lost(void)
{
	CUresult sticky = (CUresult)vgpu_sticky(core.vgpu);

	return sticky != CUDA_SUCCESS ? sticky : core_end(vgpu_ended(core.vgpu));
}

static bool tell_refused(const char *what, uint32_t times)
{
	struct vgpu_cmd_refused args = { .times = times };
	struct vgpu_order order = { CORE_ORDER(REFUSED, args), .tail = what,
				    .tail_bytes = (uint32_t)strlen(what) + 1 };

	return vgpu_submit(core.vgpu, &order) == VGPU_END_NONE;
}

CUresult core_start(void)
{
	CUresult result;

	if (atomic_load_explicit(&core.started, memory_order_acquire))
		return core_lost();
	CANCEL_OFF();
	result = core_end(vgpu_start(core.vgpu));
	if (result == CUDA_SUCCESS && !atomic_exchange(&core.started, true))
		refuse_begin(tell_refused);
	return result;
}

bool core_has_started(void)
{
	return atomic_load_explicit(&core.started, memory_order_acquire);
}

void core_set_spin(uint32_t given_us)
{
	atomic_store(&core.spins, given_us > 0);
	vgpu_set_spin(core.vgpu, given_us);
}

bool core_may_spin(void)
{
	return atomic_load(&core.spins);
}

struct vgpu *core_vgpu(void)
{
	return core.vgpu;
}

const struct vgpu_device_page *core_device(void)
{
	return &core.device;
}

const struct slot *core_slot(void)
{
	return &core.slot;
}

bool core_blocking(void)
{
	return core.blocking;
}

/* --- calls --- */

CUresult core_send(const struct vgpu_order *order)
{
	return core_end(vgpu_submit(core.vgpu, order));
}

static _Thread_local bool waits_forbidden;

void core_allow_waits(bool allowed)
{
	waits_forbidden = !allowed;
}

bool core_may_wait(void)
{
	return !waits_forbidden;
}

/* Return: whether the command may not be run by this thread. */
static bool is_forbidden(uint16_t op)
{
#define WAITS_ISSUE false
#define WAITS_BLOCK true
#define WAITS_WAIT true
#define COMMAND(number, NAME, name, WAY, ...) [number] = WAITS_##WAY,
	static const bool waits[VGPU_CMD_MOST] = { VGPU_COMMAND_TABLE(COMMAND) };
#undef COMMAND

	return waits_forbidden && waits[op];
}

CUresult core_call(const struct vgpu_order *order, struct vgpu_reply *reply)
{
	struct vgpu_ticket ticket;
	CUresult result = core_ask(order, &ticket);

	if (result == CUDA_SUCCESS)
		return core_take(&ticket, reply);
	*reply = (struct vgpu_reply){ 0 };
	return result;
}

CUresult core_ask(const struct vgpu_order *order, struct vgpu_ticket *ticket)
{
	if (is_forbidden(order->op))
		return CUDA_ERROR_NOT_PERMITTED;
	return core_end(vgpu_ask(core.vgpu, order, ticket));
}

CUresult core_take(const struct vgpu_ticket *ticket, struct vgpu_reply *reply)
{
	enum vgpu_end end = vgpu_take(core.vgpu, ticket, reply);

	return end != VGPU_END_NONE ? core_end(end) : (CUresult)reply->result;
}

void core_keep_error(CUresult result)
{
	int none = CUDA_SUCCESS;

	if (result != CUDA_SUCCESS)
		atomic_compare_exchange_strong(&core.kept_error, &none, (int)result);
}

CUresult core_take_error(void)
{
	return (CUresult)atomic_exchange(&core.kept_error, CUDA_SUCCESS);
}
