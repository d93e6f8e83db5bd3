/* SPDX-License-Identifier: GPL-2.0-or-later */
/* child.c - the ends of children, in an event loop */

#include "proc/child.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int child_watch(sd_event *event, sd_event_source **source, pid_t pid, sd_event_io_handler_t handler,
		void *arg)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), err;
	sd_event_source *added = NULL;

	if (pidfd < 0)
		return -errno;
	/* By edges, so that a child that a debugger has does not keep the loop busy. */
	err = sd_event_add_io(event, &added, pidfd, EPOLLIN | EPOLLET, handler, arg);
	if (err < 0) {
		close(pidfd);
		return err;
	}
	sd_event_source_set_io_fd_own(added, true);
	if (source != NULL) {
		*source = added;
		return 0;
	}
	sd_event_source_set_floating(added, true);
	sd_event_source_unref(added);
	return 0;
}

bool child_has_ended(pid_t pid, siginfo_t *info)
{
	*info = (siginfo_t){ 0 };
	return waitid(P_PID, (id_t)pid, info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info->si_pid != 0;
}

void child_reap(pid_t pid)
{
	siginfo_t info;

	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG);
}
