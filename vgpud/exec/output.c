/* SPDX-License-Identifier: GPL-2.0-or-later */
/* output.c - what a worker writes to its standard error, as lines of our log */

#include "vgpud/exec/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/util.h"

#define READ_BYTES 4096
#define READS_A_SECOND 8 /* more stays in the pipe, and a worker that fills it blocks */

static void tell_sum(struct output *output, uint64_t now_ns)
{
	unsigned over_s, lines = log_flood_sum(&output->flood, now_ns, &over_s);

	if (lines > 0)
		log_warning("worker %d (%s): %u more lines in %u s are left out", output->pid,
			    output->spec, lines, over_s);
}

static void end_line(struct output *output)
{
	uint64_t now_ns = util_now_ns();

	if (output->len == 0)
		return;
	if (log_flood_pass(&output->flood, now_ns))
		log_warning("worker %d (%s): %.*s", output->pid, output->spec, (int)output->len,
			    output->line);
	else if (now_ns >= log_flood_due_ns(&output->flood))
		tell_sum(output, now_ns);
	output->len = 0;
}

/* Bytes beyond the room of a line are left out. */
static void put_byte(struct output *output, unsigned char byte)
{
	char text[5];
	int len;

	if (byte == '\n') {
		end_line(output);
		return;
	}
	len = snprintf(text, sizeof(text), byte >= ' ' && byte <= '~' ? "%c" : "\\x%02x", byte);
	if (output->len + (size_t)len > sizeof(output->line))
		return;
	memcpy(output->line + output->len, text, (size_t)len);
	output->len += (size_t)len;
}

/* Return: whether there may be more. */
static bool read_some(struct output *output)
{
	unsigned char bytes[READ_BYTES];
	ssize_t len = read(output->fd, bytes, sizeof(bytes));

	for (ssize_t i = 0; i < len; i++)
		put_byte(output, bytes[i]);
	return len > 0 || (len < 0 && (errno == EAGAIN || errno == EINTR));
}

static int on_output(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	(void)fd;
	(void)revents;
	/* A closed pipe is not the worker's end: it may have closed its standard error. */
	if (!read_some(arg))
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

int output_open(struct output *output, sd_event *event, int fd, pid_t pid, const char *spec)
{
	int flags = fcntl(fd, F_GETFL), err;

	*output = (struct output){ .fd = fd, .pid = pid };
	snprintf(output->spec, sizeof(output->spec), "%s", spec);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	err = sd_event_add_io(event, &output->io, fd, EPOLLIN, on_output, output);
	if (err >= 0)
		err = sd_event_source_set_priority(output->io, SD_EVENT_PRIORITY_IDLE);
	if (err >= 0)
		err = sd_event_source_set_ratelimit(output->io, UTIL_NS_PER_S / UTIL_NS_PER_US,
						    READS_A_SECOND);
	return err < 0 ? err : 0;
}

void output_close(struct output *output)
{
	if (output->fd < 0)
		return;
	read_some(output);
	end_line(output);
	tell_sum(output, util_now_ns());
	sd_event_source_disable_unref(output->io);
	close(output->fd);
	output->fd = -1;
	output->io = NULL;
}
