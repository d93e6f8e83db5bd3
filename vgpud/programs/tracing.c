/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracing.c - has a program's worker tell all that it does, for some seconds */

/*
 * Theory of operation. common/trace_page.h has the memory. A trace makes the file longer if it is
 * the first one of its program, takes over the ring as it stands, and sets the switch, which has
 * the worker's end of the trace in it: so a trace ends by itself. The file stays as
 * long as it is, since the worker may be writing into it; it goes with its program.
 */

#include "vgpud/programs/tracing.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/util.h"

struct tracing {
	int fd; /* of the program's file, our own */
	uint64_t begun_ns, until_ns;
	uint64_t taken;
	uint64_t lost_before; /* in earlier traces */
	struct arbiter_watch watch;
	struct {
		bool read;
		char text[TRACE_NAME_SIZE];
	} name[TRACE_NAMES];
};

#define RING_AT(field) ((off_t)(TRACE_RING_AT + offsetof(struct trace_ring, field)))

static bool read_word(int fd, off_t at, uint64_t *word)
{
	return pread(fd, word, sizeof(*word), at) == (ssize_t)sizeof(*word);
}

static int write_word(int fd, off_t at, uint64_t word)
{
	ssize_t written = pwrite(fd, &word, sizeof(word), at);

	if (written == (ssize_t)sizeof(word))
		return 0;
	return written < 0 ? -errno : -EIO;
}

/* Makes room for the ring, if there is none yet. Each of its blocks is there then. */
static int make_ring(int fd)
{
	static const uint8_t zeros[4096];
	off_t at = TRACE_RING_AT;
	struct stat st;

	if (fstat(fd, &st) != 0)
		return -errno;
	if (st.st_size >= (off_t)TRACE_FILE_BYTES)
		return 0;
	while (at < (off_t)TRACE_FILE_BYTES) {
		size_t left = TRACE_FILE_BYTES - (size_t)at;
		ssize_t len = pwrite(fd, zeros, left < sizeof(zeros) ? left : sizeof(zeros), at);

		if (len <= 0) {
			int err = len < 0 ? -errno : -ENOSPC;

			/* The switch was never set, so the worker has not touched what goes. */
			(void)!ftruncate(fd, TRACE_RING_AT);
			return err;
		}
		at += len;
	}
	return 0;
}

/* The ring's events up to now are of an earlier trace. */
static int take_over(struct tracing *tracing)
{
	if (!read_word(tracing->fd, RING_AT(head), &tracing->taken) ||
	    !read_word(tracing->fd, RING_AT(lost), &tracing->lost_before))
		return -EIO;
	return write_word(tracing->fd, RING_AT(taken), tracing->taken);
}

static unsigned traced_num(const struct programs *programs)
{
	const struct channel *channel = NULL;
	unsigned num = 0;

	while ((channel = programs_next(programs, channel)) != NULL)
		num += channel->traced;
	return num;
}

static int start(struct tracing *tracing, const struct channel *channel, uint64_t for_ns)
{
	int err;

	tracing->fd = fcntl(channel->report, F_DUPFD_CLOEXEC, 0);
	if (tracing->fd < 0)
		return -errno;
	err = make_ring(tracing->fd);
	if (err == 0)
		err = take_over(tracing);
	if (err == 0) {
		tracing->begun_ns = util_now_ns();
		tracing->until_ns = tracing->begun_ns + for_ns;
		err = write_word(tracing->fd, TRACE_SWITCH_AT, tracing->until_ns);
	}
	if (err != 0)
		close(tracing->fd);
	return err;
}

int tracing_begin(struct tracing **out, struct channel *channel, uint64_t for_ns)
{
	struct tracing *tracing;
	int err;

	*out = NULL;
	if (channel->report < 0 || channel->state != VGPU_CHANNEL_OPEN)
		return -ENODATA;
	if (channel->traced)
		return -EBUSY;
	if (traced_num(channel->programs) >= TRACING_MOST)
		return -EUSERS;
	tracing = calloc(1, sizeof(*tracing));
	if (tracing == NULL)
		return -ENOMEM;
	err = start(tracing, channel, for_ns);
	if (err != 0) {
		free(tracing);
		return err;
	}
	channel->traced = true;
	arbiter_watch(&channel->lease, &tracing->watch);
	*out = tracing;
	return 0;
}

uint64_t tracing_begun_ns(const struct tracing *tracing)
{
	return tracing->begun_ns;
}

uint64_t tracing_until_ns(const struct tracing *tracing)
{
	return tracing->until_ns;
}

int tracing_take(struct tracing *tracing, struct trace_event *events, unsigned most)
{
	uint64_t head, slot = tracing->taken % TRACE_EVENTS;
	ssize_t bytes;

	if (!read_word(tracing->fd, RING_AT(head), &head))
		return -EPROTO;
	if (head - tracing->taken > TRACE_EVENTS)
		return -EPROTO;
	if (most > head - tracing->taken)
		most = (unsigned)(head - tracing->taken);
	if (most > TRACE_EVENTS - slot)
		most = (unsigned)(TRACE_EVENTS -
				  slot); /* up to the ring's end; the rest comes next */
	if (most == 0)
		return 0;
	bytes = (ssize_t)(most * sizeof(*events));
	if (pread(tracing->fd, events, (size_t)bytes,
		  RING_AT(event) + (off_t)(slot * sizeof(*events))) != bytes)
		return -EPROTO;
	tracing->taken += most;
	/* If that fails the worker finds the ring full, and counts what is lost. */
	(void)write_word(tracing->fd, RING_AT(taken), tracing->taken);
	return (int)most;
}

bool tracing_lease(struct tracing *tracing, struct arbiter_note *note)
{
	struct arbiter_watch *watch = &tracing->watch;

	if (watch->taken == watch->head)
		return false;
	*note = watch->note[watch->taken++ % ARBITER_NOTES];
	return true;
}

const char *tracing_name(struct tracing *tracing, uint32_t number)
{
	char *text;

	if (number == 0 || number > TRACE_NAMES)
		return NULL;
	text = tracing->name[number - 1].text;
	if (!tracing->name[number - 1].read) {
		if (pread(tracing->fd, text, TRACE_NAME_SIZE,
			  RING_AT(name) + (off_t)((number - 1) * TRACE_NAME_SIZE)) !=
		    (ssize_t)TRACE_NAME_SIZE)
			text[0] = '\0';
		text[TRACE_NAME_SIZE - 1] = '\0';
		for (char *c = text; *c != '\0'; c++)
			if (!isprint((unsigned char)*c))
				*c = '?';
		tracing->name[number - 1].read = true;
	}
	return text[0] != '\0' ? text : NULL;
}

uint64_t tracing_lost(const struct tracing *tracing)
{
	uint64_t lost;

	if (!read_word(tracing->fd, RING_AT(lost), &lost) || lost < tracing->lost_before)
		return 0;
	return lost - tracing->lost_before;
}

void tracing_end(struct tracing *tracing, struct channel *channel)
{
	write_word(tracing->fd, TRACE_SWITCH_AT, 0);
	close(tracing->fd);
	if (channel != NULL) {
		channel->traced = false;
		arbiter_watch(&channel->lease, NULL);
	}
	free(tracing);
}
