/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon_clock.c - notices when the wall clock is set */

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "vgpud/daemon_private.h"

int64_t daemon_wall_offset_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * UTIL_NS_PER_S + now.tv_nsec - (int64_t)util_now_ns();
}

/* Arms a timer for the end of time: it is cancelled when the wall clock is set, and never fires. */
static int arm_clock_timer(int fd)
{
	struct itimerspec never = { .it_value.tv_sec = INT32_MAX };

	return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
}

static int on_clock_step(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct daemon *daemon = arg;
	int64_t offset_ns = daemon_wall_offset_ns(), step_ms;
	uint64_t expirations;
	char text[64];

	(void)source;
	(void)revents;
	if (read(fd, &expirations, sizeof(expirations)) >= 0 || errno != ECANCELED)
		return 0;
	arm_clock_timer(fd);
	step_ms = (offset_ns - daemon->clock_offset_ns) / UTIL_NS_PER_MS;
	daemon->clock_offset_ns = offset_ns;
	if (step_ms == 0)
		return 0;
	daemon->clock_steps++;
	snprintf(text, sizeof(text), "the wall clock stepped by %+.3f s", (double)step_ms / 1000);
	log_warning("%s; durations are not touched", text);
	ledger_clock_stepped(daemon->broker.ledger, step_ms * UTIL_NS_PER_MS);
	daemon_tell(daemon, "clock-step", NULL, text);
	return 0;
}

int daemon_watch_clock(struct daemon *daemon)
{
	daemon->clock_fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (daemon->clock_fd < 0 || arm_clock_timer(daemon->clock_fd) < 0)
		return -errno;
	return sd_event_add_io(daemon->event, NULL, daemon->clock_fd, EPOLLIN, on_clock_step,
			       daemon);
}
