/* SPDX-License-Identifier: GPL-2.0-or-later */
/* orders.c - what the broker tells the worker of a program, and what it is told */

#include "worker/orders.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "proc/confine.h"
#include "proc/inherit.h"
#include "worker/cuda_driver.h"

int orders_begin(const char *role)
{
	static const int unheeded[] = { SIGINT, SIGTERM, SIGPIPE, SIGXFSZ };

	log_init(role, false);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* It has a guest's data. */
	prctl(PR_SET_DUMPABLE, 0);
	/* Its threads, which have this from their first one, sleep for tens of microseconds. */
	prctl(PR_SET_TIMERSLACK, 1);
	for (size_t i = 0; i < sizeof(unheeded) / sizeof(unheeded[0]); i++)
		signal(unheeded[i], SIG_IGN);
	return inherit_fd(WORKER_SOCKET);
}

void orders_confine(bool soft, struct worker_hello *hello)
{
	unsigned branch = soft ? 0 : cuda_driver_branch();
	bool known = soft || confine_set_driver(branch);

	confine(soft ? CONFINE_SOFTGPU_PROGRAM : CONFINE_CUDA_PROGRAM);
	/* Where nothing is judged there is nothing to tell. */
	if (known || strcmp(confine_state(), confine_name(CONFINE_YES)) != 0)
		return;
	snprintf(hello->why, sizeof(hello->why),
		 "what NVIDIA's driver %u asks of the kernel is not on record: its workers' "
		 "requests are judged by their kind, not one by one",
		 branch);
}

bool orders_greet(int fd, const struct worker_hello *hello)
{
	return send(fd, hello, sizeof(*hello), MSG_NOSIGNAL) == sizeof(*hello);
}

/* Takes the descriptors that came with a message, up to the bound. */
static void take_fds(struct msghdr *message, struct orders *orders)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL;
	     part = CMSG_NXTHDR(message, part)) {
		size_t num = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < num; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(part) + i * sizeof(fd), sizeof(fd));
			if (orders->fd_num < ORDERS_FDS_MOST)
				orders->fds[orders->fd_num++] = fd;
			else
				close(fd);
		}
	}
}

int orders_receive(int fd, struct orders *orders)
{
	union {
		char bytes[CMSG_SPACE(ORDERS_FDS_MOST * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec part = { &orders->order, sizeof(orders->order) };
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t len;

	orders->fd_num = 0;
	do
		len = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	while (len < 0 && errno == EINTR);
	if (len <= 0)
		return 0;
	take_fds(&message, orders);
	if (len == sizeof(orders->order) && !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return 1;
	orders_close_fds(orders);
	return -1;
}

int orders_take_fd(struct orders *orders)
{
	return orders->fd_num > 0 ? orders->fds[--orders->fd_num] : -1;
}

void orders_close_fds(struct orders *orders)
{
	while (orders->fd_num > 0)
		close(orders->fds[--orders->fd_num]);
}

bool orders_answer(int fd, const struct program_state *state)
{
	return send(fd, state, sizeof(*state), MSG_NOSIGNAL) == sizeof(*state);
}
