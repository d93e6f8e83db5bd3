/* SPDX-License-Identifier: GPL-2.0-or-later */
/* screen.c - takes the whole terminal for a while, and always gives it back */

#include "vgpuadm/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define ALTERNATE "\033[?1049h\033[?25l" /* and no cursor */
#define NORMAL "\033[?25h\033[?1049l"

/* Signals that end the view, then signals that change the screen. */
static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH, SIGCONT };

#define SIGNAL_NUM (sizeof(signals) / sizeof(signals[0]))

/* The process has one terminal, and handlers get no context. */
static struct {
	bool taken;
	struct termios before;
	struct sigaction old[SIGNAL_NUM];
	int wake_fd; /* valid once it was entered */
} screen;

static volatile sig_atomic_t ending; /* the signal that asks to end, 0: none */
static volatile sig_atomic_t stopping, changed;

static void on_signal(int number)
{
	const uint64_t one = 1;
	int saved = errno;

	if (number == SIGTSTP)
		stopping = 1;
	else if (number == SIGWINCH || number == SIGCONT)
		changed = 1;
	else
		ending = number;
	if (write(screen.wake_fd, &one, sizeof(one)) < 0)
		changed = 1; /* the counter is full, so it is readable already */
	errno = saved;
}

static int take_terminal(void)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &screen.before) < 0)
		return -errno;
	raw = screen.before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) < 0)
		return -errno;
	fputs(ALTERNATE, stdout);
	fflush(stdout);
	screen.taken = true;
	return 0;
}

static void give_terminal(void)
{
	if (!screen.taken)
		return;
	screen.taken = false;
	fputs(NORMAL, stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &screen.before);
}

int screen_enter(struct fail *fail)
{
	static bool registered;
	const struct sigaction action = { .sa_handler = on_signal };
	int err;

	screen.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (screen.wake_fd < 0)
		return fail_set(fail, ADMIN_ERROR_REFUSED, "eventfd: %s", strerror(errno));
	if (!registered)
		atexit(give_terminal);
	registered = true;
	ending = stopping = changed = 0;
	for (size_t i = 0; i < SIGNAL_NUM; i++) {
		sigaction(signals[i], &action, &screen.old[i]);
		/* nohup and shells ignore signals that must not end their children. */
		if (screen.old[i].sa_handler == SIG_IGN)
			sigaction(signals[i], &screen.old[i], NULL);
	}
	err = take_terminal();
	if (err == 0)
		return 0;
	screen_leave();
	return fail_set(fail, ADMIN_ERROR_REFUSED, "the terminal does not obey: %s",
			strerror(-err));
}

void screen_leave(void)
{
	int asked = ending;

	give_terminal();
	for (size_t i = 0; i < SIGNAL_NUM; i++)
		sigaction(signals[i], &screen.old[i], NULL);
	close(screen.wake_fd);
	/* ^C only leaves the live view; other signals end the process. */
	if (asked != 0 && asked != SIGINT)
		raise(asked);
}

int screen_wake_fd(void)
{
	return screen.wake_fd;
}

/* Stops as ^Z asks, with the terminal as it was, and takes it again afterwards. */
static void stop(void)
{
	const struct sigaction action = { .sa_handler = on_signal };
	const struct sigaction standard = { .sa_handler = SIG_DFL };

	give_terminal();
	sigaction(SIGTSTP, &standard, NULL);
	raise(SIGTSTP);
	sigaction(SIGTSTP, &action, NULL);
	stopping = 0;
	if (take_terminal() < 0)
		ending = SIGHUP;
}

/* Return: an event that signals made, 0: none. */
static int see_to_signals(void)
{
	uint64_t count;

	if (read(screen.wake_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return SCREEN_END;
	if (ending)
		return SCREEN_END;
	if (stopping)
		stop();
	else if (!changed)
		return 0;
	changed = 0;
	return ending ? SCREEN_END : SCREEN_CHANGED;
}

int screen_wait(int timeout_ms)
{
	struct pollfd fds[] = {
		{ .fd = screen.wake_fd, .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};
	int ready = poll(fds, 2, timeout_ms), event = see_to_signals();
	unsigned char key;

	if (event != 0)
		return event;
	if (ready <= 0)
		return ready == 0 ? SCREEN_TIMEOUT : SCREEN_CHANGED;
	if (!fds[1].revents)
		return SCREEN_CHANGED;
	return read(STDIN_FILENO, &key, 1) == 1 ? key : SCREEN_END;
}

struct screen_size screen_size(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0 || size.ws_row == 0)
		return (struct screen_size){ .columns = 80, .lines = 24 };
	return (struct screen_size){ .columns = size.ws_col, .lines = size.ws_row };
}
