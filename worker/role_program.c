/* SPDX-License-Identifier: GPL-2.0-or-later */
/* role_program.c - the process that runs one program of a guest */

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proc/confine.h"
#include "proc/role.h"
#include "proc/spawn_wire.h"
#include "worker/lease.h"
#include "worker/orders.h"
#include "worker/serve.h"

/*
 * Theory of operation. The process opens its GPU, closes itself in, says hello and waits: it is a spare.
 * With the order BIND it becomes one program's. The first thread then only passes the broker's word
 * about the lease on, and waits for the broker to close the socket, which ends the process at once;
 * another one issues commands.
 */

static int socket_fd; /* to the broker */
static struct output output;
static struct program program;
static struct program_state state; /* what is told of the program */
static struct budget budget;	   /* what softgpu's memory is asked of */
static struct module_client modules;

/*
 * Ends without taking the GPU down: the driver does that for a process that dies, and for a context
 * that failed it may take its time.
 */
static void __attribute__((noreturn)) die(int status)
{
	_exit(status);
}

/* Tells the broker why there is no program any more. Return: whether it could be told. */
static bool tell_end(enum vgpu_end why, CUresult result)
{
	state.what = PROGRAM_ENDED;
	state.end = why;
	state.result = (int32_t)result;
	return orders_answer(socket_fd, &state);
}

static void __attribute__((noreturn)) end(enum vgpu_end why, CUresult result)
{
	tell_end(why, result);
	die(1);
}

/* About the lease. The broker may be slow to read; without it there is nothing to go on for. */
static void say(const struct program_state *message)
{
	if (!orders_answer(socket_fd, message))
		die(0);
}

static void *map_page(int fd, int protection)
{
	void *page = mmap(NULL, LEASE_PAGE_BYTES, protection, MAP_SHARED, fd, 0);

	close(fd);
	if (page != MAP_FAILED)
		return page;
	snprintf(state.why, sizeof(state.why), "the lease page cannot be mapped");
	end(VGPU_END_WORKER_NOT_STARTED, CUDA_SUCCESS);
}

static void *issue(void *argument)
{
	const struct vgpu_command *last = (const struct vgpu_command *)program.command;
	enum vgpu_end why;

	(void)argument;
	program.gpu->ops->attach(program.gpu);
	why = serve_run(&program);
	if (why == VGPU_END_WORKER_LOST)
		snprintf(state.why, sizeof(state.why),
			 "its claims about the lease were overwritten");
	else if (last->op == 0 && last->bytes == 0)
		snprintf(state.why, sizeof(state.why), "the ring's indices or lengths cannot be");
	else
		snprintf(state.why, sizeof(state.why), "command %u of %u bytes makes no sense",
			 last->op, last->bytes);
	/*
	 * The broker tells the program. A program that heard it from here first could have exited
	 * before the broker reads this, and would be recorded as one that closed its channel.
	 */
	if (!tell_end(why, CUDA_SUCCESS))
		channel_ended(&program.channel, why);
	die(1);
}

/* Copies what the program says about itself: shown, never believed. */
static void read_claims(const struct window *window)
{
	const volatile struct vgpu_channel_control *control =
		(void *)(window->base + window->control_at);
	size_t i = 0;

	state.pid = control->pid;
	for (; i < sizeof(state.name) - 1 && control->name[i] != '\0'; i++)
		state.name[i] = control->name[i];
	memset(state.name + i, 0, sizeof(state.name) - i);
}

/* Makes this worker the program's, and starts issuing its commands. */
static void bind_program(struct gpu *gpu, struct orders *orders)
{
	struct serve_config config = {
		.gpu = gpu,
		.output = &output,
		.report = report_map(orders->fds[PROGRAM_FD_REPORT]),
		.quota = quota_map(orders->fds[PROGRAM_FD_MEMORY]),
		.quota_slot = orders->order.memory_slot,
		.budget = &budget,
		.modules = &modules,
		.kick = orders->fds[PROGRAM_FD_KICK],
		.call = orders->fds[PROGRAM_FD_CALL],
		.broker = socket_fd,
		.helper_num = HELPERS_MOST,
		.poll_us = orders->order.poll_us,
		.lease_page = map_page(orders->fds[PROGRAM_FD_LEASE], PROT_READ),
		.lease_claims = map_page(orders->fds[PROGRAM_FD_CLAIMS], PROT_READ | PROT_WRITE),
		.say = say,
	};
	struct window window;
	enum vgpu_end why;
	pthread_t thread;
	CUresult result;

	why = window_map(&window, orders->fds[PROGRAM_FD_WINDOW], &orders->order, state.why,
			 sizeof(state.why));
	if (why != VGPU_END_NONE)
		end(why, CUDA_SUCCESS);
	if (config.quota == NULL || config.quota_slot >= QUOTA_SLOTS) {
		snprintf(state.why, sizeof(state.why), "the page of the VM's memory is none");
		end(VGPU_END_WORKER_NOT_STARTED, CUDA_SUCCESS);
	}
	/* All are mapped. With the report's descriptor its file could be cut, or filled. */
	close(orders->fds[PROGRAM_FD_WINDOW]);
	close(orders->fds[PROGRAM_FD_REPORT]);
	close(orders->fds[PROGRAM_FD_MEMORY]);
	read_claims(&window);
	config.window = &window;
	result = serve_start(&program, &config);
	if (result != CUDA_SUCCESS) {
		snprintf(state.why, sizeof(state.why),
			 "the GPU cannot use the window's memory: CUDA error %d", (int)result);
		end(VGPU_END_WORKER_NOT_STARTED, result);
	}
	state.what = PROGRAM_BOUND;
	if (!orders_answer(socket_fd, &state))
		die(0);
	if (pthread_create(&thread, NULL, issue, NULL) != 0) {
		snprintf(state.why, sizeof(state.why), "no thread can be started");
		end(VGPU_END_WORKER_NOT_STARTED, CUDA_SUCCESS);
	}
}

int role_program(const char *spec)
{
	struct worker_hello hello = { .error = 0 };
	const uint64_t one = 1;
	struct orders orders;
	struct gpu *gpu = NULL;
	int kick;

	socket_fd = orders_begin(spawn_name[SPAWN_PROGRAM]);
	output_init(&output);
	budget_init(&budget, socket_fd);
	module_client_init(&modules, socket_fd);
	/*
	 * Landlock covers threads that are started after it alone, so softgpu's have to wait for it.
	 * NVIDIA's driver opens its devices for writing first: its own threads have the filter alone,
	 * those that run the program's commands both. A kernel without Landlock has the filter, too.
	 */
	if (gpu_is_soft(spec))
		confine_no_changes();
	hello.error = gpu_open(&gpu, spec, &output, hello.why, sizeof(hello.why));
	if (gpu != NULL) {
		hello.info = gpu->info;
		if (!gpu_is_soft(spec))
			confine_no_changes();
		orders_confine(gpu_is_soft(spec), &hello);
	}
	if (!orders_greet(socket_fd, &hello) || gpu == NULL)
		die(gpu == NULL);
	if (orders_receive(socket_fd, &orders) != 1)
		die(0);
	if (orders.order.what != PROGRAM_BIND || orders.fd_num != ORDERS_FDS_MOST)
		die(1);
	kick = orders.fds[PROGRAM_FD_KICK];
	bind_program(gpu, &orders);
	while (orders_receive(socket_fd, &orders) == 1) {
		if (orders.order.what == PROGRAM_MODULE)
			module_client_answered(&modules, &orders.order, orders_take_fd(&orders));
		orders_close_fds(&orders);
		if (orders.order.what == PROGRAM_GRANT)
			budget_answered(&budget, &orders.order);
		if (orders.order.what != PROGRAM_LEASE)
			continue;
		/*
		 * The lease page has changed. The issuing thread may sleep, or be in the driver for
		 * long.
		 */
		lease_acknowledge(&program.lease);
		(void)!write(kick, &one, sizeof(one));
	}
	die(0);
}
